"""The queue asks for what the model does not know, once, in every language; a replay says what that gains."""

import numpy as np
import pytest

from classifier.encoders import Encoder, Vectors
from training.corpus import Example, as_labelled
from training.fitting import FitError
from training.labels.queue import label_queue
from training.labels.replay import Replay, Step, replay

LABELS = ("a", "b", "c")


def unit(rows: list[list[float]]) -> Vectors:
    found = np.array(rows, dtype=np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_doubtful_tickets_come_first_and_say_between_which_reasons() -> None:
    said = np.array([[0.98, 0.01, 0.01], [0.45, 0.1, 0.45 + 1e-6], [0.7, 0.2, 0.1]])
    picks = label_queue(said, unit([[1, 0, 0], [0, 1, 0], [0, 0, 1]]), ["en"] * 3, LABELS, 3)
    assert [pick.row for pick in picks] == [1, 2, 0]
    assert {picks[0].first, picks[0].second} == {"a", "c"}
    assert (picks[1].first, picks[1].second, picks[1].doubt) == ("a", "b", 0.5)


def test_a_twin_waits_until_all_others_were_asked_for() -> None:
    said = np.array([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.6, 0.4, 0.0]])
    picks = label_queue(said, unit([[1, 0], [1, 0.01], [0, 1]]), ["en"] * 3, LABELS, 3)
    assert [pick.row for pick in picks] == [0, 2, 1]
    assert picks[2].distance == pytest.approx(0, abs=1e-3)


def test_what_is_like_a_labelled_ticket_waits() -> None:
    said = np.array([[0.5, 0.5, 0.0], [0.55, 0.45, 0.0]])
    places = unit([[1, 0], [0, 1]])
    assert label_queue(said, places, ["en", "en"], LABELS, 1)[0].row == 0
    assert label_queue(said, places, ["en", "en"], LABELS, 1, unit([[1, 0.1]]))[0].row == 1


def test_languages_take_turns_and_a_language_that_is_done_leaves_its_turns() -> None:
    draw = np.random.default_rng(1)
    said = draw.dirichlet(np.ones(3), 30)
    locales = ["en"] * 26 + ["de"] * 3 + ["fr"]
    picks = label_queue(said, unit(draw.normal(size=(30, 8)).tolist()), locales, LABELS, 9)
    spoken = [locales[pick.row] for pick in picks]
    assert sorted(spoken[:3]) == ["de", "en", "fr"]
    assert (spoken.count("fr"), spoken.count("de"), spoken.count("en")) == (1, 3, 5)
    assert len({pick.row for pick in picks}) == 9


def test_no_more_is_asked_for_than_there_is() -> None:
    said, places = np.full((2, 3), 1 / 3), unit([[1, 0], [0, 1]])
    assert len(label_queue(said, places, ["en", "en"], LABELS, 100)) == 2
    assert label_queue(said[:0], places[:0], [], LABELS, 5) == []
    assert label_queue(said, places, ["en", "en"], LABELS, 0) == []


def test_a_replay_tells_both_curves_from_the_same_start(
    learned: list[Example], frozen: list[Example], vectors: Vectors, encoder: Encoder
) -> None:
    held_vectors = encoder.encode([example.text for example in frozen])
    steps: list[tuple[int, int]] = []
    found = replay(
        as_labelled(learned), vectors, ["en"] * len(learned), as_labelled(frozen), held_vectors, encoder,
        start=6, batch=20, rounds=2, progress=lambda what, done, total: steps.append((done, total)),
    )  # fmt: skip
    assert [step.labels for step in found.queue] == [36, 56, 76] == [step.labels for step in found.random]
    assert found.queue[0] == found.random[0]
    assert found.queue[-1].macro_f1 > found.queue[0].macro_f1
    assert steps[-1] == (6, 6)
    assert set(found.to_json()["points_per_100_labels"]) == {"queue", "random"}
    with pytest.raises(FitError, match="too few"):
        replay(as_labelled(learned), vectors, ["en"] * len(learned), as_labelled(frozen), held_vectors, encoder,
               start=40)  # fmt: skip


def test_gain_is_points_of_f1_per_hundred_labels() -> None:
    curve = (Step(100, 0.5, 0.5), Step(300, 0.6, 0.6))
    assert Replay(curve, curve[:1]).to_json()["points_per_100_labels"] == {"queue": 5.0, "random": 0.0}
