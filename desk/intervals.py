"""Confidence intervals of shares."""

from __future__ import annotations

from math import sqrt

Z_95 = 1.959963984540054  # 97.5% quantile of the standard normal distribution


def wilson(successes: int, n: int) -> tuple[float, float]:
    """95% score interval of a share (Wilson 1927), within 0..1; (0, 1) when ``n`` is 0."""
    if n == 0:
        return 0.0, 1.0
    share, z2 = successes / n, Z_95**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 / (1 + z2 / n) * sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return low, high
