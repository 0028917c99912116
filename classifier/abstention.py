"""When the model may be believed: a confidence threshold with a guarantee."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

CERTAIN = 1.01
"""A threshold that no confidence reaches: everything is `undecided`."""
_GRID = 200


@dataclass(frozen=True)
class Guarantee:
    """Among tickets with ``confidence >= threshold``, at most ``target`` are wrong, with probability ``1 - delta``.

    ``threshold`` is `CERTAIN` and ``coverage`` 0 where the calibration data could not show it. ``error`` and
    ``coverage`` are what the calibration data had, ``n`` how many tickets it had.
    """

    target: float
    delta: float
    threshold: float
    coverage: float
    error: float
    n: int

    @property
    def met(self) -> bool:
        """Whether any ticket may be tagged at all."""
        return self.threshold < CERTAIN


def error_upper_bound(errors: int, n: int, delta: float) -> float:
    """Exact (Clopper-Pearson) upper bound of an error rate, one-sided at confidence ``1 - delta``; 1 for n = 0."""
    return 1.0 if errors >= n else float(beta.ppf(1 - delta, errors + 1, n - errors))


def control_risk(
    confidence: NDArray[np.floating], correct: NDArray[np.bool_], target: float, delta: float = 0.05
) -> Guarantee:
    """The lowest threshold that Learn-then-Test certifies (Angelopoulos et al. 2021, arXiv:2110.01052).

    Fixed-sequence testing: thresholds are tried from the strictest down on a grid that is fixed beforehand as
    quantiles of confidence, each with an exact binomial test at level ``delta``; the first failure ends the sequence.
    It starts where half the target error would pass: fewer tickets could only fail, and end it, by bad luck.
    """
    n = len(confidence)
    order = np.argsort(-confidence, kind="stable")
    falling = -confidence[order]
    errors = np.cumsum(~correct[order]) if n else np.empty(0)
    best = Guarantee(target, delta, CERTAIN, 0.0, 0.0, n)
    for step in range(1, _GRID + 1):
        # A threshold keeps all tickets of equal confidence or none.
        kept = int(np.searchsorted(falling, falling[int(np.ceil(n * step / _GRID)) - 1], side="right")) if n else 0
        if error_upper_bound(int(kept * target / 2), kept, delta) > target:
            continue
        wrong = int(errors[kept - 1])
        if error_upper_bound(wrong, kept, delta) > target:
            break
        best = Guarantee(target, delta, float(confidence[order[kept - 1]]), kept / n, wrong / kept, n)
    return best
