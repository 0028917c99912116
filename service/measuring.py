"""What the report routes and the report commands share: from what a reader names to a scope, and links to tickets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlencode

from desk.inbox import Desk
from desk.metrics.deflection import ChatDimension, ChatScope
from desk.metrics.query import Side
from desk.metrics.scope import Scope, Window, filters_of
from desk.top_reasons import WindowError
from service.windows import DEFAULT_DAYS, newest_window

TICKETS_PATH = "/v1/reports/tickets"


def ticket_scope(
    desk: Desk, start: date | None, end: date | None, timezone: str, filters: dict[str, Sequence[str] | None]
) -> Scope:
    """Tickets of the named window, else of the 90 days that end with the newest.

    Raises `WindowError` and `FilterError`.
    """
    return Scope(Window(*newest_window(desk, start, end), timezone), filters_of(**filters))


def chat_scope(
    start: date | None, end: date | None, timezone: str, filters: dict[str, Sequence[str] | None]
) -> ChatScope:
    """Chats of the named window, else of the 90 days that end today. Raises `WindowError`."""
    try:
        end = end or max(datetime.now(UTC).date(), start or date.min) + timedelta(days=1)
        window = Window(start or end - timedelta(days=DEFAULT_DAYS), end, timezone)
    except OverflowError as error:
        raise WindowError("the window reaches beyond the calendar; choose days between the years 1 and 9999") from error
    return ChatScope(window, {ChatDimension(name): tuple(values) for name, values in filters.items() if values})


def ticket_link(scope: Scope, metric: str, side: Side) -> str:
    """Where the HTTP service lists the tickets behind a figure."""
    narrowing = [("side", str(side))] if side is not Side.COUNTED else []
    return f"{TICKETS_PATH}?{urlencode([('metric', str(metric)), *narrowing, *scope.parameters()])}"
