"""Tickets counted by day and contact reason, straight from the tables."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from desk.tables import ticket_states, tickets
from desk.ticket_state import Decision


@dataclass(frozen=True, slots=True)
class TicketFilter:
    """Which tickets count; None is all of them. Any case."""

    channel: str | None = None
    marketplace: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """Sums over some tickets.

    ``handled`` of them have a handle time, ``answered`` a public reply, ``answered_with_macro`` a macro among
    their replies, ``rated`` a rating, of which ``satisfied`` are 4 or 5.
    """

    tickets: int = 0
    handle_seconds: float = 0.0
    handled: int = 0
    answered: int = 0
    answered_with_macro: int = 0
    rated: int = 0
    satisfied: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(Count)))


class ReasonCounts:
    """Counts per day and reason; a reason of None is undecided."""

    def __init__(self, cells: dict[tuple[date, str | None], Count]) -> None:
        self._cells = cells

    @property
    def total(self) -> int:
        """All tickets."""
        return sum(count.tickets for count in self._cells.values())

    @property
    def undecided(self) -> int:
        """Tickets without a usable reason."""
        return self.of(None).tickets

    @property
    def reasons(self) -> set[str]:
        """The reasons that occur."""
        return {reason for _, reason in self._cells if reason is not None}

    def of(self, reason: str | None, start: date = date.min, end: date = date.max) -> Count:
        """The sum for one reason from ``start`` up to but not on ``end``."""
        cells = (count for (day, of), count in self._cells.items() if of == reason and start <= day < end)
        return sum(cells, Count())


def count_by_reason(session: Session, start: date, end: date, filters: TicketFilter) -> ReasonCounts:
    """Count the tickets created from ``start`` up to but not on ``end`` (UTC days); an undecided tag has no reason."""
    day = _utc_day(session)
    reason = sa.case((ticket_states.c.decision == Decision.TAGGED, ticket_states.c.reason))
    state = ticket_states.c
    query = (
        sa.select(
            day,
            reason,
            sa.func.count(),
            sa.func.coalesce(sa.func.sum(state.handle_seconds), 0.0),
            sa.func.count(state.handle_seconds),
            _number(state.replies > 0),
            _number(state.macro_uses > 0),
            sa.func.count(state.csat),
            _number(state.csat >= 4),
        )
        .join(tickets, tickets.c.id == state.ticket_id)
        .where(tickets.c.created_at >= _midnight(start), tickets.c.created_at < _midnight(end))
        .group_by(sa.literal_column("1"), sa.literal_column("2"))
    )
    for column, wanted in (
        (tickets.c.channel, filters.channel),
        (tickets.c.marketplace, filters.marketplace),
        (sa.func.coalesce(tickets.c.language, state.tagged_language), filters.language),
    ):
        if wanted is not None:
            query = query.where(sa.func.lower(column) == wanted.lower())
    cells = {}
    for row_day, row_reason, *sums in session.execute(query):
        key = date.fromisoformat(row_day) if isinstance(row_day, str) else row_day
        cells[key, row_reason] = Count(*sums)
    return ReasonCounts(cells)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)


def _utc_day(session: Session) -> Any:
    if session.get_bind().dialect.name == "postgresql":
        return sa.func.date(sa.func.timezone("UTC", tickets.c.created_at))
    return sa.func.date(tickets.c.created_at)  # SQLite stores UTC


def _number(condition: sa.ColumnElement[bool]) -> Any:
    return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0)
