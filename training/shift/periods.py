"""The periods that are compared, and what can be wrong with them.

ShiftError
    └── a period cannot be read, or has no tickets to compare
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

_QUARTER = re.compile(r"(\d{4})-?[qQ]([1-4])")
_MONTH = re.compile(r"(\d{4})-(\d{2})")
_DAYS = re.compile(r"(\d{4}-\d{2}-\d{2})\.\.(\d{4}-\d{2}-\d{2})")


class ShiftError(ValueError):
    """Two periods cannot be compared; the message says why."""


@dataclass(frozen=True)
class PeriodOfTime:
    """Days from ``start`` up to but not on ``end``, UTC."""

    label: str
    start: date
    end: date


def parse_period(text: str) -> PeriodOfTime:
    """``2026Q1``, ``2026-01`` or ``2026-01-01..2026-02-01`` (end exclusive). Raises `ShiftError`."""
    try:
        if match := _QUARTER.fullmatch(text):
            year, month = int(match[1]), 3 * int(match[2]) - 2
            return PeriodOfTime(text, date(year, month, 1), _first_after(year, month + 2))
        if match := _DAYS.fullmatch(text):
            period = PeriodOfTime(text, date.fromisoformat(match[1]), date.fromisoformat(match[2]))
            if period.end <= period.start:
                raise ShiftError(f"the period {text} ends before it starts; the end is exclusive")
            return period
        if match := _MONTH.fullmatch(text):
            year, month = int(match[1]), int(match[2])
            return PeriodOfTime(text, date(year, month, 1), _first_after(year, month))
    except ShiftError:
        raise
    except (ValueError, OverflowError) as error:
        raise ShiftError(f"'{text}' is no period: {error}") from error
    raise ShiftError(f"'{text}' is no period; write 2026Q1, 2026-01 or 2026-01-01..2026-02-01")


def _first_after(year: int, month: int) -> date:
    return (date(year, month, 28) + timedelta(days=4)).replace(day=1)
