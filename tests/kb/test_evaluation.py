import json
import math

import numpy as np
import pytest

from classifier.datafile import parse_yaml
from classifier.encoders import Encoder
from classifier.taxonomy import starter_taxonomy
from kb.content import ContentError
from kb.evaluation import DENSE, FUSION, OURS, Share, evaluate, expected_calibration_error, reciprocal_rank_fusion
from kb.fitting import SearchFitError, as_yaml, fit
from kb.index import KnowledgeIndex
from kb.knowledge import KnowledgeBase
from kb.questions import Part, Question, load_questions, of_part
from kb.search import HybridSearch
from kb.search_settings import SearchSettings, starter_search_settings


@pytest.fixture(scope="module")
def starter(encoder: Encoder, tmp_path_factory):
    """The starter knowledge base and its passages' vectors."""
    base = KnowledgeBase.load()
    with KnowledgeIndex.open(tmp_path_factory.mktemp("starter-index"), encoder) as index:
        base.sync(index)
        ids, vectors = index.vectors()
    return base, dict(zip(ids, vectors, strict=True))


@pytest.fixture(scope="module")
def report(starter, encoder: Encoder):
    base, vectors = starter
    asked = of_part(base.questions, Part.TEST)
    without_known = HybridSearch(base.passages, vectors, encoder)
    return evaluate(asked, Part.TEST, base.passages, vectors, base.hybrid, without_known)


def write_questions(tmp_path, *rows: dict, name: str = "en.jsonl"):
    folder = tmp_path / "questions"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return folder


def row(id: str, question: str = "where is it", article: str | None = "track", **more):
    return {"id": id, "locale": "en", "question": question, "article": article, **more}


def test_the_starter_questions_cover_every_article_and_language_and_some_that_nothing_answers(starter):
    base, _ = starter
    articles = {article.id for article in base.articles}
    for part in Part:
        questions = of_part(base.questions, part)
        assert {question.locale for question in questions} == set(starter_taxonomy().locales)
        assert set().union(*(question.answers for question in questions)) == articles
        assert sum(not question.answers for question in questions) >= 30
    assert len(base.questions) >= 300


def test_ours_finds_more_than_dense_search_alone_and_plain_fusion_on_held_out_questions(report):
    found = {method.method: method for method in report.methods}
    assert found[OURS].recall_at_1.value > found[DENSE].recall_at_1.value > found[FUSION].recall_at_1.value - 0.05
    assert found[OURS].recall_at_1.value >= 0.6
    assert found[OURS].mrr >= 0.7
    assert report.won > 2 * report.lost
    assert set(report.locales) == set(starter_taxonomy().locales)


def test_the_probability_tells_what_no_article_answers_and_is_about_as_often_right_as_it_says(report):
    assert report.auroc >= 0.75
    assert report.ece <= 0.13
    assert report.in_force.precision.value >= 0.7
    coverage = [point.coverage.value for point in report.curve]
    assert coverage == sorted(coverage, reverse=True)
    assert (coverage[0], coverage[-1]) == (1.0, 0.0)
    assert report.to_json()["curve"][-1]["precision"]["value"] is None


def test_the_shipped_settings_are_those_that_fitting_gives(starter, encoder: Encoder):
    base, vectors = starter
    known = base.known_questions

    def searcher(settings: SearchSettings, profile: str) -> HybridSearch:
        return HybridSearch(
            base.passages,
            None if profile == "lexical" else vectors,
            encoder,
            settings,
            known if profile == "asked" else (),
        )

    shipped = starter_search_settings()
    fitted = parse_yaml(as_yaml(fit(known, searcher, shipped)), SearchSettings, "fitted")
    for name in ("asked", "articles", "lexical"):
        got, want = (getattr(settings.profiles, name).model_dump() for settings in (fitted, shipped))
        assert got["weights"] == pytest.approx(want["weights"], abs=0.02)
        assert got["probability"] == pytest.approx(want["probability"], rel=0.1, abs=0.1)
    assert fitted.fitted_on == shipped.fitted_on


def test_a_known_question_is_not_known_while_it_is_asked(starter):
    base, _ = starter
    question = next(q for q in base.known_questions if q.answers)
    known = base.hybrid.ranked(question.question, question.locale, k=50)
    asked = base.hybrid.ranked(question.question, question.locale, k=50, without=question.id)
    mine = [next(r for r in ranked if r.passage.article in question.answers).parts.asked for ranked in (known, asked)]
    assert mine[0] == pytest.approx(1.0, abs=1e-3)
    assert mine[1] < 0.99


def test_too_few_questions_or_only_answered_ones_cannot_be_fitted_on(starter):
    base, _ = starter
    answered = [question for question in base.known_questions if question.answers]
    for questions in (answered, base.known_questions[:5]):
        with pytest.raises(SearchFitError, match="at least 40 are needed"):
            fit(questions, lambda settings, profile: base.hybrid, starter_search_settings())


def test_mistakes_of_question_files_are_reported_at_once_with_file_and_line(tmp_path):
    folder = write_questions(
        tmp_path,
        row("a"),
        row("a", "another"),
        row("b", "Where is IT", part="test"),
        row("c", "third", None, also=["track"]),
        row("d", "fourth") | {"locale": "fr"},
        {"id": "e"},
    )
    with (folder / "en.jsonl").open("a", encoding="utf-8") as file:
        file.write("\n{")
    with pytest.raises(ContentError) as error:
        load_questions(folder)
    text = str(error.value)
    assert f"{folder / 'en.jsonl'}:2: id: a is also in {folder / 'en.jsonl'}:1" in text
    assert "en.jsonl:3: question: stands in the development part too" in text
    assert "en.jsonl:4: also: names articles although" in text
    assert "en.jsonl:5: locale: 'fr' lies in en.jsonl" in text
    assert "en.jsonl:6: question: Field required" in text
    assert "en.jsonl:7: line: Invalid JSON" in text
    assert load_questions(tmp_path / "nothing") == []


def test_questions_that_name_no_article_cannot_be_measured_on(starter):
    base, vectors = starter
    with pytest.raises(ContentError, match="no question of the test part"):
        evaluate([], Part.TEST, base.passages, vectors, base.hybrid, base.hybrid)
    lost = [Question(id="x", locale="en", part=Part.TEST, question="y", article="nowhere")]
    with pytest.raises(ContentError, match="question x: no approved article nowhere"):
        evaluate(lost, Part.TEST, base.passages, vectors, base.hybrid, base.hybrid)


def test_reciprocal_rank_fusion_adds_the_inverse_ranks():
    fused = reciprocal_rank_fusion(np.array([0.9, 0.1, 0.5]), np.array([1.0, 3.0, 2.0]))
    assert fused.tolist() == pytest.approx([1 / 61 + 1 / 63, 1 / 63 + 1 / 61, 2 / 62])


def test_calibration_error_is_zero_of_honest_probabilities_and_their_distance_otherwise():
    half = np.array([True, False] * 50)
    assert expected_calibration_error(np.full(100, 0.5), half) == pytest.approx(0.0)
    assert expected_calibration_error(np.full(100, 0.9), half) == pytest.approx(0.4)
    assert expected_calibration_error(np.array([1.0, 0.0]), np.array([True, False])) == 0.0


def test_a_share_has_its_wilson_interval():
    share = Share.count(8, 10)
    assert (share.value, share.low, share.high) == pytest.approx((0.8, 0.4902, 0.9433), abs=1e-3)
    assert math.isnan(Share.count(0, 0).value)
