"""Stores how conversations ended once that is final; until then reports work it out for themselves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.outcomes import COMES_BACK, Ending, ending_of
from bot.session_store import StoredTurn, stored_turn
from bot.state import State
from desk.database import Database
from desk.tables import chat_sessions, chat_turns, orders, tickets

BATCH = 200
"""Sessions to a transaction."""


def settle(database: Database, now: datetime | None = None) -> int:
    """Store the outcome of every conversation whose week is over; returns how many. Raises `DatabaseError`."""
    moment = now or datetime.now(UTC)
    settled, after = 0, ("", None)
    while True:
        with database.session() as session:
            rows = _waiting(session, moment, after)
            for row, ending in _endings(session, rows, moment):
                if ending.final:
                    values = {"outcome": ending.outcome, "settled_at": moment}
                    session.execute(chat_sessions.update().where(chat_sessions.c.id == row.id).values(**values))
                    settled += 1
        if len(rows) < BATCH:
            return settled
        after = (rows[-1].id, rows[-1].created_at)


def endings(database: Database, session_ids: Sequence[str], now: datetime) -> dict[str, Ending]:
    """How conversations stand ``now``, by session id. Raises `DatabaseError`."""
    with database.session(read_only=True) as session:
        rows = session.execute(sa.select(chat_sessions).where(chat_sessions.c.id.in_(session_ids))).all()
        return {row.id: ending for row, ending in _endings(session, rows, now)}


def _waiting(session: Session, now: datetime, after: tuple[str, datetime | None]) -> Sequence[sa.Row[Any]]:
    """Sessions without a final outcome that began more than a week ago, oldest first."""
    columns = chat_sessions.c
    query = sa.select(chat_sessions).where(columns.settled_at.is_(None), columns.created_at <= now - COMES_BACK)
    if after[1] is not None:
        newer = sa.or_(columns.created_at > after[1], sa.and_(columns.created_at == after[1], columns.id > after[0]))
        query = query.where(newer)
    query = query.order_by(columns.created_at, columns.id).limit(BATCH)
    # one that is being written to at this moment has not ended
    return session.execute(query.with_for_update(skip_locked=True)).all()


def _endings(session: Session, rows: Sequence[sa.Row[Any]], now: datetime) -> list[tuple[sa.Row[Any], Ending]]:
    turns: dict[str, list[StoredTurn]] = defaultdict(list)
    query = sa.select(chat_turns).where(chat_turns.c.session_id.in_([row.id for row in rows]))
    for turn in session.execute(query.order_by(chat_turns.c.seq)):
        turns[turn.session_id].append(stored_turn(turn))
    found = []
    for row in rows:
        told = turns[row.id]
        later = _later(session, row, told[-1].at) if told and row.ticket_id is None else []
        found.append((row, ending_of(told, now, escalated=row.ticket_id is not None, later=later)))
    return found


def _later(session: Session, row: sa.Row[Any], last: datetime) -> list[datetime]:
    """When the customer of a proven order wrote again after ``last``: another chat, or a ticket of order or address."""
    state = State.from_json(row.state)
    if not (state.verified and state.order_id):
        return []
    within = (last, last + COMES_BACK)
    buyer = session.scalar(sa.select(orders.c.buyer_email).where(orders.c.order_id == state.order_id))
    emails = {email.lower() for email in (state.email, buyer) if email}
    same = [tickets.c.order_id == state.order_id, sa.func.lower(tickets.c.customer_email).in_(emails)]
    of_tickets = sa.select(tickets.c.created_at).where(sa.or_(*same), tickets.c.created_at.between(*within))
    data = chat_sessions.c.state
    of_chats = sa.select(chat_sessions.c.created_at).where(
        chat_sessions.c.id != row.id,
        chat_sessions.c.created_at.between(*within),
        data["order_id"].as_string() == state.order_id,
        sa.cast(data["verified"].as_string(), sa.Text).in_(("true", "1")),
    )
    return [*session.scalars(of_tickets), *session.scalars(of_chats)]
