"""The top-reasons report: which contact reasons make the volume, what they cost, and what to fix upstream.

Every ticket of the window is in exactly one of three parts: with a reason (ranked), tagged `other` (no
contact reason of a seller, never ranked), or undecided (never ranked, never hidden). Shares are of the
tickets with a reason, so that they add up to 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

from classifier.taxonomy import OTHER, Taxonomy
from desk import DeskError
from desk.inbox import Desk
from desk.intervals import wilson
from desk.reason_counts import ReasonCounts, TicketFilter, count_by_reason
from desk.ticket_store import Coverage, coverage

TOP = 5
PARETO_PERCENT = 80
DAILY_UP_TO = timedelta(days=31)  # longer windows are charted by week


class WindowError(DeskError):
    """The window is empty or ends before it starts."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A value and the number of tickets behind it."""

    value: float
    n: int


@dataclass(frozen=True, slots=True)
class ReasonLine:
    """One contact reason in the window.

    ``share`` and ``cumulative_share`` are of the tickets with a reason; ``share_low`` and ``share_high``
    are the 95% Wilson interval. ``in_80``: belongs to the smallest set of reasons that makes 80%.
    ``change`` is the share minus the share in the previous window, None when that had no tickets with a
    reason. ``aht_seconds``: mean handle time; ``macro_use``: share of answered tickets in which a macro was
    sent; ``csat``: share of ratings that are 4 or 5; each None without data. ``autonomy``, ``cause`` and
    ``upstream_fix`` are None for a reason that the taxonomy does not know.
    """

    rank: int
    reason: str
    name: str
    count: int
    share: float
    share_low: float
    share_high: float
    cumulative_share: float
    is_top_five: bool
    in_80: bool
    previous_count: int
    previous_share: float | None
    change: float | None
    autonomy: str | None
    metrics_at_risk: tuple[str, ...]
    cause: str | None
    upstream_fix: str | None
    aht_seconds: Measure | None
    macro_use: Measure | None
    csat: Measure | None


@dataclass(frozen=True, slots=True)
class Period:
    """Tickets of the top five in ``days`` days from ``start``; the last period of a window may be short."""

    start: date
    days: int
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class TopReasons:
    """The report. ``total == with_reason + other + undecided``; ``end`` is exclusive; days are UTC days.

    ``trend`` has one period per day up to 31 days and per 7 days from ``start`` beyond.
    """

    start: date
    end: date
    filters: TicketFilter
    total: int
    with_reason: int
    other: int
    undecided: int
    previous_start: date
    previous_total: int
    reasons: tuple[ReasonLine, ...]
    trend: tuple[Period, ...]
    desk_holds: Coverage

    @property
    def top_five(self) -> tuple[ReasonLine, ...]:
        """The five most frequent reasons, fewer when fewer occur."""
        return tuple(line for line in self.reasons if line.is_top_five)

    @property
    def making_80(self) -> tuple[ReasonLine, ...]:
        """The smallest set of reasons that makes 80% of the tickets with a reason."""
        return tuple(line for line in self.reasons if line.in_80)

    def to_json(self) -> dict[str, Any]:
        """Plain data with stable keys; dates and times in ISO 8601, shares in 0..1."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain


def top_reasons(
    desk: Desk,
    taxonomy: Taxonomy,
    start: date,
    end: date,
    channel: str | None = None,
    marketplace: str | None = None,
    language: str | None = None,
    locale: str = "en",
) -> TopReasons:
    """Count the tickets created from ``start`` up to but not on ``end`` (UTC days), by contact reason.

    The filters take any case; ``locale`` chooses the language of the reasons' names. Raises `WindowError`.
    """
    if end <= start:
        raise WindowError(
            f"the window ends on {end}, which is not after its start {start}: the end is exclusive, "
            f"so one day is {start} to {start + timedelta(days=1)}"
        )
    filters = TicketFilter(channel=channel, marketplace=marketplace, language=language)
    try:
        previous_start = start - (end - start)
    except OverflowError as error:
        raise WindowError(f"the window from {start} to {end} has no previous window to compare with") from error
    with desk.database.session(read_only=True) as session:
        current = count_by_reason(session, start, end, filters)
        previous = count_by_reason(session, previous_start, start, filters)
        holds = coverage(session)
    lines = tuple(_lines(current, previous, taxonomy, locale))
    return TopReasons(
        start=start,
        end=end,
        filters=filters,
        total=current.total,
        with_reason=_ranked_total(current),
        other=current.of(OTHER).tickets,
        undecided=current.undecided,
        previous_start=previous_start,
        previous_total=previous.total,
        reasons=lines,
        trend=_trend(current, [line.reason for line in lines if line.is_top_five], start, end),
        desk_holds=holds,
    )


def _ranked_total(counts: ReasonCounts) -> int:
    return counts.total - counts.undecided - counts.of(OTHER).tickets


def _lines(current: ReasonCounts, previous: ReasonCounts, taxonomy: Taxonomy, locale: str) -> Iterable[ReasonLine]:
    by_id = {reason.id: reason for reason in taxonomy}
    ids = [*taxonomy.ids, *sorted((current.reasons | previous.reasons) - set(taxonomy.ids))]
    seen = [reason for reason in ids if reason != OTHER and (current.of(reason).tickets or previous.of(reason).tickets)]
    seen.sort(key=lambda reason: -current.of(reason).tickets)  # stable: ties keep the taxonomy's order
    n, before = _ranked_total(current), _ranked_total(previous)
    running = 0
    for rank, reason in enumerate(seen, start=1):
        count = current.of(reason)
        in_80 = count.tickets > 0 and running * 100 < PARETO_PERCENT * n
        running += count.tickets
        share = count.tickets / n if n else 0.0
        low, high = wilson(count.tickets, n)
        previous_share = previous.of(reason).tickets / before if before else None
        known = by_id.get(reason)
        yield ReasonLine(
            rank=rank,
            reason=reason,
            name=known.name(locale) if known else reason,
            count=count.tickets,
            share=share,
            share_low=low,
            share_high=high,
            cumulative_share=running / n if n else 0.0,
            is_top_five=rank <= TOP and count.tickets > 0,
            in_80=in_80,
            previous_count=previous.of(reason).tickets,
            previous_share=previous_share,
            change=share - previous_share if previous_share is not None and n else None,
            autonomy=str(known.autonomy) if known else None,
            metrics_at_risk=known.metrics_at_risk if known else (),
            cause=known.cause if known else None,
            upstream_fix=known.upstream_fix if known else None,
            aht_seconds=_measure(count.handle_seconds, count.handled),
            macro_use=_measure(count.answered_with_macro, count.answered),
            csat=_measure(count.satisfied, count.rated),
        )


def _measure(total: float, n: int) -> Measure | None:
    return Measure(total / n, n) if n else None


def _trend(counts: ReasonCounts, reasons: Sequence[str], start: date, end: date) -> tuple[Period, ...]:
    step = timedelta(days=1 if end - start <= DAILY_UP_TO else 7)
    periods = []
    first = start
    while first < end:
        after = min(first + step, end)
        tickets = {reason: counts.of(reason, first, after).tickets for reason in reasons}
        periods.append(Period(first, (after - first).days, tickets))
        first = after
    return tuple(periods)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value
