"""The desk: where tickets come in and every act on them is recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from classifier.taxonomy import Taxonomy, starter_taxonomy
from desk import DeskError
from desk.database import Database
from desk.intake import take_in
from desk.ledger import (
    Decision,
    Event,
    EventKind,
    Status,
    TicketState,
    UnknownTicketError,
    append,
    append_many,
    events_of,
    lock,
    state_of,
)
from desk.sla.clock_table import keep_clocks
from desk.sla.policies import Policies
from desk.sla.queue import soonest_first
from desk.stories import Story, stories
from desk.tables import ticket_states, tickets
from desk.tagging import Tagger, TagLike, tag_data
from desk.ticket import (
    IncomingTicket,
    IncomingTicketError,
    Received,
    Ticket,
    TicketView,
    view_from_row,
)
from desk.ticket_store import Coverage, coverage, rows_in_order, views

__all__ = [
    "Coverage",
    "Desk",
    "IncomingTicket",
    "IncomingTicketError",
    "Received",
    "Ticket",
    "TicketStateError",
    "TicketView",
    "UnknownReasonError",
    "UntaggedError",
]

TAG_BATCH = 256  # texts per call of the tagger and per transaction


class UnknownReasonError(DeskError):
    """The taxonomy has no such contact reason; the message lists those it has."""


class UntaggedError(DeskError):
    """No ticket can be resolved untagged."""


class TicketStateError(DeskError):
    """The act does not fit the ticket's state."""


