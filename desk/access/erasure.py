"""Taking a customer's personal data out of the desk: who it was and what was said go, times and reasons stay.

What belongs to the person (their tickets, chats, mails and orders) is replaced as a whole; where somebody else's text
names their address or order, only that is replaced.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from desk.access import AccessError
from desk.access.audit import AuditKind, record
from desk.access.erased_rows import Mention, RowEraser
from desk.access.personal_data import PLACEHOLDERS, Held
from desk.access.throttle import forget_old
from desk.database import Database
from desk.jobs import JobState, purge
from desk.ledger import lock
from desk.tables import (
    chat_sessions,
    chat_turns,
    erasure_gate,
    events,
    mail_messages,
    mail_problems,
    orders,
    ticket_states,
    tickets,
)

SHORTEST_MENTION = 6
"""Characters of an order id that is looked for in other texts; a shorter one would be found in any number."""
BATCH = 500
"""Tickets to a transaction of `apply_retention`; other writers wait for about as long as an import batch takes."""
ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")


class ErasureError(AccessError):
    """Nothing, or too little, is said about what to erase."""


class _Undo(Exception):  # noqa: N818  # no error: a rehearsal ends here
    """Rolls a rehearsal back."""


@dataclass
class Erased:
    """How many rows of each table were changed, or would have been."""

    rows: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> dict[str, int]:
        """Rows by table, only those that were touched."""
        return {name: self.rows[name] for name in sorted(self.rows) if self.rows[name]}


def erase(
    database: Database, *, email: str | None = None, order_id: str | None = None, by: str, dry_run: bool = False
) -> Erased:
    """Erase what is held of the person with an address, or about an order, in one transaction.

    With ``dry_run`` the same is done and undone. The entry in the audit log counts, and names nobody. Raises
    `ErasureError`.
    """
    address, order = (email or "").strip().lower(), (order_id or "").strip()
    if bool(address) == bool(order):
        raise ErasureError("say whose data to erase: an e-mail address or an order id, one of them")
    if address and not ADDRESS.fullmatch(address):
        raise ErasureError("that is no e-mail address; write it whole, such as anna@example.com")
    done = Erased()
    try:
        with database.session() as session, _open_gate(session):
            order_ids = {order} if order else _orders_of(session, address)
            looked_for = [Mention(address, Held.EMAIL)] if address else []
            looked_for += [Mention(found, Held.ORDER) for found in order_ids if len(found) >= SHORTEST_MENTION]
            eraser = RowEraser(session, done.rows)
            _erase_tickets(session, eraser, _tickets_of(session, address, order_ids))
            eraser.sessions(_sessions_that_mention(session, looked_for))
            eraser.mails(mail_messages.c.address == address if address else mail_messages.c.order_id == order)
            eraser.orders(order_ids)
            for mention in looked_for:
                eraser.mentions(mention)
            if dry_run:
                raise _Undo
            data = {"by": "email" if address else "order", "rows": _told(done)}
            record(session, AuditKind.ERASED, by, data)
    except _Undo:
        pass
    return done


def apply_retention(database: Database, older_than: timedelta, *, by: str, dry_run: bool = False) -> Erased:
    """Erase the personal data of tickets and chats in which nothing has happened for so long, and of older orders.

    Open tickets are no exception. Goes in batches: what was done stays done when it is stopped, and doing it again is
    no harm. Raises `ErasureError` for less than a day.
    """
    if older_than < timedelta(days=1):
        raise ErasureError("keep data for a day at least")
    cutoff, done = datetime.now(UTC) - older_than, Erased()
    try:
        with database.session() as session:
            if dry_run:
                while _retain_batch(session, cutoff, done):
                    pass
                raise _Undo
    except _Undo:
        return done
    more = True
    while more:
        with database.session() as session:
            batch = Erased()
            more = _retain_batch(session, cutoff, batch)
            if batch.to_json():
                data = {"days": older_than.days, "rows": _told(batch)}
                record(session, AuditKind.RETENTION_APPLIED, by, data)
        done.rows.update(batch.rows)
    return done


def _retain_batch(session: Session, cutoff: datetime, done: Erased) -> bool:
    """One batch; whether there may be more."""
    forget_old(session)
    purge(session, cutoff, (JobState.DONE, JobState.DEAD))
    with _open_gate(session):
        eraser = RowEraser(session, done.rows)
        text = sa.type_coerce(events.c.data, sa.JSON)["text"].as_string()
        wrote = sa.exists().where(events.c.ticket_id == tickets.c.id, _says(text))
        old = (
            sa.select(tickets.c.id)
            .join(ticket_states, ticket_states.c.ticket_id == tickets.c.id)
            .where(
                ticket_states.c.last_event_at < cutoff,
                sa.or_(_says(tickets.c.body), _says(tickets.c.subject), wrote),
            )
            .order_by(tickets.c.id)
            .limit(BATCH)
        )
        ids = session.scalars(old).all()
        _erase_tickets(session, eraser, ids)
        newest = sa.select(sa.func.max(chat_turns.c.at)).where(chat_turns.c.session_id == chat_sessions.c.id)
        said = sa.exists().where(chat_turns.c.session_id == chat_sessions.c.id, _says(chat_turns.c.text))
        quiet = sa.select(chat_sessions.c.id).where(
            chat_sessions.c.created_at < cutoff, newest.scalar_subquery() < cutoff, said
        )
        sessions = session.scalars(quiet.order_by(chat_sessions.c.id).limit(BATCH)).all()
        eraser.sessions(sessions)
        eraser.mails(sa.and_(mail_messages.c.at < cutoff, mail_messages.c.ticket_id.is_(None)))
        eraser.mail_problems(sa.and_(mail_problems.c.at < cutoff, mail_problems.c.ticket_id.is_(None)))
        stale = sa.select(orders.c.order_id).where(orders.c.as_of < cutoff).order_by(orders.c.order_id).limit(BATCH)
        order_ids = session.scalars(stale).all()
        eraser.orders(order_ids)
    return BATCH in (len(ids), len(sessions), len(order_ids))


def _says(column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Whether there is something in it that was not erased yet."""
    return column.not_in(("", *PLACEHOLDERS.values()))


