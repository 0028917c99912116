"""Two periods compared as one model reads them, corrected for its errors, and where the changes come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.model import ReasonModel
from classifier.taxonomy import OTHER
from desk.inbox import Desk
from desk.top_reasons import TOP
from training.fitting import Progress, silent
from training.shift.accuracy import EstimatedAccuracy, estimate_accuracy
from training.shift.decomposition import FEWEST, Driver, Parts, Rates, divide, drivers
from training.shift.drift import Drift, Unfamiliar, compare_unfamiliar, measure_drift
from training.shift.evidence import Evidence
from training.shift.periods import PeriodOfTime, ShiftError
from training.shift.prevalence import (
    REPLICATES,
    Replicates,
    Scales,
    Shares,
    Tickets,
    draw_scales,
    draw_shares,
    emq,
    interval,
    learned_shares,
    turned,
)
from training.shift.reading import DIMENSIONS, PeriodReading, products_before, read_periods
from training.shift.significance import real_changes


@dataclass(frozen=True)
class Share:
    """A share of all tickets with its 95% interval, its rank, and the probability of being among the top five.

    ``counted`` is the share by the model's best reasons, uncorrected. `other` has no rank.
    """

    value: float
    low: float
    high: float
    counted: float
    rank: int | None
    top_five: float


@dataclass(frozen=True)
class Why:
    """Parts of a change, in shares of all tickets; the first four add up to the corrected change.

    ``model_error`` is what counting would have shown beside it. ``drivers`` are the segments that changed most.
    """

    within: float
    mix: float
    new_products: float
    new_channels: float
    model_error: float
    mix_by: dict[str, float]
    drivers: tuple[Driver, ...]


@dataclass(frozen=True)
class EstimatedChange:
    """One reason in both periods. ``real``: beyond chance after controlling false discoveries over all reasons.

    ``p`` is two-sided, by the spread of the replicates; ``adjusted`` is that after Benjamini & Hochberg (1995).
    """

    reason: str
    baseline: Share
    current: Share
    change: float
    low: float
    high: float
    p: float
    adjusted: float
    real: bool
    why: Why


@dataclass(frozen=True)
class PeriodFigures:
    """What a period's reading holds: tickets read, decided by people, erased; and how well the tags may be believed.

    ``order_holds`` is the probability that the five most frequent reasons stand in this order, ``set_holds`` that they
    are these five.
    """

    tickets: int
    decided_by_people: int
    erased: int
    accuracy: EstimatedAccuracy | None
    top_five: tuple[str, ...]
    order_holds: float
    set_holds: float


@dataclass(frozen=True)
class EstimatedShift:
    """The corrected comparison, the largest change first. ``model`` read both periods."""

    model: str
    baseline: PeriodFigures
    current: PeriodFigures
    reasons: tuple[EstimatedChange, ...]
    drift: Drift
    unfamiliar: Unfamiliar
    replicates: int

    @property
    def sentence(self) -> str:
        """The comparison in words."""
        real = [line for line in self.reasons if line.real]
        if not real:
            return "Corrected for the model's errors, no change is larger than chance."
        parts = [f"{line.reason} {100 * line.change:+.1f} points" for line in real]
        return f"Corrected for the model's errors, larger than chance: {', '.join(parts)}."

    def to_json(self) -> dict[str, Any]:
        """Plain data with stable keys; shares and changes in 0..1."""
        return asdict(self) | {"sentence": self.sentence}


def estimate_shift(
    desk: Desk,
    model: ReasonModel,
    model_id: str,
    evidence: Evidence,
    baseline: PeriodOfTime,
    current: PeriodOfTime,
    *,
    channel: str | None = None,
    cache: Path | None = None,
    progress: Progress = silent,
    replicates: int = REPLICATES,
) -> EstimatedShift:
    """Let one model read both periods and compare them. Raises `ShiftError` when a period has no tickets.

    ``cache`` is a folder that keeps encodings from one comparison to the next.
    """
    if evidence.labels != model.labels:
        raise ShiftError("the model's evidence names other reasons than the model; train it again")
    then, now = read_periods(desk, model, (baseline, current), channel=channel, cache=cache, progress=progress)
    products = np.unique(now.segments["product"])
    seen = products_before(desk, [str(product) for product in products if product], current.start)
    names, counts = np.unique(now.segments["product"], return_counts=True)
    fresh = frozenset(
        str(name) for name, count in zip(names, counts, strict=True) if name and count >= FEWEST and name not in seen
    )
    return compare_readings(then, now, evidence, model, model_id, fresh, replicates, progress)


def compare_readings(
    then: PeriodReading,
    now: PeriodReading,
    evidence: Evidence,
    model: ReasonModel,
    model_id: str,
    new_products: frozenset[str] = frozenset(),
    replicates: int = REPLICATES,
    progress: Progress = silent,
) -> EstimatedShift:
    """See `estimate_shift`, from readings at hand."""
    extra = len(then.labels) - len(evidence.labels)
    learned = np.append(learned_shares(evidence), np.zeros(extra))
    drawn_scales = draw_scales(evidence, replicates)
    scales = Scales(np.vstack([drawn_scales.columns, np.ones((extra, replicates))]))
    shares, draws, rates = [], [], []
    for turn, period in enumerate((then, now)):
        found = emq(period.tickets.posteriors, learned, _start(learned))
        shares.append(found)
        draws.append(
            draw_shares(
                period.tickets, found, scales, seed=turn,
                progress=lambda done, total, turn=turn: progress("intervals", turn * total + done, 2 * total),  # type: ignore[misc]
            )
        )  # fmt: skip
        rates.append(turned(period.tickets.posteriors, learned, found))
    lines = _lines(then, now, shares, draws, rates, new_products)
    floor = model.thresholds.familiarity
    return EstimatedShift(
        model=model_id,
        baseline=_figures(then, shares[0], draws[0], evidence),
        current=_figures(now, shares[1], draws[1], evidence),
        reasons=lines,
        drift=measure_drift(then.vectors, now.vectors, then.guess[then.sampled], now.guess[now.sampled]),
        unfamiliar=compare_unfamiliar(then.familiarity < floor, now.familiarity < floor),
        replicates=replicates,
    )


def _start(learned: Shares) -> Shares:
    # A reason that only people gave starts with some share, else it could never get one.
    started = np.maximum(learned, 1e-4)
    return np.asarray(started / started.sum())


def _lines(
    then: PeriodReading,
    now: PeriodReading,
    shares: Sequence[Shares],
    draws: Sequence[Replicates],
    rates: Sequence[Rates],
    new_products: frozenset[str],
) -> tuple[EstimatedChange, ...]:
    labels = then.labels
    counted = [_counted(period.tickets) for period in (then, now)]
    asides = [label == OTHER for label in labels]
    old, new = (
        _shares(of, drawn, count, len(period), asides)
        for of, drawn, count, period in zip(shares, draws, counted, (then, now), strict=True)
    )
    found = real_changes(shares[0], draws[0], shares[1], draws[1])
    parts = divide(rates[0], rates[1], then.segments, now.segments, new_products)
    named = drivers(rates[0], rates[1], then.segments, now.segments, DIMENSIONS)
    lines = [
        EstimatedChange(
            label, old[i], new[i], float(found.change[i]), float(found.low[i]), float(found.high[i]),
            float(found.p[i]), float(found.adjusted[i]), bool(found.real[i]),
            _why(parts, i, float(counted[1][i] - counted[0][i] - found.change[i]), named[i]),
        )
        for i, label in enumerate(labels)
    ]  # fmt: skip
    return tuple(sorted(lines, key=lambda line: -abs(line.change)))


def _why(parts: Parts, i: int, model_error: float, named: tuple[Driver, ...]) -> Why:
    by = {dimension: float(values[i]) for dimension, values in parts.mix_by.items()}
    return Why(
        float(parts.within[i]), float(parts.mix[i]), float(parts.new_products[i]), float(parts.new_channels[i]),
        model_error, by, named,
    )  # fmt: skip


def _counted(tickets: Tickets) -> Shares:
    posteriors = tickets.posteriors
    return np.bincount(posteriors.argmax(axis=1), minlength=posteriors.shape[1]) / len(posteriors)


def _shares(of: Shares, drawn: Replicates, counted: Shares, n: int, asides: Sequence[bool]) -> list[Share]:
    low, high = interval(of, drawn, n)
    ranked = np.where(asides, -1.0, of)
    ranks = np.empty(len(of), dtype=int)
    ranks[np.argsort(-ranked, kind="stable")] = np.arange(1, len(of) + 1)
    among = _top_five(drawn, asides)
    top = np.array([(among == column).any(axis=0).mean() for column in range(len(of))])
    return [
        Share(
            float(of[i]), float(low[i]), float(high[i]), float(counted[i]),
            None if asides[i] or of[i] * n < 1e-3 else int(ranks[i]), float(top[i]),
        )
        for i in range(len(of))
    ]  # fmt: skip


def _top_five(drawn: Replicates, asides: Sequence[bool]) -> NDArray[np.int64]:
    """Columns of the most frequent reasons in each replicate, ``(5, r)``, the first one first."""
    ranked = np.where(np.array(asides)[:, None], -1.0, drawn)
    return np.argsort(-ranked, axis=0, kind="stable")[: min(TOP, int((~np.array(asides)).sum()))]


def _figures(period: PeriodReading, shares: Shares, drawn: Replicates, evidence: Evidence) -> PeriodFigures:
    asides = [label == OTHER for label in period.labels]
    top = _top_five(shares[:, None], asides)[:, 0]
    among = _top_five(drawn, asides)
    same = among == top[:, None]
    same_set = np.sort(among, axis=0) == np.sort(top)[:, None]
    judged = ~period.decided
    k = len(evidence.labels)
    accuracy = None
    if judged.any():
        known = np.maximum(shares[:k], 1e-12)
        accuracy = estimate_accuracy(
            evidence, period.tickets.posteriors[judged, :k], known / known.sum(), period.tickets.groups[judged]
        )
    return PeriodFigures(
        len(period), int(period.decided.sum()), period.erased, accuracy,
        tuple(period.labels[column] for column in top),
        float(same.all(axis=0).mean()), float(same_set.all(axis=0).mean()),
    )  # fmt: skip
