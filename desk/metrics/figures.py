"""Figures: a value with what it is computed from and how sure it is. Nothing here reads a database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from desk.intervals import Interval, mean_interval, nps_interval, poisson, quantile_interval, wilson
from desk.metrics.definitions import Metric
from desk.metrics.measures import DURATIONS, MEANS


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and its 95% interval; ``low`` and ``high`` are None where n is too small for one."""

    value: float
    low: float | None = None
    high: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric of some tickets: seconds, a share in 0..1, NPS points, or a number of tickets.

    ``n`` is the denominator, ``hits`` the numerator of a share (promoters for the NPS), ``against`` the detractors.
    ``estimate`` is the headline, None with n = 0. ``spread`` has ``median``, ``p90`` and ``mean`` of durations.
    """

    metric: Metric
    n: int
    hits: int | None = None
    against: int | None = None
    estimate: Estimate | None = None
    spread: dict[str, Estimate] = field(default_factory=dict)

    @property
    def value(self) -> float | None:
        """The headline."""
        return self.estimate.value if self.estimate else None

    def to_json(self) -> dict[str, Any]:
        """Plain data: value, low, high, n, and hits, detractors or spread where there are such."""
        headline = self.estimate or Estimate(0.0)
        data: dict[str, Any] = {"value": self.value, "low": headline.low, "high": headline.high, "n": self.n}
        data |= {"hits": self.hits} if self.hits is not None else {}
        data |= {"detractors": self.against} if self.against is not None else {}
        if self.metric in DURATIONS:
            names = ("median", "p90", "mean")
            data |= {name: self.spread[name].to_json() if name in self.spread else None for name in names}
        return data


@dataclass
class Tally:
    """What figures of one metric are computed from; tallies of disjoint tickets add up."""

    counted: int = 0
    hits: int = 0
    against: int = 0
    values: list[float] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Take in the tickets of ``other``."""
        self.counted += other.counted
        self.hits += other.hits
        self.against += other.against
        self.values += other.values


def figure(metric: Metric, tally: Tally) -> Figure:
    """The figure that a tally gives."""
    if metric in DURATIONS:
        return _duration(metric, tally.values)
    n = tally.counted
    if metric is Metric.VOLUME:
        return Figure(metric, n, estimate=_estimate(float(n), poisson(n)))
    if n == 0:
        return Figure(metric, 0, hits=0, against=0 if metric is Metric.NPS else None)
    if metric is Metric.NPS:
        low, high = nps_interval(tally.hits, tally.against, n)
        points = 100 * (tally.hits - tally.against) / n
        return Figure(metric, n, tally.hits, tally.against, Estimate(points, 100 * low, 100 * high))
    return Figure(metric, n, tally.hits, estimate=share(tally.hits, n))


def share(hits: int, n: int) -> Estimate | None:
    """A share with its Wilson interval; None with n = 0."""
    return _estimate(hits / n, wilson(hits, n)) if n else None


def _duration(metric: Metric, values: Sequence[float]) -> Figure:
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    if not len(ordered):
        return Figure(metric, 0)
    spread = {
        "median": _estimate(float(np.median(ordered)), quantile_interval(ordered, 0.5)),
        "p90": _estimate(float(np.quantile(ordered, 0.9)), quantile_interval(ordered, 0.9)),
        "mean": _estimate(float(np.mean(ordered)), mean_interval(ordered)),
    }
    return Figure(metric, len(ordered), estimate=spread["mean" if metric in MEANS else "median"], spread=spread)


def _estimate(value: float, interval: Interval | None) -> Estimate:
    return Estimate(value, *(interval or (None, None)))
