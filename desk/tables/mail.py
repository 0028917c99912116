"""What came from a mailbox, what is to go out by mail, and where reading a folder stands."""

from __future__ import annotations

import sqlalchemy as sa

from desk.tables.types import SEQUENCE, StoredJson, StoredText, UtcDateTime, metadata

mail_folders = sa.Table(
    "mail_folders",
    metadata,
    sa.Column("account", StoredText, primary_key=True),
    sa.Column("folder", StoredText, primary_key=True),
    sa.Column("uidvalidity", sa.BigInteger, nullable=False),
    sa.Column("last_uid", sa.BigInteger, nullable=False),
    sa.Column("read_at", UtcDateTime, nullable=False),
)

mail_messages = sa.Table(
    "mail_messages",
    metadata,
    sa.Column("id", SEQUENCE, primary_key=True, autoincrement=True),
    sa.Column("account", StoredText, nullable=False),
    sa.Column("direction", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("ticket_id", sa.ForeignKey("tickets.id"), index=True),
    sa.Column("message_id", StoredText, index=True),
    sa.Column("references", StoredJson, nullable=False),
    sa.Column("address", StoredText),  # of the customer, in lower case
    sa.Column("reply_to", StoredText),  # as written
    sa.Column("order_id", StoredText),
    sa.Column("subject", StoredText, nullable=False),
    sa.Column("attachments", StoredJson, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False, index=True),
    sa.CheckConstraint("direction IN ('in', 'out')", name="direction"),
    sa.Index("ix_mail_messages_address", "address", "order_id"),
)

mail_problems = sa.Table(
    "mail_problems",
    metadata,
    sa.Column("id", SEQUENCE, primary_key=True, autoincrement=True),
    sa.Column("account", StoredText, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),  # SHA-256 of ``raw``
    sa.Column("problem", StoredText, nullable=False),
    sa.Column("raw", sa.LargeBinary, nullable=False),
    sa.Column("ticket_id", sa.ForeignKey("tickets.id"), index=True),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("account", "digest"),
)

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", SEQUENCE, primary_key=True, autoincrement=True),
    sa.Column("ticket_id", sa.ForeignKey("tickets.id"), nullable=False, index=True),
    sa.Column("message_id", StoredText, nullable=False, unique=True),
    sa.Column("sender", StoredText, nullable=False),
    sa.Column("recipient", StoredText, nullable=False),
    sa.Column("subject", StoredText, nullable=False),
    sa.Column("in_reply_to", StoredText),
    sa.Column("references", StoredJson, nullable=False),
    sa.Column("text", StoredText, nullable=False),
    sa.Column("automatic", sa.Boolean, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_try_at", UtcDateTime, nullable=False),
    sa.Column("problem", StoredText),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("ended_at", UtcDateTime),
    sa.CheckConstraint("state IN ('queued', 'sending', 'sent', 'failed', 'unknown')", name="state"),
    sa.Index("ix_outbox_state", "state", "next_try_at"),
)
