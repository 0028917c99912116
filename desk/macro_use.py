"""How useful macros were: how often they were sent, and how often that settled the ticket at first contact."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from desk.database import Database
from desk.tables import ticket_states, tickets
from desk.ticket_state import Status
from kb.usefulness import Usefulness

LOOK_BACK = timedelta(days=90)
"""Macros and products change: what helped longer ago than a quarter says little."""
COMES_BACK_WITHIN = timedelta(days=7)
"""A new contact on the same order within these days: it was not settled at first contact (docs/domain.md, FCR)."""


def macro_usefulness(database: Database, now: datetime | None = None) -> dict[str, Usefulness]:
    """Uses and first-contact resolutions of each macro id in tickets of the last `LOOK_BACK`.

    A ticket counts for the macro once. It is resolved at first contact when it is resolved with one public reply,
    was not reopened, and no other ticket about its order came within `COMES_BACK_WITHIN` after.
    """
    now = now or datetime.now(UTC)
    state, again = ticket_states.c, tickets.alias("again")
    with database.session(read_only=True) as session:
        postgresql = session.get_bind().dialect.name == "postgresql"
        elements = sa.func.jsonb_array_elements_text if postgresql else sa.func.json_each
        sent = elements(state.macros).table_valued("value", name="sent")
        came_back = sa.exists().where(
            again.c.order_id == tickets.c.order_id,
            again.c.id != tickets.c.id,
            again.c.created_at > tickets.c.created_at,
            _days(again.c.created_at, postgresql) <= _days(state.resolved_at, postgresql) + COMES_BACK_WITHIN.days,
        )
        settled = sa.and_(
            state.status == Status.RESOLVED.value, state.replies == 1, state.reopenings == 0, sa.not_(came_back)
        )
        query = (
            sa.select(
                sent.c.value,
                sa.func.count(sa.distinct(state.ticket_id)),
                sa.func.count(sa.distinct(sa.case((settled, state.ticket_id)))),
            )
            .select_from(ticket_states.join(tickets, tickets.c.id == state.ticket_id).join(sent, sa.true()))
            .where(state.macro_uses > 0, state.last_event_at >= now - LOOK_BACK)
            .group_by(sent.c.value)
        )
        return {str(macro): Usefulness(used, resolved) for macro, used, resolved in session.execute(query)}


def _days(moment: Any, postgresql: bool) -> Any:
    """A moment as a number of days."""
    if postgresql:
        return sa.extract("epoch", moment) / 86_400
    return sa.func.julianday(moment)
