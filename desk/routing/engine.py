"""Routes tickets: asks the rules, finds a person, and records what changed with the rule and why.

tag, retag, reopening, clock at risk -> follower of the ledger -> job `route` -> rules -> ROUTED
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from desk.database import Database
from desk.jobs import Lease, Queued, Run, enqueue_many
from desk.ledger import (
    Event,
    EventKind,
    Status,
    TicketState,
    UnknownTicketError,
    append_many,
    events_by_ticket,
    lock,
    state_from_row,
)
from desk.order_table import OrderSource
from desk.routing.assignment import Assigner, Choice
from desk.routing.conditions import Subject
from desk.routing.rules import Decided, Routing
from desk.routing.subject import run_out_at, subject_of
from desk.sla.policies import Policies, starter_policies
from desk.tables import jobs, ticket_states, tickets
from desk.ticket import view_from_row
from desk.ticket_store import views

ROUTE = "route"
"""Job that routes a ticket; payload: ``ticket_id``."""
ACTOR = "routing"
FOLLOWER = "routing"
BATCH = 32
"""Tickets to a job's transaction."""
KEYS_AT_A_TIME = 500
"""Keys to a statement; SQLite takes 32,766 parameters."""
NOBODY = ""
"""As ``assignee`` of a `ROUTED` event: it is taken from whoever had it."""

