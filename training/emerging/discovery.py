"""Find groups of tickets among those of a period that the known reasons do not cover."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from classifier.encoders import Vectors
from classifier.heads import Floats
from classifier.model import Scores
from training.emerging.boundary import MOST, Group, drawn
from training.emerging.space import ROWS_AT_A_TIME, EmergingError, KnownSpace
from training.fitting import Progress, silent

SHOWN = 10
LEAST_TICKETS = 40
"""Tickets of a period below which nothing can be said."""
CANDIDATES = 0.13
"""Share of the period in which groups are looked for: the strangest tickets."""
LEAST_CANDIDATES, MOST_CANDIDATES = 100, 2_000
CROWDS = (5, 10, 20)
"""How many tickets of the period make a crowd, whose known tickets are counted."""
SIZES = (4, 6, 9, 14)
"""Scales at which groups are looked for; one reason is dense, another one wide."""
MIN_SAMPLES = 3
SAME_SEED = 0.6
"""Jaccard overlap from which two seeds are one."""
SAME_GROUP = 0.5
"""Share of the smaller group in the better one from which it is the same."""


def discover(
    space: KnownSpace,
    vectors: Vectors,
    scores: Scores,
    standing: NDArray[np.int64] | None = None,
    progress: Progress = silent,
    shown: int = SHOWN,
) -> list[Group]:
    """At most ``shown`` groups among a period's tickets, the most that is new first.

    ``vectors (n, d)`` and the model's ``scores`` are the tickets'. ``standing (n,)`` is 1 for those that were undecided
    or that a person corrected, which are looked at first, and -1 where a person agreed with the model, last. Raises
    `EmergingError` for too few tickets.
    """
    if len(vectors) < LEAST_TICKETS:
        raise EmergingError(
            f"{len(vectors)} tickets are too few to look for emerging reasons; choose a period with {LEAST_TICKETS}"
        )
    period, known = space.placed(vectors)
    candidates = _candidates(period, known, scores, standing)
    seeds = list(_seeds(period, candidates))
    groups = []
    for turn, seed in enumerate(seeds):
        groups.append(drawn(seed, period, known))
        progress("drawing groups", turn + 1, len(seeds))
    return best_apart(groups, shown)


def best_apart(groups: Sequence[Group], shown: int = SHOWN) -> list[Group]:
    """The best groups that are not the same as a better one; without any that is no more than expected."""
    best: list[Group] = []
    for group in sorted(groups, key=lambda group: -group.score):
        if len(best) == shown or group.score <= 0:
            break
        if all(_shared(group, other) < SAME_GROUP for other in best):
            best.append(group)
    return best


def _shared(one: Group, other: Group) -> float:
    return len(np.intersect1d(one.members, other.members)) / min(len(one.members), len(other.members))


def _candidates(period: Floats, known: Floats, scores: Scores, standing: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """The strangest tickets by three ranks: unsure, unfamiliar, and more of the kind than were to be expected."""
    strange = (
        rankdata(-scores.probabilities.max(axis=1)) + rankdata(-scores.familiarity) + rankdata(crowded(period, known))
    )
    if standing is not None:
        strange = strange + 3 * len(period) * standing
    n = int(np.clip(CANDIDATES * len(period), LEAST_CANDIDATES, MOST_CANDIDATES))
    return np.sort(np.argsort(-strange, kind="stable")[:n])


def crowded(period: Floats, known: Floats) -> NDArray[np.float64]:
    """How much more crowded with tickets of the period than with known ones it is around each: log-ratios, ``(n,)``."""
    crowds = [size for size in CROWDS if size < len(period)]
    share = len(period) / len(known)
    found = np.zeros(len(period))
    for start in range(0, len(period), ROWS_AT_A_TIME):
        near = period[start : start + ROWS_AT_A_TIME] @ period.T
        here = np.arange(len(near))
        near[here, start + here] = -np.inf
        to_known = period[start : start + ROWS_AT_A_TIME] @ known.T
        for size in crowds:
            edge = -np.partition(-near, size - 1, axis=1)[:, size - 1 : size]
            found[start + here] += np.log(size / ((to_known >= edge).sum(axis=1) + 1) / share)
    return found


def _seeds(period: Floats, candidates: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Dense parts among the candidates at several scales, each once."""
    from sklearn.cluster import HDBSCAN

    places = period[candidates].astype(np.float64)
    seen: list[NDArray[np.int64]] = []
    for size in SIZES:
        for method in ("eom", "leaf"):
            clusters = HDBSCAN(
                min_cluster_size=size, min_samples=MIN_SAMPLES, cluster_selection_method=method, copy=True
            ).fit_predict(places)
            for number in range(clusters.max() + 1):
                seed = candidates[clusters == number]
                if len(seed) > max(MOST * len(period), 2 * size) or any(
                    _jaccard(seed, other) > SAME_SEED for other in seen
                ):
                    continue
                seen.append(seed)
                yield seed


def _jaccard(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    return len(np.intersect1d(one, other)) / len(np.union1d(one, other))
