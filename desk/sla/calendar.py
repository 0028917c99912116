"""Time during which a clock runs: always, or the opening hours of a desk. Everything between the lines is UTC.

Opening hours are wall-clock times of a time zone. A time that a change to summer time skips is read as the moment of
the change, one that a change back repeats as its first occurrence; so openings never overlap, and the night of a change
is an hour shorter or longer, as it is for the people who work it. An opening belongs to the day on which it begins: one
that crosses midnight into a holiday runs to its end, one that would begin on a holiday does not take place.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo

import holidays

DAY_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY = timedelta(days=1)
DAYS_REMEMBERED = 8_192  # openings of some twenty years
_OPENING = re.compile(r"([01]\d|2[0-3]):([0-5]\d)\s*-\s*(?:([01]\d|2[0-3]):([0-5]\d)|24:00)", re.ASCII)


class Calendar(Protocol):
    """When a clock runs. Moments are timezone-aware; both methods raise `OverflowError` beyond the year 9999."""

    def add(self, start: datetime, amount: timedelta) -> datetime:
        """The first moment at or after ``start``, in UTC, by which ``amount`` of open time has passed."""

    def between(self, start: datetime, end: datetime) -> timedelta:
        """The open time from ``start`` to ``end``; nothing when ``end`` comes first."""


class AlwaysOpen:
    """Around the clock, every day of the year."""

    def add(self, start: datetime, amount: timedelta) -> datetime:
        """``start`` plus ``amount``, whatever wall clocks do in between."""
        return start.astimezone(UTC) + amount

    def between(self, start: datetime, end: datetime) -> timedelta:
        """The time from ``start`` to ``end``."""
        return max(end - start, timedelta(0))


@dataclass(frozen=True, slots=True)
class Opening:
    """From ``opens`` to ``closes`` after the midnight that begins a day; ``closes`` beyond 24 hours: the day after."""

    opens: timedelta
    closes: timedelta

    @classmethod
    def parse(cls, text: str) -> Opening:
        """``09:00-18:00``, ``00:00-24:00`` or, across midnight, ``22:00-06:00``. Raises ValueError."""
        found = _OPENING.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"{text!r} is no opening; write 09:00-18:00, 00:00-24:00 or, across midnight, 22:00-06:00")
        opens = timedelta(hours=int(found[1]), minutes=int(found[2]))
        closes = timedelta(hours=int(found[3]), minutes=int(found[4])) if found[3] else DAY
        if opens == closes:
            raise ValueError(f"{text!r} opens and closes at the same time; a whole day is 00:00-24:00")
        return cls(opens, closes if closes > opens else closes + DAY)


class BusinessHours:
    """Opening hours by day of the week (0 is Monday) in ``zone``.

    Closed on the public holidays of ``country`` (ISO 3166, `holidays` package) and its ``subdivision``, and on the days
    ``closed``. Raises ValueError when openings overlap or there are none, and `NotImplementedError` for a country or
    subdivision whose holidays are not known.
    """

    def __init__(
        self,
        zone: ZoneInfo,
        hours: Mapping[int, Sequence[Opening]],
        country: str | None = None,
        subdivision: str | None = None,
        closed: Sequence[date] = (),
    ) -> None:
        self.zone, self.country, self.subdivision = zone, country, subdivision
        self._hours = {day: tuple(sorted(openings, key=lambda one: one.opens)) for day, openings in hours.items()}
        self._closed = frozenset(closed)
        self._check()
        self._openings = lru_cache(maxsize=DAYS_REMEMBERED)(self._openings_on)
        if country:
            public_holidays(country, subdivision, 2026)

    @property
    def whole_days(self) -> bool:
        """Whether every day is either open from midnight to midnight or closed."""
        return all(openings in ((), (Opening(timedelta(0), DAY),)) for openings in self._hours.values())

    def add(self, start: datetime, amount: timedelta) -> datetime:
        """See `Calendar`. Nothing to add gives ``start`` itself, even while closed."""
        moment, left = start.astimezone(UTC), amount
        if left <= timedelta(0):
            return moment
        day = self._first_day(moment)
        while True:
            for opens, closes in self._openings(day):
                begins = max(opens, moment)
                if begins < closes:
                    if left <= closes - begins:
                        return begins + left
                    left -= closes - begins
            day += DAY

    def between(self, start: datetime, end: datetime) -> timedelta:
        """See `Calendar`."""
        first, last = start.astimezone(UTC), end.astimezone(UTC)
        total, day = timedelta(0), self._first_day(first)
        while first < last and day <= last.astimezone(self.zone).date():
            for opens, closes in self._openings(day):
                total += max(min(closes, last) - max(opens, first), timedelta(0))
            day += DAY
        return total

    def is_holiday(self, day: date) -> bool:
        """Whether nothing opens on ``day`` because of a holiday or a day stated as closed."""
        if day in self._closed:
            return True
        return self.country is not None and day in public_holidays(self.country, self.subdivision, day.year)

    def _first_day(self, moment: datetime) -> date:
        """The day before: an opening of yesterday may still be on."""
        return moment.astimezone(self.zone).date() - DAY

    def _openings_on(self, day: date) -> tuple[tuple[datetime, datetime], ...]:
        if self.is_holiday(day):
            return ()
        midnight = datetime.combine(day, time())
        return tuple(
            (moment_of(midnight + one.opens, self.zone), moment_of(midnight + one.closes, self.zone))
            for one in self._hours.get(day.weekday(), ())
        )

    def _check(self) -> None:
        week = [
            (day * DAY + one.opens, day * DAY + one.closes) for day in sorted(self._hours) for one in self._hours[day]
        ]
        if not week:
            raise ValueError("no day has opening hours, so that a clock would never run")
        after = (week[0][0] + 7 * DAY, week[0][1])
        for (_, closes), (opens, _) in zip(week, [*week[1:], after], strict=True):
            if opens < closes:
                raise ValueError(f"openings overlap on {DAY_NAMES[opens // DAY % 7]}: join them into one")


def moment_of(wall: datetime, zone: ZoneInfo) -> datetime:
    """The UTC moment of a naive wall-clock time: its first occurrence, or the moment of the change that skips it."""
    earlier = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    later = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if later <= earlier:  # once, or twice: then fold 0 is the first time
        return later
    before = earlier.astimezone(zone).utcoffset()
    while later - earlier > timedelta(seconds=1):
        middle = earlier + (later - earlier) // 2
        middle = middle.replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == before:
            earlier = middle
        else:
            later = middle
    return later


@lru_cache(maxsize=1_024)
def public_holidays(country: str, subdivision: str | None, year: int) -> frozenset[date]:
    """The public holidays of a year. Raises `NotImplementedError` for an unknown country or subdivision."""
    with warnings.catch_warnings():
        # movable feasts of far years are not known yet, and the clocks of those years are few
        warnings.simplefilter("ignore", UserWarning)
        return frozenset(holidays.country_holidays(country, subdiv=subdivision, years=year, expand=False))
