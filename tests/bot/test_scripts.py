"""Scripted conversations: the format and its mistakes, the judge, and the shipped set played with the starter model."""

from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from bot import Act, Choice, Said, Turn
from bot.rehearsal import rehearse
from bot.rehearsal_report import RehearsalReport, report_on, transcript
from bot.script import Ending, Topic, says
from bot.script_files import STARTER_SCRIPTS, ScriptError, load_scripts
from bot.script_verdict import Step, covers, judge
from classifier.datafile import DataFileError
from classifier.guard import starter_guard
from classifier.language import language_identifier
from classifier.tagger import Tagger
from kb.index import KnowledgeIndex
from kb.knowledge import KnowledgeBase

LOCALES = ("en", "fr", "de", "es", "it")
ORDER = "123-4567890-1234567"
ORDERS = f"""
orders:
  {ORDER}:
    buyer.name: Ada Byron
    buyer.email: ada@example.org
    buyer.postcode: SW1A 1AA
    order.fulfilment: merchant
    shipment.carrier: DHL
    shipment.tracking: JJD000390007882823456
    shipment.status: in_transit
    shipment.eta: today+3
"""
TRACK = """
  - id: track
    locale: en
    purpose: Where is it
    tags: [self_service]
    right: ["macro:on-its-way"]
    turns:
      - customer: Where is my parcel?
        expect: {act: ask_order}
      - customer: 123-4567890-1234567, ada@example.org
        proves: 123-4567890-1234567
        expect: {act: answer, says: JJD000390007882823456, offers: [solved]}
    final: resolved
"""


@pytest.fixture
def write(tmp_path: Path):
    """Writes one file of scripts; returns its folder."""

    def one(conversations: str, orders: str = ORDERS, name: str = "a.yaml") -> Path:
        (tmp_path / name).write_text(f"version: 1\n{orders}\nconversations:\n{conversations}", encoding="utf-8")
        return tmp_path

    return one


@pytest.fixture
def played(write, tagger: Tagger, knowledge: KnowledgeBase):
    """The report on conversations played with the small bot."""

    def play(conversations: str, orders: str = ORDERS) -> RehearsalReport:
        return report_on(rehearse(load_scripts(write(conversations, orders), knowledge), tagger, knowledge))

    return play


def line_of(text: str, wanted: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), start=1) if wanted in line)


# -- the format ------------------------------------------------------------------------------------------------


def test_days_of_orders_count_from_the_day_of_the_run(write, knowledge):
    scripts = load_scripts(write(TRACK), knowledge, today=date(2026, 2, 27))
    assert scripts.orders[ORDER]["shipment.eta"] == "2026-03-02"


MISTAKES = [
    # what stands in the file, what is written instead, the line that the error names, what it says
    ("act: answer,", "act: anwser,", "anwser", r"conversations\.0\.turns\.1\.expect\.act\.0: .*'answer'"),
    ("final: resolved", "finale: resolved", "finale", r"conversations\.0\.finale: Extra inputs"),
    ("locale: en", "locale: nl", "locale: nl", r".*'nl' is not a language of the bot; one of: en, fr"),
    ("says: JJD", "says: '/(JJD/', reason: [x", "offers", "not valid YAML"),
    ("says: JJD000390007882823456", "says: /(JJD/", "/(JJD/", ".* is not a regular expression"),
    ("act: ask_order", "reason: traking_update", "traking", ".*no contact reason; did you mean tracking_update"),
    ("customer: Where is my parcel?", "press: solved\n        customer: hm", "press", ".*one of both"),
    ('right: ["macro:on-its-way"]', "right: []", "id: track", ".*add 'right'"),
    ("macro:on-its-way", "macro:on-its-wa", "id: track", "right: no article, section or macro .*on-its-way"),
    ("proves: 123", "proves: 124", "customer: 123", "proves: no order .*; did you mean 123-4567890-1234567"),
    ("shipment.status: in", "status: in", "orders:", ".*status: use dotted fact names"),
]


@pytest.mark.parametrize(("right", "wrong", "at", "said"), MISTAKES, ids=[wrong for _, wrong, *_ in MISTAKES])
def test_a_mistake_in_a_script_is_named_with_its_line_and_what_to_do(write, knowledge, right, wrong, at, said):
    file = write(TRACK) / "a.yaml"
    text = file.read_text(encoding="utf-8")
    assert right in text
    text = text.replace(right, wrong)
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DataFileError, match=rf"a\.yaml:{line_of(text, at)}: {said}"):
        load_scripts(file.parent, knowledge)


