"""Where a change of a reason's share comes from: new channels, new products, the mix of tickets, or the reason itself.

A change of shares is divided without a rest. Tickets of channels and products that the baseline did not have are set
apart; between the tickets that are left, Kitagawa (1955) divides the change into what other proportions of channels,
marketplaces and languages bring about at equal rates (mix), and what other rates bring about at equal proportions
(within).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.shift.prevalence import Shares

MIX = ("channel", "marketplace", "language")
"""Dimensions whose proportions are the mix."""
DRIVERS = 3
"""Segments named for a reason."""
LIFT = 1.5
"""A segment is named where it changed a share by so many times what its proportion of the tickets would explain."""
FEWEST = 5
"""Tickets of a new product, or of a segment that is named as a driver, at least."""

Segments = Mapping[str, NDArray[np.str_]]
Rates = NDArray[np.float32]
"""Probability of each reason for each ticket, ``(n, k)``, on the shares of its period."""


@dataclass(frozen=True)
class Driver:
    """A segment's part in the change of a reason's share over all tickets, in shares."""

    dimension: str
    segment: str
    change: float


@dataclass(frozen=True)
class Parts:
    """The change of every reason's share, each ``(k,)``; they add up to the whole.

    ``mix_by`` is the mix of one dimension taken by itself; those overlap and do not add up.
    """

    new_channels: Shares
    new_products: Shares
    mix: Shares
    within: Shares
    mix_by: dict[str, Shares]

    @property
    def whole(self) -> Shares:
        """The sum of the parts."""
        return np.asarray(self.new_channels + self.new_products + self.mix + self.within)


def divide(before: Rates, after: Rates, then: Segments, now: Segments, new_products: frozenset[str]) -> Parts:
    """Divide the change from ``mean(before)`` to ``mean(after)``.

    ``then`` and ``now`` name the channel, marketplace, language and product of each ticket.
    """
    fresh = np.zeros(len(after), dtype=bool)
    for dimension in ("channel", "marketplace"):
        fresh |= ~np.isin(now[dimension], np.unique(then[dimension]))
    product = ~fresh & np.isin(now["product"], list(new_products))
    rest = ~(fresh | product)
    if not rest.any():
        # Nothing is comparable: all is new.
        change = _mean(after) - _mean(before)
        nothing = np.zeros_like(change)
        return Parts(change, nothing, nothing, nothing, dict.fromkeys(MIX, nothing))
    middle = _mean(after[rest])
    parts = [
        chosen.mean() * (_mean(after[chosen]) - middle) if chosen.any() else np.zeros_like(middle)
        for chosen in (fresh, product)
    ]
    mix, within = _kitagawa(before, after[rest], _cells(then, MIX), _cells(now, MIX)[rest])
    mix_by = {dimension: _kitagawa(before, after[rest], then[dimension], now[dimension][rest])[0] for dimension in MIX}
    return Parts(parts[0], parts[1], mix, within, mix_by)


def _mean(rates: Rates) -> Shares:
    return np.asarray(rates.mean(axis=0, dtype=np.float64))


def _cells(segments: Segments, dimensions: Sequence[str]) -> NDArray[np.str_]:
    joined = segments[dimensions[0]]
    for dimension in dimensions[1:]:
        joined = np.char.add(np.char.add(joined, "\x1f"), segments[dimension])
    return joined


def _kitagawa(before: Rates, after: Rates, then: NDArray[np.str_], now: NDArray[np.str_]) -> tuple[Shares, Shares]:
    cells = np.unique(np.concatenate([then, now]))
    old, new = _sums(before, then, cells), _sums(after, now, cells)
    old_weight, new_weight = (_proportions(of, cells)[:, None] for of in (then, now))
    old_rate, new_rate = (
        np.divide(sums / n, weight, out=np.zeros_like(sums), where=weight > 0)
        for sums, n, weight in ((old, len(before), old_weight), (new, len(after), new_weight))
    )
    # A cell that one period lacks has no rate there: all that it does is mix.
    old_rate, new_rate = np.where(old_weight > 0, old_rate, new_rate), np.where(new_weight > 0, new_rate, old_rate)
    mix = ((new_weight - old_weight) * (old_rate + new_rate) / 2).sum(axis=0)
    within = ((new_weight + old_weight) / 2 * (new_rate - old_rate)).sum(axis=0)
    return mix, within


def _proportions(of: NDArray[np.str_], cells: NDArray[np.str_]) -> Shares:
    return np.asarray(np.bincount(np.searchsorted(cells, of), minlength=len(cells)) / len(of))


def _sums(rates: Rates, of: NDArray[np.str_], cells: NDArray[np.str_]) -> NDArray[np.float64]:
    columns = np.searchsorted(cells, of)
    return np.stack(
        [np.bincount(columns, weights=rates[:, reason], minlength=len(cells)) for reason in range(rates.shape[1])],
        axis=1,
    )


def drivers(
    before: Rates, after: Rates, then: Segments, now: Segments, dimensions: Sequence[str]
) -> list[tuple[Driver, ...]]:
    """For each reason the segments whose tickets changed its share most, by far more than their number explains."""
    change = _mean(after) - _mean(before)
    found: list[list[Driver]] = [[] for _ in change]
    for dimension in dimensions:
        cells = np.unique(np.concatenate([then[dimension], now[dimension]]))
        if len(cells) < 2:
            continue
        old, new = _sums(before, then[dimension], cells), _sums(after, now[dimension], cells)
        parts = new / len(after) - old / len(before)
        weights = (_proportions(then[dimension], cells) + _proportions(now[dimension], cells)) / 2
        for reason in range(len(change)):
            expected = (old + new)[:, reason]
            ahead = parts[:, reason] * np.sign(change[reason]) > LIFT * weights * abs(change[reason])
            for row in np.flatnonzero((expected >= FEWEST) & ahead):
                if cells[row]:
                    found[reason].append(Driver(dimension, str(cells[row]), float(parts[row, reason])))
    return [tuple(sorted(some, key=lambda driver: -abs(driver.change))[:DRIVERS]) for some in found]
