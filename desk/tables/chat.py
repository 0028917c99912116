"""Chat sessions and their turns."""

from __future__ import annotations

import sqlalchemy as sa

from desk.tables.types import SEQUENCE, StoredJson, StoredText, UtcDateTime, metadata

chat_sessions = sa.Table(
    "chat_sessions",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("site", StoredText, nullable=False),
    sa.Column("locale", StoredText),
    sa.Column("token_hash", sa.Text, nullable=False),
    sa.Column("state", StoredJson, nullable=False),
    sa.Column("ticket_id", sa.ForeignKey("tickets.id"), index=True),
    sa.Column("created_at", UtcDateTime, nullable=False, index=True),
    sa.Column("ended_at", UtcDateTime),
    sa.Column("outcome", sa.Text),
)

chat_turns = sa.Table(
    "chat_turns",
    metadata,
    sa.Column("seq", SEQUENCE, primary_key=True, autoincrement=True),
    sa.Column("session_id", sa.ForeignKey("chat_sessions.id"), nullable=False),
    sa.Column("client_id", StoredText),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("text", StoredText, nullable=False),
    sa.Column("act", sa.Text),
    sa.Column("reason", StoredText),
    sa.Column("source", StoredText),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("session_id", "client_id"),
    sa.CheckConstraint("role IN ('customer', 'bot', 'agent')", name="role"),
)
