"""The agent's page and what its keys do."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from desk.inbox import UntaggedError
from desk.ledger import Decision, Event, Priority
from desk.presence import others
from desk.snoozing import offers
from desk.tables import ticket_states
from desk.teamwork import Box, CollisionError, person, typical_whys
from desk.ticket_state import TicketState
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
_ETAG = re.compile(r'(?:W/)?"?(\d{1,18})"?')


class Act(BaseModel):
    """Who acts; every act is an event in the ledger."""

    model_config = ConfigDict(extra="forbid")

    agent: str = Field("agent", min_length=1, max_length=100)


class Correction(Act):
    """The right reason, and why."""

    reason: str
    why: str | None = Field(None, max_length=1_000)


class Reply(Act):
    """A public reply; ``macro`` names the macro that it was made of. ``seconds`` is the time spent on the ticket.

    ``force`` sends it although somebody else acted on the ticket since it was loaded.
    """

    text: str = Field(min_length=1, max_length=20_000, pattern=r"\S")
    macro: str | None = Field(None, max_length=100)
    seconds: float | None = Field(None, ge=0, le=86_400)
    resolve: bool = False
    force: bool = False


@router.get("/console", dependencies=[allow("tickets:read")], response_class=HTMLResponse, include_in_schema=False)
def console(services: ServicesDep, who: Who) -> str:
    """The page: open tickets on the left, the chosen one with its suggestions on the right."""
    reasons = [{"id": r.id, "name": r.name("en"), "autonomy": str(r.autonomy)} for r in services.taxonomy]
    signed_in = who.account.display_name if who.account else ""
    return page(
        "console.html",
        reasons=reasons,
        agent=who.name,
        model=services.tagger.model_id,
        whys=typical_whys(),
        teams=services.router.routing.file.teams,
        priorities=[str(one) for one in reversed(Priority)],
        signed_in=signed_in,
    )


@router.get("/v1/console/tickets", dependencies=[allow("tickets:read")])
def open_tickets(
    services: ServicesDep,
    who: Who,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    reason: Annotated[str | None, Query(max_length=100)] = None,
    channel: Annotated[str | None, Query(max_length=100)] = None,
    box: Box = Box.ALL,
    team: Annotated[str | None, Query(max_length=100, description="of the box 'team'; mine when left out")] = None,
    priority: Priority | None = None,
    agent: Annotated[str | None, Query(min_length=1, max_length=100, description="on a desk without accounts")] = None,
) -> dict[str, Any]:
    """Open tickets that are not put off (or, in the box 'snoozed', are), the one whose clock runs out first."""
    me = person(who.actor(agent or services.settings.agent))
    among = services.teamwork.conditions(box, me, [team] if team else None)
    if priority is not None:
        among.append(ticket_states.c.priority == priority)
    found = services.desk.open_tickets(PAGE_SIZE + 1, offset=offset, reason=reason, channel=channel, among=among)
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
    me, now = person(who.actor(services.settings.agent)), datetime.now(UTC)
    with services.database.session(read_only=True) as session:
        here = others(session, ticket_id, me, now)
    told = ticket_json(services, ticket_id)
    return {
        **told,
        "suggestions": offered,
        "seq": told["events"][-1]["seq"],
        "others": [one.to_json() for one in here],
        "snooze": [
            {"preset": str(offer.preset), "until": offer.until.isoformat()}
            for offer in offers(now, services.router.routing.file.working_day)
        ],
    }


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
def reply(
    ticket_id: str,
    act: Reply,
    services: ServicesDep,
    who: Who,
    if_match: Annotated[str | None, Header(max_length=100, description="seq of the last event that was seen")] = None,
) -> dict[str, Any]:
    """Send a reply, from a macro or free, after the policy check; 422 with the broken rules when it is blocked.

    With ``If-Match`` it is refused, 409, when somebody else replied, closed the ticket, or the customer wrote since.
    """
    seen = _seen(if_match)
    view = services.desk.ticket(ticket_id)
    if act.resolve:
        _check_tagged(ticket_id, view.state)
    violations = check(
        act.text,
        marketplace=marketplace_of(view) or STRICTEST,
        kind="reply",
        locale=locale_of(services, view),
        context=policy_context(order_facts(services, view)),
        sentences=services.sentences,
    )
    if blocking := [violation for violation in violations if violation.blocks]:
        broken = [{"rule": v.rule, "message": v.message, "remedy": v.remedy, "span": list(v.span)} for v in blocking]
        raise ProblemError(422, f"the reply breaks rule {blocking[0].rule}: {blocking[0].message}", violations=broken)
    actor = who.actor(act.agent)
    try:
        send_reply(services, ticket_id, act.text, actor, act.macro, None if act.force else seen)
    except CollisionError as error:
        raise ProblemError(409, str(error), since=[_told(event) for event in error.events]) from error
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


def _seen(if_match: str | None) -> int | None:
    """The last event that the caller knows of. Raises `ProblemError` for a header that names none."""
    if if_match is None or if_match.strip() == "*":
        return None
    if (found := _ETAG.fullmatch(if_match.strip())) is None:
        raise ProblemError(422, "header If-Match: send the ticket's 'seq' as it was loaded, or leave it out")
    return int(found[1])


def _check_tagged(ticket_id: str, state: TicketState) -> None:
    """Refuse before anything is sent: a reply that is out cannot be taken back when closing fails."""
    if state.decision is Decision.UNDECIDED:
        raise UntaggedError(
            f"nothing was sent, because no ticket can be resolved untagged: confirm or correct the reason of "
            f"{ticket_id} first, or keep it open"
        )


def _told(event: Event) -> dict[str, Any]:
    """What somebody else did, for whoever is about to answer."""
    text = event.data.get("text")
    return {
        "kind": str(event.kind),
        "who": person(event.actor),
        "at": event.at.isoformat(),
        "text": text,
        "seq": event.seq,
    }
