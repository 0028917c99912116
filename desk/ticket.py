"""Tickets: as they come in, as they are stored, and as they are shown with their state."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from desk import DeskError
from desk.ledger import TicketState, state_from_row
from desk.tables import storable

MAX_TEXT_BYTES = 1024 * 1024
MAX_FIELD = 500  # characters; keeps every indexed value below PostgreSQL's limit of 2,704 bytes
MAX_SOURCE = 100
UNKNOWN_CHANNEL = "unknown"
ID_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford base 32: nothing to misread on the telephone
ID_LENGTH = 10  # 50 bits; a clash is refused by the primary key


class IncomingTicketError(DeskError):
    """An incoming ticket cannot be accepted; ``field`` is what is wrong with it."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


@dataclass(frozen=True, slots=True)
class IncomingTicket:
    """A customer's message as a source delivers it. Raises `IncomingTicketError` when it cannot be a ticket.

    ``source`` names the system that gave ``external_id``; together they make a delivery recognisable, so that
    repeating it has no effect. ``created_at`` is when the customer wrote; None means now.
    """

    source: str
    external_id: str
    body: str
    subject: str = ""
    channel: str = UNKNOWN_CHANNEL
    marketplace: str | None = None
    language: str | None = None
    customer_email: str | None = None
    customer_name: str | None = None
    order_id: str | None = None
    asin: str | None = None
    carrier: str | None = None
    created_at: datetime | None = None

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:  # so that the keys compared later are the keys stored
            object.__setattr__(self, name, storable(getattr(self, name)))
        for name in ("source", "external_id"):
            if not getattr(self, name).strip():
                raise IncomingTicketError(name, "is empty; without it a repeated delivery cannot be recognised")
        if not self.body.strip() and not self.subject.strip():
            raise IncomingTicketError("body", "there is no text")
        size = len(self.subject.encode()) + len(self.body.encode())
        if size > MAX_TEXT_BYTES:
            raise IncomingTicketError("body", f"the text has {size:,} bytes; the limit is {MAX_TEXT_BYTES:,}")
        if self.created_at is not None and self.created_at.tzinfo is None:
            raise IncomingTicketError("created_at", "the time has no time zone")
        for name in _LIMITED:
            limit = MAX_SOURCE if name == "source" else MAX_FIELD
            value = getattr(self, name)
            if value is not None and len(value) > limit:
                raise IncomingTicketError(name, f"has {len(value):,} characters; the limit is {limit}")


_LIMITED = tuple(name for name in IncomingTicket.__dataclass_fields__ if name not in ("body", "subject", "created_at"))


@dataclass(frozen=True, slots=True)
class Received:
    """What became of a delivery.

    ``duplicate``: it was already there and nothing changed. ``differs``: it is a duplicate by its id, yet its
    text is not the stored one, which hints at two systems that share a source name.
    """

    ticket_id: str
    duplicate: bool
    differs: bool = False


@dataclass(frozen=True, slots=True)
class Ticket:
    """A stored customer's message; it never changes. ``received_at`` is when the desk accepted it."""

    id: str
    source: str
    external_id: str
    channel: str
    marketplace: str | None
    language: str | None
    subject: str
    body: str
    customer_email: str | None
    customer_name: str | None
    order_id: str | None
    asin: str | None
    carrier: str | None
    created_at: datetime
    received_at: datetime


@dataclass(frozen=True, slots=True)
class TicketView:
    """A ticket and what its events add up to."""

    ticket: Ticket
    state: TicketState


def new_ticket_id() -> str:
    """A short random id that says nothing about how many tickets there are."""
    return "T-" + "".join(secrets.choice(ID_ALPHABET) for _ in range(ID_LENGTH))


def ticket_row(incoming: IncomingTicket, now: datetime) -> dict[str, Any]:
    """The row of `desk.tables.tickets` for a new ticket, under a new id."""
    row = {name: getattr(incoming, name) for name in IncomingTicket.__dataclass_fields__}
    created = (incoming.created_at or now).astimezone(UTC)
    return row | {"id": new_ticket_id(), "created_at": created, "received_at": now}


def view_from_row(row: sa.Row[Any]) -> TicketView:
    """The view in a joined row of `tickets` and `ticket_states`."""
    ticket = Ticket(**{name: getattr(row, name) for name in Ticket.__dataclass_fields__})
    return TicketView(ticket, state_from_row(row))
