"""Lengths of time as people write them: ``90 min``, ``24 h``, ``7 days``, ``2 business days``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

LONGEST = timedelta(days=3_660)
HOW = "write it like '30 min', '24 h', '7 days' or '2 business days'"
_WRITTEN = re.compile(
    r"(?P<amount>\d{1,6}(?:\.\d{1,3})?)\s*(?P<unit>s|sec|min|minutes?|h|hours?|d|days?|business\s+days?)",
    re.ASCII | re.I,
)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class DurationError(ValueError):
    """A text is no duration, or one that no clock can run."""


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time as it was written.

    ``days``: written in days, which mean 24 hours each; ``business``: business days, 24 hours each of a calendar
    that is open on whole days only.
    """

    written: str
    length: timedelta
    days: bool = False
    business: bool = False


def duration(text: object) -> Duration:
    """``text`` read as a duration of more than nothing and at most ten years. Raises `DurationError`."""
    found = _WRITTEN.fullmatch(str(text).strip()) if isinstance(text, str) else None
    if found is None:
        raise DurationError(f"{text!r} is no duration; {HOW}")
    unit = found["unit"].casefold()
    business = unit.startswith("business")
    name = "days" if business else _UNITS[unit[0]]
    length = timedelta(**{name: float(found["amount"])})
    if not timedelta(0) < length <= LONGEST:
        raise DurationError(f"{text!r}: a duration is more than nothing and at most {LONGEST.days} days; {HOW}")
    return Duration(" ".join(str(text).split()), length, name == "days" and not business, business)


def in_words(seconds: float, *, days: bool = True) -> str:
    """A length of time for people, to the minute: ``2 d 3 h``, ``2 h 10 min``, ``35 min``; the sign is dropped.

    Without ``days`` it is told in hours, for working time.
    """
    hours, minutes = divmod(int(abs(seconds) // 60), 60)
    if days and hours >= 24:
        hours %= 24
        return f"{int(abs(seconds) // 86_400)} d {hours} h" if hours else f"{int(abs(seconds) // 86_400)} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min"
