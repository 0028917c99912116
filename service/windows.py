"""The window of a report where the reader names none."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from desk.inbox import Desk

DEFAULT_DAYS = 90


def newest_window(desk: Desk, start: date | None = None, end: date | None = None) -> tuple[date, date]:
    """``start`` and ``end`` where given; else the 90 days that end with the newest ticket."""
    if end is None:
        last = desk.coverage().last
        newest = (last.date() if last else datetime.now(UTC).date()) + timedelta(days=1)
        end = newest if start is None or start < newest else start + timedelta(days=DEFAULT_DAYS)
    return start or end - timedelta(days=DEFAULT_DAYS), end
