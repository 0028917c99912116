"""The dial of each contact reason: how far the desk trusts itself with it. The bot reads it for every message.

AutonomyError (bot.autonomy)
    ├── NotOnTheDialError      the reason is a person's, or is closed without an answer, and stays so
    └── StepRefusedError       bot.autonomy_steps   the step is not one up or down, or its evidence is not enough
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.session_store import BotError
from classifier.taxonomy import OTHER, Autonomy, Reason, Taxonomy
from desk.database import Database
from desk.tables import reason_autonomy


class AutonomyError(BotError):
    """The dial cannot be read or turned like that; the message says why and what to do."""


class NotOnTheDialError(AutonomyError):
    """The reason has no level: only a person may answer it, or nobody needs to, or there is no such reason."""


class Level(StrEnum):
    """How far a contact reason is trusted, lowest first."""

    SUGGEST = "suggest"  # a person answers, with suggestions beside the ticket
    DRAFT = "draft"  # a person answers, with what the bot would have said on the ticket
    AUTO = "auto"  # the bot answers by itself

    @property
    def rank(self) -> int:
        """Its place, from 0."""
        return list(Level).index(self)

    def moved(self, steps: int) -> Level | None:
        """The level so many steps up (or down, below 0); None where there is none."""
        place = self.rank + steps
        return list(Level)[place] if 0 <= place < len(Level) else None


@dataclass(frozen=True, slots=True)
class Step:
    """One turn of the dial: who turned it, why, and the figures that they saw."""

    reason: str
    number: int
    at: datetime
    actor: str
    level_from: Level
    level_to: Level
    why: str
    evidence: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "reason": self.reason,
            "at": self.at.isoformat(),
            "actor": self.actor,
            "from": str(self.level_from),
            "to": str(self.level_to),
            "why": self.why,
            "evidence": dict(self.evidence),
        }


def starting_level(reason: Reason) -> Level | None:
    """Where a reason starts; None for one that is not on the dial."""
    if reason.id == OTHER:
        return None
    return {Autonomy.SELF_SERVICE: Level.AUTO, Autonomy.ASSISTED: Level.SUGGEST}.get(reason.autonomy)


class Dial:
    """The level of every contact reason. Methods raise `DatabaseError`; safe between threads and processes."""

    def __init__(self, database: Database, taxonomy: Taxonomy) -> None:
        self.database, self.taxonomy = database, taxonomy

    def level(self, reason: str) -> Level | None:
        """The level that holds now; None for a reason that is not on the dial, and for an unknown one."""
        start = starting_level(self.taxonomy[reason]) if reason in self.taxonomy else None
        if start is None:
            return None
        with self.database.session(read_only=True) as session:
            last = last_step(session, reason)
        return last.level_to if last else start

    def levels(self) -> dict[str, Level]:
        """The levels of all reasons on the dial, in the order of the taxonomy."""
        levels = {reason.id: start for reason in self.taxonomy if (start := starting_level(reason))}
        with self.database.session(read_only=True) as session:
            rows = session.execute(sa.select(reason_autonomy).order_by(reason_autonomy.c.number)).all()
        levels |= {row.reason: Level(row.level_to) for row in rows if row.reason in levels}
        return levels

    def history(self, reason: str) -> list[Step]:
        """Every step of a reason, oldest first."""
        steps = sa.select(reason_autonomy).where(reason_autonomy.c.reason == reason).order_by(reason_autonomy.c.number)
        with self.database.session(read_only=True) as session:
            return [_step(row) for row in session.execute(steps)]

    def start_of(self, reason: str) -> Level:
        """The level that a reason starts at. Raises `NotOnTheDialError`."""
        if reason not in self.taxonomy:
            known = ", ".join(one.id for one in self.taxonomy if starting_level(one))
            raise NotOnTheDialError(f"there is no contact reason {reason!r}; on the dial are: {known}")
        start = starting_level(self.taxonomy[reason])
        if start is None:
            raise NotOnTheDialError(
                f"{reason} is {self.taxonomy[reason].autonomy} in the taxonomy, so it is not on the dial"
            )
        return start


def last_step(session: Session, reason: str) -> Step | None:
    """The step that holds; None while the reason is where it started."""
    steps = sa.select(reason_autonomy).where(reason_autonomy.c.reason == reason)
    row = session.execute(steps.order_by(reason_autonomy.c.number.desc()).limit(1)).one_or_none()
    return _step(row) if row else None


def _step(row: sa.Row[Any]) -> Step:
    return Step(
        reason=row.reason,
        number=row.number,
        at=row.at,
        actor=row.actor,
        level_from=Level(row.level_from),
        level_to=Level(row.level_to),
        why=row.why,
        evidence=row.evidence,
    )
