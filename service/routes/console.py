"""The agent's page and what its keys do."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from kb.policy import check
from kb.policy.rules import STRICTEST
from kb.suggestions import policy_context
from service.pages import page
from service.problems import ProblemError
from service.replying import send_reply
from service.routes.dependencies import ServicesDep, Who, allow
from service.suggesting import (
    clocks_of,
    locale_of,
    marketplace_of,
    order_facts,
    state_json,
    suggestions_for,
    ticket_json,
)

router = APIRouter(tags=["console"])
PAGE_SIZE = 50


class Act(BaseModel):
    """Who acts; every act is an event in the ledger."""

    model_config = ConfigDict(extra="forbid")

    agent: str = Field("agent", min_length=1, max_length=100)


class Correction(Act):
    """The right reason, and why."""

    reason: str
    why: str | None = Field(None, max_length=1_000)


class Reply(Act):
    """A public reply; ``macro`` names the macro that it was made of. ``seconds`` is the time spent on the ticket."""

    text: str = Field(min_length=1, max_length=20_000, pattern=r"\S")
    macro: str | None = Field(None, max_length=100)
    seconds: float | None = Field(None, ge=0, le=86_400)
    resolve: bool = False


@router.get("/console", dependencies=[allow("tickets:read")], response_class=HTMLResponse, include_in_schema=False)
def console(services: ServicesDep, who: Who) -> str:
    """The page: open tickets on the left, the chosen one with its suggestions on the right."""
    reasons = [{"id": r.id, "name": r.name("en"), "autonomy": str(r.autonomy)} for r in services.taxonomy]
    return page("console.html", reasons=reasons, agent=who.name, model=services.tagger.model_id)


@router.get("/v1/console/tickets", dependencies=[allow("tickets:read")])
def open_tickets(
    services: ServicesDep,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    reason: Annotated[str | None, Query(max_length=100)] = None,
    channel: Annotated[str | None, Query(max_length=100)] = None,
) -> dict[str, Any]:
    """Open tickets, the one whose clock runs out first."""
    found = services.desk.open_tickets(PAGE_SIZE + 1, offset=offset, reason=reason, channel=channel)
    clocks = clocks_of(services, [view.ticket.id for view in found])
    return {
        "tickets": [
            {
                "id": view.ticket.id,
                "channel": view.ticket.channel,
                "subject": view.ticket.subject,
                "preview": view.ticket.body[:160],
                "created_at": view.ticket.created_at.isoformat(),
                "customer": view.ticket.customer_name,
                **state_json(view, clocks[view.ticket.id]),
            }
            for view in found[:PAGE_SIZE]
        ],
        "more": len(found) > PAGE_SIZE,
    }


@router.get("/v1/console/tickets/{ticket_id}", dependencies=[allow("tickets:read")])
def open_ticket(
    ticket_id: str, services: ServicesDep, who: Who, reason: Annotated[str | None, Query(max_length=100)] = None
) -> dict[str, Any]:
    """A ticket with its suggestions, for its own reason or another; what was offered is an event."""
    if reason is not None and reason not in services.taxonomy:
        raise ProblemError(422, f"there is no contact reason '{reason}'")
    offered = suggestions_for(services, ticket_id, reason)
    services.desk.suggest(
        ticket_id,
        [macro["macro_id"] for macro in offered["macros"]],
        [passage["article"] for passage in offered["passages"]],
        actor=who.actor(services.settings.agent),
    )
    return {**ticket_json(services, ticket_id), "suggestions": offered}


@router.post("/v1/console/tickets/{ticket_id}/confirm", dependencies=[allow("tickets:write")])
def confirm(ticket_id: str, act: Act, services: ServicesDep, who: Who) -> dict[str, Any]:
    """The suggested reason is right."""
    services.desk.confirm_tag(ticket_id, actor=who.actor(act.agent))
    return ticket_json(services, ticket_id)


@router.post("/v1/console/tickets/{ticket_id}/correct", dependencies=[allow("tickets:write")])
def correct(ticket_id: str, act: Correction, services: ServicesDep, who: Who) -> dict[str, Any]:
    """Another reason is right."""
    services.desk.correct_tag(ticket_id, act.reason, actor=who.actor(act.agent), why=act.why)
    return ticket_json(services, ticket_id)


@router.post("/v1/console/tickets/{ticket_id}/reply", dependencies=[allow("tickets:write")])
def reply(ticket_id: str, act: Reply, services: ServicesDep, who: Who) -> dict[str, Any]:
    """Send a reply, from a macro or free, after the policy check; 422 with the broken rules when it is blocked."""
    view = services.desk.ticket(ticket_id)
    violations = check(
        act.text,
        marketplace=marketplace_of(view) or STRICTEST,
        kind="reply",
        locale=locale_of(services, view),
        context=policy_context(order_facts(services, view)),
    )
    if blocking := [violation for violation in violations if violation.blocks]:
        broken = [{"rule": v.rule, "message": v.message, "remedy": v.remedy, "span": list(v.span)} for v in blocking]
        raise ProblemError(422, f"the reply breaks rule {blocking[0].rule}: {blocking[0].message}", violations=broken)
    actor = who.actor(act.agent)
    send_reply(services, ticket_id, act.text, actor, act.macro)
    if act.seconds is not None:
        services.desk.handled(ticket_id, act.seconds, actor)
    if act.resolve:
        services.desk.resolve(ticket_id, actor)
    return ticket_json(services, ticket_id)


@router.post("/v1/console/tickets/{ticket_id}/resolve", dependencies=[allow("tickets:write")])
def resolve(ticket_id: str, act: Act, services: ServicesDep, who: Who) -> dict[str, Any]:
    """Close the ticket; refused while it has no usable reason."""
    services.desk.resolve(ticket_id, actor=who.actor(act.agent))
    return ticket_json(services, ticket_id)
