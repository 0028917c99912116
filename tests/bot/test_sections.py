"""Of an article that answers, the section that answers is said: held against sections that were chosen by reading."""

from pathlib import Path

import pytest
import yaml

from bot.answers import Answers
from kb.index import KnowledgeIndex
from kb.knowledge import KnowledgeBase
from kb.questions import Part, of_part

SECTIONS = Path(__file__).parent / "sections.yaml"


@pytest.fixture(scope="module")
def starter(encoder, tmp_path_factory):
    base = KnowledgeBase.load()
    with KnowledgeIndex.open(tmp_path_factory.mktemp("sections-index"), encoder) as index:
        base.sync(index)
        yield base


def test_the_right_section_of_the_right_article_is_mostly_said(starter, capsys):
    wanted = yaml.safe_load(SECTIONS.read_text(encoding="utf-8"))
    questions = {question.id: question for question in of_part(starter.questions, Part.DEVELOPMENT)}
    assert set(wanted) <= set(questions)  # a question of the test half would be no measure any more
    reasons = {article.id: article.reason for article in starter.articles}
    answers, said, right, openings = Answers(starter), 0, 0, 0
    for name, sections in wanted.items():
        question = questions[name]
        article = min(question.answers)
        found = answers.nearest(question.question, reasons[article], question.locale, without=name)
        if found is None or not found[0].source.startswith(f"article:{question.locale}/{article}#"):
            continue
        section = int(found[0].source.rpartition("#")[2])
        said += 1
        right += section in sections
        openings += section == 1
    with capsys.disabled():
        print(f"\nright section: {right} of {said}, openings said: {openings}", end="")
    assert said >= 150
    assert right / said >= 0.6
