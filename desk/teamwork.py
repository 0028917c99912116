"""How colleagues work on tickets together: notes that ask somebody, taking and giving, urgency, putting off.

DeskError
    ├── UnknownColleagueError   desk.people    nobody of this name works here
    ├── SnoozeError             desk.snoozing  a ticket cannot be put off until then
    └── CollisionError          here           somebody else acted on the ticket since it was looked at
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from classifier.datafile import load_yaml
from desk import DeskError
from desk.database import Database
from desk.inbox import TicketStateError
from desk.ledger import Event, EventKind, Priority, Status, TicketState, append, append_many, events_of, lock, state_of
from desk.people import Colleague, Mentioned, People, key_of, people
from desk.routing.rules import Routing, starter_routing
from desk.snoozing import Preset, check_until, moment_of
from desk.tables import events as event_table
from desk.tables import mentions, ticket_states, tickets

WORDS = Path(__file__).parent / "teamwork.yaml"


class Words(BaseModel):
    """The data file ``teamwork.yaml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    whys: tuple[str, ...] = Field(min_length=1)


@cache
def typical_whys() -> tuple[str, ...]:
    """Why agents correct contact reasons, most common first."""
    return load_yaml(WORDS, Words).whys


class CollisionError(DeskError):
    """Somebody else acted on the ticket since ``seq``; ``events`` are what they did."""

    def __init__(self, ticket_id: str, events: Sequence[Event]) -> None:
        last = events[-1]
        what = {
            EventKind.CUSTOMER_WROTE: "the customer wrote again",
            EventKind.RESOLVED: f"{person(last.actor)} closed the ticket",
        }.get(last.kind, f"{person(last.actor)} replied")
        super().__init__(
            f"{what} at {last.at:%H:%M} UTC, after this page was loaded; read it, then send again or leave it"
        )
        self.ticket_id, self.events = ticket_id, tuple(events)


class Box(StrEnum):
    """Which open tickets a list shows. All but ``snoozed`` leave out those that are put off."""

    ALL = "all"
    MINE = "mine"
    TEAM = "team"
    UNASSIGNED = "unassigned"
    SNOOZED = "snoozed"


@dataclass(frozen=True, slots=True)
class Noted:
    """A recorded note: the ticket's state, who was asked, and which names nobody has."""

    state: TicketState
    mentioned: Mentioned


@dataclass(frozen=True, slots=True)
class Mention:
    """A note that asks somebody. ``by`` is who wrote it; ``read_at`` None: not read yet."""

    id: int
    ticket_id: str
    subject: str
    status: Status
    by: str
    text: str
    at: datetime
    read_at: datetime | None

    def to_json(self) -> dict[str, Any]:
        """As JSON data; times in ISO 8601."""
        return {
            "id": self.id,
            "ticket_id": self.ticket_id,
            "subject": self.subject,
            "status": str(self.status),
            "by": self.by,
            "text": self.text,
            "at": self.at.isoformat(),
            "read_at": self.read_at.isoformat() if self.read_at else None,
        }


def person(actor: str) -> str:
    """Who an actor of the ledger is, for people: ``agent:anna`` is anna."""
    return actor.removeprefix("agent:")


