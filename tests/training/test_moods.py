"""Fitting mood and urgency, and what the packaged model says of tickets that it was not fitted on."""

import json
from pathlib import Path

import pytest

from benchmarks.reading import mood_agreement
from classifier.encoders import Encoder
from classifier.moods import packaged_moods
from classifier.taxonomy import Taxonomy
from training.corpus import STARTER_CORPUS, Example, load_corpus
from training.moods import LABELS, MoodLabelError, fit_moods, judged_tickets, load_judgements


@pytest.fixture(scope="module")
def tickets(taxonomy: Taxonomy) -> dict[str, Example]:
    return {ticket.id: ticket for ticket in load_corpus(STARTER_CORPUS, taxonomy)}


def test_the_packaged_model_is_the_one_that_the_judgements_give(tickets: dict[str, Example], encoder: Encoder) -> None:
    data = judged_tickets(load_judgements(LABELS, tickets), tickets, encoder)
    fitted, packaged = fit_moods(data), packaged_moods()
    same = (data.features @ fitted.sentiment_weights + fitted.sentiment_intercept).argmax(axis=1) == (
        data.features @ packaged.sentiment_weights + packaged.sentiment_intercept
    ).argmax(axis=1)
    # How far the solver goes depends on rounding: a few close calls may fall otherwise.
    assert same.mean() > 0.97, "run 'python -m training.moods'"


def test_other_tickets_are_judged_as_people_do(encoder: Encoder) -> None:
    figures = mood_agreement("test", encoder)
    print({name: vars(figure) for name, figure in figures.items()})
    assert figures["sentiment"].exact > 0.62
    assert figures["sentiment"].exact > figures["sentiment_by_words"].exact + 0.1
    assert figures["sentiment"].within_one > 0.94
    assert figures["urgency"].exact > max(0.67, figures["urgency_by_words"].exact)
    assert figures["urgency"].kappa > 0.55
    assert min(figures["sentiment_by_words"].within_one, figures["urgency_by_words"].within_one) > 0.9


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "Invalid JSON"),
        ('{"id": "en-thanks-001", "sentiment": "glum", "urgency": "low"}', "sentiment"),
        ('{"id": "nobody", "sentiment": "neutral", "urgency": "low"}', "no ticket 'nobody'"),
        ('{"id": "en-thanks-001", "sentiment": "neutral"}', "urgency"),
    ],
)
def test_a_wrong_judgement_is_refused_with_its_line(
    tmp_path: Path, tickets: dict[str, Example], line: str, said: str
) -> None:
    good = {"id": "en-thanks-002", "sentiment": "neutral", "urgency": "low"}
    (tmp_path / "en.jsonl").write_text(f"{json.dumps(good)}\n{line}\n", encoding="utf-8")
    with pytest.raises(MoodLabelError, match=said) as refused:
        load_judgements(tmp_path, tickets)
    assert "en.jsonl:2" in str(refused.value)


def test_a_ticket_judged_twice_and_an_empty_folder_are_refused(tmp_path: Path, tickets: dict[str, Example]) -> None:
    with pytest.raises(MoodLabelError, match="has no judgements"):
        load_judgements(tmp_path, tickets)
    line = json.dumps({"id": "en-thanks-002", "sentiment": "neutral", "urgency": "low"})
    (tmp_path / "en.jsonl").write_text(f"{line}\n{line}\n", encoding="utf-8")
    with pytest.raises(MoodLabelError, match=r"judged already, at .*en\.jsonl:1"):
        load_judgements(tmp_path, tickets)
