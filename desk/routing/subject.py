"""A stored ticket, or a text that is not stored, as rules see it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from classifier.reading import read
from classifier.sentiment import Sentiment, sentiment
from classifier.tagger import Tag
from classifier.urgency import Urgency, urgency
from desk import DeskError
from desk.database import Database
from desk.earlier_contacts import earlier_contacts
from desk.ledger import Event, EventKind, TicketState
from desk.order_table import OrderSource
from desk.routing.conditions import Money, Subject
from desk.routing.rules import Routing
from desk.sla.policies import Policies
from desk.tables import sla_clocks
from desk.ticket import Ticket

VALUE_FACTS = ("order.total", "item.price")
"""Facts that hold what an order is worth, the first that is there."""
MOST_CONTACTS = 1_000


def subject_of(
    database: Database,
    routing: Routing,
    policies: Policies,
    ticket: Ticket,
    state: TicketState,
    events: Sequence[Event],
    orders: OrderSource | None = None,
) -> Subject:
    """What rules look at in a stored ticket, but for its clocks; see `run_out_at`.

    Orders are asked for, which may take another system's time, only where a rule looks at their value; a system that is
    down leaves it unknown.
    """
    mood, hurry = _mood_and_urgency(ticket, events)
    return Subject(
        reason=state.reason,
        further_reason=state.secondary,
        autonomy=state.autonomy,
        decision=str(state.decision),
        confidence=state.confidence,
        language=state.tagged_language or ticket.language,
        marketplace=policies.marketplace_of(ticket.marketplace, ticket.channel),
        channel=ticket.channel.strip().casefold(),
        sentiment=str(mood),
        urgency=str(hurry),
        guard=state.guard,
        order_value=_value(orders, ticket.order_id) if orders is not None and routing.uses("order_value") else None,
        earlier_contacts=(
            len(earlier_contacts(database, ticket, MOST_CONTACTS)) if routing.uses("earlier_contacts") else 0
        ),
    )


def _mood_and_urgency(ticket: Ticket, events: Sequence[Event]) -> tuple[Sentiment, Urgency]:
    """The worst mood and the greatest haste of all that the customer wrote.

    Of the ticket itself what the last tag says; of later messages, and under tags of earlier versions, what lexicon and
    cues say.
    """
    tags = [event.data for event in events if event.kind is EventKind.TAGGED and "sentiment" in event.data]
    if tags:
        moods, hurries = [Sentiment(tags[-1]["sentiment"])], [Urgency(tags[-1]["urgency"])]
    else:
        text = read(ticket.subject, ticket.body).text
        moods, hurries = [sentiment(text)], [urgency(text)]
    for event in events:
        if event.kind is EventKind.CUSTOMER_WROTE:
            text = read("", str(event.data.get("text", ""))).text
            moods.append(sentiment(text))
            hurries.append(urgency(text))
    return min(moods, key=list(Sentiment).index), max(hurries, key=list(Urgency).index)


def subject_of_text(
    tag: Tag, policies: Policies, channel: str = "", marketplace: str | None = None, language: str | None = None
) -> Subject:
    """What rules would look at in a ticket that is not there: its tag, and where it would have come from."""
    return Subject(
        reason=tag.reason,
        further_reason=tuple(also.id for also in tag.secondary),
        autonomy=tag.autonomy,
        decision=tag.decision,
        confidence=tag.confidence,
        language=language or tag.language,
        marketplace=policies.marketplace_of(marketplace, channel),
        channel=channel.strip().casefold(),
        sentiment=tag.sentiment,
        urgency=tag.urgency,
        guard=tag.guard,
    )


def run_out_at(session: Session, ticket_ids: Sequence[str]) -> dict[str, datetime]:
    """When the first running clock of each ticket runs out; tickets without one are left out."""
    clock = sa.select(sla_clocks.c.ticket_id, sla_clocks.c.due_at).where(sla_clocks.c.foremost)
    return {row.ticket_id: row.due_at for row in session.execute(clock.where(sla_clocks.c.ticket_id.in_(ticket_ids)))}


def _value(orders: OrderSource, order_id: str | None) -> Money | None:
    if not order_id:
        return None
    try:
        found = orders.facts(order_id)
    except DeskError:
        return None
    for name in VALUE_FACTS:
        if found is not None and name in found.facts:
            try:
                return Money.parse(found.facts[name])
            except ValueError:
                return None
    return None