@dataclass(frozen=True)
class Teamwork:
    """Acts of colleagues over one `Database`, each one committed transaction; safe between threads.

    ``routing`` says who is in which team and when the day begins; ``agents`` are who works at a desk without
    accounts. Methods that take a ticket id raise `UnknownTicketError`; all raise `DatabaseError`.
    """

    database: Database
    routing: Routing = field(default_factory=starter_routing)
    agents: tuple[str, ...] = ()

    def people(self, *more: str) -> People:
        """Everybody at this desk; on one without accounts ``more``, too."""
        with self.database.session(read_only=True) as session:
            return people(session, self.routing, *self.agents, *more)

    def me(self, name: str) -> Colleague:
        """Who signs in as ``name``; somebody without teams where it is a program."""
        return self.people(name).by_key.get(key_of(name), Colleague(name, name))

    # -- notes ---------------------------------------------------------------------------------------------

    def note(self, ticket_id: str, text: str, actor: str) -> Noted:
        """Record an internal note and ask everybody whom it mentions (``@anna``), each once."""

        def act(session: Session) -> Noted:
            asked = people(session, self.routing, *self.agents, person(actor)).mentioned(text)
            now = datetime.now(UTC)
            facts = [Event(ticket_id, EventKind.NOTED, now, actor, {"text": text})]
            facts += [
                Event(ticket_id, EventKind.MENTIONED, now, actor, {"who": who, "text": text}) for who in asked.known
            ]
            append_many(session, facts)
            seqs = [event.seq for event in events_of(session, ticket_id)][-len(asked.known) :]
            for seq, who in zip(seqs, asked.known, strict=False):
                row = {"ticket_id": ticket_id, "who": key_of(who), "event_seq": seq, "at": now}
                session.execute(mentions.insert().values(row))
            return Noted(state_of(session, ticket_id), asked)

        return self.database.write(act)

    def mentions(self, who: str, *, unread: bool = False, limit: int = 50) -> list[Mention]:
        """The notes that ask ``who``: those not read first, then the newest first."""
        query = (
            sa.select(mentions, tickets.c.subject, ticket_states.c.status, event_table.c.actor, event_table.c.data)
            .join(tickets, tickets.c.id == mentions.c.ticket_id)
            .join(ticket_states, ticket_states.c.ticket_id == mentions.c.ticket_id)
            .join(event_table, event_table.c.seq == mentions.c.event_seq)
            .where(mentions.c.who == key_of(who))
        )
        if unread:
            query = query.where(mentions.c.read_at.is_(None))
        query = query.order_by(mentions.c.read_at.is_not(None), mentions.c.at.desc(), mentions.c.id.desc())
        with self.database.session(read_only=True) as session:
            rows = session.execute(query.limit(limit)).all()
        return [
            Mention(
                row.id, row.ticket_id, row.subject, Status(row.status), person(row.actor),
                str(row.data.get("text", "")), row.at, row.read_at,
            )
            for row in rows
        ]  # fmt: skip

    def unread(self, who: str) -> int:
        """How many notes that ask ``who`` were not read."""
        query = sa.select(sa.func.count()).where(mentions.c.who == key_of(who), mentions.c.read_at.is_(None))
        with self.database.session(read_only=True) as session:
            return session.scalar(query) or 0

    def read_mentions(self, who: str, ids: Sequence[int] | None = None) -> int:
        """Mark notes that ask ``who`` as read, all of them without ``ids``; returns how many were not before."""
        change = mentions.update().where(mentions.c.who == key_of(who), mentions.c.read_at.is_(None))
        if ids is not None:
            change = change.where(mentions.c.id.in_(ids))
        done = change.values(read_at=datetime.now(UTC)).returning(mentions.c.id)
        return self.database.write(lambda session: len(session.execute(done).all()))

    # -- acts ----------------------------------------------------------------------------------------------

    def assign(self, ticket_id: str, assignee: str | None, actor: str) -> TicketState:
        """Give the ticket to a colleague; None takes it back, so that rules may give it again.

        Raises `UnknownColleagueError`.
        """

        def act(session: Session) -> TicketState:
            name = None
            if assignee is not None:
                name = people(session, self.routing, *self.agents, person(actor)).get(assignee).name
            return append(session, ticket_id, EventKind.ASSIGNED, actor=actor, data={"assignee": name})

        return self.database.write(act)

    def set_priority(self, ticket_id: str, priority: Priority, actor: str, why: str | None = None) -> TicketState:
        """Say how urgent the ticket is; rules leave it so."""
        data = {"priority": str(priority), "why": why}
        return self.database.write(
            lambda session: append(session, ticket_id, EventKind.PRIORITY_SET, actor=actor, data=data)
        )

    def snooze(
        self,
        ticket_id: str,
        until: datetime | Preset,
        actor: str,
        why: str | None = None,
        *,
        at: datetime | None = None,
    ) -> TicketState:
        """Put the ticket off until then, or until the customer writes. Its clocks go on.

        Raises `SnoozeError` for a moment that has passed, `TicketStateError` for a resolved ticket.
        """
        now = at or datetime.now(UTC)
        moment = moment_of(until, now, self.routing.file.working_day) if isinstance(until, Preset) else until
        check_until(moment, now)
        return self._put_off(ticket_id, moment.astimezone(UTC), actor, why)

    def wake(self, ticket_id: str, actor: str) -> TicketState:
        """Bring a ticket that is put off back now. Raises `TicketStateError` when it is not."""
        now = datetime.now(UTC)
        return self._put_off(ticket_id, now, actor, "brought back", wake=True)

    def _put_off(
        self, ticket_id: str, until: datetime, actor: str, why: str | None, *, wake: bool = False
    ) -> TicketState:
        def act(session: Session) -> TicketState:
            lock(session, [ticket_id])
            state = state_of(session, ticket_id)
            if state.status is Status.RESOLVED:
                raise TicketStateError(f"ticket {ticket_id} is resolved: there is nothing to put off")
            if wake and (state.snoozed_until is None or state.snoozed_until <= until):
                raise TicketStateError(f"ticket {ticket_id} is not put off")
            data = {"until": until.isoformat(), "why": why}
            return append(session, ticket_id, EventKind.SNOOZED, actor=actor, data=data)

        return self.database.write(act)

    # -- lists ---------------------------------------------------------------------------------------------

    def conditions(
        self, box: Box, me: str, teams: Sequence[str] | None = None, *, at: datetime | None = None
    ) -> list[sa.ColumnElement[bool]]:
        """What a list shows, for `Desk.open_tickets`. ``teams`` are mine when left out."""
        until, now = ticket_states.c.snoozed_until, at or datetime.now(UTC)
        if box is Box.SNOOZED:
            return [until > now]
        awake = sa.or_(until.is_(None), until <= now)
        assignee = ticket_states.c.assignee
        match box:
            case Box.MINE:
                return [awake, assignee.in_({me, key_of(me)})]
            case Box.TEAM:
                return [awake, ticket_states.c.team.in_(self.me(me).teams if teams is None else teams)]
            case Box.UNASSIGNED:
                return [awake, assignee.is_(None)]
            case _:
                return [awake]


SAID_SINCE = frozenset({EventKind.REPLIED, EventKind.MACRO_SENT, EventKind.CUSTOMER_WROTE, EventKind.RESOLVED})
"""What another would want to know before sending an answer."""


def check_unchanged(session: Session, ticket_id: str, seq: int, actor: str) -> None:
    """Hold the ticket and raise `CollisionError` when anybody but ``actor`` spoke or closed it after event ``seq``."""
    lock(session, [ticket_id])
    since = [
        event
        for event in events_of(session, ticket_id)
        if event.seq > seq and event.kind in SAID_SINCE and key_of(event.actor) != key_of(actor)
    ]
    if since:
        raise CollisionError(ticket_id, since)