def _erase_tickets(session: Session, eraser: RowEraser, ids: Sequence[str]) -> None:
    lock(session, ids)
    eraser.tickets(ids)


def _orders_of(session: Session, address: str) -> set[str]:
    query = sa.select(orders.c.order_id).where(sa.func.lower(sa.func.trim(orders.c.buyer_email)) == address)
    return set(session.scalars(query))


def _tickets_of(session: Session, address: str, order_ids: set[str]) -> list[str]:
    owned = []
    if address:
        owned.append(sa.select(tickets.c.id).where(sa.func.lower(sa.func.trim(tickets.c.customer_email)) == address))
        owned.append(sa.select(mail_messages.c.ticket_id).where(mail_messages.c.address == address))
    for order_id in sorted(order_ids):
        owned.append(sa.select(tickets.c.id).where(tickets.c.order_id == order_id))
        owned.append(sa.select(mail_messages.c.ticket_id).where(mail_messages.c.order_id == order_id))
    return sorted({found for query in owned for found in session.scalars(query) if found})


def _sessions_that_mention(session: Session, looked_for: Sequence[Mention]) -> list[str]:
    """Chats in which the address or the order was given: nobody else's are they."""
    found: set[str] = set()
    for mention in looked_for:
        for key, texts in (
            (chat_turns.c.session_id, chat_turns.c.text),
            (chat_sessions.c.id, chat_sessions.c.state),
        ):
            rows = session.execute(sa.select(key, texts).where(mention.condition(texts)))
            found |= {row[0] for row in rows if mention.stands_in(row[1])}
    return sorted(found)


@contextmanager
def _open_gate(session: Session) -> Iterator[None]:
    """Lets the data of events be replaced, in this transaction alone; a second erasure waits here."""
    session.execute(erasure_gate.insert().values(id=1))
    yield
    session.execute(erasure_gate.delete())


def _told(done: Erased) -> list[str]:
    return [f"{name}: {count}" for name, count in done.to_json().items()]
