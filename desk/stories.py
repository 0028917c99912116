"""A ticket with everything that happened to it and its clocks, read together in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from desk.ledger import Event, events_by_ticket
from desk.sla.clock_table import StoredClock, clocks_in
from desk.tables import tickets
from desk.ticket import TicketView, view_from_row
from desk.ticket_store import views


@dataclass(frozen=True, slots=True)
class Story:
    """A ticket with its state, its events in the order recorded, and its clocks, those that run out first first."""

    view: TicketView
    events: Sequence[Event]
    clocks: Sequence[StoredClock]


def stories(session: Session, ticket_ids: Sequence[str], now: datetime) -> dict[str, Story]:
    """The story of each ticket as ``session`` sees it; clocks as of ``now``. Unknown ids are left out."""
    found = [view_from_row(row) for row in session.execute(views().where(tickets.c.id.in_(ticket_ids)))]
    told = events_by_ticket(session, ticket_ids)
    clocks = clocks_in(session, ticket_ids, now)
    return {view.ticket.id: Story(view, told[view.ticket.id], clocks[view.ticket.id]) for view in found}
