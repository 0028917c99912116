"""Tickets of one contact reason that went well, and what made others go badly, from the desk's own records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

import sqlalchemy as sa
from sqlalchemy.orm import Session

from desk.access.personal_data import PLACEHOLDERS
from desk.inbox import Desk
from desk.intervals import wilson
from desk.ledger import Event, EventKind, events_by_ticket
from desk.tables import events, ticket_states, tickets
from desk.ticket import Ticket, TicketView, view_from_row
from desk.ticket_state import Decision, Status
from desk.ticket_store import views

GOOD_RATING = 4
CANDIDATES = 400
"""Newest good tickets among which the diverse ones are chosen; encoding them takes a second or two."""
LONGEST, SHORTEST = 1_200, 20
"""Characters of a ticket that fits on a page and of one that says anything."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A ticket with what a person answered: the text that was sent, or only the id of the macro."""

    ticket: Ticket
    language: str
    answer: str | None
    macro: str | None
    csat: int | None
    confirmed: bool
    people: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Correction:
    """How often a person changed a tag from one contact reason to another."""

    instead_of: str
    reason: str
    times: int


@dataclass(frozen=True, slots=True)
class Reopened:
    """A ticket that came back, and the customer's words then, if they wrote any."""

    ticket: Ticket
    language: str
    text: str
    people: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reopens:
    """How many of the resolved tickets were opened again, with the 95% interval of the share."""

    resolved: int
    reopened: int
    low: float
    high: float
    told: tuple[Reopened, ...]


def good_tickets(desk: Desk, reason: str, language: str, start: date, end: date) -> list[Answered]:
    """Tickets in ``language`` that were resolved, never reopened and not rated badly, the newest first.

    The window is of creation, UTC days, ``end`` exclusive. Erased tickets and those too long for a page are left out.
    """
    state = ticket_states.c
    query = (
        _of(reason, start, end)
        .where(
            state.status == Status.RESOLVED,
            state.reopenings == 0,
            sa.or_(state.csat.is_(None), state.csat >= GOOD_RATING),
            sa.func.lower(sa.func.coalesce(tickets.c.language, state.tagged_language)).startswith(language),
            sa.func.length(tickets.c.subject) + sa.func.length(tickets.c.body) <= LONGEST,
            sa.func.length(tickets.c.subject) + sa.func.length(tickets.c.body) >= SHORTEST,
            tickets.c.body.not_in(list(PLACEHOLDERS.values())),
        )
        .order_by(tickets.c.created_at.desc(), tickets.c.id)
        .limit(CANDIDATES)
    )
    with desk.database.session(read_only=True) as session:
        found = [view_from_row(row) for row in session.execute(query)]
        told = events_by_ticket(session, [view.ticket.id for view in found])
    return [_answered(view, told[view.ticket.id], language) for view in found]


def corrections(desk: Desk, reason: str, start: date, end: date) -> list[Correction]:
    """Corrected tags that led to ``reason`` or away from it, the most frequent first; several per ticket count once."""
    with desk.database.session(read_only=True) as session:
        query = (
            sa.select(events.c.ticket_id, events.c.data)
            .join(tickets, tickets.c.id == events.c.ticket_id)
            .where(events.c.kind == EventKind.RETAGGED, *_created(start, end))
            .order_by(events.c.seq)
        )
        last: dict[tuple[str, str], str] = {}
        for ticket_id, data in session.execute(query):
            before, after = data.get("instead_of"), data.get("reason")
            if before and after and before != after and reason in (before, after):
                last[ticket_id, before] = after
    counted = Counter((before, after) for (_, before), after in last.items())
    found = [Correction(before, after, times) for (before, after), times in counted.items()]
    return sorted(found, key=lambda one: (-one.times, one.instead_of, one.reason))


def reopens(desk: Desk, reason: str, start: date, end: date, show: int = 3) -> Reopens:
    """How often tickets of the reason came back, and the words of the newest ``show`` of them."""
    state = ticket_states.c
    with desk.database.session(read_only=True) as session:
        resolved = _ticket_ids(session, reason, start, end, EventKind.RESOLVED)
        query = _of(reason, start, end).where(state.reopenings > 0)
        views_back = [view_from_row(row) for row in session.execute(query.order_by(tickets.c.created_at.desc()))]
        told = events_by_ticket(session, [view.ticket.id for view in views_back])
    back = [view for view in views_back if view.ticket.id in resolved]
    shown = [found for view in back if (found := _reopened(view, told[view.ticket.id]))]
    return Reopens(len(resolved), len(back), *wilson(len(back), len(resolved)), tuple(shown[:show]))


def _of(reason: str, start: date, end: date) -> sa.Select[tuple[object, ...]]:
    """Tickets whose reason is decided to be ``reason``, created in the window."""
    state = ticket_states.c
    return views().where(state.decision == Decision.TAGGED, state.reason == reason, *_created(start, end))


def _created(start: date, end: date) -> Sequence[sa.ColumnElement[bool]]:
    first, after = (datetime.combine(day, time.min, tzinfo=UTC) for day in (start, end))
    return tickets.c.created_at >= first, tickets.c.created_at < after


def _ticket_ids(session: Session, reason: str, start: date, end: date, kind: EventKind) -> set[str]:
    state = ticket_states.c
    query = (
        sa.select(events.c.ticket_id)
        .join(tickets, tickets.c.id == events.c.ticket_id)
        .join(ticket_states, state.ticket_id == events.c.ticket_id)
        .where(events.c.kind == kind, state.decision == Decision.TAGGED, state.reason == reason, *_created(start, end))
        .distinct()
    )
    return set(session.scalars(query))


def _answered(view: TicketView, told: Sequence[Event], language: str) -> Answered:
    answer = macro = None
    for event in told:
        data: Mapping[str, object] = event.data
        if event.kind not in (EventKind.REPLIED, EventKind.MACRO_SENT) or data.get("automatic"):
            continue
        text = str(data.get("text") or "").strip()
        if text and text not in PLACEHOLDERS.values():
            answer = text
        macro = str(data["macro"]) if data.get("macro") else macro
    state = view.state
    return Answered(
        view.ticket, language, answer, macro, state.csat, state.confirmed_by is not None, _people(told, state.assignee)
    )


def _reopened(view: TicketView, told: Sequence[Event]) -> Reopened | None:
    """The customer's last words before the ticket was opened again."""
    words, resolved = "", False
    for event in sorted(told, key=lambda event: (event.at, event.seq)):
        if event.kind is EventKind.RESOLVED:
            words, resolved = "", True
        elif event.kind is EventKind.CUSTOMER_WROTE and resolved:
            words = str(event.data.get("text") or "")
        elif event.kind is EventKind.REOPENED:
            words = words or str(event.data.get("why") or "")
            break
    language = view.ticket.language or view.state.tagged_language or "en"
    if not words.strip() or words in PLACEHOLDERS.values():
        return None
    return Reopened(view.ticket, language[:2], words, _people(told, view.state.assignee))


def _people(told: Sequence[Event], assignee: str | None) -> tuple[str, ...]:
    """Colleagues who may be named in a text: whoever acted on the ticket."""
    actors = {event.actor.removeprefix("agent:") for event in told if event.actor.startswith("agent:")}
    return tuple(sorted(actors | ({assignee} if assignee else set())))
