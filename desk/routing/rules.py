"""Routing rules as data: which ticket goes to which team and person, and how urgent it is.

DataFileError (classifier.datafile)
    └── raised by `load_routing` with ``file:line: field: what is wrong``
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import time
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import Field, field_validator, model_validator

from classifier.datafile import DataFileError, parse_yaml, read_text
from classifier.taxonomy import Taxonomy, starter_taxonomy
from desk.routing.conditions import Entry, Subject, When
from desk.sla.policies import Policies, starter_policies
from desk.ticket_state import Priority
from kb.content import ANY_MARKETPLACE, known_marketplaces

STARTER_RULES = Path(__file__).parent / "rules.yaml"
_HOUR = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]


class Seniority(StrEnum):
    """How experienced a member is, least first."""

    JUNIOR = "junior"
    REGULAR = "regular"
    SENIOR = "senior"

    def reaches(self, least: Seniority) -> bool:
        """Whether it is ``least`` or more."""
        order = list(Seniority)
        return order.index(self) >= order.index(least)


class Assign(StrEnum):
    """How one of several fitting members is chosen."""

    ROUND_ROBIN = "round_robin"
    """Whose last ticket from this team is longest ago."""
    LEAST_LOADED = "least_loaded"
    """Who has the fewest open tickets for their capacity."""


class Team(Entry):
    """People who share a queue."""

    id: Name
    name: str = Field(min_length=1, max_length=100)


class Member(Entry):
    """Somebody who answers. ``name`` is how they sign in, ``capacity`` the open tickets they are given at most."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._@+-]{0,99}$")
    teams: tuple[str, ...] = Field(min_length=1)
    languages: tuple[Annotated[str, Field(pattern="^[a-z]{2,3}$")], ...] = Field(min_length=1)
    seniority: Seniority = Seniority.REGULAR
    capacity: int = Field(30, ge=1, le=1_000)


class Then(Entry):
    """What a rule decides. ``assign`` wants ``seniority`` at least, and the ticket's language or ``any_language``."""

    team: str | None = None
    assign: Assign | None = None
    seniority: Seniority = Seniority.JUNIOR
    any_language: bool = False
    priority: Priority | None = None

    @model_validator(mode="after")
    def _does_something(self) -> Then:
        if self.assign is None and {"seniority", "any_language"} & self.model_fields_set:
            raise ValueError("seniority and any_language say whom to assign: state assign, too")
        if not self.stated:
            raise ValueError("state team, assign or priority")
        return self

    @property
    def stated(self) -> tuple[str, ...]:
        """Which of the actions it decides."""
        return tuple(action for action in ACTIONS if getattr(self, action) is not None)


ACTIONS = ("team", "assign", "priority")


class RuleEntry(Entry):
    """One rule; without ``when`` it holds for every ticket."""

    id: Name
    when: When = When()
    then: Then