class Desk:
    """Tickets and acts over one `Database`. Every method is one committed transaction; safe between threads.

    ``actor`` says who acted: ``agent:anna``, ``bot``, ``import``, ``model``. Methods that take a ticket id
    raise `UnknownTicketError`; all raise `DatabaseError` when the database cannot be used. ``policies`` are the
    service levels by which clocks are kept; see `keep_clocks`.
    """

    def __init__(self, database: Database, taxonomy: Taxonomy | None = None, policies: Policies | None = None) -> None:
        self.database = database
        self.taxonomy = taxonomy or starter_taxonomy()
        self.policies = keep_clocks(database, policies)

    # -- coming in -----------------------------------------------------------------------------------------

    def receive(self, incoming: IncomingTicket) -> Received:
        """Store a ticket; when this returns it is on disk.

        The same delivery again is a duplicate without effect.
        """
        return self.database.write(lambda session: take_in(session, [(incoming, ())]))[0]

    def receive_many(self, batch: Sequence[tuple[IncomingTicket, Sequence[Event]]]) -> list[Received]:
        """Store tickets with what is already known to have happened to them, all in one transaction.

        The facts' ticket ids are filled in here; facts of duplicates are not recorded again. One answer per
        ticket, in order.
        """
        with self.database.session() as session:
            return take_in(session, batch)

    # -- contact reasons -----------------------------------------------------------------------------------

    def tag(self, ticket_id: str, tag: TagLike) -> TicketState:
        """Record a model's tag. A reason that a person confirmed stays."""
        return self.record(ticket_id, EventKind.TAGGED, actor=f"model:{tag.model}", data=tag_data(tag))

    def tag_many(self, tags: Mapping[str, TagLike]) -> None:
        """Record models' tags by ticket id, in one transaction."""
        now = datetime.now(UTC)
        with self.database.session() as session:
            append_many(
                session,
                [
                    Event(ticket_id, EventKind.TAGGED, now, f"model:{tag.model}", tag_data(tag))
                    for ticket_id, tag in tags.items()
                ],
            )

    def tag_waiting(self, tagger: Tagger, progress: Callable[[int], None] | None = None) -> int:
        """Tag every ticket that no model or person has tagged yet; returns how many.

        ``progress`` is called with the number tagged so far. Raises `TaggerUnavailableError`; what was tagged
        before it stays.
        """
        done = 0
        while waiting := self._waiting(TAG_BATCH):
            tags = tagger.tag_many([(ticket.subject, ticket.body) for ticket in waiting])
            self.tag_many({ticket.id: tag for ticket, tag in zip(waiting, tags, strict=True)})
            done += len(waiting)
            if progress:
                progress(done)
        return done

    def confirm_tag(self, ticket_id: str, actor: str, why: str | None = None) -> TicketState:
        """A person says that the suggested reason is right. Raises `UntaggedError` when there is none."""

        def act(session: Session) -> TicketState:
            lock(session, [ticket_id])
            reason = state_of(session, ticket_id).reason
            if reason is None:
                raise UntaggedError(f"ticket {ticket_id} has no suggested reason to confirm: choose one")
            data = self._reason_data(reason, why)
            return append(session, ticket_id, EventKind.TAG_CONFIRMED, actor=actor, data=data)

        return self.database.write(act)

    def correct_tag(self, ticket_id: str, reason: str, actor: str, why: str | None = None) -> TicketState:
        """A person chooses the reason.

        The same as suggested is a confirmation. Raises `UnknownReasonError`.
        """
        data = self._reason_data(reason, why)

        def act(session: Session) -> TicketState:
            lock(session, [ticket_id])
            before = state_of(session, ticket_id).reason
            if before == reason:
                return append(session, ticket_id, EventKind.TAG_CONFIRMED, actor=actor, data=data)
            return append(session, ticket_id, EventKind.RETAGGED, actor=actor, data={**data, "instead_of": before})

        return self.database.write(act)

    # -- acts ----------------------------------------------------------------------------------------------

    def suggest(self, ticket_id: str, macros: Sequence[str], passages: Sequence[str], actor: str) -> TicketState:
        """Record which macros and article passages were offered, by id."""
        data = {"macros": list(macros), "passages": list(passages)}
        return self.record(ticket_id, EventKind.SUGGESTED, actor=actor, data=data)

    def send_macro(
        self, ticket_id: str, macro_id: str, text: str, actor: str, *, automatic: bool = False
    ) -> TicketState:
        """Record a public reply made of a macro, as it was sent.

        An ``automatic`` one does not count as first reply.
        """
        data = {"macro": macro_id, "text": text, "automatic": automatic}
        return self.record(ticket_id, EventKind.MACRO_SENT, actor=actor, data=data)

    def reply(self, ticket_id: str, text: str, actor: str, *, automatic: bool = False) -> TicketState:
        """Record a public reply. An ``automatic`` one does not count as first reply."""
        return self.record(ticket_id, EventKind.REPLIED, actor=actor, data={"text": text, "automatic": automatic})

    def hand_off(self, ticket_id: str, actor: str, why: str) -> TicketState:
        """The bot passes the ticket to a person."""
        return self.record(ticket_id, EventKind.HANDED_OFF, actor=actor, data={"why": why})

    def handled(self, ticket_id: str, seconds: float, actor: str) -> TicketState:
        """Add an agent's active and wrap-up time."""
        return self.record(ticket_id, EventKind.HANDLED, actor=actor, data={"seconds": seconds})

    def rate(self, ticket_id: str, csat: int, actor: str = "customer") -> TicketState:
        """Record the customer's rating, 1 to 5. Raises `TicketStateError` for any other number."""
        if csat not in range(1, 6):
            raise TicketStateError(f"csat: {csat} is not a rating from 1 to 5")
        return self.record(ticket_id, EventKind.RATED, actor=actor, data={"csat": csat})

    def resolve(self, ticket_id: str, actor: str) -> TicketState:
        """Close the ticket. Raises `UntaggedError` without a usable reason, `TicketStateError` if closed."""

        def act(session: Session) -> TicketState:
            lock(session, [ticket_id])
            state = state_of(session, ticket_id)
            if state.status is Status.RESOLVED:
                raise TicketStateError(f"ticket {ticket_id} is already resolved")
            if state.decision is Decision.UNDECIDED:
                raise UntaggedError(
                    f"no ticket can be resolved untagged: confirm or correct the reason of {ticket_id} first"
                )
            return append(session, ticket_id, EventKind.RESOLVED, actor=actor)

        return self.database.write(act)

    def reopen(self, ticket_id: str, actor: str, why: str | None = None) -> TicketState:
        """Open a resolved ticket again. Raises `TicketStateError` when it is open."""

        def act(session: Session) -> TicketState:
            lock(session, [ticket_id])
            if state_of(session, ticket_id).status is Status.OPEN:
                raise TicketStateError(f"ticket {ticket_id} is already open")
            return append(session, ticket_id, EventKind.REOPENED, actor=actor, data={"why": why})

        return self.database.write(act)

    def record(
        self,
        ticket_id: str,
        kind: EventKind,
        *,
        actor: str,
        data: Mapping[str, Any] | None = None,
        at: datetime | None = None,
    ) -> TicketState:
        """Record one fact; ``at`` defaults to now."""
        return self.database.write(lambda session: append(session, ticket_id, kind, actor=actor, data=data, at=at))

    # -- looking -------------------------------------------------------------------------------------------

    def ticket(self, ticket_id: str) -> TicketView:
        """The ticket and its state."""
        with self.database.session(read_only=True) as session:
            row = session.execute(views().where(tickets.c.id == ticket_id)).one_or_none()
        if row is None:
            raise UnknownTicketError(f"there is no ticket {ticket_id}")
        return view_from_row(row)

    def story(self, ticket_id: str) -> Story:
        """The ticket with everything that happened to it and its clocks as of now."""
        with self.database.session(read_only=True) as session:
            if (found := stories(session, [ticket_id], datetime.now(UTC)).get(ticket_id)) is None:
                raise UnknownTicketError(f"there is no ticket {ticket_id}")
            return found

    def events(self, ticket_id: str) -> list[Event]:
        """Everything recorded about the ticket, oldest record first."""
        with self.database.session(read_only=True) as session:
            if not (found := events_of(session, ticket_id)):
                raise UnknownTicketError(f"there is no ticket {ticket_id}")
            return found

    def open_tickets(
        self,
        limit: int = 50,
        *,
        offset: int = 0,
        reason: str | None = None,
        channel: str | None = None,
        decision: Decision | None = None,
        among: Sequence[sa.ColumnElement[bool]] = (),
    ) -> list[TicketView]:
        """Open tickets, the one whose service-level clock runs out first; see `soonest_first`.

        ``among``: further conditions on `tickets` and `ticket_states`, such as those of `desk.teamwork`.
        """
        conditions: list[sa.ColumnElement[bool]] = [*among]
        if reason is not None:
            conditions.append(ticket_states.c.reason == reason)
        if channel is not None:
            conditions.append(sa.func.lower(tickets.c.channel) == channel.lower())
        if decision is not None:
            conditions.append(ticket_states.c.decision == decision)
        with self.database.session(read_only=True) as session:
            ids = soonest_first(session, conditions, limit, offset)
            return [view_from_row(row) for row in rows_in_order(session, ids)]

    def confirmed_tickets(self, since: datetime | None = None) -> list[TicketView]:
        """Tickets whose reason a person confirmed, by creation time: what a new model may learn from."""
        query = views().where(ticket_states.c.confirmed_by.is_not(None))
        if since is not None:
            query = query.where(tickets.c.created_at >= since)
        with self.database.session(read_only=True) as session:
            rows = session.execute(query.order_by(tickets.c.created_at, tickets.c.id))
            return [view_from_row(row) for row in rows]

    def coverage(self) -> Coverage:
        """What the desk holds."""
        with self.database.session(read_only=True) as session:
            return coverage(session)

    def _waiting(self, limit: int) -> list[Ticket]:
        query = views().where(ticket_states.c.reason.is_(None)).order_by(tickets.c.created_at).limit(limit)
        with self.database.session(read_only=True) as session:
            return [view_from_row(row).ticket for row in session.execute(query)]

    def _reason_data(self, reason: str, why: str | None) -> dict[str, Any]:
        if reason not in self.taxonomy:
            known = ", ".join(self.taxonomy.ids)
            raise UnknownReasonError(f"there is no contact reason {reason!r}; choose one of: {known}")
        return {"reason": reason, "autonomy": str(self.taxonomy[reason].autonomy), "why": why}