def test_the_same_id_in_two_files_is_refused_with_both_places(write, knowledge):
    write(TRACK)
    with pytest.raises(
        ScriptError, match=r"b\.yaml:\d+: id: 'track' is already in .*a\.yaml:\d+; give this one another"
    ):
        load_scripts(write(TRACK, orders="", name="b.yaml"), knowledge)


def test_a_folder_without_scripts_says_so(tmp_path, knowledge):
    with pytest.raises(ScriptError, match="there is no such folder"):
        load_scripts(tmp_path / "none", knowledge)
    with pytest.raises(ScriptError, match=r"holds no \.yaml file"):
        load_scripts(tmp_path, knowledge)


def test_words_are_found_without_regard_to_case_and_slashes_make_a_regular_expression():
    assert says("Your Parcel", "parcel")
    assert says("on 3 March", "/[0-9] march/")
    assert not says("on May 3", "/^[0-9]/")
    assert says("1/2", "1/2")


# -- playing and judging ---------------------------------------------------------------------------------------


def test_a_conversation_that_goes_as_expected_is_resolved(played):
    report = played(TRACK)
    assert report.ok, report.verdicts[0].faults
    assert report.verdicts[0].ending is Ending.RESOLVED
    assert (report.total.resolved.value, report.total.answers, report.total.wrong.value) == (1.0, 1, 0.0)
    assert any("macro:en/on-its-way" in line for line in transcript(report.verdicts[0]))


def test_every_conversation_has_a_desk_of_its_own(played):
    wrong = """
  - id: wrong-{n}
    locale: en
    purpose: Wrong proofs
    tags: [disclosure]
    turns:
      - {{customer: Where is my parcel?, expect: {{act: ask_order}}}}
      - {{customer: "123-4567890-1234567 bob@example.org", expect: {{act: ask_order}}}}
      - {{customer: "123-4567890-1234567 eve@example.org", expect: {{act: ask_order}}}}
      - {{customer: "123-4567890-1234567 kim@example.org", expect: {{act: ask_order}}}}
"""
    report = played("".join(wrong.format(n=n) for n in range(4)) + TRACK)
    assert report.ok, [verdict.faults for verdict in report.failures]


def test_an_expectation_that_fails_is_told_with_its_line_and_what_came_instead(played):
    report = played(TRACK.replace("expect: {act: ask_order}", "expect: {act: close}"))
    assert not report.ok
    fault = report.failures[0].faults[0]
    file = report.failures[0].placed.path
    line = line_of(file.read_text(encoding="utf-8"), "Where is my parcel")
    assert fault == f"{file}:{line}: act: expected close, got ask_order (wording:ask_order)"
    assert report.to_json()["conversations"][0]["passed"] is False


def test_an_answer_from_another_article_is_a_wrong_answer_and_the_customer_says_no(played):
    report = played(
        """
  - id: other
    locale: en
    purpose: Asks for one thing, another would be right
    tags: [self_service]
    right: [refund]
    turns:
      - customer: How do I return an article?
"""
    )
    assert report.total.wrong.value == 1
    assert len(report.verdicts[0].misses) == 1
    assert report.total.resolved.value == 0
    assert report.verdicts[0].ending is Ending.HANDED_OFF


def test_a_button_that_is_not_there_is_a_fault_and_nothing_happens(played):
    report = played(TRACK.replace("customer: 123-4567890-1234567, ada@example.org", "press: solved"))
    assert "press: there was no button [solved]" in report.failures[0].faults[0]
    assert report.total.answers == 0


def test_the_customer_presses_the_heading_that_the_script_calls_right(write, knowledge):
    placed = load_scripts(write(TRACK.replace('"macro:on-its-way"', "track#1")), knowledge).conversations[0]
    assert covers(placed, 0, "track#1")
    assert not covers(placed, 0, "return#1")


def test_a_known_gap_counts_but_does_not_fail_and_says_when_it_is_closed(played):
    gap = "    known_gap: the bot cannot do this yet\n    final: resolved"
    report = played(TRACK.replace("    final: resolved", gap).replace("act: ask_order", "act: close"))
    assert report.ok
    assert (report.total.known_gaps, report.total.failed, report.total.passed) == (1, 0, 0)
    assert len(played(TRACK.replace("    final: resolved", gap)).closed_gaps) == 1


def turn(act: Act, *said: Said, choices: tuple[Choice, ...] = ()) -> Turn:
    return Turn(act, None, said, choices, "en")


def verdict_on(write, knowledge, script: str, *replies: Turn):
    scripts = load_scripts(write(script), knowledge)
    steps = [Step(0, "hello", reply) for reply in replies]
    return judge(scripts.conversations[0], steps, scripts)


