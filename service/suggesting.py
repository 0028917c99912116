"""What an agent sees beside a ticket: facts of the order, filled macros, passages, and the ticket's story."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from classifier.features import feature_text
from desk.earlier_contacts import earlier_contacts
from desk.ledger import Decision
from desk.order_table import ORDER_ID, OrderFacts, OrderSourceDownError
from desk.sla.clock_table import StoredClock, clocks_by_ticket
from desk.stories import Story
from desk.ticket import TicketView
from kb.content import known_marketplaces
from service.wiring import Services


@dataclass(frozen=True, slots=True)
class AskedOrder:
    """A ticket's order as its source told of it, or why it could not: a ticket is shown without it."""

    found: OrderFacts | None
    problem: str | None


def ask_order(services: Services, view: TicketView) -> AskedOrder:
    """Ask the order source once for a ticket's order."""
    if not view.ticket.order_id:
        return AskedOrder(None, None)
    try:
        return AskedOrder(services.orders.facts(view.ticket.order_id), None)
    except OrderSourceDownError as error:
        return AskedOrder(None, str(error))


def order_facts(services: Services, view: TicketView, order: AskedOrder | None = None) -> dict[str, object]:
    """Facts that macros may use for this ticket: the order's, the customer's name, who answers and by when."""
    order = order or ask_order(services, view)
    return known_facts(services, view) | dict(order.found.facts if order.found else {})


def known_facts(services: Services, view: TicketView) -> dict[str, object]:
    """`order_facts` without those of the order itself, which may be kept by another system."""
    ticket, state = view.ticket, view.state
    reason = state.reason if state.decision is not Decision.UNDECIDED else None
    due = services.desk.policies.expected_answer(datetime.now(UTC), ticket.marketplace, reason, ticket.channel)
    facts: dict[str, object] = {
        "agent.name": services.settings.agent,
        "shop.name": services.settings.shop,
        "reply.deadline": due.date().isoformat(),
    }
    if ticket.customer_name:
        facts["buyer.name"] = ticket.customer_name
    if ticket.order_id:
        facts[ORDER_ID] = ticket.order_id
    return facts


def _beside(services: Services, view: TicketView, order: AskedOrder) -> dict[str, Any]:
    """How old the order's facts are, why there are none, and what the customer wrote before."""
    contacts = [asdict(contact) for contact in earlier_contacts(services.database, view.ticket)]
    return {
        "order": {"as_of": order.found.as_of.isoformat() if order.found else None, "problem": order.problem},
        "earlier_contacts": [contact | {"created_at": contact["created_at"].isoformat()} for contact in contacts],
    }


def locale_of(services: Services, view: TicketView) -> str:
    """The language to answer in: as tagged, as delivered, or English."""
    for language in (view.state.tagged_language, view.ticket.language):
        if language in services.taxonomy.locales:
            return str(language)
    return "en"


def suggestions_for(services: Services, ticket_id: str, reason: str | None = None) -> dict[str, Any]:
    """Macros and passages for a ticket, for its own reason or another that an agent considers."""
    view = services.desk.ticket(ticket_id)
    chosen = reason or view.state.reason
    text = feature_text(view.ticket.subject, view.ticket.body)
    locale = locale_of(services, view)
    order = ask_order(services, view)
    facts = order_facts(services, view, order)
    found = services.knowledge.suggest(text, chosen, facts, locale, marketplace_of(view))
    told = {"ticket_id": ticket_id, "tag": state_json(view), "locale": locale, **found.to_json()}
    return told | _beside(services, view, order)


def marketplace_of(view: TicketView) -> str | None:
    """Whose rules hold for a reply: the ticket's marketplace, or its channel where that is one."""
    channel = view.ticket.channel
    return view.ticket.marketplace or (channel if channel in known_marketplaces() else None)


def clocks_of(services: Services, ticket_ids: Sequence[str]) -> dict[str, list[StoredClock]]:
    """The service-level clocks of each ticket as of now, those that run out first first."""
    return clocks_by_ticket(services.database, ticket_ids, datetime.now(UTC))


def state_json(view: TicketView, clocks: Sequence[StoredClock] | None = None) -> dict[str, Any]:
    """The state's public fields, with the ticket's clocks where they are given; times in ISO 8601."""
    state = view.state
    shown = {} if clocks is None else {"clocks": [clock.to_json() for clock in clocks]}
    return {
        **shown,
        "reason": state.reason,
        "secondary": list(state.secondary),
        "confidence": state.confidence,
        "decision": str(state.decision),
        "autonomy": state.autonomy,
        "guard": list(state.guard),
        "language": state.tagged_language,
        "confirmed_by": state.confirmed_by,
        "status": str(state.status),
        "model": state.model,
        "team": state.team,
        "assignee": state.assignee,
        "priority": str(state.priority),
        "snoozed_until": state.snoozed_until.isoformat() if state.snoozed_until else None,
    }


def ticket_json(services: Services, ticket_id: str) -> dict[str, Any]:
    """One ticket with its state, order facts and ledger."""
    story = services.desk.story(ticket_id)
    view, told = story.view, story_json(story)
    order = ask_order(services, view)
    return {**told, "facts": order_facts(services, view, order), **_beside(services, view, order)}


def story_json(story: Story) -> dict[str, Any]:
    """One ticket with its state, clocks and ledger."""
    view = story.view
    ticket = {key: value for key, value in asdict(view.ticket).items() if value is not None}
    return {
        **ticket,
        "created_at": view.ticket.created_at.isoformat(),
        "received_at": view.ticket.received_at.isoformat(),
        "state": state_json(view, story.clocks),
        "events": [
            {
                "kind": str(event.kind),
                "at": event.at.isoformat(),
                "actor": event.actor,
                "data": dict(event.data),
                "seq": event.seq,
            }
            for event in story.events
        ],
    }
