"""The open tickets in the order in which they are worth an agent's time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from desk.tables import sla_clocks, ticket_states, tickets
from desk.ticket_state import Status

LOOK_AT_FIRST = 1_000
"""Clocks beyond the page of which it is made where they suffice; sorting 60,000 tickets takes SQLite half a second."""

OPEN = ticket_states.c.status == Status.OPEN
DUE = ("due_at", "started_at", "ticket_id")  # as the index has them


def soonest_first(
    session: Session, conditions: Sequence[sa.ColumnElement[bool]], limit: int, offset: int
) -> Sequence[str]:
    """Ids of a page of open tickets that meet the ``conditions``: the one whose clock runs out first, and so on.

    Then those without a running clock (no answer is owed, or the customer is to answer) by age. ``conditions`` are on
    `tickets` and `ticket_states`.
    """
    among = _among_the_first(offset + limit + LOOK_AT_FIRST, conditions)
    ids = session.scalars(among.limit(limit).offset(offset)).all()
    if len(ids) == limit:
        return ids
    ids = session.scalars(_owed(conditions).limit(limit).offset(offset)).all()
    if len(ids) == limit:
        return ids
    skipped = 0
    if offset and not ids:
        owed = sa.select(sa.func.count()).select_from(_owed(conditions).order_by(None).subquery())
        skipped = offset - (session.scalar(owed) or 0)
    idle = ~sa.exists().where(sla_clocks.c.ticket_id == ticket_states.c.ticket_id, sla_clocks.c.foremost)
    rest = sa.select(tickets.c.id).join(ticket_states).where(OPEN, idle, *conditions)
    rest = rest.order_by(tickets.c.created_at, tickets.c.id).limit(limit - len(ids)).offset(skipped)
    return [*ids, *session.scalars(rest)]


def _among_the_first(clocks: int, conditions: Sequence[sa.ColumnElement[bool]]) -> sa.Select[Any]:
    due = sa.select(*(sla_clocks.c[name] for name in DUE)).where(sla_clocks.c.foremost)
    first = due.order_by(*(sla_clocks.c[name] for name in DUE)).limit(clocks).subquery()
    fits = sa.exists().where(
        tickets.c.id == first.c.ticket_id, ticket_states.c.ticket_id == first.c.ticket_id, OPEN, *conditions
    )
    return sa.select(first.c.ticket_id).where(fits).order_by(*(first.c[name] for name in DUE))


def _owed(conditions: Sequence[sa.ColumnElement[bool]]) -> sa.Select[Any]:
    query = sa.select(sla_clocks.c.ticket_id).join(tickets, tickets.c.id == sla_clocks.c.ticket_id)
    query = query.join(ticket_states, ticket_states.c.ticket_id == tickets.c.id)
    query = query.where(sla_clocks.c.foremost, OPEN, *conditions)
    return query.order_by(*(sla_clocks.c[name] for name in DUE))
