"""Macro versions and the audit log of their life. What a version says never changes."""

from __future__ import annotations

import sqlalchemy as sa

from desk.tables.types import SEQUENCE, StoredJson, StoredText, UtcDateTime, metadata

macro_versions = sa.Table(
    "macro_versions",
    metadata,
    sa.Column("macro_id", sa.Text, primary_key=True),
    sa.Column("locale", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("reason", StoredText, nullable=False),
    sa.Column("title", StoredText, nullable=False),
    sa.Column("marketplace", StoredJson, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("conditions", StoredJson, nullable=False),
    sa.Column("body", StoredText, nullable=False),
    sa.Column("author", StoredText, nullable=False),
    sa.Column("written_at", UtcDateTime, nullable=False),
    # only these three change, each change with an event
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("approver", StoredText),
    sa.Column("passed", StoredJson, nullable=False),
    sa.CheckConstraint("status IN ('draft', 'checked', 'approved', 'locked', 'retired')", name="status"),
)
for _name, _holds in {
    "uq_macro_versions_locked": "status = 'locked'",
    "uq_macro_versions_in_work": "status IN ('draft', 'checked', 'approved')",
}.items():
    sa.Index(
        _name,
        macro_versions.c.macro_id,
        macro_versions.c.locale,
        unique=True,
        sqlite_where=sa.text(_holds),
        postgresql_where=sa.text(_holds),
    )

macro_events = sa.Table(
    "macro_events",
    metadata,
    sa.Column("seq", SEQUENCE, primary_key=True, autoincrement=True),
    sa.Column("macro_id", sa.Text, nullable=False),
    sa.Column("locale", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("actor", StoredText, nullable=False),
    sa.Column("status_from", sa.Text),
    sa.Column("status_to", sa.Text, nullable=False),
    sa.Column("data", StoredJson, nullable=False),
    sa.ForeignKeyConstraint(
        ["macro_id", "locale", "version"],
        ["macro_versions.macro_id", "macro_versions.locale", "macro_versions.version"],
    ),
    sa.Index("ix_macro_events_macro_id", "macro_id", "locale"),
)
