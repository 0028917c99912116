"""What a ticket is now: the fold of its events. Nothing here reads or writes a database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any


class EventKind(StrEnum):
    """What happened to a ticket, in the past tense."""

    RECEIVED = "received"
    # by a model; data: reason, confidence, decision, autonomy, language, guard, model, secondary, sentiment, urgency
    TAGGED = "tagged"
    TAG_CONFIRMED = "tag_confirmed"  # by a person; data: reason, autonomy, why
    RETAGGED = "retagged"  # corrected by a person; data: reason, autonomy, why, instead_of
    SUGGESTED = "suggested"  # macros and passages shown to the agent
    MACRO_SENT = "macro_sent"  # data: macro, text, automatic
    REPLIED = "replied"  # data: text, automatic
    HANDED_OFF = "handed_off"
    CUSTOMER_WROTE = "customer_wrote"  # a further message; data: text, source, message_id
    ASSIGNED = "assigned"  # data: assignee
    ROUTED = "routed"  # by a rule; data: team, assignee ("": nobody), priority (each None: left as it was), rule, why
    PRIORITY_SET = "priority_set"  # by a person; data: priority, why
    SNOOZED = "snoozed"  # out of sight until a time or the customer's next message; data: until (ISO 8601), why
    NOTED = "noted"  # internal note; data: text
    MENTIONED = "mentioned"  # a colleague is asked in an internal note; data: who, text
    SLA_AT_RISK = "sla_at_risk"  # data: clock, policy, started_at, due_at
    SLA_BREACHED = "sla_breached"  # data: clock, policy, started_at, due_at
    HANDLED = "handled"  # data: seconds of an agent's active and wrap-up work
    RESOLVED = "resolved"
    REOPENED = "reopened"
    RATED = "rated"  # data: csat, 1..5, or nps, 0..10, or both


class Priority(StrEnum):
    """How much sooner than others a ticket wants an answer."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


class Status(StrEnum):
    """Whether somebody still has to act."""

    OPEN = "open"
    RESOLVED = "resolved"


class Decision(StrEnum):
    """Whether the reason may be used: tagged by a model that was sure or by a person, or still undecided."""

    TAGGED = "tagged"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Event:
    """One fact about a ticket.

    ``seq`` orders the ledger; 0 means not stored yet. ``at`` is when it happened, UTC.
    """

    ticket_id: str
    kind: EventKind
    at: datetime
    actor: str
    data: Mapping[str, Any] = field(default_factory=dict)
    seq: int = 0


@dataclass(frozen=True, slots=True)
class TicketState:
    """A ticket as its events leave it.

    ``reason`` is the best guess even while ``decision`` is undecided; a person's word (``confirmed_by``)
    outlasts every later model. ``secondary`` are reasons that a model found beside it. ``first_reply_at`` is the
    first public reply that was not automatic. ``replies`` counts public replies, ``macros`` are the macro ids sent,
    in order. ``handle_seconds`` sums the agents' work. ``contacts`` counts the customer's messages;
    ``waiting_since`` is the oldest of them that no person has answered, None while nobody waits for us.
    ``snoozed_until`` may lie in the past. ``mentioned`` are the colleagues asked, in order of the first time.
    """

    ticket_id: str
    last_event_at: datetime
    status: Status = Status.OPEN
    reason: str | None = None
    confidence: float | None = None
    decision: Decision = Decision.UNDECIDED
    autonomy: str | None = None
    tagged_language: str | None = None
    guard: tuple[str, ...] = ()
    model: str | None = None
    confirmed_by: str | None = None
    assignee: str | None = None
    handed_off_at: datetime | None = None
    first_reply_at: datetime | None = None
    replies: int = 0
    macros: tuple[str, ...] = ()
    resolved_at: datetime | None = None
    reopenings: int = 0
    handle_seconds: float | None = None
    csat: int | None = None
    nps: int | None = None
    team: str | None = None
    priority: Priority = Priority.NORMAL
    contacts: int = 0
    waiting_since: datetime | None = None
    last_reply_at: datetime | None = None
    snoozed_until: datetime | None = None
    mentioned: tuple[str, ...] = ()
    secondary: tuple[str, ...] = ()


