"""The guard measured on messages that were written to get past it."""

import json
from collections import Counter
from pathlib import Path

import pytest

from classifier.guard import starter_guard
from classifier.language import language_identifier
from classifier.tagger import Tagger
from classifier.taxonomy import Taxonomy
from training.corpus import CorpusError
from training.guard_evaluation import GuardEvaluation, GuardMessage, evaluate_guard, load_guard_set

LANGUAGES = ("de", "en", "es", "fr", "it")
ROW = {
    "id": "g-1", "part": "test", "human_only": True, "reason": "legal_or_ip", "direct": True,
    "body": "My lawyer will write to you.",
}  # fmt: skip
ORDINARY = {**ROW, "id": "g-2", "human_only": False, "reason": "tracking_update", "body": "Where is my parcel?"}
# Measured on the test part when the rules were last changed, less two points.
LEAST_RECALL, LEAST_DIRECT_RECALL, MOST_FALSE_ALARMS = 0.588, 0.90, 0.227


@pytest.fixture(scope="module")
def messages() -> list[GuardMessage]:
    return load_guard_set()


@pytest.fixture(scope="module")
def rules_alone(taxonomy: Taxonomy) -> Tagger:
    return Tagger(taxonomy, starter_guard(), language_identifier(), None)


@pytest.fixture(scope="module")
def on_test(messages: list[GuardMessage], rules_alone: Tagger) -> GuardEvaluation:
    return evaluate_guard(rules_alone, [message for message in messages if message.part == "test"])


def write(folder: Path, *rows: object, name: str = "en.jsonl") -> Path:
    path = folder / name
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows), encoding="utf-8")
    return path


def test_both_parts_hold_as_many_messages_of_every_language_and_reason(messages: list[GuardMessage]) -> None:
    count = Counter((m.part, m.locale, m.human_only) for m in messages)
    assert {key: count[key] for key in count if key[2]} == {
        (part, locale, True): 50 for part in ("development", "test") for locale in LANGUAGES
    }
    assert set(Counter((m.part, m.reason) for m in messages if m.human_only).values()) == {50}


def test_rules_alone_stay_as_good_on_the_test_part_as_they_were(on_test: GuardEvaluation) -> None:
    figures = on_test.rules
    direct = figures.recall.raised - figures.indirect_recall.raised, figures.recall.n - figures.indirect_recall.n
    assert figures.recall.share is not None
    assert figures.recall.share >= LEAST_RECALL
    assert direct[0] / direct[1] >= LEAST_DIRECT_RECALL
    assert figures.false_alarms.share is not None
    assert figures.false_alarms.share <= MOST_FALSE_ALARMS


def test_shares_of_languages_and_reasons_add_up_to_the_whole(on_test: GuardEvaluation) -> None:
    figures = on_test.rules
    assert tuple(figures.recall_per_language) == LANGUAGES
    assert sum(share.raised for share in figures.recall_per_language.values()) == figures.recall.raised
    raised = figures.recall.raised + figures.false_alarms.raised
    assert sum(share.raised for share in figures.per_reason.values()) == raised


def test_intervals_are_exact(taxonomy: Taxonomy, rules_alone: Tagger) -> None:
    heard = [GuardMessage(**ROW | {"id": str(number)}, locale="en") for number in range(10)]
    recall = evaluate_guard(rules_alone, heard).rules.recall
    # Clopper and Pearson for 10 of 10: the lower end is 0.025 ** (1 / 10).
    assert (recall.raised, recall.n, recall.share, recall.high) == (10, 10, 1.0, 1.0)
    assert recall.low == pytest.approx(0.025**0.1)


def test_an_empty_share_has_no_figure(rules_alone: Tagger) -> None:
    alarms = evaluate_guard(rules_alone, [GuardMessage(**ROW, locale="en")]).rules.false_alarms
    assert (alarms.n, alarms.share, alarms.low, alarms.high) == (0, None, 0.0, 1.0)


def test_misses_and_alarms_are_listed_with_their_texts(rules_alone: Tagger) -> None:
    missed = GuardMessage(**{**ROW, "body": "The blue one, please."}, locale="en")
    alarm = GuardMessage(**{**ORDINARY, "body": ROW["body"]}, locale="en")
    result = evaluate_guard(rules_alone, [missed, alarm])
    assert [(miss.id, miss.body) for miss in result.misses] == [("g-1", "The blue one, please.")]
    assert [found.id for found in result.alarms] == ["g-2"]
    assert json.loads(json.dumps(result.to_json()))["misses"][0]["reason"] == "legal_or_ip"


def test_without_a_model_the_closed_guard_does_not_count_as_heard(rules_alone: Tagger) -> None:
    result = evaluate_guard(rules_alone, [GuardMessage(**ORDINARY, locale="en")])
    assert result.rules.false_alarms.raised == 0
    assert result.rules_or_model is None


def test_a_model_can_only_add_to_what_the_rules_hear(messages: list[GuardMessage], small_tagger: Tagger) -> None:
    english = [m for m in messages if m.part == "development" and m.locale == "en"]
    result = evaluate_guard(small_tagger, english)
    assert result.rules_or_model is not None
    assert result.rules_or_model.recall.raised >= result.rules.recall.raised
    assert len(result.misses) == result.rules_or_model.recall.n - result.rules_or_model.recall.raised


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "not valid JSON"),
        ("[]", "must be a JSON object"),
        ({**ROW, "part": "train"}, "part: "),
        ({**ROW, "human_only": "yes"}, "human_only: "),
        ({**ROW, "body": "  "}, "body: "),
        ({**ROW, "extra": 1}, "extra: "),
        ({**ROW, "reason": "no_such"}, "no contact reason"),
        ({**ROW, "human_only": False}, "taxonomy says otherwise"),
        (ORDINARY, "used twice"),
    ],
)
def test_a_mistake_is_reported_with_file_and_line(tmp_path: Path, line: object, complaint: str) -> None:
    path = write(tmp_path, ORDINARY, line)
    with pytest.raises(CorpusError) as raised:
        load_guard_set(tmp_path)
    assert str(raised.value).startswith(f"{path}:2: ")
    assert complaint in str(raised.value)


def test_a_folder_without_messages_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="messages"):
        load_guard_set(tmp_path)


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "fr.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(CorpusError, match=r"fr\.jsonl: byte 0 is not UTF-8"):
        load_guard_set(tmp_path)
