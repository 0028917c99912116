"""Whether tickets read differently than before: a two-sample test on their vectors, and how many are unfamiliar."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.encoders import Vectors
from desk.intervals import share_difference, wilson

PERMUTATIONS = 500
SEED = 20_261_122


@dataclass(frozen=True)
class Drift:
    """Maximum mean discrepancy of two periods' vectors (Gretton et al. 2012), with permutation p-values.

    ``p`` asks whether the tickets differ at all; other proportions of reasons are enough for that. ``p_within``
    exchanges tickets of one reason only: whether tickets *of the same reason* read differently, which the correction
    of shares assumes they do not. ``n`` tickets of both periods together were compared.
    """

    mmd2: float
    p: float
    p_within: float
    n: int


@dataclass(frozen=True)
class Unfamiliar:
    """Share of tickets unlike anything that the model learned from, then and now, with 95% intervals."""

    baseline: float
    baseline_low: float
    baseline_high: float
    current: float
    current_low: float
    current_high: float
    change_low: float
    change_high: float


def measure_drift(
    before: Vectors, after: Vectors, before_reasons: NDArray[np.int64], after_reasons: NDArray[np.int64]
) -> Drift:
    """Compare two samples of unit vectors ``(n, d)`` whose tickets have these best reasons ``(n,)``."""
    vectors = np.concatenate([before, after])
    reasons = np.concatenate([before_reasons, after_reasons])
    n, m = len(before), len(after)
    squared = np.maximum(2.0 - 2.0 * (vectors @ vectors.T), 0.0)
    # The median distance is the kernel's width, as Gretton et al. advise.
    width = float(np.median(squared[np.triu_indices(len(vectors), 1)])) if len(vectors) > 1 else 1.0
    kernel = np.exp(-squared / max(width, 1e-6)).astype(np.float32)
    random = np.random.default_rng(SEED)
    signs = np.concatenate([np.full(n, 1.0 / n), np.full(m, -1.0 / m)]).astype(np.float32)
    columns = np.stack([signs, *(random.permutation(signs) for _ in range(PERMUTATIONS))], axis=1)
    strata = [np.flatnonzero(reasons == reason) for reason in np.unique(reasons)]
    within = np.stack([signs, *(_exchanged(signs, strata, random) for _ in range(PERMUTATIONS))], axis=1)
    found = [(columns_of * (kernel @ columns_of)).sum(axis=0) for columns_of in (columns, within)]
    p, p_within = (float((values >= values[0] * (1 - 1e-6)).sum()) / len(values) for values in found)
    return Drift(float(found[0][0]), p, p_within, n + m)


def _exchanged(
    signs: NDArray[np.float32], strata: list[NDArray[np.int64]], random: np.random.Generator
) -> NDArray[np.float32]:
    changed = signs.copy()
    for rows in strata:
        changed[rows] = random.permutation(signs[rows])
    return changed


def compare_unfamiliar(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> Unfamiliar:
    """The shares of tickets that are unfamiliar, ``(n,)`` each."""
    a, n, b, m = int(before.sum()), len(before), int(after.sum()), len(after)
    return Unfamiliar(a / n, *wilson(a, n), b / m, *wilson(b, m), *share_difference(b, m, a, n))
