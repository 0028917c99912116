"""Tickets, what happened to them, what that adds up to, and orders."""

from __future__ import annotations

import sqlalchemy as sa

from desk.tables.types import SEQUENCE, StoredJson, StoredText, UtcDateTime, metadata

tickets = sa.Table(
    "tickets",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("source", StoredText, nullable=False),
    sa.Column("external_id", StoredText, nullable=False),
    sa.Column("channel", StoredText, nullable=False),
    sa.Column("marketplace", StoredText),
    sa.Column("language", StoredText),
    sa.Column("subject", StoredText, nullable=False),
    sa.Column("body", StoredText, nullable=False),
    sa.Column("customer_email", StoredText),
    sa.Column("customer_name", StoredText),
    sa.Column("order_id", StoredText, index=True),
    sa.Column("asin", StoredText),
    sa.Column("carrier", StoredText),
    sa.Column("created_at", UtcDateTime, nullable=False, index=True),
    sa.Column("received_at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("source", "external_id"),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("seq", SEQUENCE, primary_key=True, autoincrement=True),
    sa.Column("ticket_id", sa.ForeignKey("tickets.id"), nullable=False, index=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("actor", StoredText, nullable=False),
    sa.Column("data", StoredJson, nullable=False),
)

ticket_states = sa.Table(
    "ticket_states",
    metadata,
    sa.Column("ticket_id", sa.ForeignKey("tickets.id"), primary_key=True),
    sa.Column("status", sa.Text, nullable=False, index=True),
    sa.Column("reason", StoredText),
    sa.Column("confidence", sa.Float),
    sa.Column("decision", sa.Text, nullable=False),
    sa.Column("autonomy", StoredText),
    sa.Column("tagged_language", StoredText),
    sa.Column("guard", StoredJson, nullable=False),
    sa.Column("model", StoredText),
    sa.Column("confirmed_by", StoredText),
    sa.Column("assignee", StoredText, index=True),
    sa.Column("handed_off_at", UtcDateTime),
    sa.Column("first_reply_at", UtcDateTime),
    sa.Column("replies", sa.Integer, nullable=False),
    sa.Column("macros", StoredJson, nullable=False),
    sa.Column("macro_uses", sa.Integer, nullable=False),
    sa.Column("resolved_at", UtcDateTime),
    sa.Column("reopenings", sa.Integer, nullable=False),
    sa.Column("handle_seconds", sa.Float),
    sa.Column("csat", sa.Integer),
    sa.Column("nps", sa.Integer),
    sa.Column("team", StoredText, index=True),
    sa.Column("priority", sa.Text, nullable=False),
    sa.Column("contacts", sa.Integer, nullable=False),
    sa.Column("waiting_since", UtcDateTime, index=True),
    sa.Column("last_reply_at", UtcDateTime),
    sa.Column("snoozed_until", UtcDateTime),
    sa.Column("mentioned", StoredJson, nullable=False),
    sa.Column("secondary", StoredJson, nullable=False),
    sa.Column("last_event_at", UtcDateTime, nullable=False),
)
sa.Index(
    "ix_ticket_states_waiting",
    ticket_states.c.ticket_id,
    sqlite_where=sa.text("reason IS NULL"),
    postgresql_where=sa.text("reason IS NULL"),
)
sa.Index("ix_tickets_email", sa.func.lower(tickets.c.customer_email))

orders = sa.Table(
    "orders",
    metadata,
    sa.Column("order_id", StoredText, primary_key=True),
    sa.Column("facts", StoredJson, nullable=False),
    sa.Column("buyer_email", StoredText),
    sa.Column("postcode", StoredText),
    sa.Column("as_of", UtcDateTime, nullable=False),
)
