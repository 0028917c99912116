"""Which changes between two periods are more than chance, looking at every reason at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control, norm

from training.shift.counted import FALSE_DISCOVERY
from training.shift.prevalence import Replicates, Shares


@dataclass(frozen=True)
class Changes:
    """Changes of shares with 95% intervals, two-sided ``p``, and after Benjamini & Hochberg (1995); each ``(k,)``."""

    change: Shares
    low: Shares
    high: Shares
    p: Shares
    adjusted: Shares
    real: NDArray[np.bool_]


def real_changes(before: Shares, drawn_before: Replicates, after: Shares, drawn_after: Replicates) -> Changes:
    """Compare two estimates whose replicates share the draws of the model's evidence, so that its errors cancel."""
    change, spread = after - before, drawn_after - drawn_before
    low, high = np.quantile(spread, [0.025, 0.975], axis=1)
    p = 2 * norm.sf(np.abs(change) / np.maximum(spread.std(axis=1), 1e-12))
    adjusted = false_discovery_control(p)
    return Changes(
        change, np.minimum(low, change), np.maximum(high, change), p, adjusted, adjusted <= FALSE_DISCOVERY
    )  # fmt: skip
