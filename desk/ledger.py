"""The append-only ledger of events, and the ticket states that are kept as its fold.

`desk.tables.ticket_states` is a convenience for queries: `rebuild_states` recomputes it from the events at
any time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from desk import DeskError
from desk.tables import events, ticket_states, tickets, upsert
from desk.ticket_state import Decision, Event, EventKind, Priority, Status, TicketState, fold

__all__ = [
    "Decision",
    "Event",
    "EventKind",
    "Priority",
    "Status",
    "TicketState",
    "UnknownTicketError",
    "append",
    "append_many",
    "events_by_ticket",
    "events_of",
    "fold",
    "rebuild_states",
    "state_from_row",
    "state_of",
]

Follower = Callable[[Session, Mapping[str, Sequence[Event]]], None]
"""Called in the transaction that records events, with all events of the tickets concerned, in the order recorded."""

FOLLOWERS = "desk_followers"
"""Engine option: followers by name; see `desk.database.Database.follow`."""

CHUNK = 500  # ids per IN list, far below the parameter limit of both databases


class UnknownTicketError(DeskError):
    """No ticket has this id."""


def append(
    session: Session,
    ticket_id: str,
    kind: EventKind,
    *,
    actor: str,
    data: Mapping[str, Any] | None = None,
    at: datetime | None = None,
) -> TicketState:
    """Record one fact and return the ticket's new state.

    ``at`` defaults to now. Raises `UnknownTicketError`.
    """
    fact = Event(ticket_id, EventKind(kind), at or datetime.now(UTC), actor, data or {})
    append_many(session, [fact])
    return state_of(session, ticket_id)


def append_many(session: Session, facts: Sequence[Event]) -> None:
    """Record facts in the order given and bring the states of their tickets up to date.

    The tickets stay locked until the transaction ends, so that two writers cannot fold past each other.
    Raises `UnknownTicketError`, with nothing recorded.
    """
    ids = sorted({fact.ticket_id for fact in facts})
    lock(session, ids)
    if facts:
        session.execute(events.insert(), [_row(fact) for fact in facts])
    _store_states(session, ids)


def lock(session: Session, ticket_ids: Sequence[str]) -> None:
    """Hold tickets against other writers until the transaction ends. Raises `UnknownTicketError`."""
    for chunk in _chunks(ticket_ids):
        held = sa.select(tickets.c.id).where(tickets.c.id.in_(chunk)).order_by(tickets.c.id).with_for_update()
        if missing := set(chunk) - set(session.scalars(held)):
            raise UnknownTicketError(f"there is no ticket {', '.join(sorted(missing))}")


def events_of(session: Session, ticket_id: str) -> list[Event]:
    """All facts about a ticket in the order in which they were recorded; empty for an unknown ticket."""
    query = sa.select(events).where(events.c.ticket_id == ticket_id).order_by(events.c.seq)
    return [_event(row) for row in session.execute(query)]


def events_by_ticket(session: Session, ticket_ids: Sequence[str]) -> dict[str, list[Event]]:
    """All facts about each of the tickets in the order in which they were recorded; unknown tickets are left out."""
    told: dict[str, list[Event]] = {}
    for chunk in _chunks(ticket_ids):
        query = sa.select(events).where(events.c.ticket_id.in_(chunk)).order_by(events.c.ticket_id, events.c.seq)
        for row in session.execute(query):
            told.setdefault(row.ticket_id, []).append(_event(row))
    return told


def state_of(session: Session, ticket_id: str) -> TicketState:
    """The ticket's current state. Raises `UnknownTicketError`."""
    row = session.execute(sa.select(ticket_states).where(ticket_states.c.ticket_id == ticket_id)).one_or_none()
    if row is None:
        raise UnknownTicketError(f"there is no ticket {ticket_id}")
    return state_from_row(row)


def rebuild_states(session: Session) -> int:
    """Throw away every stored state, recompute all of them from the events, and return how many there are."""
    session.execute(ticket_states.delete())
    ids = session.scalars(sa.select(tickets.c.id).order_by(tickets.c.id)).all()
    _store_states(session, ids)
    return len(ids)


def state_from_row(row: sa.Row[Any]) -> TicketState:
    """The state in a row that has all columns of `ticket_states` (it may have more)."""
    values = {name: getattr(row, name) for name in TicketState.__dataclass_fields__}
    values |= {"status": Status(row.status), "decision": Decision(row.decision), "priority": Priority(row.priority)}
    values |= {name: tuple(getattr(row, name)) for name in ("guard", "macros", "mentioned", "secondary")}
    return TicketState(**values)


def _store_states(session: Session, ticket_ids: Sequence[str]) -> None:
    for chunk in _chunks(ticket_ids):
        told = events_by_ticket(session, chunk)
        states = [fold(ticket_id, facts) for ticket_id, facts in told.items()]
        if rows := [_state_row(state) for state in states if state is not None]:
            session.execute(upsert(session, ticket_states), rows)
        followers: Mapping[str, Follower] = session.get_bind().get_execution_options().get(FOLLOWERS, {})
        for follow in followers.values():
            follow(session, told)


def _state_row(state: TicketState) -> dict[str, Any]:
    return asdict(state) | {"macro_uses": len(state.macros)}


def _row(fact: Event) -> dict[str, Any]:
    return {
        "ticket_id": fact.ticket_id,
        "kind": str(fact.kind),
        "at": fact.at,
        "actor": fact.actor,
        "data": dict(fact.data),
    }


def _event(row: sa.Row[Any]) -> Event:
    return Event(row.ticket_id, EventKind(row.kind), row.at, row.actor, row.data, row.seq)


def _chunks(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))
