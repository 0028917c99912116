"""A ticket that comes in over HTTP: on disk first, tagged at once while there is time, by its job otherwise."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

from desk.tag_jobs import Delivery, Taken, tagged_at_once
from desk.ticket import IncomingTicket
from service.suggesting import known_facts, story_json
from service.wiring import Services

log = logging.getLogger("paretodesk.service")

RECEIPT = ("id", "source", "external_id", "channel", "created_at", "received_at")
"""What a delivering system is told of a ticket that it may not read."""


def receive(services: Services, incoming: IncomingTicket) -> Taken:
    """Store the ticket with its job in one transaction, then tag it if there is a model and no rush.

    When the tagging fails, the ticket is on disk and its job tries again. Raises `DatabaseError`, nothing stored.
    """
    time_to_tag = services.pace.time_to_tag()
    at_once = time_to_tag and services.tagger.tagger.model is not None
    taken = services.intake.take(Delivery(incoming, at_once))
    ticket_id = taken.received.ticket_id
    if not at_once or taken.received.duplicate:
        return taken
    try:
        tag = services.tagger.tag(incoming.subject, incoming.body)
        tagged_at_once(services.database, ticket_id, tag)
    except Exception as error:  # noqa: BLE001  # whatever it is, the ticket is accepted and its job remains
        log.error("ticket %s was not tagged at once: %s", ticket_id, type(error).__name__)
    return replace(taken, story=services.desk.story(ticket_id))


def receipt(services: Services, taken: Taken, whole: bool) -> dict[str, Any]:
    """The ticket as it is stored. Facts are those the desk knows by itself: intake waits for no order system.

    Not ``whole``, for who may deliver and not read: a repeated delivery would else show what happened since.
    """
    story, duplicate = story_json(taken.story), {"duplicate": taken.received.duplicate}
    if not whole:
        return {name: story[name] for name in RECEIPT if name in story} | duplicate
    return {**story, "facts": known_facts(services, taken.story.view), **duplicate}