WORTH_A_LOOK = frozenset(
    {
        EventKind.TAGGED,
        EventKind.TAG_CONFIRMED,
        EventKind.RETAGGED,
        EventKind.REOPENED,
        EventKind.SLA_AT_RISK,
        EventKind.SLA_BREACHED,
    }
)
"""What may change where a ticket belongs."""
ENDS_AND_BEGINNINGS = frozenset({EventKind.RESOLVED, EventKind.REOPENED})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What routing a ticket comes to: what the rules say, who was chosen, and what would change (empty: nothing)."""

    subject: Subject
    decided: Decided
    choice: Choice | None
    changes: Mapping[str, str]
    why: str
    held_by: str | None = None
    """The person to whom a person gave the ticket."""

    @property
    def rule(self) -> str:
        """The ids of the rules that count."""
        return ", ".join(dict.fromkeys(rule.id for rule in self.decided.by.values()))


class Router:
    """Routes by one set of rules. Methods raise `UnknownTicketError` and `DatabaseError`."""

    def __init__(
        self, database: Database, routing: Routing, policies: Policies | None = None, orders: OrderSource | None = None
    ) -> None:
        self.database, self.routing = database, routing
        self._policies, self._orders = policies or starter_policies(), orders

    def explain(self, ticket_id: str, now: datetime | None = None) -> Outcome:
        """What routing the ticket now would do; nothing is recorded."""
        subject = self._subjects([ticket_id]).get(ticket_id)
        if subject is None:
            raise UnknownTicketError(f"there is no ticket {ticket_id}")
        moment = now or datetime.now(UTC)
        with self.database.session(read_only=True) as session:
            look = self._looks(session, {ticket_id: subject}, moment)[ticket_id]
            return _resolve(self.routing, *look, Assigner(session, self.routing, moment))

    def explain_subject(self, subject: Subject, now: datetime | None = None) -> Outcome:
        """What routing a ticket that is not stored would do."""
        with self.database.session(read_only=True) as session:
            return _resolve(self.routing, subject, None, (), Assigner(session, self.routing, now or datetime.now(UTC)))

    def route(self, ticket_ids: Sequence[str], now: datetime | None = None) -> int:
        """Route open tickets and record what changed, in one transaction; returns how many changed."""
        subjects = self._subjects(ticket_ids)
        return self.database.write(lambda session: self._apply(session, subjects, now or datetime.now(UTC)))

    def work(self, run: Run) -> None:
        """Handle `ROUTE` jobs: what changes is committed together with the ends of the jobs."""
        subjects = self._subjects([str(lease.payload["ticket_id"]) for lease in run.leases])

        def effect(session: Session, held: Sequence[Lease]) -> None:
            ids = {str(lease.payload["ticket_id"]) for lease in held}
            self._apply(
                session, {name: subject for name, subject in subjects.items() if name in ids}, datetime.now(UTC)
            )

        run.finish(effect)

    def waiting(self, limit: int, after: str = "", *, everything: bool = False) -> Sequence[str]:
        """Ids of open, tagged tickets in no team (``everything``: in one, too), in order and greater than ``after``."""
        query = (
            sa.select(ticket_states.c.ticket_id)
            .where(
                ticket_states.c.status == Status.OPEN,
                ticket_states.c.reason.is_not(None),
                sa.true() if everything else ticket_states.c.team.is_(None),
                ticket_states.c.ticket_id > after,
            )
            .order_by(ticket_states.c.ticket_id)
        )
        with self.database.session(read_only=True) as session:
            return session.scalars(query.limit(limit)).all()

    def _subjects(self, ticket_ids: Sequence[str]) -> dict[str, Subject]:
        """What can be found out before any ticket is locked."""
        with self.database.session(read_only=True) as session:
            rows = session.execute(views().where(tickets.c.id.in_(ticket_ids)))
            found = [view_from_row(row) for row in rows]
            told = events_by_ticket(session, [view.ticket.id for view in found])
        return {
            view.ticket.id: subject_of(
                self.database, self.routing, self._policies, view.ticket, view.state, told[view.ticket.id], self._orders
            )
            for view in found
        }

    def _apply(self, session: Session, subjects: Mapping[str, Subject], now: datetime) -> int:
        ids = sorted(subjects)
        lock(session, ids)
        assigner = Assigner(session, self.routing, now)
        looks = self._looks(session, subjects, now)
        teams = {self.routing.decide(subject).team for subject, _, _ in looks.values()}
        for team in sorted(team for team in teams if team is not None):  # in one order, so that nobody waits in a ring
            assigner.hold(team)
        facts = []
        for ticket_id in ids:
            outcome = _resolve(self.routing, *looks[ticket_id], assigner)
            if not outcome.changes:
                continue
            data: dict[str, Any] = {"team": None, "assignee": None, "priority": None, **outcome.changes}
            data |= {"rule": outcome.rule, "why": outcome.why}
            facts.append(Event(ticket_id, EventKind.ROUTED, now, ACTOR, data))
            if outcome.changes.get("assignee") and outcome.choice and outcome.choice.member and outcome.decided.team:
                assigner.take(outcome.decided.team, outcome.choice.member)
        assigner.note_turns()
        append_many(session, facts)
        return len(facts)

    def _looks(
        self, session: Session, subjects: Mapping[str, Subject], now: datetime
    ) -> dict[str, tuple[Subject, TicketState, Sequence[Event]]]:
        """Each ticket as it is now: a person may have corrected the tag since the subject was read."""
        ids = list(subjects)
        told, due = events_by_ticket(session, ids), run_out_at(session, ids)
        rows = session.execute(sa.select(ticket_states).where(ticket_states.c.ticket_id.in_(ids)))
        looks: dict[str, tuple[Subject, TicketState, Sequence[Event]]] = {}
        for state in map(state_from_row, rows):
            ticket_id = state.ticket_id
            subject = replace(
                subjects[ticket_id],
                reason=state.reason,
                further_reason=state.secondary,
                autonomy=state.autonomy,
                decision=str(state.decision),
                confidence=state.confidence,
                guard=state.guard,
                sla_left=due[ticket_id] - now if ticket_id in due else None,
            )
            looks[ticket_id] = subject, state, told[ticket_id]
        return looks


def _resolve(
    routing: Routing,
    subject: Subject,
    state: TicketState | None,
    events: Sequence[Event],
    assigner: Assigner,
) -> Outcome:
    decided = routing.decide(subject)
    held_by = state.assignee if state is not None and _last_word_is_a_persons(events, "assignee") else None
    if state is not None and state.status is not Status.OPEN:
        return Outcome(subject, decided, None, {}, "the ticket is resolved; only open ones are routed", held_by)
    changes: dict[str, str] = {}
    reasons = [decided.why("team", "assign", "priority")]
    choice: Choice | None = None
    if held_by is not None:
        reasons.append(f"a person gave it to {held_by}, so that it stays there")
        if decided.team is not None and state is not None and state.team is None:
            changes["team"] = decided.team
    elif decided.team is not None:
        changes["team"] = decided.team
        if decided.assign is not None:
            choice = assigner.choose(decided.team, decided.assign, subject.language, state.assignee if state else None)
            reasons.append(f"{choice.member.name if choice.member else 'nobody'}: {choice.why}")
        moved = state is not None and state.team not in (None, decided.team)
        if choice is not None and choice.member is not None:
            changes["assignee"] = choice.member.name
        elif moved:
            changes["assignee"] = NOBODY
    if decided.priority is not None:
        if _last_word_is_a_persons(events, "priority"):
            reasons.append("a person set the priority, so that it stays")
        else:
            changes["priority"] = str(decided.priority)
    if state is not None:
        before = {"team": state.team, "assignee": state.assignee or NOBODY, "priority": str(state.priority)}
        changes = {name: value for name, value in changes.items() if before[name] != value}
    return Outcome(subject, decided, choice, changes, "; ".join(reasons), held_by)


def _last_word_is_a_persons(events: Sequence[Event], what: str) -> bool:
    """Whether a person, and no rule after them, said who has a ticket (``assignee``) or its ``priority``."""
    by_person = EventKind.ASSIGNED if what == "assignee" else EventKind.PRIORITY_SET
    for event in reversed(events):
        if event.kind is by_person:
            return True
        if event.kind is EventKind.ROUTED and event.data.get(what) is not None:
            return False
    return False


def keep_routed(database: Database) -> None:
    """Have a `ROUTE` job made, in the same transaction, with whatever may change where a ticket belongs."""
    database.follow(FOLLOWER, _make_jobs)


def _make_jobs(session: Session, told: Mapping[str, Sequence[Event]]) -> None:
    now = datetime.now(UTC)
    wanted = {}
    for ticket_id, events in told.items():
        if (seq := _unrouted_since(events)) is not None:
            wanted[f"{ticket_id}:{seq}"] = ticket_id
    # On PostgreSQL an insert waits for whoever is changing the row of the same key: the job that routes this ticket
    # now, which itself waits for the ticket. What is known is therefore left out, not run into.
    for key in _known(session, list(wanted)):
        del wanted[key]
    enqueue_many(session, ROUTE, [Queued({"ticket_id": name}, key, now) for key, name in wanted.items()])


def _known(session: Session, keys: Sequence[str]) -> list[str]:
    found: list[str] = []
    for start in range(0, len(keys), KEYS_AT_A_TIME):
        some = keys[start : start + KEYS_AT_A_TIME]
        query = sa.select(jobs.c.key).where(jobs.c.kind == ROUTE, jobs.c.key.in_(some))
        found += [str(key) for key in session.scalars(query)]
    return found


def _unrouted_since(events: Sequence[Event]) -> int | None:
    """``seq`` of the last event that is worth a look and was not followed by routing or closing; None without one."""
    if next((e.kind for e in reversed(events) if e.kind in ENDS_AND_BEGINNINGS), None) is EventKind.RESOLVED:
        return None  # tickets of the past that a new model tags once more go to nobody
    for event in reversed(events):
        if event.kind is EventKind.ROUTED:
            return None
        if event.kind in WORTH_A_LOOK:
            return event.seq
    return None
