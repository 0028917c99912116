"""What a schema cannot see in a file of policies: names that do not exist, targets that do not fit, lines that tie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from classifier.taxonomy import Taxonomy
from desk.sla.calendar import BusinessHours
from desk.sla.policy_file import ClockKind, PolicyEntry, PolicyFile
from kb.content import ANY_MARKETPLACE, known_marketplaces


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong in ``field`` of a policy, and what to do."""

    policy: str
    field: str
    problem: str


def mistakes(file: PolicyFile, taxonomy: Taxonomy) -> list[Mistake]:
    """Everything wrong, in the order of the file; empty when the policies can be used."""
    return [*_everyone(file), *(found for entry in file.policies for found in _of(entry, file, taxonomy)), *_ties(file)]


def _everyone(file: PolicyFile) -> Iterator[Mistake]:
    for entry in file.policies:
        if not (entry.conditions or entry.since or entry.until) and ClockKind.FIRST_RESPONSE in entry.targets:
            return
    problem = "some policy must state a first_response without conditions and days, for the tickets that no other fits"
    yield Mistake(file.policies[0].id, "targets", problem)


def _of(entry: PolicyEntry, file: PolicyFile, taxonomy: Taxonomy) -> Iterator[Mistake]:
    places = (known_marketplaces() - {ANY_MARKETPLACE}) | set(file.marketplaces)
    if strange := sorted(set(entry.marketplace) - places):
        known = ", ".join(sorted(places))
        yield Mistake(
            entry.id, "marketplace", f"unknown {', '.join(strange)}; add it under 'marketplaces'. Known: {known}"
        )
    if strange := sorted(set(entry.reason) - set(taxonomy.ids)):
        yield Mistake(entry.id, "reason", f"unknown {', '.join(strange)}; known: {', '.join(taxonomy.ids)}")
    calendars = {calendar.id: calendar.calendar for calendar in file.calendars}
    if entry.calendar not in calendars:
        yield Mistake(entry.id, "calendar", f"unknown {entry.calendar}; known: {', '.join(calendars)}")
        return
    calendar = calendars[entry.calendar]
    hours = isinstance(calendar, BusinessHours)
    for clock, target in entry.targets.items():
        field = f"targets.{clock}"
        if target.business and not (isinstance(calendar, BusinessHours) and calendar.whole_days):
            problem = (
                f"{target.written} needs a calendar whose days are open 00:00-24:00 or closed; write hours instead"
            )
            yield Mistake(entry.id, field, problem)
        elif target.days and hours:
            problem = f"{target.written} can be read in two ways in opening hours; write hours, or business days"
            yield Mistake(entry.id, field, problem)


def _ties(file: PolicyFile) -> Iterator[Mistake]:
    for at, one in enumerate(file.policies):
        for other in file.policies[:at]:
            if one.clashes_with(other):
                problem = (
                    f"fits tickets that {other.id} fits and neither is more specific; add a condition to one, "
                    "or tell their days apart with since and until"
                )
                yield Mistake(one.id, "policy", problem)