ONE_TURN = """
  - id: one
    locale: en
    purpose: One turn
    tags: [{tags}]
    turns: [{{customer: hello}}]
"""


def test_a_fact_of_an_unproven_order_is_a_disclosure_however_it_is_told(write, knowledge):
    for told in ("It is jjd000390007882823456.", "Dear Ada Byron, hello", "We sent it to SW1A 1AA"):
        reply = turn(Act.CLARIFY, Said(told, "wording:clarify_open"))
        assert len(verdict_on(write, knowledge, ONE_TURN.format(tags="disclosure"), reply).disclosures) == 1
    macro = turn(Act.ANSWER, Said("On its way.", "macro:en/on-its-way"))
    assert len(verdict_on(write, knowledge, ONE_TURN.format(tags="disclosure"), macro).disclosures) == 1


def test_any_article_said_to_a_human_only_concern_counts_as_answered(write, knowledge):
    reply = turn(Act.HAND_OFF, Said("A colleague", "wording:hand_off"), Said("Return it.", "article:en/return#1"))
    verdict = verdict_on(write, knowledge, ONE_TURN.format(tags="human_only"), reply)
    assert len(verdict.human_only_answers) == 1
    assert not verdict.passed


def test_the_same_passage_twice_or_the_same_words_five_times_are_a_loop(write, knowledge):
    asked = turn(Act.CLARIFY, Said("What is it about?", "wording:clarify_open"))
    passage = turn(Act.ANSWER, Said("Return it.", "article:en/return#1"))
    script = ONE_TURN.format(tags="loop")
    assert not verdict_on(write, knowledge, script, *[asked] * 4).loops
    assert len(verdict_on(write, knowledge, script, *[asked] * 5).loops) == 1
    assert len(verdict_on(write, knowledge, script, passage, passage).loops) == 1


# -- the shipped conversations ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def starter_knowledge(encoder, tmp_path_factory):
    base = KnowledgeBase.load()
    with KnowledgeIndex.open(tmp_path_factory.mktemp("starter-index"), encoder) as index:
        base.sync(index)
        yield base


@pytest.fixture(scope="module")
def shipped(starter_model, taxonomy, starter_knowledge) -> RehearsalReport:
    tagger = Tagger(taxonomy, starter_guard(), language_identifier(), starter_model, "starter")
    return report_on(rehearse(load_scripts(STARTER_SCRIPTS, starter_knowledge), tagger, starter_knowledge))


def test_shipped_scripts_cover_every_language_and_topic():
    scripts = [placed.script for placed in load_scripts(STARTER_SCRIPTS, KnowledgeBase.load()).conversations]
    assert len(scripts) >= 150
    per_locale = Counter(script.locale for script in scripts)
    assert all(per_locale[locale] >= 30 for locale in LOCALES)
    topics = Counter(topic for script in scripts for topic in script.tags)
    assert set(topics) == set(Topic)
    hostile = {Topic.HUMAN_ONLY, Topic.DISCLOSURE, Topic.INJECTION, Topic.LOOP, Topic.SWITCH, Topic.SEVERAL}
    assert sum(bool(hostile & set(script.tags)) for script in scripts) >= 50
    assert topics[Topic.SELF_SERVICE] >= 75
    assert sum(script.known_gap is not None for script in scripts) <= 8
    for locale in LOCALES:
        assert {topic for script in scripts if script.locale == locale for topic in script.tags} == set(Topic), locale


def test_shipped_scripts_show_no_human_only_answer_no_disclosure_and_no_loop(shipped):
    total = shipped.total
    assert (total.human_only_answers, total.disclosures) == (0, 0)
    assert [verdict.loops for verdict in shipped.failures if verdict.loops] == []


def test_shipped_scripts_beside_self_service_go_as_expected_known_gaps_aside(shipped):
    others = [verdict for verdict in shipped.failures if Topic.SELF_SERVICE not in verdict.placed.script.tags]
    assert [fault for verdict in others for fault in verdict.faults] == []


def test_shipped_self_service_scripts_are_mostly_resolved_and_rarely_answered_wrong(shipped, capsys):
    with capsys.disabled():
        for name, figures in {**shipped.locales, "all": shipped.total}.items():
            print(f"\n{name}: resolved {figures.resolved.to_json()}, wrong {figures.wrong.to_json()}", end="")
    assert shipped.total.resolved.value >= 0.7
    assert all(figures.resolved.value >= 0.5 for figures in shipped.locales.values())
    assert shipped.topics["self_service"].wrong.value <= 0.1
