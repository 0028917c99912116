"""The model's half of the guard: when it raises, and which rules it may overrule."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from classifier.danger import DangerHead, may_be_overruled
from classifier.encoders import Encoder, Vectors
from classifier.guard import MODEL_RULE, starter_guard
from classifier.model import ReasonModel
from classifier.reading import read
from classifier.secondary import MAX_SENTENCES, Parts
from classifier.tagger import Tagger

SURE_OF_ALL = DangerHead(intercept=0.0, whole=1.0, part=1.0, threshold=3.0, overruled=2.0)
"""Calls every ticket ordinary."""
MENTION = "Please send the invoice for the order to our law firm, it has not come yet."
STATEMENT = "Please send the invoice. My bank will do a chargeback."


class CountingEncoder:
    """The encoder it is given, and how many texts it was asked for."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder, self.texts = encoder, 0
        self.name, self.dimensions = encoder.name, encoder.dimensions

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.texts += len(texts)
        return self.encoder.encode(texts)


def overrulable(body: str, subject: str = "") -> bool:
    reading = read(subject, body)
    hits = starter_guard().hits(reading.everything)
    assert hits
    return may_be_overruled(hits, reading)


@pytest.fixture
def with_head(small_tagger: Tagger) -> Callable[..., Tagger]:
    """The small tagger with another danger head and, where given, other thresholds."""

    def build(head: DangerHead | None, **thresholds: float) -> Tagger:
        assert small_tagger.model is not None
        model = small_tagger.model
        changed = replace(model, danger=head, thresholds=replace(model.thresholds, **thresholds))
        return Tagger(small_tagger.taxonomy, small_tagger.guard, small_tagger.languages, changed)

    return build


def test_danger_is_the_likelier_the_more_the_ticket_or_one_sentence_says_so() -> None:
    head = DangerHead(intercept=0.0, whole=1.0, part=0.5, threshold=0.3, overruled=0.1)
    rising, level = np.array([0.01, 0.5, 0.99]), np.full(3, 0.1)
    assert np.all(np.diff(head.probabilities(rising, level)) > 0)
    assert np.all(np.diff(head.probabilities(level, rising)) > 0)


def test_a_sentence_speaks_for_all_human_only_reasons_together() -> None:
    parts = Parts(np.array([[0.3, 0.3, 0.4], [0.5, 0.0, 0.5], [0.1, 0.1, 0.8]]), np.array([0, 0, 2]), 3)
    assert parts.best_of_any(np.array([True, True, False])).tolist() == pytest.approx([0.6, 0.0, 0.2])
    assert parts.best()[0].tolist() == pytest.approx([0.5, 0.3, 0.5])


def test_only_rules_that_mention_something_may_be_overruled() -> None:
    assert overrulable(MENTION)
    assert not overrulable(STATEMENT)
    assert not overrulable(f"{MENTION} {STATEMENT}")


@pytest.mark.parametrize(
    "body",
    [
        "Where is my parcel?\n\nOn Mon, 2 Nov 2026 at 10:00, Shop <a@x.example> wrote:\n> Send it to my lawyer.",
        "Where is my parcel?\n> it gave my son an electric shock",
        "Where is my parcel? " * MAX_SENTENCES + MENTION,
    ],
)
def test_words_that_the_model_has_not_read_are_not_overruled(body: str) -> None:
    assert not overrulable(body)


def test_a_sure_model_overrules_a_mention_and_no_statement(with_head: Callable[..., Tagger]) -> None:
    sure, unsure = with_head(SURE_OF_ALL, familiarity=0.0), with_head(replace(SURE_OF_ALL, overruled=0.0))
    assert sure.tag("", MENTION).guard == ()
    assert unsure.tag("", MENTION).guard == ("legal.lawyer.en",)
    assert sure.tag("", STATEMENT).guard == unsure.tag("", STATEMENT).guard != ()


def test_a_model_without_the_head_overrules_nothing(with_head: Callable[..., Tagger]) -> None:
    tagger = with_head(None, familiarity=0.0, human_only=2.0)
    assert tagger.tag("", MENTION).guard == ("legal.lawyer.en",)


def test_nothing_is_overruled_where_the_model_is_a_stranger(with_head: Callable[..., Tagger]) -> None:
    assert with_head(SURE_OF_ALL, familiarity=10.0).tag("", MENTION).guard
    dutch = "Waar blijft mijn pakket? Ik wacht al twee weken op de bestelling en ga naar de Polizei."
    assert with_head(SURE_OF_ALL, familiarity=0.0).tag("", dutch).guard


def test_the_head_raises_the_guard_from_its_own_threshold(with_head: Callable[..., Tagger]) -> None:
    nervous = with_head(replace(SURE_OF_ALL, threshold=0.0, overruled=0.0), human_only=2.0)
    assert nervous.tag("", "Where is my parcel?").guard == (MODEL_RULE,)


def test_a_written_model_keeps_its_head_and_an_older_one_has_none(small_model: ReasonModel, encoder: Encoder) -> None:
    head = DangerHead(0.1, 1.2, 0.3, 0.25, 0.05)
    read_again = ReasonModel.from_files(replace(small_model, danger=head).to_files(), encoder)
    assert (read_again.danger, read_again.raised_from, read_again.overruled_below) == (head, 0.25, 0.05)
    older = ReasonModel.from_files(replace(small_model, danger=None).to_files(), encoder)
    assert (older.danger, older.overruled_below) == (None, 0.0)
    assert older.raised_from == older.thresholds.human_only


def test_dangers_without_a_head_are_the_sum_over_human_only_labels(
    small_model: ReasonModel, human_only: frozenset[str]
) -> None:
    model = replace(small_model, danger=None)
    texts = ["The charger burned my hand", "Where is my parcel?"]
    probabilities = model.scores(texts).probabilities
    columns = np.isin(model.labels, list(human_only))
    found = model.dangers(probabilities, model.parts(texts), human_only)
    assert found == pytest.approx(probabilities[:, columns].sum(axis=1))
    assert found[0] > found[1]


def test_a_ticket_that_no_rule_raised_is_encoded_once(with_head: Callable[..., Tagger]) -> None:
    """Sentences are encoded one by one only where a rule may be overruled: it costs more than the tag itself."""
    sure = with_head(SURE_OF_ALL, familiarity=0.0)
    assert sure.model is not None
    asked = CountingEncoder(sure.model.encoder)
    counted = Tagger(sure.taxonomy, sure.guard, sure.languages, replace(sure.model, encoder=asked))
    counted.tag("", "Where is my parcel? It should have come on Monday. Please look into it.")
    assert asked.texts == 1
    counted.tag("", MENTION + " Thank you very much. Have a nice day.")
    assert asked.texts == 2 + 3
