"""A ticket that comes in over HTTP: on disk first, tagged at once while there is time, by its job otherwise."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from desk.combining import Combined
from desk.database import DatabaseError
from desk.ledger import Event, events_by_ticket
from desk.sla.clock_table import StoredClock
from desk.tables import tickets
from desk.tag_jobs import tagged_at_once
from desk.ticket import IncomingTicket, Received, TicketView, view_from_row
from desk.ticket_store import views
from service.suggesting import clocks_of, known_facts, story_json
from service.wiring import Services

log = logging.getLogger("paretodesk.service")

RECEIPT = ("id", "source", "external_id", "channel", "created_at", "received_at")
"""What a delivering system is told of a ticket that it may not read."""


class Reception:
    """Takes tickets in and says what became of them; tickets that arrive together are stored and read together."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._stored = Combined(self._read, DatabaseError)

    def receive(self, incoming: IncomingTicket) -> Received:
        """Store the ticket with its job in one transaction, then tag it if there is a model and no rush.

        When the tagging fails, the ticket is on disk and its job tries again. Raises `DatabaseError`, nothing stored.
        """
        services = self._services
        at_once = services.tagger.tagger.model is not None and services.unhurried()
        received = services.intake.receive(incoming, at_once=at_once)
        if at_once and not received.duplicate:
            try:
                tag = services.tagger.tag(incoming.subject, incoming.body)
                tagged_at_once(services.database, received.ticket_id, tag)
            except Exception as error:  # noqa: BLE001  # whatever it is, the ticket is accepted and its job remains
                log.error("ticket %s was not tagged at once: %s", received.ticket_id, type(error).__name__)
        return received

    def receipt(self, received: Received, whole: bool) -> dict[str, Any]:
        """The ticket as it is stored. Facts are those the desk knows by itself: intake waits for no order system.

        Not ``whole``, for who may deliver and not read: a repeated delivery would else show what happened since.
        """
        view, events, clocks = self._stored(received.ticket_id)
        story = story_json(view, events, clocks)
        if not whole:
            return {name: story[name] for name in RECEIPT if name in story} | {"duplicate": received.duplicate}
        return {**story, "facts": known_facts(self._services, view), "duplicate": received.duplicate}

    def _read(self, ticket_ids: Sequence[str]) -> list[tuple[TicketView, list[Event], list[StoredClock]]]:
        with self._services.database.session(read_only=True) as session:
            rows = session.execute(views().where(tickets.c.id.in_(ticket_ids)))
            found = {row.id: view_from_row(row) for row in rows}
            events = events_by_ticket(session, ticket_ids)
        clocks = clocks_of(self._services, ticket_ids)
        return [(found[ticket_id], events[ticket_id], clocks[ticket_id]) for ticket_id in ticket_ids]
