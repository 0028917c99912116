"""Every ticket gets a contact reason in the end: at once when there is time, else by a job that came in with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import sqlalchemy as sa
from sqlalchemy.orm import Session

from desk.combining import Combined
from desk.database import Database, DatabaseError
from desk.intake import TAG, take_in
from desk.jobs import Lease, NotNowError, Queued, Run, enqueue_many, settle
from desk.ledger import Event, EventKind, append_many, lock
from desk.stories import Story, stories
from desk.tables import jobs, ticket_states, tickets
from desk.tagging import Tagger, TaggerUnavailableError, TagLike, tag_data
from desk.ticket import IncomingTicket, Received

BATCH = 64
"""Tickets to one call of the tagger; encoding 64 texts at once costs about a third of encoding them one by one."""
AT_ONCE_WITHIN = timedelta(seconds=20)
"""How long whoever took a ticket in has to tag it by itself, before its job may be leased."""
AGAIN_AFTER = timedelta(seconds=30)
"""When a tagger that could not answer is asked again."""
SWEEP = 500  # jobs made per transaction


@dataclass(frozen=True, slots=True)
class Delivery:
    """A ticket to take in. ``at_once``: who takes it in tags it now and says so with `tagged_at_once`."""

    incoming: IncomingTicket
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a delivery, and the ticket as it is stored."""

    received: Received
    story: Story


class Intake:
    """Takes tickets in, each with the job that tags it; those that arrive at the same time in one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._take = Combined(self._store, DatabaseError)

    def take(self, delivery: Delivery) -> Taken:
        """Store a ticket and its job in one transaction; when this returns both are on disk.

        Should who tags it at once die in between, a worker does the job a little later. Raises `DatabaseError`, with
        nothing stored.
        """
        return self._take(delivery)

    def _store(self, together: Sequence[Delivery]) -> list[Taken]:
        # Two processes that store the same tickets in different orders would wait for each other.
        order = sorted(range(len(together)), key=lambda place: _key(together[place].incoming))
        asked = [together[place] for place in order]

        def act(session: Session) -> list[Taken]:
            answers = take_in(session, [(delivery.incoming, ()) for delivery in asked])
            now = datetime.now(UTC)
            fresh = [
                (answer.ticket_id, now + AT_ONCE_WITHIN if delivery.at_once else now)
                for answer, delivery in zip(answers, asked, strict=True)
                if not answer.duplicate
            ]
            enqueue_many(session, TAG, [Queued({"ticket_id": name}, name, after) for name, after in fresh])
            told = stories(session, [answer.ticket_id for answer in answers], now)
            return [Taken(answer, told[answer.ticket_id]) for answer in answers]

        stored = dict(zip(order, self._database.write(act), strict=True))
        return [stored[place] for place in range(len(together))]


def tagged_at_once(database: Database, ticket_id: str, tag: TagLike) -> bool:
    """Record the tag and end the ticket's job together; False, with nothing recorded, when a worker was sooner."""

    def act(session: Session) -> bool:
        if not settle(session, TAG, ticket_id, datetime.now(UTC)):
            return False
        _record(session, {ticket_id: tag})
        return True

    return database.write(act)


def tag_tickets(run: Run, tagger: Tagger) -> None:
    """Handle `TAG` jobs: one call of the tagger for all, and the tags committed together with the ends of the jobs.

    A ticket that has a reason by now, for example from a person, keeps it. Raises `UnknownTicketError`.
    """
    wanted = {str(lease.payload["ticket_id"]) for lease in run.leases}
    with run.database.session(read_only=True) as session:
        texts = _untagged(session, wanted)
    try:
        found = tagger.tag_many(list(texts.values())) if texts else []
    except TaggerUnavailableError as error:
        raise NotNowError(str(error), AGAIN_AFTER) from error
    tags = dict(zip(texts, found, strict=True))

    def effect(session: Session, held: Sequence[Lease]) -> None:
        ids = {str(lease.payload["ticket_id"]) for lease in held}
        lock(session, sorted(ids))
        still = _untagged(session, ids & tags.keys())
        _record(session, {ticket_id: tags[ticket_id] for ticket_id in still})

    run.finish(effect)


def sweep(database: Database, settled_for: timedelta = timedelta(minutes=1)) -> int:
    """Make jobs for tickets that have neither a reason nor a job, for example imported ones; returns how many.

    Tickets younger than ``settled_for`` are left to whoever is bringing them in.
    """
    made = 0
    while ids := _without_job(database, datetime.now(UTC) - settled_for):
        now = datetime.now(UTC)
        waiting = [Queued({"ticket_id": ticket_id}, ticket_id, now) for ticket_id in ids]
        made += database.write(partial(enqueue_many, kind=TAG, wanted=waiting))
    return made


def _key(incoming: IncomingTicket) -> tuple[str, str]:
    return incoming.source, incoming.external_id


def _without_job(database: Database, before: datetime) -> Sequence[str]:
    same = sa.and_(jobs.c.kind == TAG, jobs.c.key == tickets.c.id)
    query = (
        sa.select(tickets.c.id)
        .join(ticket_states, ticket_states.c.ticket_id == tickets.c.id)
        .outerjoin(jobs, same)
        .where(ticket_states.c.reason.is_(None), jobs.c.id.is_(None), tickets.c.received_at <= before)
        .order_by(tickets.c.received_at)
        .limit(SWEEP)
    )
    with database.session(read_only=True) as session:
        return session.scalars(query).all()


def _untagged(session: Session, ids: set[str]) -> dict[str, tuple[str, str]]:
    query = (
        sa.select(tickets.c.id, tickets.c.subject, tickets.c.body)
        .join(ticket_states, ticket_states.c.ticket_id == tickets.c.id)
        .where(tickets.c.id.in_(ids), ticket_states.c.reason.is_(None))
        .order_by(tickets.c.id)
    )
    return {row.id: (row.subject, row.body) for row in session.execute(query)}


def _record(session: Session, tags: dict[str, TagLike]) -> None:
    now = datetime.now(UTC)
    append_many(
        session,
        [
            Event(ticket_id, EventKind.TAGGED, now, f"model:{tag.model}", tag_data(tag))
            for ticket_id, tag in tags.items()
        ],
    )
