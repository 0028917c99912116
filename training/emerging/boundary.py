"""Where a group of tickets ends: what tells it from the known tickets, and how many of it there are beyond chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.heads import Floats

LEAST = 5
"""Tickets of a group at least: fewer are no contact reason."""
MOST, ALWAYS = 1 / 20, 150
"""A group has at most this share of a period's tickets, or so many if that is more, and never above `PART`: what is
larger is no new reason, but a period unlike the known tickets altogether."""
PART = 1 / 4
CONTRAST = 600
"""Known tickets, the nearest, that a group is told from."""
PENALTY = 1.0
"""Ridge penalty; chosen with the other constants on classes of BANKING77's training split (docs/adr/0016)."""
WEIGHT = 0.25
"""Weight of a group's tickets together, beside 1 of the known ones that it is told from."""
ROUNDS = 3


@dataclass(frozen=True)
class Group:
    """``members`` are rows of the period, the most typical first; ``expected`` so many were to come.

    ``score`` is the log-likelihood ratio of Poisson counts between both (Kulldorff 1997, Communications in Statistics
    26): 0 for what was to be expected, more the larger and the newer a group is.
    """

    members: NDArray[np.int64]
    expected: float
    score: float


def drawn(seed: NDArray[np.int64], period: Floats, known: Floats) -> Group:
    """The group around the tickets ``seed``, drawn anew `ROUNDS` times; the best of them.

    A weighted ridge regression tells the group from its known neighbours. Each ticket that it was fitted on is judged
    as if left out (the ridge's closed form), so that known and new tickets are counted alike.
    """
    members = np.asarray(seed, dtype=np.int64)
    best = Group(members, 0.0, 0.0)
    for _ in range(ROUNDS):
        group = _counted(*_told_apart(members, period, known))
        if group.score >= best.score:
            best = group
        if np.array_equal(np.sort(group.members), np.sort(members)):
            break
        members = group.members
    return best


def _told_apart(members: NDArray[np.int64], period: Floats, known: Floats) -> tuple[Floats, Floats]:
    """How much each ticket belongs to the group, of the period ``(n,)`` and of the known ones ``(m,)``."""
    centre = period[members].mean(axis=0)
    others = min(CONTRAST, len(known))
    near = np.argpartition(-(known @ centre), others - 1)[:others]
    rows = np.concatenate([period[members], known[near]]).astype(np.float64)
    target = np.concatenate([np.ones(len(members)), -np.ones(others)])
    weight = np.concatenate([np.full(len(members), WEIGHT * others / len(members)), np.ones(others)])
    middle, level = np.average(rows, axis=0, weights=weight), np.average(target, weights=weight)
    moved = rows - middle
    inverse = np.linalg.inv((moved * weight[:, None]).T @ moved + PENALTY * np.eye(moved.shape[1]))
    slope = inverse @ ((moved * weight[:, None]).T @ (target - level))
    fitted = moved @ slope + level
    leverage = np.minimum(weight * np.einsum("ij,ij->i", moved @ inverse, moved), 0.98)
    left_out = target - (target - fitted) / (1 - leverage)
    mine, theirs = ((part - middle) @ slope + level for part in (period, known))
    mine[members], theirs[near] = left_out[: len(members)], left_out[len(members) :]
    return mine, theirs


def _counted(mine: Floats, theirs: Floats) -> Group:
    """Cut where most more tickets came than were to be expected."""
    largest = min(max(ALWAYS, int(MOST * len(mine))), int(PART * len(mine)))
    order = np.argsort(-mine, kind="stable")[: max(LEAST, largest)]
    came = np.arange(1, len(order) + 1)
    as_typical = len(theirs) - np.searchsorted(np.sort(theirs), mine[order])
    expected = (as_typical + 1) * len(mine) / len(theirs)
    more = came > expected
    ratio = np.where(more, came * np.log(came / expected) - (came - expected), 0.0)
    ratio[: LEAST - 1] = 0.0
    end = int(ratio.argmax())
    if ratio[end] == 0.0:
        end = min(LEAST, len(order)) - 1
    return Group(order[: end + 1], float(expected[end]), float(ratio[end]))
