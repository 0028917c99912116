"""Chat sessions and their turns, attempts to prove an order, and how far each contact reason is trusted."""

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
    # when the outcome became final; see bot.outcomes
    sa.Column("settled_at", UtcDateTime),
)
sa.Index(
    "ix_chat_sessions_unsettled",
    chat_sessions.c.created_at,
    sqlite_where=sa.text("settled_at IS NULL"),
    postgresql_where=sa.text("settled_at IS NULL"),
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

proof_attempts = sa.Table(
    "proof_attempts",
    metadata,
    sa.Column("subject_hash", sa.Text, primary_key=True),  # of an order id, an e-mail address or a client's address
    sa.Column("since", UtcDateTime, nullable=False, index=True),  # the first attempt, or the one that began a lock
    sa.Column("attempts", sa.Integer, nullable=False),
)

reason_autonomy = sa.Table(
    "reason_autonomy",
    metadata,
    sa.Column("reason", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),  # of the step, from 1; the last one holds
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("actor", StoredText, nullable=False),
    sa.Column("level_from", sa.Text, nullable=False),
    sa.Column("level_to", sa.Text, nullable=False),
    sa.Column("why", StoredText, nullable=False),
    sa.Column("evidence", StoredJson, nullable=False),
    sa.CheckConstraint("level_from IN ('suggest', 'draft', 'auto')", name="level_from"),
    sa.CheckConstraint("level_to IN ('suggest', 'draft', 'auto')", name="level_to"),
)
