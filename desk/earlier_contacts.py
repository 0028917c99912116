"""What the same customer, or anybody about the same order, wrote before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from desk.database import Database
from desk.tables import ticket_states, tickets
from desk.ticket import Ticket

SHOWN = 10


@dataclass(frozen=True, slots=True)
class Contact:
    """An earlier ticket. ``same``: ``order``, ``customer``, or both."""

    ticket_id: str
    created_at: datetime
    subject: str
    reason: str | None
    status: str
    same: tuple[str, ...]


def earlier_contacts(database: Database, ticket: Ticket, limit: int = SHOWN) -> list[Contact]:
    """Tickets with the same order id or e-mail address (in any case), not newer than ``ticket``, newest first."""
    order_id, email = (ticket.order_id or "").strip(), (ticket.customer_email or "").strip().casefold()
    same_order = tickets.c.order_id == order_id if order_id else sa.false()
    same_customer = sa.func.lower(tickets.c.customer_email) == email if email else sa.false()
    if not (order_id or email):
        return []
    query = (
        sa.select(tickets, ticket_states.c.reason, ticket_states.c.status)
        .join(ticket_states, ticket_states.c.ticket_id == tickets.c.id)
        .where(sa.or_(same_order, same_customer), tickets.c.id != ticket.id, tickets.c.created_at <= ticket.created_at)
        .order_by(tickets.c.created_at.desc(), tickets.c.id)
        .limit(limit)
    )
    with database.session(read_only=True) as session:
        rows = session.execute(query).all()
    return [
        Contact(
            ticket_id=row.id,
            created_at=row.created_at,
            subject=row.subject,
            reason=row.reason,
            status=row.status,
            same=tuple(
                what
                for what, fits in (
                    ("order", bool(order_id) and row.order_id == order_id),
                    ("customer", bool(email) and (row.customer_email or "").casefold() == email),
                )
                if fits
            ),
        )
        for row in rows
    ]
