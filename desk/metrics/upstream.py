"""Where tickets come from: per contact reason the weekly trend, the usual cause, and what to fix at the source."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from classifier.taxonomy import OTHER, Taxonomy
from desk.database import Database
from desk.intervals import rate_ratio
from desk.metrics.figures import Estimate
from desk.metrics.outcomes import outcomes, quarter_hours
from desk.metrics.query import group_name
from desk.metrics.scope import Dimension, Period, Scope, monday


@dataclass(frozen=True)
class UpstreamLine:
    """One contact reason. ``weekly`` has the tickets of each week of the window, in order.

    ``change`` is tickets per day in the second half of the window over those in the first, None where the first has
    none. ``cause`` and ``upstream_fix`` are None for a reason that the taxonomy does not know.
    """

    reason: str
    name: str
    tickets: int
    weekly: tuple[int, ...]
    change: Estimate | None
    cause: str | None
    upstream_fix: str | None
    metrics_at_risk: tuple[str, ...]


@dataclass(frozen=True)
class UpstreamReport:
    """Contact reasons by volume; `other` and undecided tickets are not among them.

    ``weeks`` are (Monday, days of it in the window); the first and the last may be short.
    """

    scope: Scope
    weeks: tuple[tuple[str, int], ...]
    lines: tuple[UpstreamLine, ...]


def upstream_report(database: Database, taxonomy: Taxonomy, scope: Scope, *, locale: str = "en") -> UpstreamReport:
    """Count the tickets of ``scope`` by reason and week. Raises `DatabaseError`."""
    window = scope.window
    with database.session(read_only=True) as session:
        row = outcomes(session, scope).rows.c
        query = sa.select(row.reason, quarter_hours(row.created_ms).label("quarter"), sa.func.count())
        counted = session.execute(
            query.where(row.reason.is_not(None)).group_by(row.reason, sa.literal_column("2"))
        ).all()
    by_day: dict[str, Counter[Any]] = defaultdict(Counter)
    for reason, quarter, count in counted:
        by_day[reason][window.first_day(int(quarter), Period.DAY)] += count
    weeks = window.periods(Period.WEEK)
    middle = window.start + timedelta(days=window.days // 2)
    known = {reason.id: reason for reason in taxonomy}
    lines = []
    for reason, days in by_day.items():
        if reason == OTHER:
            continue
        in_week: Counter[Any] = Counter()
        for day, count in days.items():
            in_week[monday(day)] += count
        before = sum(count for day, count in days.items() if day < middle)
        tickets = sum(days.values())
        facts = known.get(reason)
        lines.append(
            UpstreamLine(
                reason=reason,
                name=group_name(Dimension.REASON, reason, taxonomy, locale),
                tickets=tickets,
                weekly=tuple(in_week[first] for first, _ in weeks),
                change=_change(tickets - before, window.days - window.days // 2, before, window.days // 2),
                cause=facts.cause if facts else None,
                upstream_fix=facts.upstream_fix if facts else None,
                metrics_at_risk=facts.metrics_at_risk if facts else (),
            )
        )
    lines.sort(key=lambda line: (-line.tickets, line.name))
    return UpstreamReport(scope, tuple((first.isoformat(), days) for first, days in weeks), tuple(lines))


def _change(count: int, days: int, before: int, days_before: int) -> Estimate | None:
    if not before or not days_before:
        return None
    return Estimate(count / days / (before / days_before), *rate_ratio(count, days, before, days_before))
