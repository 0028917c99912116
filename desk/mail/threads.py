"""Which ticket a mail belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from desk.tables import mail_messages

SAME_MATTER = timedelta(days=14)
"""A customer who writes anew about an order within so many days of the last mail means the same matter."""


def ticket_of_references(session: Session, references: Sequence[str]) -> str | None:
    """The ticket of the newest mail that is referred to and known."""
    query = sa.select(mail_messages.c.message_id, mail_messages.c.ticket_id).where(
        mail_messages.c.message_id.in_(references), mail_messages.c.ticket_id.is_not(None)
    )
    found = {row.message_id: str(row.ticket_id) for row in session.execute(query.order_by(mail_messages.c.id))}
    return next((found[reference] for reference in reversed(references) if reference in found), None)


def ticket_of_order(session: Session, address: str, order_id: str, at: datetime) -> str | None:
    """The ticket of the last mail between us and ``address`` (lower case) about an order, if that was not long ago."""
    query = (
        sa.select(mail_messages.c.ticket_id)
        .where(
            mail_messages.c.address == address,
            mail_messages.c.order_id == order_id,
            mail_messages.c.ticket_id.is_not(None),
            mail_messages.c.at >= at - SAME_MATTER,
        )
        .order_by(mail_messages.c.at.desc(), mail_messages.c.id.desc())
    )
    found = session.scalar(query.limit(1))
    return None if found is None else str(found)


def is_ours(session: Session, message_id: str | None) -> bool:
    """Whether the desk itself wrote the mail of this id."""
    query = sa.select(mail_messages.c.id).where(
        mail_messages.c.message_id == message_id, mail_messages.c.direction == "out"
    )
    return message_id is not None and session.scalar(query.limit(1)) is not None
