"""What sources delivered, and the work that follows from it."""

from __future__ import annotations

import sqlalchemy as sa

from desk.tables.types import SEQUENCE, StoredJson, StoredText, UtcDateTime, metadata

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("source", StoredText, primary_key=True),
    sa.Column("event_id", StoredText, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("ticket_id", sa.ForeignKey("tickets.id"), index=True),
    sa.Column("received_at", UtcDateTime, nullable=False, index=True),
)

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", SEQUENCE, primary_key=True, autoincrement=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("key", StoredText),
    sa.Column("payload", StoredJson, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("max_attempts", sa.Integer, nullable=False),
    sa.Column("run_after", UtcDateTime, nullable=False),
    sa.Column("leased_until", UtcDateTime),
    sa.Column("fence", sa.Integer, nullable=False),
    sa.Column("worker", StoredText),
    sa.Column("problem", StoredText),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("ended_at", UtcDateTime),
    sa.UniqueConstraint("kind", "key"),
    sa.CheckConstraint("state IN ('queued', 'leased', 'done', 'dead')", name="state"),
    sa.Index("ix_jobs_kind", "kind", "state", "run_after"),
    sa.Index("ix_jobs_leased", "state", "leased_until"),
    sa.Index("ix_jobs_state", "state", "run_after"),
)