def fold(ticket_id: str, events: Iterable[Event]) -> TicketState | None:
    """The state that ``events`` of one ticket add up to, in the order in which they happened.

    None without events.
    """
    states = [state for _, state in history(ticket_id, events)]
    return states[-1] if states else None


def history(ticket_id: str, events: Iterable[Event]) -> Iterator[tuple[Event, TicketState]]:
    """Each event in the order in which it happened, with the state that it left."""
    state: TicketState | None = None
    for event in sorted(events, key=lambda event: (event.at, event.seq)):
        before = state or TicketState(ticket_id=ticket_id, last_event_at=event.at)
        state = replace(before, last_event_at=event.at, **_changes(before, event))
        yield event, state


def _changes(state: TicketState, event: Event) -> dict[str, Any]:
    data = event.data
    match event.kind:
        case EventKind.TAGGED:
            return {} if state.confirmed_by else _model_tag(data)
        case EventKind.TAG_CONFIRMED | EventKind.RETAGGED:
            return _person_tag(state, event)
        case EventKind.MACRO_SENT:
            return _reply(state, event) | {"macros": (*state.macros, str(data["macro"]))}
        case EventKind.REPLIED:
            return _reply(state, event)
        case EventKind.RECEIVED | EventKind.CUSTOMER_WROTE:
            waiting = state.waiting_since or event.at
            return {"contacts": state.contacts + 1, "waiting_since": waiting, "snoozed_until": None}
        case EventKind.HANDED_OFF:
            return {"handed_off_at": state.handed_off_at or event.at}
        case EventKind.ASSIGNED:
            return {"assignee": data.get("assignee")}
        case EventKind.ROUTED:
            return _routed(data)
        case EventKind.PRIORITY_SET:
            return {"priority": Priority(data["priority"])}
        case EventKind.SNOOZED:
            return {"snoozed_until": datetime.fromisoformat(data["until"])}
        case EventKind.MENTIONED:
            return {"mentioned": state.mentioned if data["who"] in state.mentioned else (*state.mentioned, data["who"])}
        case EventKind.HANDLED:
            return {"handle_seconds": (state.handle_seconds or 0.0) + float(data["seconds"])}
        case EventKind.RESOLVED:
            return {"status": Status.RESOLVED, "resolved_at": event.at, "waiting_since": None, "snoozed_until": None}
        case EventKind.REOPENED:
            return {"status": Status.OPEN, "resolved_at": None, "reopenings": state.reopenings + 1}
        case EventKind.RATED:
            return {scale: int(data[scale]) for scale in ("csat", "nps") if data.get(scale) is not None}
        case EventKind.SUGGESTED | EventKind.NOTED | EventKind.SLA_AT_RISK | EventKind.SLA_BREACHED:
            return {}


def _model_tag(data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "reason": data["reason"],
        "confidence": data["confidence"],
        "decision": Decision(data["decision"]),
        "autonomy": data["autonomy"],
        "tagged_language": data["language"],
        "guard": tuple(data["guard"]),
        "model": data["model"],
        "secondary": tuple(also for also, _ in data.get("secondary", ())),
    }


def _person_tag(state: TicketState, event: Event) -> dict[str, Any]:
    return {
        "reason": event.data["reason"],
        "confidence": state.confidence if state.reason == event.data["reason"] else None,
        "decision": Decision.TAGGED,
        "autonomy": event.data.get("autonomy"),
        "confirmed_by": event.actor,
    }


def _reply(state: TicketState, event: Event) -> dict[str, Any]:
    # an export that names a macro but no reply time tells that there was a reply, not when
    counts_for_frt = not event.data.get("automatic") and not event.data.get("time_unknown")
    changes: dict[str, Any] = {"replies": state.replies + 1}
    if counts_for_frt:
        changes["first_reply_at"] = state.first_reply_at or event.at
        changes |= {"last_reply_at": event.at, "waiting_since": None}
    return changes


def _routed(data: Mapping[str, Any]) -> dict[str, Any]:
    changes = {name: data[name] or None for name in ("team", "assignee") if data.get(name) is not None}
    return changes | ({"priority": Priority(data["priority"])} if data.get("priority") is not None else {})
