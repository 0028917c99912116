"""The clocks of a ticket, computed from its events and the policies. Nothing here reads or writes a database.

A customer's message starts a response clock, unless one runs already: then the oldest unanswered message is the one
that is owed an answer first. A reply stops it; an automatic one does not. The resolution clock runs from the ticket's
creation until it is resolved, and starts again when it is reopened. Each clock is judged by what was known of the
ticket (reason, priority) when it stopped, so that a later tag does not judge the past anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from desk.sla.calendar import Calendar
from desk.sla.policies import NO_ANSWER_NEEDED, Match, Policies, Subject
from desk.sla.policy_file import ClockKind
from desk.ticket_state import Decision, Event, EventKind, TicketState, history

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
BEFORE = EARLIEST - timedelta(days=1)
NOTHING = timedelta(0)


class ClockState(StrEnum):
    """Where a clock stands.

    ``cancelled``: it ended in time without an answer that could be measured (the ticket was closed without a reply, or
    an export tells that there was a reply and not when); it counts neither as met nor as breached.
    """

    RUNNING = "running"
    PAUSED = "paused"
    MET = "met"
    BREACHED = "breached"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Clock:
    """One clock of a ticket as of a moment; a ticket has one of a ``kind`` and ``started_at``.

    ``due_at`` is None while the clock is paused with time left, ``at_risk_at`` where that share of the target is not
    reached before a pause. A breached clock without ``stopped_at`` is overdue and still open. ``worked`` and
    ``remaining`` (negative when overdue) are counted in the policy's calendar; ``judged_as`` is what it was matched by.
    ``told`` is what the ledger says already: ``at_risk``, ``breached`` or None.
    """

    kind: ClockKind
    policy: str
    started_at: datetime
    target: timedelta
    due_at: datetime | None
    at_risk_at: datetime | None
    stopped_at: datetime | None
    state: ClockState
    worked: timedelta
    remaining: timedelta
    match: Match
    judged_as: Subject
    told: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether it still asks for something."""
        return self.stopped_at is None

    @property
    def look_at(self) -> datetime | None:
        """After which moment the ledger has to be told something next; None for nothing."""
        if not self.is_open or self.state is ClockState.PAUSED or self.due_at is None or self.told == "breached":
            return None
        return self.due_at if self.told or self.at_risk_at is None else min(self.at_risk_at, self.due_at)

    def to_json(self) -> dict[str, Any]:
        """As JSON data; times in ISO 8601, lengths in seconds."""
        times = {name: getattr(self, name) for name in ("started_at", "due_at", "at_risk_at", "stopped_at")}
        return {
            "clock": str(self.kind),
            "policy": self.policy,
            "state": str(self.state),
            **{name: moment.isoformat() if moment else None for name, moment in times.items()},
            "target": self.match.written,
            "calendar": self.match.calendar_id,
            "worked_seconds": self.worked.total_seconds(),
            "remaining_seconds": self.remaining.total_seconds(),
            "because": self.match.because,
        }


@dataclass(slots=True)
class _Span:
    """A clock as the events tell it, before any policy: pauses are the times while the customer is to answer."""

    kind: ClockKind
    started_at: datetime
    ended_at: datetime | None = None
    answered: bool = False
    state: TicketState | None = None
    pauses: list[tuple[datetime, datetime | None]] = field(default_factory=list)

    def end(self, at: datetime, state: TicketState, *, answered: bool) -> None:
        self.resume(at)
        self.ended_at, self.state, self.answered = at, state, answered

    def pause(self, at: datetime) -> None:
        if not self.pauses or self.pauses[-1][1] is not None:
            self.pauses.append((at, None))

    def resume(self, at: datetime) -> None:
        if self.pauses and self.pauses[-1][1] is None:
            self.pauses[-1] = (self.pauses[-1][0], at)


def clocks_of(subject: Subject, events: Iterable[Event], policies: Policies, now: datetime) -> tuple[Clock, ...]:
    """Every clock of one ticket as of ``now``, by start; empty where no answer is needed or no policy has a target.

    ``subject`` says where the ticket came from; what is known of it later is taken from the ``events``, which may come
    in any order.
    """
    told = list(events)
    known = _told(told)
    found = []
    for span, state in _spans(told):
        if not EARLIEST <= span.started_at < LATEST:
            continue  # not the time of a ticket, and some calendars end there
        if state.decision is Decision.TAGGED and state.autonomy == NO_ANSWER_NEEDED:
            continue
        judged_as = subject.with_state(state)
        match = policies.match(span.kind, judged_as, span.started_at)
        if match is not None:
            clock = _judged(span, match, judged_as, now)
            found.append(replace(clock, told=known.get((str(clock.kind), clock.started_at.isoformat()))))
    return tuple(sorted(found, key=lambda clock: (clock.started_at, clock.kind)))


