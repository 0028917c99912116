"""95% confidence intervals of shares, differences of shares, counts, means, quantiles and the NPS."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

Z_95 = 1.959963984540054  # 97.5% quantile of the standard normal distribution
TAIL = 0.025

Interval = tuple[float, float]


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


def share_difference(successes: int, n: int, other_successes: int, other_n: int) -> Interval:
    """95% interval of one share minus another of independent tickets (Newcombe 1998, method 10), within -1..1."""
    p, q = successes / n, other_successes / other_n
    (p_low, p_high), (q_low, q_high) = wilson(successes, n), wilson(other_successes, other_n)
    low = p - q - sqrt((p - p_low) ** 2 + (q_high - q) ** 2)
    high = p - q + sqrt((p_high - p) ** 2 + (q - q_low) ** 2)
    return max(-1.0, low), min(1.0, high)


def poisson(count: int) -> Interval:
    """Exact 95% interval of the expected number behind a count of independent events (Garwood 1936)."""
    from scipy.special import gammaincinv  # scipy takes a moment, and most commands need none of it

    return (float(gammaincinv(count, TAIL)) if count else 0.0), float(gammaincinv(count + 1, 1 - TAIL))


def rate_ratio(count: int, days: float, count_before: int, days_before: float) -> Interval:
    """Exact 95% interval of one rate over another (conditional on the sum; Clopper and Pearson 1934).

    ``count_before`` must not be 0. The upper bound may be very large.
    """
    from scipy.special import betaincinv

    low = float(betaincinv(count, count_before + 1, TAIL)) if count else 0.0
    high = float(betaincinv(count + 1, count_before, 1 - TAIL))
    scale = days_before / days
    return low / (1 - low) * scale, high / (1 - high) * scale


def mean_interval(values: np.ndarray[Any, Any]) -> Interval | None:
    """95% interval of the mean of durations by Student's t, not below 0; None for fewer than two values."""
    from scipy.special import stdtrit

    n = len(values)
    if n < 2:
        return None
    half = float(stdtrit(n - 1, 1 - TAIL)) * float(np.std(values, ddof=1)) / sqrt(n)
    mean = float(np.mean(values))
    return max(0.0, mean - half), mean + half


def quantile_interval(ordered: np.ndarray[Any, Any], quantile: float) -> Interval | None:
    """Distribution-free 95% interval of a quantile from two order statistics (Conover 1999, section 3.2).

    ``ordered`` is sorted upwards. None where so few values cannot bound it on both sides (a median needs six).
    """
    from scipy.special import bdtr

    n = len(ordered)
    centre, reach = n * quantile, 6 * sqrt(n * quantile * (1 - quantile)) + 3
    ranks = np.arange(max(0, int(centre - reach)), min(n, int(centre + reach) + 1) + 1)
    below = np.asarray(bdtr(ranks, n, quantile))  # P(at most so many values lie below the quantile)
    low, high = int(ranks[np.argmax(below > TAIL)]), int(ranks[np.argmax(below >= 1 - TAIL)]) + 1
    if low < 1 or high > n:
        return None
    return float(ordered[low - 1]), float(ordered[high - 1])


def nps_interval(promoters: int, detractors: int, n: int) -> Interval:
    """95% interval of the share of promoters minus that of detractors among ``n`` answers, within -1..1.

    Adjusted Wald (Bonett and Price 2012): one answer is added to each side.
    """
    plus, minus = (promoters + 1) / (n + 2), (detractors + 1) / (n + 2)
    half = Z_95 * sqrt((plus + minus - (plus - minus) ** 2) / (n + 2))
    return max(-1.0, plus - minus - half), min(1.0, plus - minus + half)
