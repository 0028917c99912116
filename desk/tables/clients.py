"""Whose chat session a sender of another chat client writes in, and how customers rated their conversations."""

from __future__ import annotations

import sqlalchemy as sa

from desk.tables.types import StoredText, UtcDateTime, metadata

client_senders = sa.Table(
    "client_senders",
    metadata,
    sa.Column("client", sa.Text, primary_key=True),
    sa.Column("sender", sa.Text, primary_key=True),  # SHA-256, for ids may be telephone numbers
    sa.Column("session_id", sa.ForeignKey("chat_sessions.id"), nullable=False, index=True),
    sa.Column("written_at", UtcDateTime, nullable=False),
)

chat_ratings = sa.Table(
    "chat_ratings",
    metadata,
    sa.Column("session_id", sa.ForeignKey("chat_sessions.id"), primary_key=True),
    sa.Column("csat", sa.Integer),
    sa.Column("nps", sa.Integer),
    sa.Column("comment", StoredText),
    sa.Column("rated_at", UtcDateTime, nullable=False),
    sa.CheckConstraint("csat BETWEEN 1 AND 5", name="csat"),
    sa.CheckConstraint("nps BETWEEN 0 AND 10", name="nps"),
)
