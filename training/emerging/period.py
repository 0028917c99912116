"""The tickets of a period as they were asked, redacted before anything else reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

import sqlalchemy as sa

from classifier.features import feature_text
from classifier.redaction import redact
from desk.access.personal_data import is_erased
from desk.inbox import Desk
from desk.ledger import CHUNK, Decision, EventKind, events_by_ticket
from desk.tables import ticket_states, tickets
from desk.ticket import TicketView, view_from_row
from desk.ticket_store import views
from training.fitting import Progress, silent
from training.placeholders import without_placeholders

PERIOD_MOST = 20_000
"""Tickets of a period that are looked at, the newest; every one is compared with every other."""
EARLIER_MOST = 5_000
"""Tickets before the period that count as known, the newest of those whose reason may be used."""


@dataclass(frozen=True)
class AskedTicket:
    """One ticket, redacted. ``said`` is the reason that a person confirmed or chose, ``corrected`` whether that was
    another than the model's; ``undecided`` as long as nobody knows.
    """

    id: str
    locale: str
    channel: str
    subject: str
    body: str
    opened_at: datetime
    tagged: str | None
    said: str | None
    undecided: bool
    corrected: bool

    @property
    def text(self) -> str:
        """For people: redacted, without signature and quotation."""
        return feature_text(self.subject, self.body)

    @property
    def words(self) -> str:
        """What the model reads: placeholders left out, which no known ticket has and which would make it a stranger."""
        return " ".join(without_placeholders(self.text).split())


def tickets_of_period(desk: Desk, first: date, last: date, progress: Progress = silent) -> list[AskedTicket]:
    """All tickets opened from ``first`` to ``last``, both included, UTC; at most `PERIOD_MOST`, the newest."""
    start, end = _midnight(first), datetime.combine(last, time.max, tzinfo=UTC)
    query = views().where(tickets.c.created_at >= start, tickets.c.created_at <= end)
    return list(_read(desk, query, PERIOD_MOST, progress, "reading the period"))


def earlier_tickets(desk: Desk, first: date, progress: Progress = silent) -> list[AskedTicket]:
    """The newest tickets before ``first`` whose reason is known; at most `EARLIER_MOST`."""
    query = views().where(tickets.c.created_at < _midnight(first), ticket_states.c.decision == Decision.TAGGED)
    return list(_read(desk, query, EARLIER_MOST, progress, "reading what came before"))


def undecided_tickets(desk: Desk, progress: Progress = silent) -> list[AskedTicket]:
    """Tickets whose reason nobody knows yet, the newest `PERIOD_MOST`."""
    query = views().where(ticket_states.c.decision == Decision.UNDECIDED)
    return list(_read(desk, query, PERIOD_MOST, progress, "reading undecided tickets"))


def tickets_by_id(desk: Desk, ticket_ids: Sequence[str]) -> list[AskedTicket]:
    """The tickets that are still there, in this order; erased ones are left out."""
    found: dict[str, AskedTicket] = {}
    for start in range(0, len(ticket_ids), CHUNK):
        query = views().where(tickets.c.id.in_(ticket_ids[start : start + CHUNK]))
        found |= {ticket.id: ticket for ticket in _read(desk, query, CHUNK, silent, "")}
    return [found[ticket_id] for ticket_id in ticket_ids if ticket_id in found]


def _read(desk: Desk, query: sa.Select[Any], most: int, progress: Progress, what: str) -> Iterator[AskedTicket]:
    with desk.database.session(read_only=True) as session:
        rows = session.execute(query.order_by(tickets.c.created_at.desc(), tickets.c.id).limit(most)).all()
        found = [view_from_row(row) for row in rows]
        confirmed = [view.ticket.id for view in found if view.state.confirmed_by]
        told = events_by_ticket(session, confirmed)
    corrected = {
        ticket_id
        for ticket_id, facts in told.items()
        if any(fact.kind is EventKind.RETAGGED and fact.data.get("instead_of") for fact in facts)
    }
    for number, view in enumerate(reversed(found), start=1):
        if not is_erased(view.ticket.subject, view.ticket.body):
            yield _asked(view, view.ticket.id in corrected)
        if number % 200 == 0 or number == len(found):
            progress(what, number, len(found))


def _asked(view: TicketView, corrected: bool) -> AskedTicket:
    ticket, state = view.ticket, view.state
    locale = state.tagged_language or ticket.language or "en"
    known = [value for value in (ticket.customer_name, ticket.customer_email, ticket.order_id) if value]
    return AskedTicket(
        id=ticket.id,
        locale=locale,
        channel=ticket.channel,
        subject=redact(ticket.subject, locale, known),
        body=redact(ticket.body, locale, known),
        opened_at=ticket.created_at,
        tagged=state.reason,
        said=state.reason if state.confirmed_by else None,
        undecided=state.decision is Decision.UNDECIDED,
        corrected=corrected,
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=UTC)
