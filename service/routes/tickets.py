"""Tickets in, and what to answer them with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Header, Response
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from desk.inbox import IncomingTicket
from service.receiving import receipt
from service.receiving import receive as take_in
from service.routes.dependencies import ServicesDep, Who, allow
from service.suggesting import suggestions_for, ticket_json

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
CLOCK_SLACK = timedelta(days=1)
"""Clocks and time zones of other systems may be wrong by so much."""

router = APIRouter(prefix="/v1/tickets", tags=["tickets"])


class TicketIn(BaseModel):
    """A ticket as another system delivers it. The same ``source`` and ``external_id`` again has no second effect."""

    model_config = ConfigDict(extra="forbid")

    source: str = Field("api", min_length=1, max_length=100)
    external_id: str | None = Field(None, min_length=1, max_length=200)
    channel: str = Field("api", min_length=1, max_length=50)
    subject: str = Field("", max_length=2_000)
    body: str = Field(max_length=1_048_576, pattern=r"\S")
    marketplace: str | None = Field(None, max_length=50)
    customer_email: str | None = Field(None, max_length=320)
    customer_name: str | None = Field(None, max_length=200)
    order_id: str | None = Field(None, max_length=100)
    asin: str | None = Field(None, max_length=20)
    carrier: str | None = Field(None, max_length=50)
    created_at: AwareDatetime | None = None

    @field_validator("created_at")
    @classmethod
    def _plausible(cls, at: datetime | None) -> datetime | None:
        if at and not EARLIEST < at < datetime.now(UTC) + CLOCK_SLACK:
            raise ValueError("is no time of a ticket: send when the customer wrote, or leave it out")
        return at


@router.post("", dependencies=[allow("tickets:deliver")], status_code=201)
def receive(
    ticket: TicketIn,
    services: ServicesDep,
    who: Who,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> Response:
    """Store a ticket. 201 means that it is on disk; 200 that this delivery was there already.

    It is tagged in the answer unless many arrive at once or no model serves; then it is tagged a little later.
    ``Idempotency-Key`` stands in for a missing ``external_id``. A key without ``tickets:read`` gets a short receipt.
    """
    data = ticket.model_dump()
    data["external_id"] = ticket.external_id or idempotency_key or str(uuid4())
    taken = take_in(services, IncomingTicket(**data))
    # made here, in the thread pool: FastAPI would walk through the data on the thread that serves everybody
    told = receipt(services, taken, whole="tickets:read" in who.permissions)
    return JSONResponse(told, status_code=200 if taken.received.duplicate else 201)


@router.get("/{ticket_id}", dependencies=[allow("tickets:read")])
def show(ticket_id: str, services: ServicesDep) -> dict[str, Any]:
    """One ticket with its state and everything that happened to it."""
    return ticket_json(services, ticket_id)


@router.get("/{ticket_id}/suggestions", dependencies=[allow("tickets:read")])
def suggestions(ticket_id: str, services: ServicesDep) -> dict[str, Any]:
    """The tag, up to three macros rendered for this order (or what is missing), up to three passages, and why."""
    return suggestions_for(services, ticket_id)
