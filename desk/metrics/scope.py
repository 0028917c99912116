"""Which tickets a figure is about: a window of days and filters by dimension."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from functools import cached_property
from typing import Any

from desk import DeskError
from desk.mapping import time_zone
from desk.top_reasons import WindowError

UNKNOWN = "(none)"
"""Filter value for tickets that have none: no agent, no marketplace, ..."""
UNDECIDED = "undecided"
"""Filter value for tickets without a usable reason."""
MAX_FILTER_VALUES = 100
QUARTER_HOUR_S = 900


class FilterError(DeskError):
    """A filter or grouping that no ticket can have; the message lists what there is."""


class Dimension(StrEnum):
    """What tickets can be filtered and grouped by."""

    CHANNEL = "channel"
    MARKETPLACE = "marketplace"
    LANGUAGE = "language"
    REASON = "reason"
    AGENT = "agent"
    TEAM = "team"
    PRODUCT = "product"
    CARRIER = "carrier"
    FULFILMENT = "fulfilment"
    PRIORITY = "priority"


class Period(StrEnum):
    """Stretches of time that tickets can be grouped by; weeks start on Monday."""

    DAY = "day"
    WEEK = "week"


Grouping = Dimension | Period


def grouping(name: str | None) -> Grouping | None:
    """The dimension or period of this name. Raises `FilterError`."""
    if name is None:
        return None
    choices: tuple[type[Dimension] | type[Period], ...] = (Dimension, Period)
    for kind in choices:
        if name in {one.value for one in kind}:
            return kind(name)
    known = ", ".join([*Dimension, *Period])
    raise FilterError(f"by: tickets cannot be grouped by {name!r}; choose one of: {known}")


@dataclass(frozen=True)
class Window:
    """Days from ``start`` up to but not on ``end``, in a time zone by name. Raises `WindowError`."""

    start: date
    end: date
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise WindowError(
                f"the window ends on {self.end}, which is not after its start {self.start}: the end is exclusive, "
                f"so one day is {self.start} to {self.start + timedelta(days=1)}"
            )
        try:
            _ = self.opens, self.closes
        except ValueError as error:
            raise WindowError(f"timezone: {error}") from error
        except OverflowError as error:
            raise WindowError(f"the window from {self.start} to {self.end} reaches beyond the calendar") from error

    @cached_property
    def zone(self) -> tzinfo:
        """The time zone."""
        return time_zone(self.timezone)

    @cached_property
    def opens(self) -> datetime:
        """The first moment, UTC."""
        return datetime.combine(self.start, time(), tzinfo=self.zone).astimezone(UTC)

    @cached_property
    def closes(self) -> datetime:
        """The moment after the last, UTC."""
        return datetime.combine(self.end, time(), tzinfo=self.zone).astimezone(UTC)

    @property
    def days(self) -> int:
        """How many days."""
        return (self.end - self.start).days

    def first_day(self, quarter_hours: int, period: Period) -> date:
        """The first day of the period in which a quarter of an hour since 1970 (UTC) falls here.

        Days of every time zone begin on a quarter of an hour of UTC, so what is counted by it adds up to days.
        """
        day = datetime.fromtimestamp(quarter_hours * QUARTER_HOUR_S, UTC).astimezone(self.zone).date()
        return day if period is Period.DAY else monday(day)

    def periods(self, period: Period) -> list[tuple[date, int]]:
        """The first day of every period that the window touches, with how many of its days lie in the window."""
        if period is Period.DAY:
            return [(self.start + timedelta(days=step), 1) for step in range(self.days)]
        found, first = [], monday(self.start)
        while first < self.end:
            after = first + timedelta(days=7)
            found.append((first, (min(after, self.end) - max(first, self.start)).days))
            first = after
        return found


def monday(day: date) -> date:
    """The first day of its week."""
    return day - timedelta(days=day.weekday())


@dataclass(frozen=True)
class Scope:
    """A window and the values that each dimension may have, in any case; a dimension left out may have any.

    ``now`` decides what is overdue, and whose 7 days have passed. Raises `FilterError`.
    """

    window: Window
    filters: Mapping[Dimension, tuple[str, ...]] = field(default_factory=dict)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        for dimension, values in self.filters.items():
            if len(values) > MAX_FILTER_VALUES:
                raise FilterError(f"{dimension}: {len(values)} values; the limit is {MAX_FILTER_VALUES}")

    def narrowed(self, by: Grouping | None, group: str | None) -> Scope:
        """The scope of one group: ``group`` is a value of ``by`` (None: tickets without one), or a first day."""
        if by is None:
            return self
        if isinstance(by, Dimension):
            value = group if group is not None else UNDECIDED if by is Dimension.REASON else UNKNOWN
            return Scope(self.window, {**self.filters, by: (value,)}, self.now)
        first = date.fromisoformat(str(group))
        after = first + timedelta(days=1 if by is Period.DAY else 7)
        start, end = max(first, self.window.start), min(after, self.window.end)
        return Scope(Window(start, end, self.window.timezone), self.filters, self.now)

    def parameters(self) -> list[tuple[str, str]]:
        """As query parameters of the HTTP routes, which are also the options of the commands."""
        window = self.window
        zone = [("timezone", window.timezone)] if window.timezone != "UTC" else []
        filters = [(str(dimension), value) for dimension, values in self.filters.items() for value in values]
        return [("from", window.start.isoformat()), ("to", window.end.isoformat()), *zone, *filters]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return scope_json(self.window, self.filters, self.now)


def scope_json(window: Window, filters: Mapping[Any, Sequence[str]], now: datetime) -> dict[str, Any]:
    """What a report was asked for, as plain data."""
    return {
        "from": window.start.isoformat(),
        "to": window.end.isoformat(),
        "timezone": window.timezone,
        "as_of": now.astimezone(UTC).isoformat(),
        "filters": {str(dimension): list(values) for dimension, values in filters.items()},
    }


def filters_of(**values: Sequence[str] | None) -> dict[Dimension, tuple[str, ...]]:
    """Filters from lists of values by dimension name, without the empty ones."""
    return {Dimension(name): tuple(given) for name, given in values.items() if given}
