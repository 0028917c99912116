"""The window of a report where the reader names none."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from desk.inbox import Desk
from desk.top_reasons import WindowError

DEFAULT_DAYS = 90


def newest_window(desk: Desk, start: date | None = None, end: date | None = None) -> tuple[date, date]:
    """``start`` and ``end`` where given; else the 90 days that end with the newest ticket. Raises `WindowError`."""
    try:
        if end is None:
            last = desk.coverage().last
            # A ticket may carry a date of the future; the report does not follow it there.
            today = datetime.now(UTC).date()
            newest = min(last.date() if last else today, today) + timedelta(days=1)
            end = newest if start is None or start < newest else start + timedelta(days=DEFAULT_DAYS)
        return start or end - timedelta(days=DEFAULT_DAYS), end
    except OverflowError as error:
        raise WindowError("the window reaches beyond the calendar; choose days between the years 1 and 9999") from error
