"""The schema of a file of service-level policies."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from desk.sla.calendar import DAY_NAMES, AlwaysOpen, BusinessHours, Calendar, Opening
from desk.sla.durations import Duration, duration
from desk.ticket_state import Priority

CONDITIONS = ("reason", "priority", "marketplace", "channel")
"""From the one that weighs most to the one that weighs least, among lines with as many conditions."""
AT_RISK = 0.75


class ClockKind(StrEnum):
    """What a clock measures: the first answer, an answer to a later message, or the end of the matter."""

    FIRST_RESPONSE = "first_response"
    NEXT_RESPONSE = "next_response"
    RESOLUTION = "resolution"


Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
Values = Annotated[tuple[str, ...], Field(min_length=1)]
Length = Annotated[Duration, BeforeValidator(duration)]


class Entry(BaseModel):
    """Base of everything in the file: unknown fields are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class CalendarEntry(Entry):
    """When clocks run: ``always``, or opening ``hours`` by day in a ``timezone``, closed on public holidays."""

    id: Name
    always: bool = False
    timezone: str | None = None
    hours: dict[str, tuple[str, ...]] = {}
    country: str | None = None
    subdivision: str | None = None
    closed: tuple[date, ...] = ()

    @field_validator("timezone")
    @classmethod
    def _zone_exists(cls, name: str | None) -> str | None:
        if name is not None and name not in available_timezones():
            raise ValueError(f"unknown time zone {name!r}; write one like Europe/Paris (without the system's time zone "
                             "database: pip install tzdata)")  # fmt: skip
        return name

    @field_validator("hours")
    @classmethod
    def _hours_can_be_read(cls, hours: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        if strange := sorted(set(hours) - set(DAY_NAMES)):
            raise ValueError(f"unknown day {', '.join(strange)}; days are {', '.join(DAY_NAMES)}")
        for openings in hours.values():
            for text in openings:
                Opening.parse(text)
        return hours

    @model_validator(mode="after")
    def _whole(self) -> CalendarEntry:
        if self.always and (self.hours or self.timezone or self.country or self.subdivision or self.closed):
            raise ValueError("always open: leave out timezone, hours, country, subdivision and closed")
        if not self.always and not (self.hours and self.timezone):
            raise ValueError("state 'always: true', or timezone and hours")
        if self.subdivision and not self.country:
            raise ValueError("a subdivision needs its country")
        _ = self.calendar
        return self

    @cached_property
    def calendar(self) -> Calendar:
        """The calendar itself."""
        if self.always or self.timezone is None:
            return AlwaysOpen()
        hours = {DAY_NAMES.index(day): tuple(map(Opening.parse, texts)) for day, texts in self.hours.items()}
        try:
            return BusinessHours(ZoneInfo(self.timezone), hours, self.country, self.subdivision, self.closed)
        except NotImplementedError as error:
            raise ValueError(
                f"holidays are not known: {error}; use ISO 3166 codes such as FR, or DE with BY"
            ) from error


class PolicyEntry(Entry):
    """One line: the tickets it is for (no condition: all), the calendar, and a target per clock.

    ``since`` and ``until`` (first and last day, UTC) bound the start of the clocks that it judges, so that a change of
    targets does not judge the past anew. ``at_risk`` is the share of a target after which a clock is at risk.
    """

    id: Name
    marketplace: Values = ()
    channel: Values = ()
    reason: Values = ()
    priority: tuple[Priority, ...] = Field((), min_length=1)
    since: date | None = None
    until: date | None = None
    calendar: str
    pauses: bool = False
    at_risk: float = Field(AT_RISK, gt=0, lt=1)
    targets: dict[ClockKind, Length] = Field(min_length=1)
    source: str = ""

    @field_validator("marketplace", "channel", mode="before")
    @classmethod
    def _in_lower_case(cls, values: Any) -> Any:
        return (
            [v.strip().casefold() if isinstance(v, str) else v for v in values] if isinstance(values, list) else values
        )

    @model_validator(mode="after")
    def _in_order(self) -> PolicyEntry:
        if self.since and self.until and self.until < self.since:
            raise ValueError(f"until {self.until} lies before since {self.since}")
        return self

    @cached_property
    def conditions(self) -> Mapping[str, frozenset[str]]:
        """The stated conditions and the values of which one must fit."""
        return {name: frozenset(map(str, getattr(self, name))) for name in CONDITIONS if getattr(self, name)}

    @cached_property
    def weight(self) -> tuple[int, ...]:
        """How specific the line is; a greater one wins."""
        return len(self.conditions), *(int(name in self.conditions) for name in CONDITIONS)

    def holds_on(self, day: date) -> bool:
        """Whether the line judges clocks that start on ``day``."""
        return (self.since or date.min) <= day <= (self.until or date.max)

    def clashes_with(self, other: PolicyEntry) -> bool:
        """Whether some ticket could be for both, and neither is the more specific."""
        if self.weight != other.weight or not set(self.targets) & set(other.targets):
            return False
        apart = (self.until or date.max) < (other.since or date.min) or (other.until or date.max) < (
            self.since or date.min
        )
        return not apart and all(self.conditions[name] & other.conditions[name] for name in self.conditions)


class PolicyFile(Entry):
    """A whole file. ``checked`` is the day on which the sources were last read."""

    version: int = Field(ge=1, le=1)
    checked: date | None = None
    marketplaces: dict[Name, tuple[str, ...]] = {}
    calendars: tuple[CalendarEntry, ...] = Field(min_length=1)
    policies: tuple[PolicyEntry, ...] = Field(min_length=1)

    @field_validator("calendars", "policies")
    @classmethod
    def _ids_once(cls, entries: tuple[Any, ...]) -> tuple[Any, ...]:
        ids = [entry.id for entry in entries]
        if twice := sorted({name for name in ids if ids.count(name) > 1}):
            raise ValueError(f"listed twice: {', '.join(twice)}")
        return entries
