"""Which tickets to label next: those that the model is unsure of, unlike each other, in every language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.encoders import Vectors

NEAREST_ROWS = 1_024


@dataclass(frozen=True)
class Pick:
    """A ticket to label: its ``row``, the two reasons that it lies between, and how much of the doubt is left.

    ``doubt`` 0..1 is one minus the margin between both; ``distance`` 0..2 is one minus the cosine to the nearest ticket
    that is labelled or stands before it in the queue.
    """

    row: int
    first: str
    second: str
    doubt: float
    distance: float


def label_queue(
    probabilities: NDArray[np.float64],
    vectors: Vectors,
    locales: Sequence[str],
    labels: Sequence[str],
    n: int,
    labelled: Vectors | None = None,
) -> list[Pick]:
    """``n`` tickets, the most helpful first: doubt times distance, greedily, each language in turn.

    ``probabilities (m, k)`` are calibrated, their columns ``labels``; ``vectors (m, d)`` of unit length. ``labelled``
    are vectors of tickets whose labels are known. A language without tickets leaves its turns to the others.
    """
    if not len(vectors) or n <= 0:
        return []
    order = np.sort(probabilities, axis=1)
    doubt = 1 - (order[:, -1] - order[:, -2]) if probabilities.shape[1] > 1 else np.zeros(len(vectors))
    distance = _distance(vectors, labelled)
    spoken = np.array(locales, dtype=object)
    turns = sorted(set(locales), key=lambda locale: (-float(doubt[spoken == locale].sum()), locale))
    open_rows = np.ones(len(vectors), dtype=bool)
    picks: list[Pick] = []
    turn = 0
    while len(picks) < min(n, len(vectors)):
        mine = open_rows & (spoken == turns[turn % len(turns)])
        turn += 1
        if not mine.any():
            continue
        worth = np.where(mine, doubt * distance, -1.0)
        row = int(worth.argmax())
        second, first = (labels[int(column)] for column in np.argsort(probabilities[row], kind="stable")[-2:])
        picks.append(Pick(row, first, second, round(float(doubt[row]), 4), round(float(distance[row]), 4)))
        open_rows[row] = False
        distance = np.minimum(distance, 1 - vectors @ vectors[row])
        distance = np.maximum(distance, 0.0)
    return picks


def _distance(vectors: Vectors, labelled: Vectors | None) -> NDArray[np.float64]:
    """One minus the cosine to the nearest labelled ticket, 1 where there are none."""
    found = np.ones(len(vectors))
    if labelled is None or not len(labelled):
        return found
    for start in range(0, len(vectors), NEAREST_ROWS):
        part = vectors[start : start + NEAREST_ROWS]
        found[start : start + len(part)] = np.maximum(0.0, 1 - (part @ labelled.T).max(axis=1))
    return found
