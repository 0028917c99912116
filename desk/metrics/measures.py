"""Each metric as SQL over the outcomes of tickets: which tickets count, which are hits, which value each has.

Figures and the tickets behind them both come from these expressions, so they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from desk.metrics.definitions import Metric
from desk.metrics.outcomes import COMES_BACK_MS, Need

DURATIONS = (Metric.FRT, Metric.FIRST_RESOLUTION, Metric.TOTAL_RESOLUTION, Metric.AHT)
MEANS = (Metric.AHT,)
"""Durations whose headline is the mean; of the others it is the median."""
NEEDS: dict[Metric, tuple[Need, ...]] = {
    Metric.FIRST_RESOLUTION: (Need.CLOSING,),
    Metric.FCR: (Need.CLOSING, Need.AGAIN),
    Metric.REOPEN_RATE: (Need.CLOSING,),
    Metric.SLA_COMPLIANCE: (Need.CLOCKS,),
}


@dataclass(frozen=True)
class Measured:
    """A metric of one row of the outcomes, in SQL.

    ``counted`` and ``hits`` are how often it is in the denominator and in the numerator (0 or 1 but for clocks),
    ``against`` how often it is subtracted (NPS). ``value`` is what is shown for the ticket: seconds, a rating, a score.
    """

    counted: Any
    hits: Any | None = None
    against: Any | None = None
    value: Any | None = None


def measured(metric: Metric, rows: sa.FromClause, now_ms: int) -> Measured:
    """``metric`` over ``rows``, which have what it needs; ``now_ms`` decides what is not yet known."""
    return _MEASURES[metric](rows.c, now_ms)


def _duration(value: Any) -> Measured:
    known = sa.case((value >= 0, value))  # a fact dated before the ticket has a wrong clock
    return Measured(_is(known.is_not(None)), value=known)


def _is(condition: Any) -> Any:
    return sa.case((condition, 1), else_=0)


def _share(counted: Any, hit: Any, value: Any | None = None) -> Measured:
    return Measured(_is(counted), _is(sa.and_(counted, hit)), value=value)


def _seconds(later: Any, earlier: Any) -> Any:
    return (later - earlier) * sa.literal(0.001, sa.Float())


def _fcr(row: Any, now_ms: int) -> Measured:
    until = row.first_resolved_ms + COMES_BACK_MS
    known = sa.and_(row.person_replies >= 1, until <= now_ms)
    again = sa.or_(sa.func.coalesce(row.again_order_ms <= until, sa.false()),
                   sa.func.coalesce(row.again_customer_ms <= until, sa.false()))  # fmt: skip
    return _share(known, sa.and_(row.person_replies == 1, row.contacts_after == 0, sa.not_(again)))


def _clocks(row: Any, now_ms: int) -> Measured:
    met, breached = (sa.func.coalesce(count, 0) for count in (row.clocks_met, row.clocks_breached))
    return Measured(met + breached, met)


def _nps(row: Any, now_ms: int) -> Measured:
    return Measured(_is(row.nps.is_not(None)), _is(row.nps >= 9), _is(row.nps <= 6), value=row.nps)


_MEASURES: dict[Metric, Callable[[Any, int], Measured]] = {
    Metric.VOLUME: lambda row, now: Measured(_is(row.ticket_id.is_not(None))),
    Metric.FRT: lambda row, now: _duration(_seconds(row.first_reply_ms, row.created_ms)),
    Metric.FIRST_RESOLUTION: lambda row, now: _duration(_seconds(row.first_resolved_ms, row.created_ms)),
    Metric.TOTAL_RESOLUTION: lambda row, now: _duration(
        sa.case((row.resolved, _seconds(row.resolved_ms, row.created_ms)))
    ),
    Metric.FCR: _fcr,
    Metric.AHT: lambda row, now: _duration(row.handle_seconds),
    Metric.CSAT: lambda row, now: _share(row.csat.is_not(None), row.csat >= 4, row.csat),
    Metric.NPS: _nps,
    Metric.REOPEN_RATE: lambda row, now: _share(row.first_resolved_ms.is_not(None), row.reopenings > 0),
    Metric.SLA_COMPLIANCE: _clocks,
    Metric.MACRO_USE: lambda row, now: _share(row.replies > 0, row.macro_uses > 0),
}
