"""A delivery's way: prove, read, then everything that follows from it in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from desk.database import Database
from desk.intake import TAG, customer_wrote, enqueue, first_time, take_in
from desk.ledger import EventKind, append
from desk.order_table import OrderFacts, known_order, store_orders
from desk.tables import deliveries, tickets
from desk.ticket import MAX_FIELD
from desk.webhooks.payloads import Author, Given, Message, Nothing, OrderNews, PayloadError, parse_body
from desk.webhooks.signatures import Proof
from desk.webhooks.sources import Source

SAME_MESSAGE = timedelta(minutes=2)
"""Zendesk tells of a new ticket's first message twice, as the ticket and as a comment, under different ids."""


class Effect(StrEnum):
    """What a delivery did."""

    TICKET_OPENED = "ticket_opened"
    MESSAGE_ADDED = "message_added"
    REPLY_RECORDED = "reply_recorded"
    NOTE_RECORDED = "note_recorded"
    ORDER_UPDATED = "order_updated"
    DUPLICATE = "duplicate"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of a delivery; ``why`` is told where it had no effect."""

    effect: Effect
    ticket_id: str | None = None
    why: str | None = None


def deliver(
    database: Database, source: Source, headers: Mapping[str, str], body: bytes, *, now: datetime | None = None
) -> Delivered:
    """Take a delivery in. When this returns, its effect is on disk; the same again has none.

    ``body`` are the raw bytes, ``headers`` their HTTP headers. Raises `SignatureError`, `PayloadError`, and
    `DatabaseError`, each with nothing stored.
    """
    now = now or datetime.now(UTC)
    headers = {name.lower(): value for name, value in headers.items()}
    proof = source.scheme.verify(source.secrets, headers, body, now=now, tolerance=source.tolerance)
    if proof.event_id is not None and len(proof.event_id) > MAX_FIELD:
        raise PayloadError("event id", f"is longer than {MAX_FIELD} characters")
    given = Given(source.name, source.channel, source.marketplace, now)
    told = source.mapping.read(parse_body(body), headers, given)
    return database.write(lambda session: _take_effect(session, source.name, proof, told))


def _take_effect(session: Session, source: str, proof: Proof, told: Message | OrderNews | Nothing) -> Delivered:
    keys = _keys(proof, told)
    for key in keys:  # what was signed comes first: a replay under another id must not leave that id behind
        if not first_time(session, source, key, told.kind):
            return Delivered(Effect.DUPLICATE, why="this was delivered before")
    match told:
        case Message():
            done = _message(session, told, told.message_id or proof.event_id or keys[0])
        case OrderNews():
            done = _order(session, told.order)
        case Nothing():
            done = Delivered(Effect.IGNORED, why=told.why)
    if done.ticket_id is not None:
        ours = sa.and_(deliveries.c.source == source, deliveries.c.event_id.in_(keys))
        session.execute(sa.update(deliveries).where(ours).values(ticket_id=done.ticket_id))
    return done


def _keys(proof: Proof, told: Message | OrderNews | Nothing) -> list[str]:
    """The names under which a delivery is known, in the order in which every writer takes them."""
    keys = [f"signed:{proof.replay_key}"] if proof.replay_key is not None else []
    keys += [f"delivery:{proof.event_id}"] if proof.event_id is not None else []
    if isinstance(told, Message) and told.message_id is not None:
        # many systems number messages anew in each ticket
        keys.append(f"message:{told.incoming.external_id}:{told.message_id}")
    return keys


def _message(session: Session, message: Message, message_id: str) -> Delivered:
    incoming = message.incoming
    known = _known(session, message)
    if message.author is not Author.CUSTOMER:
        if known is None:
            return Delivered(Effect.IGNORED, why="the ticket is not known here")
        return _agent_acted(session, known.id, message, message_id)
    if known is None:
        received = take_in(session, [(incoming, ())])[0]
        if not received.duplicate:
            enqueue(session, TAG, {"ticket_id": received.ticket_id}, key=received.ticket_id)
            return Delivered(Effect.TICKET_OPENED, received.ticket_id)
        known = _known(session, message)  # another delivery opened it a moment ago
        assert known is not None  # noqa: S101
    if known.body == incoming.body and abs(message.at - known.created_at) <= SAME_MESSAGE:
        return Delivered(Effect.DUPLICATE, known.id, why="this is the message that opened the ticket")
    customer_wrote(session, known.id, incoming.body, source=incoming.source, message_id=message_id, at=message.at)
    return Delivered(Effect.MESSAGE_ADDED, known.id)


def _known(session: Session, message: Message) -> sa.Row[Any] | None:
    query: sa.Select[Any] = sa.select(tickets.c.id, tickets.c.body, tickets.c.created_at).where(
        tickets.c.source == message.incoming.source, tickets.c.external_id == message.incoming.external_id
    )
    return session.execute(query).one_or_none()


def _agent_acted(session: Session, ticket_id: str, message: Message, message_id: str) -> Delivered:
    data = {"text": message.incoming.body, "source": message.incoming.source, "message_id": message_id}
    actor = f"agent:{message.agent or message.incoming.source}"
    if message.author is Author.NOTE:
        append(session, ticket_id, EventKind.NOTED, actor=actor, data=data, at=message.at)
        return Delivered(Effect.NOTE_RECORDED, ticket_id)
    append(session, ticket_id, EventKind.REPLIED, actor=actor, data=data | {"automatic": False}, at=message.at)
    return Delivered(Effect.REPLY_RECORDED, ticket_id)


def _order(session: Session, order: OrderFacts) -> Delivered:
    """Merge what is told into what is known; older news change nothing."""
    known = known_order(session, order.order_id)
    if known is not None and not _same_buyer(known, order):
        known = None  # two shops number alike: another buyer's facts and proofs are not this one's
    merged = OrderFacts(
        order_id=order.order_id,
        facts=(known.facts if known else {}) | dict(order.facts),
        as_of=order.as_of,
        buyer_email=order.buyer_email or (known.buyer_email if known else None),
        postcode=order.postcode or (known.postcode if known else None),
    )
    if not store_orders(session, [merged]):
        return Delivered(Effect.IGNORED, why="newer facts of this order are known")
    return Delivered(Effect.ORDER_UPDATED)


def _same_buyer(known: sa.Row[Any], told: OrderFacts) -> bool:
    """Whether nothing that is told of the buyer contradicts what is known."""
    pairs = ((known.buyer_email, told.buyer_email), (known.postcode, told.postcode))
    return all(not was or not now or was.strip().casefold() == now.strip().casefold() for was, now in pairs)
