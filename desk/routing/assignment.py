"""Which member of a team gets a ticket."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from desk.people import key_of
from desk.presence import at_desk
from desk.routing.rules import Assign, Member, Routing, Then
from desk.tables import insert_new, team_turns, ticket_states
from desk.ticket_state import Status


@dataclass(frozen=True, slots=True)
class Considered:
    """A member as looked at for a ticket: ``why`` they cannot take it, None when they can."""

    member: Member
    why: str | None


@dataclass(frozen=True, slots=True)
class Choice:
    """Who gets a ticket (None: nobody can), why, and everybody who was looked at."""

    member: Member | None
    why: str
    considered: tuple[Considered, ...]


class Assigner:
    """Chooses members within one transaction; what it chose counts for its next choice.

    Taking a turn holds the team until the transaction ends, so that two processes do not give two tickets to the same
    member's one free place. Hold tickets (`desk.ledger.lock`) before, never after.
    """

    def __init__(self, session: Session, routing: Routing, now: datetime) -> None:
        self._session, self._routing = session, routing
        self._at_desk = at_desk(session, now)
        self._turns: dict[str, dict[str, int]] = {}
        self._loads: dict[str, int] | None = None
        self._given: Counter[str] = Counter()  # by this transaction, which records it at its end

    def choose(self, team: str, how: Then, language: str | None, current: str | None = None) -> Choice:
        """The member of ``team`` for a ticket in ``language``; who has it now keeps it while they can."""
        considered = tuple(
            Considered(member, self._misfit(member, how, language, current)) for member in self._routing.in_team(team)
        )
        fitting = [one.member for one in considered if one.why is None]
        if not considered:
            return Choice(None, "the team has no members", considered)
        if not fitting:
            told = ", ".join(f"{one.member.name} {one.why}" for one in considered)
            return Choice(None, f"nobody can take it: {told}", considered)
        kept = next((member for member in fitting if member.name == key_of(current or "")), None)
        if kept is not None:
            return Choice(kept, "has it already", considered)
        turns = self._turns_of(team)
        if how.assign is Assign.LEAST_LOADED:
            chosen = min(fitting, key=lambda m: (self._load(m) / m.capacity, turns.get(m.name, 0)))
            load = f"{self._load(chosen)} open tickets of {chosen.capacity}"
            why = f"{load}, the least of {len(fitting)} at the desk"
        else:
            chosen = min(fitting, key=lambda m: turns.get(m.name, 0))
            why = f"next in turn of {len(fitting)} at the desk"
        return Choice(chosen, why, considered)

    def take(self, team: str, member: Member) -> None:
        """Note that ``member`` gets a ticket of ``team``, which is held."""
        turns = self._turns_of(team, hold=True)
        turns[member.name] = max(turns.values(), default=0) + 1
        self._given[member.name] += 1

    def note_turns(self) -> None:
        """Write down whose turn it was."""
        for team, turns in self._turns.items():
            self._session.execute(team_turns.update().where(team_turns.c.team == team).values(turns=turns))

    def hold(self, team: str) -> None:
        """Hold a team until the transaction ends, and see what others gave its members before."""
        if team not in self._turns:
            self._turns_of(team, hold=True)
            self._loads = None

    def _misfit(self, member: Member, how: Then, language: str | None, current: str | None) -> str | None:
        if not member.seniority.reaches(how.seniority):
            return f"is {member.seniority}, not {how.seniority}"
        if language and not how.any_language and language not in member.languages:
            return f"does not answer in {language}"
        if member.name not in self._at_desk:
            return "is not at the desk"
        if not self._at_desk[member.name]:
            return "takes no new tickets now"
        load = self._load(member)
        if load >= member.capacity and member.name != key_of(current or ""):
            return f"has {load} open tickets of {member.capacity}"
        return None

    def _load(self, member: Member) -> int:
        return self._open_tickets().get(member.name, 0) + self._given[member.name]

    def _open_tickets(self) -> dict[str, int]:
        if self._loads is None:
            name = ticket_states.c.assignee
            query = sa.select(name, sa.func.count()).where(
                ticket_states.c.status == Status.OPEN, name.in_(list(self._routing.members))
            )
            self._loads = {row[0]: row[1] for row in self._session.execute(query.group_by(name))}
        return self._loads

    def _turns_of(self, team: str, *, hold: bool = False) -> dict[str, int]:
        if team not in self._turns:
            if hold:
                new = insert_new(self._session, team_turns).values(team=team, turns={}).on_conflict_do_nothing()
                self._session.execute(new)
            query = sa.select(team_turns.c.turns).where(team_turns.c.team == team)
            found: Mapping[str, int] = self._session.scalar(query.with_for_update() if hold else query) or {}
            if not hold:
                return dict(found)
            self._turns[team] = dict(found)
        return self._turns[team]
