"""Service-level policies as data: which ticket is owed an answer by when, and why.

DataFileError (classifier.datafile)
    └── raised by `load_policies` with ``file:line: field: what is wrong``
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from pathlib import Path

import yaml

from classifier.datafile import DataFileError, parse_yaml, read_text
from classifier.taxonomy import Taxonomy, starter_taxonomy
from desk.sla.calendar import Calendar
from desk.sla.policy_check import mistakes
from desk.sla.policy_file import CalendarEntry, ClockKind, PolicyEntry, PolicyFile
from desk.ticket_state import Decision, Priority, TicketState
from kb.content import ANY_MARKETPLACE, known_marketplaces

__all__ = ["ClockKind", "Fit", "Line", "Match", "Policies", "Subject", "Verdict", "load_policies", "starter_policies"]

STARTER_POLICIES = Path(__file__).parent / "policies.yaml"
NO_ANSWER_NEEDED = "auto_close"
WORD = re.compile(r"[^\W_]+")


class Verdict(StrEnum):
    """What became of a line for a ticket and a clock."""

    CHOSEN = "chosen"
    LESS_SPECIFIC = "less specific"
    NO_TARGET = "no target for this clock"
    OTHER_TICKETS = "other tickets"


@dataclass(frozen=True, slots=True)
class Subject:
    """What policies look at: marketplace id (None: not known), channel, decided reason (None: a guess or none)."""

    marketplace: str | None = None
    channel: str = ""
    reason: str | None = None
    priority: Priority = Priority.NORMAL

    def with_state(self, state: TicketState) -> Subject:
        """The same ticket as its state tells it."""
        reason = state.reason if state.decision is Decision.TAGGED else None
        return replace(self, reason=reason, priority=state.priority)


@dataclass(frozen=True, slots=True)
class Line:
    """One policy of the file, and the line where it begins."""

    entry: PolicyEntry
    line: int

    @property
    def id(self) -> str:
        """The policy's id."""
        return self.entry.id

    def misfit(self, subject: Subject, at: datetime) -> str | None:
        """Why it is not for ``subject`` with a clock that started ``at``; None when it is."""
        for name, wanted in self.entry.conditions.items():
            found = str(getattr(subject, name) or "")
            if found not in wanted:
                return f"{name} is {found or 'not known'}, not {' or '.join(sorted(wanted))}"
        day = at.astimezone(UTC).date()
        if not self.entry.holds_on(day):
            return f"does not hold on {day}"
        return None

    def because(self, subject: Subject) -> str:
        """Why it is for ``subject``, which it fits."""
        met = [f"{name} is {getattr(subject, name)}" for name in self.entry.conditions]
        return " and ".join(met) or "it holds for every ticket"


@dataclass(frozen=True, slots=True)
class Match:
    """The policy in force for one clock of a ticket.

    ``target`` and the ``at_risk`` share of it are counted in ``calendar``; ``pauses``: a resolution clock stands while
    the customer is to answer. ``because`` and ``line`` say which line of the file it was and why.
    """

    policy: str
    target: timedelta
    written: str
    calendar: Calendar
    calendar_id: str
    at_risk: float
    pauses: bool
    line: int
    because: str


@dataclass(frozen=True, slots=True)
class Fit:
    """One line as it was looked at for a ticket's clock: ``why`` it was chosen or not."""

    line: Line
    verdict: Verdict
    why: str


class Policies:
    """The policies of one file; make it with `load_policies`.

    ``lines`` are in the order of the file, ``by_weight`` the most specific first. ``fingerprint`` tells two contents
    apart: stored clocks are recomputed when it changes.
    """

    def __init__(self, file: PolicyFile, lines: tuple[Line, ...], source: Path, fingerprint: str) -> None:
        self.file, self.source, self.fingerprint = file, source, fingerprint
        self.calendars: Mapping[str, CalendarEntry] = {entry.id: entry for entry in file.calendars}
        self.lines = lines
        self.by_weight = tuple(sorted(lines, key=lambda line: line.entry.weight, reverse=True))
        self._names = {name: place for place, names in file.marketplaces.items() for name in (place, *names)}
        self._names |= {name: name for name in known_marketplaces() - {ANY_MARKETPLACE}}

    def marketplace_of(self, marketplace: str | None, channel: str | None) -> str | None:
        """The marketplace id in a ticket's marketplace, ``amazon.co.uk``, or else in its channel; None without one."""
        for text in (marketplace, channel):
            for word in WORD.findall((text or "").casefold()):
                if word in self._names:
                    return self._names[word]
        return None

    def subject(self, marketplace: str | None, channel: str) -> Subject:
        """A ticket by where it came from."""
        return Subject(self.marketplace_of(marketplace, channel), channel.strip().casefold())

    def match(self, clock: ClockKind, subject: Subject, at: datetime) -> Match | None:
        """The policy for a clock that started ``at``; None when none has a target for it."""
        for line in self.by_weight:
            target = line.entry.targets.get(clock)
            if target is None or line.misfit(subject, at) is not None:
                continue
            calendar = self.calendars[line.entry.calendar]
            return Match(
                policy=line.id,
                target=target.length,
                written=target.written,
                calendar=calendar.calendar,
                calendar_id=calendar.id,
                at_risk=line.entry.at_risk,
                pauses=line.entry.pauses and clock is ClockKind.RESOLUTION,
                line=line.line,
                because=line.because(subject),
            )
        return None

    def explain(self, clock: ClockKind, subject: Subject, at: datetime) -> list[Fit]:
        """Every line in the order in which they are tried, with what became of it."""
        fits: list[Fit] = []
        chosen: str | None = None
        for line in self.by_weight:
            if misfit := line.misfit(subject, at):
                fits.append(Fit(line, Verdict.OTHER_TICKETS, misfit))
            elif clock not in line.entry.targets:
                fits.append(Fit(line, Verdict.NO_TARGET, f"states no target for {clock}"))
            elif chosen:
                fits.append(Fit(line, Verdict.LESS_SPECIFIC, f"{chosen} is more specific"))
            else:
                chosen = line.id
                fits.append(Fit(line, Verdict.CHOSEN, line.because(subject)))
        return fits

    def expected_answer(
        self, now: datetime, marketplace: str | None = None, reason: str | None = None, channel: str = "chat"
    ) -> datetime:
        """By when somebody who writes ``now`` is owed the first answer, UTC."""
        subject = replace(self.subject(marketplace, channel), reason=reason)
        found = self.match(ClockKind.FIRST_RESPONSE, subject, now)
        if found is None:
            raise LookupError("the check of the file promises a first response to everyone")
        return found.calendar.add(now, found.target)


def load_policies(path: Path | None = None, taxonomy: Taxonomy | None = None) -> Policies:
    """Read and check a policy file; None: the shipped one. Raises `DataFileError`."""
    source = path or STARTER_POLICIES
    text = read_text(source)
    file = parse_yaml(text, PolicyFile, source)
    lines = tuple(map(Line, file.policies, _lines_of(text)))
    if found := mistakes(file, taxonomy or starter_taxonomy()):
        at = {line.id: line.line for line in lines}
        raise DataFileError("\n".join(f"{source}:{at[m.policy]}: {m.policy}.{m.field}: {m.problem}" for m in found))
    return Policies(file, lines, source, hashlib.sha256(text.encode()).hexdigest())


@cache
def starter_policies() -> Policies:
    """The shipped policies."""
    return load_policies()


def _lines_of(text: str) -> list[int]:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)  # noqa: S101  # it was parsed before
    [found] = [value for key, value in root.value if key.value == "policies"]
    return [item.start_mark.line + 1 for item in found.value]
