"""What a ticket is now: the fold of its events. Nothing here reads or writes a database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any


class EventKind(StrEnum):
    """What happened to a ticket, in the past tense."""

    RECEIVED = "received"
    TAGGED = "tagged"  # by a model; data: reason, confidence, decision, autonomy, language, guard, model
    TAG_CONFIRMED = "tag_confirmed"  # by a person; data: reason, autonomy, why
    RETAGGED = "retagged"  # corrected by a person; data: reason, autonomy, why, instead_of
    SUGGESTED = "suggested"  # macros and passages shown to the agent
    MACRO_SENT = "macro_sent"  # data: macro, text, automatic
    REPLIED = "replied"  # data: text, automatic
    HANDED_OFF = "handed_off"
    ASSIGNED = "assigned"  # data: assignee
    NOTED = "noted"  # internal note; data: text
    HANDLED = "handled"  # data: seconds of an agent's active and wrap-up work
    RESOLVED = "resolved"
    REOPENED = "reopened"
    RATED = "rated"  # data: csat, 1..5


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
    outlasts every later model. ``first_reply_at`` is the first public reply that was not automatic.
    ``replies`` counts public replies, ``macros`` are the macro ids sent, in order. ``handle_seconds`` sums
    the agents' work.
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


def fold(ticket_id: str, events: Iterable[Event]) -> TicketState | None:
    """The state that ``events`` of one ticket add up to, in the order in which they happened.

    None without events.
    """
    state: TicketState | None = None
    for event in sorted(events, key=lambda event: (event.at, event.seq)):
        before = state or TicketState(ticket_id=ticket_id, last_event_at=event.at)
        state = replace(before, last_event_at=event.at, **_changes(before, event))
    return state


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
        case EventKind.HANDED_OFF:
            return {"handed_off_at": state.handed_off_at or event.at}
        case EventKind.ASSIGNED:
            return {"assignee": data.get("assignee")}
        case EventKind.HANDLED:
            return {"handle_seconds": (state.handle_seconds or 0.0) + float(data["seconds"])}
        case EventKind.RESOLVED:
            return {"status": Status.RESOLVED, "resolved_at": event.at}
        case EventKind.REOPENED:
            return {"status": Status.OPEN, "resolved_at": None, "reopenings": state.reopenings + 1}
        case EventKind.RATED:
            return {"csat": int(data["csat"])}
        case EventKind.RECEIVED | EventKind.SUGGESTED | EventKind.NOTED:
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
    first = state.first_reply_at or (event.at if counts_for_frt else None)
    return {"replies": state.replies + 1, "first_reply_at": first}