def _told(events: Iterable[Event]) -> dict[tuple[str, str], str]:
    """What the ledger says of clocks, by kind and start; a breach outlasts the warning before it."""
    said: dict[tuple[str, str], str] = {}
    for event in events:
        if event.kind in (EventKind.SLA_AT_RISK, EventKind.SLA_BREACHED):
            key = str(event.data.get("clock")), str(event.data.get("started_at"))
            breached = event.kind is EventKind.SLA_BREACHED or said.get(key) == "breached"
            said[key] = "breached" if breached else "at_risk"
    return said


def _spans(events: Sequence[Event]) -> list[tuple[_Span, TicketState]]:
    """The ticket's clocks, each with the state that judges it: the one at its end, or the present one."""
    spans: list[_Span] = []
    response: _Span | None = None
    resolution: _Span | None = None
    asked: datetime | None = None  # by a message that came after the ticket was resolved
    opened = closed = False
    state: TicketState | None = None
    for event, state in history(events[0].ticket_id if events else "", events):
        at = max(BEFORE, min(event.at, LATEST)).astimezone(UTC)  # an export may date a reply to the year 9999
        match event.kind:
            case EventKind.RECEIVED | EventKind.CUSTOMER_WROTE if closed:
                asked = asked or at
            case EventKind.RECEIVED | EventKind.CUSTOMER_WROTE:
                if response is None:
                    response = _Span(_response_kind(state), at)
                    spans.append(response)
                if resolution is not None:
                    resolution.resume(at)
                elif not opened:
                    resolution = _Span(ClockKind.RESOLUTION, at)
                    spans.append(resolution)
                opened = True
            case EventKind.REPLIED | EventKind.MACRO_SENT if not event.data.get("automatic"):
                measured = not event.data.get("time_unknown")
                if response is not None:
                    response.end(at, state, answered=measured)
                    response = None
                if resolution is not None and measured:
                    resolution.pause(at)
            case EventKind.RESOLVED if not closed:
                closed, asked = True, None
                for span in (response, resolution):
                    if span is not None:
                        span.end(at, state, answered=span is resolution)
                response = resolution = None
            case EventKind.REOPENED if closed:
                closed, opened = False, True
                resolution = _Span(ClockKind.RESOLUTION, at)
                spans.append(resolution)
                if asked is not None:
                    response = _Span(_response_kind(state), asked)
                    spans.append(response)
            case _:
                pass
    return [(span, span.state or state) for span in spans if state is not None]


def _response_kind(state: TicketState) -> ClockKind:
    return ClockKind.FIRST_RESPONSE if state.first_reply_at is None else ClockKind.NEXT_RESPONSE


def _judged(span: _Span, match: Match, judged_as: Subject, now: datetime) -> Clock:
    until = span.ended_at or now
    waits = span.pauses if match.pauses else []
    paused = span.ended_at is None and bool(waits) and waits[-1][1] is None and waits[-1][0] <= now
    active = _active(span, waits)
    due = _reached(match.calendar, active, match.target)
    worked = sum((match.calendar.between(a, min(b or until, until)) for a, b in active), NOTHING)
    if due is not None and due < until:
        state = ClockState.BREACHED
    elif span.ended_at is not None:
        state = ClockState.MET if span.answered else ClockState.CANCELLED
    else:
        state = ClockState.PAUSED if paused else ClockState.RUNNING
    return Clock(
        kind=span.kind,
        policy=match.policy,
        started_at=span.started_at,
        target=match.target,
        due_at=due,
        at_risk_at=_reached(match.calendar, active, match.target * match.at_risk),
        stopped_at=span.ended_at,
        state=state,
        worked=worked,
        remaining=match.target - worked,
        match=match,
        judged_as=judged_as,
    )


def _active(span: _Span, waits: Sequence[tuple[datetime, datetime | None]]) -> list[tuple[datetime, datetime | None]]:
    """When the clock runs. It is left open at the end unless paused, to tell when a stopped one would have been due."""
    active: list[tuple[datetime, datetime | None]] = []
    begin: datetime | None = span.started_at
    for paused_at, resumed_at in waits:
        if begin is not None:
            active.append((begin, paused_at))
        begin = resumed_at
    return active if begin is None else [*active, (begin, None)]


def _reached(
    calendar: Calendar, active: Sequence[tuple[datetime, datetime | None]], amount: timedelta
) -> datetime | None:
    """When ``amount`` of open time has passed within the ``active`` times; None when it has not."""
    left = amount
    for begin, end in active:
        moment = calendar.add(begin, left)
        if end is None or moment <= end:
            return moment
        left -= calendar.between(begin, end)
    return None
