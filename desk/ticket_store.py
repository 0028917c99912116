"""The statements that store and find tickets, within a session that the caller opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from desk.ledger import CHUNK
from desk.tables import insert_new, ticket_states, tickets


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the desk holds: number of tickets, first and last creation time (None when empty), channels."""

    tickets: int
    first: datetime | None
    last: datetime | None
    channels: tuple[str, ...]


def views() -> sa.Select[Any]:
    """Tickets with their states, for `desk.ticket.view_from_row`."""
    return sa.select(tickets, ticket_states).join(ticket_states, ticket_states.c.ticket_id == tickets.c.id)


def rows_in_order(session: Session, ticket_ids: Sequence[str]) -> list[sa.Row[Any]]:
    """Rows for `desk.ticket.view_from_row` of these tickets, in this order."""
    found: dict[str, sa.Row[Any]] = {}
    for start in range(0, len(ticket_ids), CHUNK):
        chunk = ticket_ids[start : start + CHUNK]
        found |= {row.id: row for row in session.execute(views().where(tickets.c.id.in_(chunk)))}
    return [found[ticket_id] for ticket_id in ticket_ids]


def insert_tickets(session: Session, rows: list[dict[str, Any]]) -> set[str]:
    """Store the rows whose (source, external_id) is new and return their ids."""
    if not rows:
        return set()
    statement = insert_new(session, tickets).on_conflict_do_nothing(index_elements=["source", "external_id"])
    return set(session.scalars(statement.returning(tickets.c.id), rows))


def stored_texts(session: Session, rows: list[dict[str, Any]]) -> dict[tuple[str, str], tuple[str, tuple[str, str]]]:
    """Id and (subject, body) of the stored tickets with the keys of ``rows``."""
    found: dict[tuple[str, str], tuple[str, tuple[str, str]]] = {}
    for source in {row["source"] for row in rows}:
        keys = [row["external_id"] for row in rows if row["source"] == source]
        query = sa.select(tickets).where(tickets.c.source == source, tickets.c.external_id.in_(keys))
        for row in session.execute(query):
            found[row.source, row.external_id] = (row.id, (row.subject, row.body))
    return found


def coverage(session: Session) -> Coverage:
    """What the desk holds."""
    span = sa.select(sa.func.count(), sa.func.min(tickets.c.created_at), sa.func.max(tickets.c.created_at))
    channels = sa.select(tickets.c.channel).distinct().order_by(tickets.c.channel)
    count, first, last = session.execute(span).one()
    return Coverage(count, first, last, tuple(session.scalars(channels)))
