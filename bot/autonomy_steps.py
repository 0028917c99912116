"""Turning the dial: up by a named person on certified evidence, down by a person at will or by what customers say."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from bot.autonomy import AutonomyError, Dial, Level, Step, last_step
from bot.trust import Evidence, TrustSettings, evidence, needed, starter_trust, starts
from desk.tables import accounts, reason_autonomy

REVIEWER = "review"
"""Who turns the dial down where nobody did."""


class StepRefusedError(AutonomyError):
    """The step is not one up or down, nobody answers for it, or its evidence is not enough."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a reason stands: its level, the evidence of the last year and of the last weeks, what speaks against it."""

    reason: str
    level: Level
    overall: Evidence
    recent: Evidence
    against: tuple[str, ...]

    def to_json(self, settings: TrustSettings) -> dict[str, Any]:
        """Plain data."""
        return {
            "reason": self.reason,
            "level": str(self.level),
            "evidence": self.overall.to_json(settings),
            "recent": self.recent.to_json(settings),
            "against": list(self.against),
            "may_rise": self.level is not Level.AUTO and self.overall.certifies(settings) and not self.against,
        }


class Turning:
    """Steps of a `Dial`. Methods raise `NotOnTheDialError`, `StepRefusedError` and `DatabaseError`."""

    def __init__(self, dial: Dial, settings: TrustSettings | None = None) -> None:
        self._dial, self._settings = dial, settings or starter_trust()

    def standings(self, now: datetime | None = None, drifted: Collection[str] = ()) -> list[Standing]:
        """Every reason on the dial. ``drifted`` are reasons whose tickets have changed; see `paretodesk shift`."""
        levels = self._dial.levels()
        overall = self._evidence(levels, self._settings.evidence_days, now)
        recent = self._evidence(levels, self._settings.window_days, now)
        return [
            Standing(reason, level, overall[reason], recent[reason], self._against(reason, recent[reason], drifted))
            for reason, level in levels.items()
        ]

    def _evidence(self, levels: Mapping[str, Level], days: int, now: datetime | None) -> dict[str, Evidence]:
        with self._dial.database.session(read_only=True) as session:
            steps = {reason: step.at for reason in levels if (step := last_step(session, reason))}
        return evidence(self._dial.database, starts(levels, steps, now or datetime.now(UTC), days))

    def _against(self, reason: str, recent: Evidence, drifted: Collection[str]) -> tuple[str, ...]:
        drift = ("its tickets are not what they were (drift)",) if reason in drifted else ()
        return (*recent.against(self._settings), *drift)

    def up(self, reason: str, approver: str, why: str = "", now: datetime | None = None) -> Step:
        """One level up, for which ``approver`` answers; refused unless the evidence certifies it."""
        self._dial.start_of(reason)
        self._check_person(approver)
        standing = next(one for one in self.standings(now) if one.reason == reason)
        higher, settings = standing.level.moved(1), self._settings
        if higher is None:
            raise StepRefusedError(f"{reason} is at {standing.level}, the highest level")
        if standing.against:
            raise StepRefusedError(f"{reason} cannot rise now: {'; '.join(standing.against)}")
        if not standing.overall.certifies(settings):
            found, missing = standing.overall, needed(settings, standing.overall.wrong)
            raise StepRefusedError(
                f"{reason} cannot rise to {higher}: of {found.n} confirmed outcomes since {found.since:%Y-%m-%d} "
                f"{found.wrong} were wrong, so up to {found.wrong_at_most(settings.delta):.1%} may be wrong at "
                f"{settings.confidence:.0%} confidence, and {settings.max_wrong:.0%} is the limit; with {found.wrong} "
                f"wrong it takes {missing} outcomes. Confirm or correct more of its tickets"
            )
        return self._turn(reason, higher, approver, why or "certified", standing.overall.to_json(settings), now)

    def down(self, reason: str, person: str, why: str = "", now: datetime | None = None) -> Step:
        """One level down; a person needs no evidence for being careful."""
        self._dial.start_of(reason)
        self._check_person(person)
        level = self._dial.level(reason)
        lower = level.moved(-1) if level else None
        if lower is None:
            raise StepRefusedError(f"{reason} is at {level}, the lowest level")
        return self._turn(reason, lower, person, why or "lowered by hand", {}, now)

    def review(
        self, now: datetime | None = None, drifted: Collection[str] = (), *, dry_run: bool = False
    ) -> list[tuple[Standing, Step | None]]:
        """Take back what the last weeks speak against; a reason that was turned is judged anew from then on.

        With ``dry_run`` it only says what it would do.
        """
        levels = {reason: level for reason, level in self._dial.levels().items() if level.moved(-1)}
        turned: list[tuple[Standing, Step | None]] = []
        for reason, recent in self._evidence(levels, self._settings.window_days, now).items():
            against, lower = self._against(reason, recent, drifted), levels[reason].moved(-1)
            if not against or lower is None:
                continue
            told, why = recent.to_json(self._settings), "; ".join(against)
            step = None if dry_run else self._turn(reason, lower, REVIEWER, why, told, now)
            turned.append((Standing(reason, levels[reason], recent, recent, against), step))
        return turned

    def _turn(
        self, reason: str, to: Level, actor: str, why: str, told: Mapping[str, Any], now: datetime | None
    ) -> Step:
        try:
            with self._dial.database.session() as session:
                last = last_step(session, reason)
                before = last.level_to if last else self._dial.start_of(reason)
                if abs(to.rank - before.rank) != 1:
                    raise StepRefusedError(f"{reason} was turned to {before} meanwhile; look again")
                step = Step(
                    reason, last.number + 1 if last else 1, now or datetime.now(UTC), actor, before, to, why, told
                )
                session.execute(
                    reason_autonomy.insert().values(
                        reason=reason,
                        number=step.number,
                        at=step.at,
                        actor=actor,
                        level_from=before.value,
                        level_to=to.value,
                        why=why,
                        evidence=dict(told),
                    )
                )
        except sa.exc.IntegrityError as error:
            raise StepRefusedError(f"{reason} was turned by somebody else at this moment; look again") from error
        return step

    def _check_person(self, name: str) -> None:
        """Somebody has to answer for a step: a name, and an account's where there are accounts."""
        person = name.strip()
        if not person or person.casefold().split(":")[0] in self._settings.programs:
            raise StepRefusedError("a step needs the name of the person who answers for it, not a program's")
        with self._dial.database.session(read_only=True) as session:
            found = sa.select(accounts.c.username, accounts.c.disabled_at)
            known = {row.username: row.disabled_at for row in session.execute(found)}
        if known and known.get(person.casefold(), "unknown") is not None:
            raise StepRefusedError(f"there is no enabled account {person!r}; name one of `paretodesk users list`")
