"""Figures of a scope, as a whole and by group, and the tickets behind each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from classifier.taxonomy import Taxonomy
from desk.database import Database
from desk.metrics.definitions import Metric
from desk.metrics.figures import Figure, Tally, figure
from desk.metrics.measures import DURATIONS, NEEDS, Measured, measured
from desk.metrics.outcomes import milliseconds, outcomes, quarter_hours
from desk.metrics.scope import Dimension, Grouping, Period, Scope, Window
from desk.ticket_store import Coverage, coverage

ROWS_AT_A_TIME = 20_000
MAX_TICKETS = 1_000

Tallies = dict[Any, dict[Metric, Tally]]


@dataclass(frozen=True)
class Group:
    """The figures of one group. ``key`` is a value of the dimension (None: tickets without one) or a first day.

    ``days`` is how many days of a period lie in the window.
    """

    key: str | None
    name: str
    figures: dict[Metric, Figure]
    days: int | None = None


@dataclass(frozen=True)
class MetricsReport:
    """Every metric of a scope, as a whole and by group: periods in order, other groups by volume.

    ``notices`` tell of filters that nothing fits; ``desk_holds`` what the desk has in all.
    """

    scope: Scope
    by: Grouping | None
    total: Group
    groups: tuple[Group, ...]
    notices: tuple[str, ...]
    desk_holds: Coverage


class Side(StrEnum):
    """Which tickets of a figure: all that count, those in the numerator, or those that count but are not in it."""

    COUNTED = "counted"
    HITS = "hits"
    REST = "rest"


@dataclass(frozen=True, slots=True)
class TicketBehind:
    """One ticket behind a figure. ``value`` in the metric's unit, None for shares without a value per ticket."""

    ticket_id: str
    created_at: datetime
    reason: str | None
    value: float | None
    hit: bool | None


@dataclass(frozen=True)
class TicketsBehind:
    """A page of the tickets behind a figure; ``total`` counts all of them."""

    scope: Scope
    metric: Metric
    side: Side
    total: int
    tickets: tuple[TicketBehind, ...]
    notices: tuple[str, ...]


def metrics_report(
    database: Database,
    taxonomy: Taxonomy,
    scope: Scope,
    by: Grouping | None = None,
    metrics: Sequence[Metric] = tuple(Metric),
    *,
    locale: str = "en",
) -> MetricsReport:
    """Measure the tickets of ``scope``, grouped ``by`` a dimension or period. Raises `DatabaseError`."""
    return metrics_reports(database, taxonomy, scope, (by,), metrics, locale=locale)[0]


def metrics_reports(
    database: Database,
    taxonomy: Taxonomy,
    scope: Scope,
    groupings: Sequence[Grouping | None],
    metrics: Sequence[Metric] = tuple(Metric),
    *,
    locale: str = "en",
) -> list[MetricsReport]:
    """One report per grouping, all from one look at the database. Raises `DatabaseError`."""
    with database.session(read_only=True) as session:
        found, notices = _tallies(session, scope, groupings, metrics)
        holds = coverage(session)
    whole = _summed(found, lambda key: None, metrics).get(None, {metric: Tally() for metric in metrics})
    total = Group(None, "All", _figures(whole))
    reports = []
    for place, by in enumerate(groupings):
        groups: list[Group] = []
        if by is not None:
            by_key = _summed(found, lambda key, place=place: key[place], metrics)  # type: ignore[misc]
            groups = _groups(_merged(by_key, metrics), scope.window, by, metrics, taxonomy, locale)
        reports.append(MetricsReport(scope, by, total, tuple(groups), notices, holds))
    return reports


def tickets_behind(
    database: Database, scope: Scope, metric: Metric, side: Side = Side.COUNTED, *, limit: int = 100, offset: int = 0
) -> TicketsBehind:
    """The tickets behind a metric of ``scope`` (narrow it for a group): the longest first for durations, else by time.

    Raises `DatabaseError`.
    """
    with database.session(read_only=True) as session:
        told = outcomes(session, scope, NEEDS.get(metric, ()))
        row = told.rows.c
        terms = measured(metric, told.rows, milliseconds(scope.now))
        hits = terms.hits if terms.hits is not None else sa.literal(0)
        wanted = {Side.COUNTED: terms.counted > 0, Side.HITS: hits > 0, Side.REST: terms.counted > hits}[side]
        value = terms.value if terms.value is not None else sa.null()
        hit = hits > 0 if terms.hits is not None else sa.null()
        order = [value.desc()] if metric in DURATIONS else []
        query = sa.select(row.ticket_id, row.created_at, row.reason, value, hit, sa.func.count().over()).where(wanted)
        page = query.order_by(*order, row.created_at, row.ticket_id).limit(min(limit, MAX_TICKETS)).offset(offset)
        rows = session.execute(page).all()
        if rows:
            total = int(rows[0][-1])
        elif offset:
            total = session.scalar(sa.select(sa.func.count()).select_from(told.rows).where(wanted)) or 0
        else:
            total = 0
    tickets = tuple(
        TicketBehind(id, at, reason, None if value is None else float(value), None if hit is None else bool(hit))
        for id, at, reason, value, hit, _ in rows
    )
    return TicketsBehind(scope, metric, side, total, tickets, told.notices)


