"""What labelling by the queue would have gained: labelled tickets replayed as if their labels were asked for now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from classifier.encoders import Encoder, Vectors
from training.fitting import FitError, Labelled, Progress, Settings, fit, silent
from training.labels.queue import label_queue

Chooser = Callable[[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], Sequence[str]], NDArray[np.int64]]
"""Called with labelled rows, open rows, the open rows' probabilities and the labels; the rows to label next."""


@dataclass(frozen=True)
class Step:
    """Macro-F1 and accuracy on the held-out tickets with so many ``labels``."""

    labels: int
    macro_f1: float
    accuracy: float


@dataclass(frozen=True)
class Replay:
    """The learning curves of the queue and of tickets taken at random, from the same start."""

    queue: tuple[Step, ...]
    random: tuple[Step, ...]

    def gain_per_100(self, curve: tuple[Step, ...]) -> float:
        """Points of macro-F1 for each 100 further labels, over the whole curve."""
        more = curve[-1].labels - curve[0].labels
        return round(100 * (curve[-1].macro_f1 - curve[0].macro_f1) / more * 100, 2) if more else 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain data with stable keys."""
        return {
            "queue": [asdict(step) for step in self.queue],
            "random": [asdict(step) for step in self.random],
            "points_per_100_labels": {
                "queue": self.gain_per_100(self.queue),
                "random": self.gain_per_100(self.random),
            },
        }


def replay(
    data: Labelled,
    vectors: Vectors,
    locales: Sequence[str],
    held: Labelled,
    held_vectors: Vectors,
    encoder: Encoder,
    *,
    start: int,
    batch: int = 100,
    rounds: int = 5,
    seed: int = 0,
    progress: Progress = silent,
) -> Replay:
    """Begin with ``start`` tickets of each label and ask ``rounds`` times for ``batch`` labels, by queue and at random.

    Raises `FitError` when too few tickets are left to choose from.
    """
    first = _start(data.labels, start, seed)
    if len(data) - len(first) < batch:
        raise FitError(
            f"{len(data)} labelled tickets are too few: {start} of each reason to start with, {batch} to add"
        )
    draw = np.random.default_rng(seed)

    def by_queue(known: NDArray[np.int64], left: NDArray[np.int64], said: NDArray[np.float64], labels: Sequence[str]):  # type: ignore[no-untyped-def]
        picks = label_queue(said, vectors[left], [locales[i] for i in left], labels, batch, vectors[known])
        return left[[pick.row for pick in picks]]

    def at_random(known: NDArray[np.int64], left: NDArray[np.int64], said: NDArray[np.float64], labels: Sequence[str]):  # type: ignore[no-untyped-def]
        return draw.choice(left, min(batch, len(left)), replace=False)

    curves = []
    for turn, choose in enumerate((by_queue, at_random)):

        def told(done: int, turn: int = turn) -> None:
            progress("replaying labels", turn * (rounds + 1) + done, 2 * (rounds + 1))

        curves.append(_curve(data, vectors, held, held_vectors, encoder, first, choose, rounds, seed, told))
    return Replay(*curves)


def _curve(
    data: Labelled,
    vectors: Vectors,
    held: Labelled,
    held_vectors: Vectors,
    encoder: Encoder,
    first: NDArray[np.int64],
    choose: Chooser,
    rounds: int,
    seed: int,
    told: Callable[[int], None],
) -> tuple[Step, ...]:
    known, steps = first, []
    for turn in range(rounds + 1):
        model = fit(data.take(known), encoder, Settings(seed=seed + 1), vectors=vectors[known]).model
        best = model.scores_of(held.texts, held_vectors).probabilities.argmax(axis=1)
        said = [model.labels[column] for column in best]
        right = float(np.mean(np.array(said) == np.array(held.labels)))
        f1 = float(f1_score(held.labels, said, average="macro", zero_division=0))
        steps.append(Step(len(known), round(f1, 4), round(right, 4)))
        told(turn + 1)
        left = np.setdiff1d(np.arange(len(data)), known)
        if turn == rounds or not len(left):
            break
        open_scores = model.scores_of([data.texts[i] for i in left], vectors[left]).probabilities
        known = np.concatenate([known, choose(known, left, open_scores, model.labels)])
    return tuple(steps)


def _start(labels: Sequence[str], each: int, seed: int) -> NDArray[np.int64]:
    names = np.array(labels)
    order = np.random.default_rng(seed).permutation(len(names))
    return np.concatenate([order[names[order] == name][:each] for name in np.unique(names)])
