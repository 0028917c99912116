"""How often the model's best reason is right in a period, estimated without labels."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from desk.intervals import Z_95
from training.shift.evidence import Evidence, Posteriors
from training.shift.prevalence import Shares, learned_shares, turned


@dataclass(frozen=True)
class EstimatedAccuracy:
    """Share of tickets whose best reason is right, 0..1, with a 95% interval.

    By calibrated confidence on the period's own shares, corrected by how far confidence was off out of fold;
    ``by_threshold`` is a second opinion, average thresholded confidence (Garg et al. 2022, arXiv:2201.04234). Where
    the two differ by much, tickets read differently than those that the model learned from, and neither is to be
    believed.
    """

    value: float
    low: float
    high: float
    by_threshold: float
    n: int


def estimate_accuracy(
    evidence: Evidence, posteriors: Posteriors, shares: Shares, groups: NDArray[np.int64]
) -> EstimatedAccuracy:
    """Accuracy on tickets with these ``posteriors (n, k)`` where the reasons have these ``shares``."""
    learned = learned_shares(evidence)
    best = posteriors.argmax(axis=1)
    rows = np.arange(len(posteriors))
    confidence = turned(posteriors, learned, shares)[rows, best].astype(np.float64)
    known = evidence.posteriors.max(axis=1).astype(np.float64)
    correct = evidence.posteriors.argmax(axis=1) == evidence.truth
    off = correct - known
    value = float(confidence.mean() + off.mean())
    of_group = np.bincount(groups, weights=confidence - confidence.mean())
    spread = sqrt(float((of_group**2).sum()) / len(confidence) ** 2 + float(off.var()) / len(off))
    threshold = np.quantile(known, 1 - correct.mean())
    low, high = value - Z_95 * spread, value + Z_95 * spread
    return EstimatedAccuracy(
        min(max(value, 0.0), 1.0), max(low, 0.0), min(high, 1.0),
        float((posteriors.max(axis=1) > threshold).mean()), len(posteriors),
    )  # fmt: skip