# -- counting ----------------------------------------------------------------------------------------------


def _tallies(
    session: Session, scope: Scope, groupings: Sequence[Grouping | None], metrics: Sequence[Metric]
) -> tuple[Tallies, tuple[str, ...]]:
    """Tallies by key, which has a part per grouping: a value as stored, or a first day. One row per ticket is read."""
    found: Tallies = defaultdict(lambda: {metric: Tally() for metric in metrics})
    told = outcomes(session, scope, {need for metric in metrics for need in NEEDS.get(metric, ())})
    cells = [_cells(metric, measured(metric, told.rows, milliseconds(scope.now))) for metric in metrics]
    parts = [_raw_key(told.rows, by).label(f"key_{place}") for place, by in enumerate(groupings)]
    query = sa.select(*parts, *(cell for row in cells for cell in row))
    keys: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for rows in session.execute(query, execution_options={"yield_per": ROWS_AT_A_TIME}).partitions():
        by_key: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
        for row in rows:
            raw = tuple(row[: len(parts)])
            if raw not in keys:
                keys[raw] = tuple(_key(part, scope.window, by) for part, by in zip(raw, groupings, strict=True))
            by_key[keys[raw]].append(row[len(parts) :])
        for key, some in by_key.items():
            columns = zip(*some, strict=True)
            for metric in metrics:
                _count(found[key][metric], metric, columns)
    return found, told.notices


def _summed(found: Tallies, part: Callable[[Any], Any], metrics: Sequence[Metric]) -> Tallies:
    """Tallies by one part of their keys."""
    summed: Tallies = defaultdict(lambda: {metric: Tally() for metric in metrics})
    for key, tallies in found.items():
        into = summed[part(key)]
        for metric, tally in tallies.items():
            into[metric].add(tally)
    return summed


def _cells(metric: Metric, terms: Measured) -> tuple[Any, ...]:
    if metric in DURATIONS:
        return (terms.value,)
    zero: Any = sa.literal_column("0")
    return (terms.counted, *(zero if part is None else part for part in (terms.hits, terms.against)))


def _count(tally: Tally, metric: Metric, columns: Iterator[tuple[Any, ...]]) -> None:
    """Add the columns that `_cells` made of ``metric``."""
    if metric in DURATIONS:
        tally.values += [float(value) for value in next(columns) if value is not None]
    else:
        counted, hits, against = (sum(next(columns)) for _ in range(3))
        tally.add(Tally(counted, hits, against))


def _raw_key(rows: sa.FromClause, by: Grouping | None) -> Any:
    if by is None:
        return sa.cast(sa.null(), sa.Text)
    if isinstance(by, Dimension):
        return rows.c[by.value]
    return quarter_hours(rows.c.created_ms)


def _key(raw: Any, window: Window, by: Grouping | None) -> Any:
    return window.first_day(int(raw), by) if isinstance(by, Period) else raw


# -- groups ------------------------------------------------------------------------------------------------


def _merged(found: Tallies, metrics: Sequence[Metric]) -> Tallies:
    """Values that differ only in case are one group, under the most frequent spelling."""
    spellings: dict[Any, list[Any]] = defaultdict(list)
    for key in found:
        spellings[key.casefold() if isinstance(key, str) else key].append(key)
    named = {same: min(keys, key=lambda key: (-_size(found[key]), str(key))) for same, keys in spellings.items()}
    return _summed(found, lambda key: named[key.casefold() if isinstance(key, str) else key], metrics)


def _size(tallies: dict[Metric, Tally]) -> int:
    return max(max(tally.counted, len(tally.values)) for tally in tallies.values())


def _groups(
    found: Tallies,
    window: Window,
    by: Grouping,
    metrics: Sequence[Metric],
    taxonomy: Taxonomy,
    locale: str,
) -> list[Group]:
    if isinstance(by, Period):
        nothing = {metric: Tally() for metric in metrics}
        return [
            Group(first.isoformat(), period_name(first, by), _figures(found.get(first, nothing)), days)
            for first, days in window.periods(by)
        ]
    groups = [Group(key, group_name(by, key, taxonomy, locale), _figures(tallies)) for key, tallies in found.items()]
    return sorted(groups, key=lambda group: (group.key is None, -_volume(group), group.name))


def group_name(by: Dimension, key: str | None, taxonomy: Taxonomy, locale: str = "en") -> str:
    """How readers know a group: the reason's name, or the value itself."""
    if key is None:
        return "Undecided" if by is Dimension.REASON else "None"
    if by is Dimension.REASON and key in taxonomy:
        return taxonomy[key].name(locale)
    return key.upper() if by is Dimension.FULFILMENT else key


def period_name(first: date, by: Period) -> str:
    """A day, or the ISO week, such as 2026-W31."""
    if by is Period.DAY:
        return first.isoformat()
    year, week, _ = first.isocalendar()
    return f"{year}-W{week:02d}"


def _volume(group: Group) -> int:
    return group.figures[Metric.VOLUME].n if Metric.VOLUME in group.figures else 0


def _figures(tallies: dict[Metric, Tally]) -> dict[Metric, Figure]:
    return {metric: figure(metric, tally) for metric, tally in tallies.items()}
