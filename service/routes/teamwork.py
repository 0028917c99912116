"""Notes that ask colleagues, taking and giving tickets, urgency, putting off, who is where, and why it was routed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from desk.ledger import Priority, events_of
from desk.presence import AT_TICKET_FOR, BEAT_EVERY, Doing, at_desk, beat, leave, set_away
from desk.routing.reading import outcome_json
from desk.routing.subject import subject_of_text
from desk.snoozing import Preset
from desk.teamwork import SAID_SINCE, person
from service.identity import Principal
from service.problems import ProblemError
from service.routes.dependencies import ServicesDep, Who, allow
from service.suggesting import ticket_json

router = APIRouter(tags=["teamwork"])

Named = Annotated[str, Field(min_length=1, max_length=100)]
Text = Annotated[str | None, Field(max_length=1_000)]
StatedAgent = Annotated[
    str | None, Query(min_length=1, max_length=100, description="who acts, on a desk without accounts")
]


class Act(BaseModel):
    """Who acts; what it states counts on a desk without accounts only."""

    model_config = ConfigDict(extra="forbid")

    agent: Named = "agent"


class Beat(Act):
    """Says that a page is open, at a ticket or none. ``seq`` is the last event that the page shows."""

    ticket_id: Annotated[str | None, Field(max_length=100)] = None
    doing: Doing = Doing.VIEWING
    seq: Annotated[int | None, Field(ge=0)] = None


class Away(Act):
    """Whether new tickets should go to others."""

    away: bool


class Note(Act):
    """An internal note; ``@name`` asks a colleague."""

    text: str = Field(min_length=1, max_length=10_000, pattern=r"\S")


class Assignment(Act):
    """To whom the ticket goes; null takes it back."""

    assignee: Annotated[str | None, Field(min_length=1, max_length=100)]


class Urgency(Act):
    """How urgent the ticket is."""

    priority: Priority
    why: Text = None


class Snooze(Act):
    """Until when a ticket is put off: a preset, or a moment with its time zone."""

    preset: Preset | None = None
    until: AwareDatetime | None = None
    why: Text = None

    @model_validator(mode="after")
    def _one(self) -> Snooze:
        if (self.preset is None) == (self.until is None):
            raise ValueError("state either preset or until")
        return self


class Reading(Act):
    """Which mentions were read; null means all."""

    ids: Annotated[tuple[int, ...], Field(max_length=1_000)] | None = None


def me_of(services: ServicesDep, who: Principal, stated: str | None = None) -> str:
    """The name of whoever asks, as colleagues write it."""
    return person(who.actor(stated or services.settings.agent))


@router.post("/v1/presence", dependencies=[allow("tickets:write")])
def present(act: Beat, services: ServicesDep, who: Who) -> dict[str, Any]:
    """Say every ten seconds that the page is open; answers who else is at the ticket and what happened there since."""
    me = me_of(services, who, act.agent)
    others = beat(services.database, me, act.ticket_id, act.doing)
    since: list[dict[str, Any]] = []
    if act.ticket_id is not None and act.seq is not None:
        with services.database.session(read_only=True) as session:
            since = [
                {"kind": str(event.kind), "who": person(event.actor), "at": event.at.isoformat(), "seq": event.seq}
                for event in events_of(session, act.ticket_id)
                if event.seq > act.seq and event.kind in SAID_SINCE and person(event.actor) != me
            ]
    return {
        "others": [one.to_json() for one in others],
        "since": since,
        "unread_mentions": services.teamwork.unread(me),
        "every_seconds": BEAT_EVERY.total_seconds(),
        "forgotten_after_seconds": AT_TICKET_FOR.total_seconds(),
    }


@router.post("/v1/presence/away", dependencies=[allow("tickets:write")])
def away(act: Away, services: ServicesDep, who: Who) -> dict[str, bool]:
    """Say that new tickets should go to others, or that one is back."""
    set_away(services.database, me_of(services, who, act.agent), act.away)
    return {"away": act.away}


@router.delete("/v1/tickets/{ticket_id}/presence", dependencies=[allow("tickets:write")])
def left(ticket_id: str, services: ServicesDep, who: Who, agent: StatedAgent = None) -> dict[str, bool]:
    """Say that one is no longer at the ticket; without it others see it half a minute later."""
    leave(services.database, me_of(services, who, agent), ticket_id)
    return {"left": True}


@router.get("/v1/colleagues", dependencies=[allow("tickets:read")])
def colleagues(services: ServicesDep, who: Who) -> dict[str, Any]:
    """Everybody at this desk with their teams, who is here now, and the teams."""
    me = me_of(services, who)
    with services.database.session(read_only=True) as session:
        here = at_desk(session, datetime.now(UTC))
    people = services.teamwork.people(me).by_key
    return {
        "me": me,
        "people": [
            {
                "name": one.name,
                "display_name": one.display_name,
                "teams": list(one.teams),
                "here": key in here,
                "away": not here.get(key, True),
            }
            for key, one in people.items()
        ],
        "teams": [{"id": team.id, "name": team.name} for team in services.router.routing.file.teams],
    }


@router.post("/v1/tickets/{ticket_id}/notes", dependencies=[allow("tickets:write")])
def note(ticket_id: str, act: Note, services: ServicesDep, who: Who) -> dict[str, Any]:
    """Write an internal note. ``mentioned`` were asked; ``unknown`` names nobody has: the note is kept all the same."""
    noted = services.teamwork.note(ticket_id, act.text, who.actor(act.agent))
    people = services.teamwork.people()
    unknown = [{"name": name, "similar": people.similar(name)} for name in noted.mentioned.unknown]
    return {**ticket_json(services, ticket_id), "mentioned": list(noted.mentioned.known), "unknown": unknown}


@router.get("/v1/mentions", dependencies=[allow("tickets:read")])
def mentions(
    services: ServicesDep,
    who: Who,
    unread: bool = False,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    agent: StatedAgent = None,
) -> dict[str, Any]:
    """The notes that ask whoever calls: those not read first, then the newest."""
    me = me_of(services, who, agent)
    found = services.teamwork.mentions(me, unread=unread, limit=limit)
    return {"me": me, "unread": services.teamwork.unread(me), "mentions": [mention.to_json() for mention in found]}


@router.post("/v1/mentions/read", dependencies=[allow("tickets:write")])
def read(act: Reading, services: ServicesDep, who: Who) -> dict[str, int]:
    """Mark mentions of whoever calls as read."""
    me = me_of(services, who, act.agent)
    return {"read": services.teamwork.read_mentions(me, act.ids), "unread": services.teamwork.unread(me)}


@router.post("/v1/tickets/{ticket_id}/assignment", dependencies=[allow("tickets:write")])
def assign(ticket_id: str, act: Assignment, services: ServicesDep, who: Who) -> dict[str, Any]:
    """Take a ticket, give it to a colleague, or give it back; rules leave a given one where it is."""
    services.teamwork.assign(ticket_id, act.assignee, who.actor(act.agent))
    return ticket_json(services, ticket_id)


@router.post("/v1/tickets/{ticket_id}/priority", dependencies=[allow("tickets:write")])
def set_priority(ticket_id: str, act: Urgency, services: ServicesDep, who: Who) -> dict[str, Any]:
    """Say how urgent a ticket is."""
    services.teamwork.set_priority(ticket_id, act.priority, who.actor(act.agent), act.why)
    return ticket_json(services, ticket_id)


@router.post("/v1/tickets/{ticket_id}/snooze", dependencies=[allow("tickets:write")])
def snooze(ticket_id: str, act: Snooze, services: ServicesDep, who: Who) -> dict[str, Any]:
    """Put a ticket off until then or until the customer writes; its service-level clocks go on."""
    until = act.preset or act.until
    assert until is not None  # noqa: S101  # the model has either
    services.teamwork.snooze(ticket_id, until, who.actor(act.agent), act.why)
    return ticket_json(services, ticket_id)


@router.delete("/v1/tickets/{ticket_id}/snooze", dependencies=[allow("tickets:write")])
def wake(ticket_id: str, services: ServicesDep, who: Who, agent: StatedAgent = None) -> dict[str, Any]:
    """Bring a ticket that is put off back now."""
    services.teamwork.wake(ticket_id, who.actor(agent or services.settings.agent))
    return ticket_json(services, ticket_id)


@router.get("/v1/routing/explain", dependencies=[allow("tickets:read")])
def explain(
    services: ServicesDep,
    ticket_id: Annotated[str | None, Query(max_length=100)] = None,
    text: Annotated[str | None, Query(max_length=5_000, pattern=r"\S")] = None,
    subject: Annotated[str, Query(max_length=500)] = "",
    channel: Annotated[str, Query(max_length=50)] = "",
    marketplace: Annotated[str | None, Query(max_length=50)] = None,
    language: Annotated[str | None, Query(max_length=10)] = None,
) -> dict[str, Any]:
    """Where a ticket, or a text as if it came now, would go: every rule with what it found, and who was considered."""
    routing = services.router
    if (ticket_id is None) == (text is None):
        raise ProblemError(422, "query: state either ticket_id or text")
    if ticket_id is not None:
        return {"ticket_id": ticket_id, **outcome_json(routing.routing, routing.explain(ticket_id))}
    tag = services.tagger.tag(subject, text or "")
    found = subject_of_text(tag, services.desk.policies, channel, marketplace, language)
    return outcome_json(routing.routing, routing.explain_subject(found))
