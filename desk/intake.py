"""What every source does with what it delivers, inside the transaction of its own bookkeeping.

A source verifies, then in one transaction: `first_time` for its event id, `take_in` or `customer_wrote`, `enqueue`
for the work that follows; only after the commit does it answer 2xx, mark a mail as seen, or advance a cursor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from desk.ledger import Event, EventKind, Status, TicketState, append, append_many, lock, state_of
from desk.tables import deliveries, insert_new, jobs
from desk.ticket import IncomingTicket, Received, ticket_row
from desk.ticket_store import insert_tickets, stored_texts

TAG = "tag"
"""Job that tags a ticket; payload: ``ticket_id``."""
MAX_ATTEMPTS = 8


@dataclass(frozen=True, slots=True)
class Queued:
    """A job to put into the queue."""

    payload: Mapping[str, Any]
    key: str | None
    run_after: datetime


def first_time(
    session: Session, source: str, event_id: str, kind: str, ticket_id: str | None = None, *, at: datetime | None = None
) -> bool:
    """Note a delivery; whether it is the first of its ``source`` and ``event_id``. A repeated one changes nothing."""
    row = {
        "source": source,
        "event_id": event_id,
        "kind": kind,
        "ticket_id": ticket_id,
        "received_at": at or datetime.now(UTC),
    }
    statement = insert_new(session, deliveries).values(row).on_conflict_do_nothing().returning(deliveries.c.source)
    return session.execute(statement).first() is not None


def take_in(session: Session, batch: Sequence[tuple[IncomingTicket, Sequence[Event]]]) -> list[Received]:
    """Store tickets with what is already known to have happened to them.

    The facts' ticket ids are filled in here; facts of duplicates are not recorded again. One answer per
    ticket, in order.
    """
    now = datetime.now(UTC)
    rows = [ticket_row(incoming, now) for incoming, _ in batch]
    added = insert_tickets(session, rows)
    stored = stored_texts(session, [row for row in rows if row["id"] not in added])
    facts: list[Event] = []
    answers = []
    for row, (incoming, past) in zip(rows, batch, strict=True):
        if row["id"] in added:
            facts.append(Event(row["id"], EventKind.RECEIVED, row["created_at"], incoming.source))
            facts.extend(replace(fact, ticket_id=row["id"]) for fact in past)
            answers.append(Received(row["id"], duplicate=False))
        else:
            ticket_id, text = stored[incoming.source, incoming.external_id]
            differs = text != (incoming.subject, incoming.body)
            answers.append(Received(ticket_id, duplicate=True, differs=differs))
    append_many(session, facts)
    return answers


def customer_wrote(
    session: Session, ticket_id: str, text: str, *, source: str, message_id: str, at: datetime | None = None
) -> TicketState:
    """Record a further message of the customer; a resolved ticket is open again. Raises `UnknownTicketError`.

    What was written before our last act, yet came after it, has been answered by nobody: it counts from now.
    """
    lock(session, [ticket_id])
    before, moment = state_of(session, ticket_id), at or datetime.now(UTC)
    if moment <= before.last_event_at:
        moment = max(datetime.now(UTC), before.last_event_at)
    data = {"text": text, "source": source, "message_id": message_id}
    resolved = before.status is Status.RESOLVED
    state = append(session, ticket_id, EventKind.CUSTOMER_WROTE, actor="customer", data=data, at=moment)
    if resolved:
        why = {"why": "the customer wrote again"}
        state = append(session, ticket_id, EventKind.REOPENED, actor="customer", data=why, at=moment)
    return state


def enqueue(
    session: Session,
    kind: str,
    payload: Mapping[str, Any],
    *,
    key: str | None = None,
    run_after: datetime | None = None,
    max_attempts: int = MAX_ATTEMPTS,
) -> bool:
    """Put a job into the queue, in the caller's transaction; False when one of this kind and ``key`` is known."""
    return enqueue_many(session, kind, [Queued(payload, key, run_after or datetime.now(UTC))], max_attempts) > 0


def enqueue_many(session: Session, kind: str, wanted: Sequence[Queued], max_attempts: int = MAX_ATTEMPTS) -> int:
    """Put jobs of a kind into the queue, in the caller's transaction; those whose key is known are left out.

    Returns how many were put.
    """
    rows = [
        {
            "kind": kind,
            "key": each.key,
            "payload": dict(each.payload),
            "state": "queued",
            "attempts": 0,
            "max_attempts": max_attempts,
            "run_after": each.run_after,
            "fence": 0,
            "created_at": datetime.now(UTC),
        }
        for each in wanted
    ]
    if not rows:
        return 0
    statement = insert_new(session, jobs).on_conflict_do_nothing().returning(jobs.c.id)
    return len(session.execute(statement, rows).all())
