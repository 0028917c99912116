"""Tickets, events, ticket states, orders, chat sessions and turns."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

SQLITE_TRIGGERS = (
    """CREATE TRIGGER events_no_update BEFORE UPDATE ON events
       BEGIN SELECT RAISE(ABORT, 'events are append-only'); END""",
    """CREATE TRIGGER events_no_delete BEFORE DELETE ON events
       BEGIN SELECT RAISE(ABORT, 'events are append-only'); END""",
    # REPLACE would delete without firing the trigger above where recursive triggers are off
    """CREATE TRIGGER events_no_replace BEFORE INSERT ON events
       WHEN EXISTS (SELECT 1 FROM events WHERE seq = NEW.seq)
       BEGIN SELECT RAISE(ABORT, 'events are append-only'); END""",
)
POSTGRESQL_TRIGGERS = (
    """CREATE FUNCTION events_are_append_only() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'events are append-only'; END $$""",
    """CREATE TRIGGER events_no_change BEFORE UPDATE OR DELETE ON events
       FOR EACH ROW EXECUTE FUNCTION events_are_append_only()""",
    """CREATE TRIGGER events_no_truncate BEFORE TRUNCATE ON events
       FOR EACH STATEMENT EXECUTE FUNCTION events_are_append_only()""",
)


def upgrade() -> None:
    op.create_table(
        "tickets",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("external_id", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("marketplace", sa.Text),
        sa.Column("language", sa.Text),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("customer_email", sa.Text),
        sa.Column("customer_name", sa.Text),
        sa.Column("order_id", sa.Text),
        sa.Column("asin", sa.Text),
        sa.Column("carrier", sa.Text),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tickets"),
        sa.UniqueConstraint("source", "external_id", name="uq_tickets_source_external_id"),
    )
    op.create_index("ix_tickets_order_id", "tickets", ["order_id"])
    op.create_index("ix_tickets_created_at", "tickets", ["created_at"])

    op.create_table(
        "events",
        sa.Column("seq", SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("ticket_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("data", JSON, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_events"),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name="fk_events_ticket_id"),
    )
    op.create_index("ix_events_ticket_id", "events", ["ticket_id"])

    op.create_table(
        "ticket_states",
        sa.Column("ticket_id", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("confidence", sa.Float),
        sa.Column("decision", sa.Text, nullable=False),
        sa.Column("autonomy", sa.Text),
        sa.Column("tagged_language", sa.Text),
        sa.Column("guard", JSON, nullable=False),
        sa.Column("model", sa.Text),
        sa.Column("confirmed_by", sa.Text),
        sa.Column("assignee", sa.Text),
        sa.Column("handed_off_at", MOMENT),
        sa.Column("first_reply_at", MOMENT),
        sa.Column("replies", sa.Integer, nullable=False),
        sa.Column("macros", JSON, nullable=False),
        sa.Column("macro_uses", sa.Integer, nullable=False),
        sa.Column("resolved_at", MOMENT),
        sa.Column("reopenings", sa.Integer, nullable=False),
        sa.Column("handle_seconds", sa.Float),
        sa.Column("csat", sa.Integer),
        sa.Column("last_event_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("ticket_id", name="pk_ticket_states"),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name="fk_ticket_states_ticket_id"),
    )
    op.create_index("ix_ticket_states_status", "ticket_states", ["status"])

    op.create_table(
        "orders",
        sa.Column("order_id", sa.Text, nullable=False),
        sa.Column("facts", JSON, nullable=False),
        sa.Column("buyer_email", sa.Text),
        sa.Column("postcode", sa.Text),
        sa.Column("as_of", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("order_id", name="pk_orders"),
    )

    op.create_table(
        "chat_sessions",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("locale", sa.Text),
        sa.Column("token_hash", sa.Text, nullable=False),
        sa.Column("state", JSON, nullable=False),
        sa.Column("ticket_id", sa.Text),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT),
        sa.Column("outcome", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_chat_sessions"),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name="fk_chat_sessions_ticket_id"),
    )
    op.create_index("ix_chat_sessions_ticket_id", "chat_sessions", ["ticket_id"])
    op.create_index("ix_chat_sessions_created_at", "chat_sessions", ["created_at"])

    op.create_table(
        "chat_turns",
        sa.Column("seq", SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("client_id", sa.Text),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("act", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("source", sa.Text),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_chat_turns"),
        sa.ForeignKeyConstraint(["session_id"], ["chat_sessions.id"], name="fk_chat_turns_session_id"),
        sa.UniqueConstraint("session_id", "client_id", name="uq_chat_turns_session_id_client_id"),
        sa.CheckConstraint("role IN ('customer', 'bot', 'agent')", name="ck_chat_turns_role"),
    )

    triggers = POSTGRESQL_TRIGGERS if op.get_bind().dialect.name == "postgresql" else SQLITE_TRIGGERS
    for trigger in triggers:
        op.execute(trigger)
