"""The tables of the desk.

Events are append-only (triggers refuse anything else); ticket states are their fold. So are macro events, and what a
macro version says never changes.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeDecorator

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # PostgreSQL refuses NUL, UTF-8 refuses lone surrogates


def storable(value: Any) -> Any:
    """``value`` with every character that a database refuses replaced by U+FFFD, in nested data too."""
    if isinstance(value, str):
        return UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {storable(key): storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    return value


class StoredText(TypeDecorator[str]):
    """Text of any length from anywhere; see `storable`."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        """Clean on the way in."""
        return None if value is None else str(storable(value))


class StoredJson(TypeDecorator[Any]):
    """JSON data; see `storable`."""

    impl = sa.JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:
        """JSONB on PostgreSQL."""
        return dialect.type_descriptor(postgresql.JSONB() if dialect.name == "postgresql" else sa.JSON())

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        """Clean on the way in."""
        return storable(value)


class UtcDateTime(TypeDecorator[datetime]):
    """A timezone-aware moment, stored and returned in UTC. A naive one is refused."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """To UTC; SQLite keeps no zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a stored time must carry its time zone")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Back as UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


_Sequence = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

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
    sa.Column("seq", _Sequence, primary_key=True, autoincrement=True),
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
    sa.Column("assignee", StoredText),
    sa.Column("handed_off_at", UtcDateTime),
    sa.Column("first_reply_at", UtcDateTime),
    sa.Column("replies", sa.Integer, nullable=False),
    sa.Column("macros", StoredJson, nullable=False),
    sa.Column("macro_uses", sa.Integer, nullable=False),
    sa.Column("resolved_at", UtcDateTime),
    sa.Column("reopenings", sa.Integer, nullable=False),
    sa.Column("handle_seconds", sa.Float),
    sa.Column("csat", sa.Integer),
    sa.Column("last_event_at", UtcDateTime, nullable=False),
)

orders = sa.Table(
    "orders",
    metadata,
    sa.Column("order_id", StoredText, primary_key=True),
    sa.Column("facts", StoredJson, nullable=False),
    sa.Column("buyer_email", StoredText),
    sa.Column("postcode", StoredText),
    sa.Column("as_of", UtcDateTime, nullable=False),
)

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
    sa.Column("seq", _Sequence, primary_key=True, autoincrement=True),
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
    sa.Column("seq", _Sequence, primary_key=True, autoincrement=True),
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


def insert_new(session: Session, table: sa.Table) -> Any:
    """An INSERT into ``table`` that can say what to do on conflict."""
    if session.get_bind().dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def upsert(session: Session, table: sa.Table) -> Any:
    """An INSERT that replaces the other columns of a row with the same primary key."""
    statement = insert_new(session, table)
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key},
    )