class WorkingDay(Entry):
    """When the desk is staffed, for 'tomorrow morning': a time zone and the hours of a day, ``09:00``."""

    timezone: str = "UTC"
    starts: time = time(9)
    ends: time = time(18)

    @field_validator("starts", "ends", mode="before")
    @classmethod
    def _hour(cls, text: object) -> object:
        if isinstance(text, time):
            return text
        found = _HOUR.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            raise ValueError(f'{text!r} is no time of day; write it in quotes like "09:00"')
        return time(int(found[1]), int(found[2]))

    @field_validator("timezone")
    @classmethod
    def _zone_exists(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError(f"unknown time zone {name!r}; use a name such as Europe/Paris")
        return name

    @model_validator(mode="after")
    def _forwards(self) -> WorkingDay:
        if self.starts >= self.ends:
            raise ValueError("the day must start before it ends")
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The time zone itself."""
        return ZoneInfo(self.timezone)


class RoutingFile(Entry):
    """A whole file."""

    version: int = Field(ge=1, le=1)
    working_day: WorkingDay = WorkingDay()
    teams: tuple[Team, ...] = Field(min_length=1)
    members: tuple[Member, ...] = ()
    rules: tuple[RuleEntry, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the file, and the line where it begins."""

    entry: RuleEntry
    line: int

    @property
    def id(self) -> str:
        """The rule's id."""
        return self.entry.id


@dataclass(frozen=True, slots=True)
class Fit:
    """A rule as it was looked at for a ticket. ``decides``: the actions that no rule before it had decided."""

    rule: Rule
    matched: bool
    why: str
    decides: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decided:
    """What the rules say about a ticket: for each action the rule whose word counts, and every rule in order."""

    by: Mapping[str, Rule]
    fits: tuple[Fit, ...]

    @property
    def team(self) -> str | None:
        """The team's id."""
        return self.by["team"].entry.then.team if "team" in self.by else None

    @property
    def priority(self) -> Priority | None:
        """The priority, None to leave it."""
        return self.by["priority"].entry.then.priority if "priority" in self.by else None

    @property
    def assign(self) -> Then | None:
        """How to find somebody, None to leave it to the team."""
        return self.by["assign"].entry.then if "assign" in self.by else None

    def why(self, *actions: str) -> str:
        """The conditions that matched, rule by rule, of the rules that decide ``actions``."""
        rules = dict.fromkeys(self.by[action].id for action in actions if action in self.by)
        return "; ".join(f"{fit.rule.id}: {fit.why}" for fit in self.fits if fit.rule.id in rules)


@dataclass(frozen=True)
class Routing:
    """The rules, teams and members of one file; make it with `load_routing`."""

    file: RoutingFile
    rules: tuple[Rule, ...]
    source: Path
    members: Mapping[str, Member] = field(default_factory=dict)
    """By name."""

    def decide(self, subject: Subject) -> Decided:
        """What holds for a ticket: for each action the first rule whose conditions hold and that states it."""
        by: dict[str, Rule] = {}
        fits = []
        for rule in self.rules:
            verdicts = list(rule.entry.when.verdicts(subject))
            misfits = [verdict.why for verdict in verdicts if not verdict.holds]
            if misfits:
                fits.append(Fit(rule, False, "; ".join(misfits)))
                continue
            decides = tuple(action for action in rule.entry.then.stated if action not in by)
            by |= dict.fromkeys(decides, rule)
            why = " and ".join(verdict.why for verdict in verdicts) or "it holds for every ticket"
            fits.append(Fit(rule, True, why, decides))
        return Decided(by, tuple(fits))

    def team_name(self, team: str) -> str:
        """How a team is called; its id where the file does not know it any more."""
        return next((known.name for known in self.file.teams if known.id == team), team)

    def in_team(self, team: str) -> tuple[Member, ...]:
        """Its members in the order of the file."""
        return tuple(member for member in self.file.members if team in member.teams)

    def uses(self, condition: str) -> bool:
        """Whether any rule looks at it."""
        return any(condition in rule.entry.when.stated for rule in self.rules)


def load_routing(
    path: Path | None = None, taxonomy: Taxonomy | None = None, policies: Policies | None = None
) -> Routing:
    """Read and check a routing file; None: the shipped one. Raises `DataFileError` with every mistake.

    Marketplaces are those that the service levels (``policies``) know.
    """
    source = path or STARTER_RULES
    text = read_text(source)
    file = parse_yaml(text, RoutingFile, source)
    places = set((policies or starter_policies()).file.marketplaces) | (known_marketplaces() - {ANY_MARKETPLACE})
    lines = _lines_of(text)
    found = list(_mistakes(file, taxonomy or starter_taxonomy(), places))
    if found:
        raise DataFileError("\n".join(f"{source}:{lines[kind][at]}: {kind}.{problem}" for kind, at, problem in found))
    rules = tuple(map(Rule, file.rules, lines["rules"]))
    return Routing(file, rules, source, {member.name: member for member in file.members})


@cache
def starter_routing() -> Routing:
    """The shipped rules."""
    return load_routing()


def _mistakes(file: RoutingFile, taxonomy: Taxonomy, places: set[str]) -> Iterator[tuple[str, int, str]]:
    """Where (list and position) and what, of what a schema cannot see."""
    teams = [team.id for team in file.teams]
    for kind, names in (
        ("teams", teams),
        ("members", [member.name for member in file.members]),
        ("rules", [rule.id for rule in file.rules]),
    ):
        for at, name in enumerate(names):
            if name in names[:at]:
                yield kind, at, f"{name}: listed twice; give each its own name"
    for at, member in enumerate(file.members):
        if strange := sorted(set(member.teams) - set(teams)):
            yield "members", at, f"{member.name}.teams: unknown {', '.join(strange)}; known: {', '.join(teams)}"
    decided: dict[str, str] = {}
    for at, rule in enumerate(file.rules):
        known = {"reason": taxonomy.ids, "further_reason": taxonomy.ids, "marketplace": sorted(places)}
        for condition, values in known.items():
            if strange := sorted(set(getattr(rule.when, condition)) - set(values)):
                problem = f"unknown {', '.join(strange)}; known: {', '.join(values)}"
                yield "rules", at, f"{rule.id}.when.{condition}: {problem}"
        if rule.then.team is not None and rule.then.team not in teams:
            yield "rules", at, f"{rule.id}.then.team: unknown {rule.then.team}; known: {', '.join(teams)}"
        if all(action in decided for action in rule.then.stated):
            before = ", ".join(dict.fromkeys(decided[action] for action in rule.then.stated))
            yield "rules", at, f"{rule.id}: can never count, {before} holds for every ticket; put it before that one"
        if not rule.when.stated:
            decided = {**dict.fromkeys(rule.then.stated, rule.id), **decided}
    if "team" not in decided:
        at = len(file.rules) - 1
        yield (
            "rules",
            at,
            f"{file.rules[at].id}: the last rules must state a team without 'when', for all other tickets",
        )


def _lines_of(text: str) -> dict[str, list[int]]:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)  # noqa: S101  # it was parsed before
    return {
        key.value: [item.start_mark.line + 1 for item in value.value]
        for key, value in root.value
        if isinstance(value, yaml.SequenceNode)
    }
