"""Clocks of service levels as the events left them, and which policies they were computed by."""

from __future__ import annotations

import sqlalchemy as sa

from desk.tables.types import StoredText, UtcDateTime, metadata

sla_clocks = sa.Table(
    "sla_clocks",
    metadata,
    sa.Column("ticket_id", sa.ForeignKey("tickets.id"), primary_key=True),
    sa.Column("clock", sa.Text, primary_key=True),
    sa.Column("started_at", UtcDateTime, primary_key=True),
    sa.Column("policy", StoredText, nullable=False),
    # None while paused with time left
    sa.Column("due_at", UtcDateTime),
    sa.Column("at_risk_at", UtcDateTime),
    sa.Column("stopped_at", UtcDateTime),
    # as of when it was computed: one that runs may have become overdue since
    sa.Column("state", sa.Text, nullable=False),
    # seconds of working time left, of paused ones only
    sa.Column("paused_with", sa.Float),
    sa.Column("told", sa.Text),
    # after which moment the ledger has to be told something next
    sa.Column("look_at", UtcDateTime),
    # of the ticket's clocks that run, the one that runs out first
    sa.Column("foremost", sa.Boolean, nullable=False),
    sa.CheckConstraint("clock IN ('first_response', 'next_response', 'resolution')", name="clock"),
    sa.CheckConstraint("state IN ('running', 'paused', 'met', 'breached', 'cancelled')", name="state"),
    sa.CheckConstraint("told IN ('at_risk', 'breached')", name="told"),
)
for _columns, _holds in {
    ("due_at", "started_at", "ticket_id"): "foremost",
    ("look_at",): "look_at IS NOT NULL",
}.items():
    sa.Index(
        f"ix_sla_clocks_{_columns[0]}",
        *(sla_clocks.c[_name] for _name in _columns),
        sqlite_where=sa.text(_holds),
        postgresql_where=sa.text(_holds),
    )

sla_policies = sa.Table(
    "sla_policies",
    metadata,
    sa.Column("fingerprint", sa.Text, primary_key=True),
    sa.Column("adopted_at", UtcDateTime, nullable=False, index=True),
)
