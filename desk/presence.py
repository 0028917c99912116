"""Who is at the desk, and who looks at or answers which ticket right now. Nothing here is an event: it is forgotten."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from desk.database import Database
from desk.ledger import UnknownTicketError
from desk.people import key_of
from desk.tables import agents_seen, presence, tickets, upsert

BEAT_EVERY = timedelta(seconds=10)
"""How often a page says that it is open."""
AT_TICKET_FOR = timedelta(seconds=30)
"""After which silence somebody has left a ticket: two lost beats."""
AT_DESK_FOR = timedelta(minutes=3)
"""After which silence somebody has left the desk. Browsers let a page in the background act once a minute."""


class Doing(StrEnum):
    """What somebody does at a ticket."""

    VIEWING = "viewing"
    REPLYING = "replying"


@dataclass(frozen=True, slots=True)
class AtTicket:
    """Somebody at a ticket."""

    agent: str
    doing: Doing
    seen_at: datetime

    def to_json(self) -> dict[str, Any]:
        """As JSON data."""
        return {"agent": self.agent, "doing": str(self.doing), "seen_at": self.seen_at.isoformat()}


def beat(
    database: Database,
    agent: str,
    ticket_id: str | None = None,
    doing: Doing = Doing.VIEWING,
    *,
    at: datetime | None = None,
) -> list[AtTicket]:
    """Note that ``agent`` is at the desk, and at a ticket where one is named; returns who else is at that ticket.

    Raises `UnknownTicketError`.
    """
    now = at or datetime.now(UTC)

    def act(session: Session) -> list[AtTicket]:
        _seen(session, agent, now)
        session.execute(presence.delete().where(presence.c.seen_at < now - AT_TICKET_FOR))
        if ticket_id is None:
            return []
        if session.scalar(sa.select(tickets.c.id).where(tickets.c.id == ticket_id)) is None:
            raise UnknownTicketError(f"there is no ticket {ticket_id}")
        row = {"ticket_id": ticket_id, "agent": agent, "doing": str(doing), "seen_at": now}
        session.execute(upsert(session, presence), row)
        return others(session, ticket_id, agent, now)

    return database.write(act)


def leave(database: Database, agent: str, ticket_id: str) -> None:
    """Note that ``agent`` is no longer at the ticket; nothing where they were not."""
    gone = presence.delete().where(presence.c.ticket_id == ticket_id, presence.c.agent == agent)
    database.write(lambda session: session.execute(gone))


def others(session: Session, ticket_id: str, agent: str, now: datetime) -> list[AtTicket]:
    """Who else is at a ticket, those who reply first."""
    query = sa.select(presence).where(presence.c.ticket_id == ticket_id, presence.c.seen_at >= now - AT_TICKET_FOR)
    rows = session.execute(query.order_by(presence.c.doing, presence.c.agent)).all()
    return [AtTicket(row.agent, Doing(row.doing), row.seen_at) for row in rows if key_of(row.agent) != key_of(agent)]


def set_away(database: Database, agent: str, away: bool, *, at: datetime | None = None) -> None:
    """Say that somebody takes no new tickets, or does again."""

    def act(session: Session) -> None:
        _seen(session, agent, at or datetime.now(UTC))
        session.execute(agents_seen.update().where(agents_seen.c.agent == key_of(agent)).values(away=away))

    database.write(act)


def at_desk(session: Session, now: datetime) -> dict[str, bool]:
    """Who is at the desk, by `key_of` their name: whether they take new tickets."""
    query = sa.select(agents_seen).where(agents_seen.c.seen_at >= now - AT_DESK_FOR)
    return {row.agent: not row.away for row in session.execute(query)}


def _seen(session: Session, agent: str, now: datetime) -> None:
    # an upsert of all columns would forget who is away
    found = agents_seen.update().where(agents_seen.c.agent == key_of(agent)).values(seen_at=now)
    if session.execute(found.returning(agents_seen.c.agent)).first() is None:
        session.execute(upsert(session, agents_seen), {"agent": key_of(agent), "seen_at": now, "away": False})
