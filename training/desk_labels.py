"""What people confirmed at the desk, as training examples: redacted, deduplicated, grouped by owner."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, time

from classifier.redaction import redact
from desk.access.personal_data import PLACEHOLDERS
from desk.inbox import Desk
from desk.ticket import Ticket
from training.corpus import Example


def confirmed_examples(desk: Desk, since: date | None = None) -> list[Example]:
    """Tickets whose reason a person confirmed or corrected, oldest first; of equal texts the newest label counts."""
    start = datetime.combine(since, time.min, tzinfo=UTC) if since else None
    found: dict[str, Example] = {}
    for view in desk.confirmed_tickets(start):
        if not {view.ticket.subject, view.ticket.body} - {"", *PLACEHOLDERS.values()}:
            continue  # the customer's words were erased; a placeholder teaches nothing
        ticket, language = view.ticket, view.state.tagged_language or view.ticket.language or "en"
        known = [ticket.customer_name] if ticket.customer_name else []
        example = Example(
            id=f"desk-{ticket.id}",
            reason=str(view.state.reason),
            locale=language,
            channel=ticket.channel,
            subject=redact(ticket.subject, language, known),
            body=redact(ticket.body, language, known),
            group=_group(ticket),
        )
        found[example.text] = example
    return list(found.values())


def _group(ticket: Ticket) -> str:
    owner = ticket.order_id or ticket.customer_email or ticket.id
    return "desk-" + hashlib.sha256(owner.lower().encode()).hexdigest()[:16]
