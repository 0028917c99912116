"""Who is at the desk and at which ticket, mentions, and whose turn it is."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"

MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "presence",
        sa.Column("ticket_id", sa.Text, nullable=False),
        sa.Column("agent", sa.Text, nullable=False),
        sa.Column("doing", sa.Text, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("ticket_id", "agent", name="pk_presence"),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name="fk_presence_ticket_id"),
        sa.CheckConstraint("doing IN ('viewing', 'replying')", name="ck_presence_doing"),
    )
    op.create_index("ix_presence_seen_at", "presence", ["seen_at"])
    op.create_table(
        "agents_seen",
        sa.Column("agent", sa.Text, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.Column("away", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("agent", name="pk_agents_seen"),
    )
    op.create_table(
        "mentions",
        sa.Column("id", SEQUENCE, nullable=False, autoincrement=True),
        sa.Column("ticket_id", sa.Text, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("event_seq", SEQUENCE, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("read_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_mentions"),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name="fk_mentions_ticket_id"),
        sa.UniqueConstraint("event_seq", "who", name="uq_mentions_event_seq_who"),
    )
    op.create_index("ix_mentions_ticket_id", "mentions", ["ticket_id"])
    op.create_index("ix_mentions_who", "mentions", ["who", "at"])
    op.create_table(
        "team_turns",
        sa.Column("team", sa.Text, nullable=False),
        sa.Column("turns", JSON, nullable=False),
        sa.PrimaryKeyConstraint("team", name="pk_team_turns"),
    )
    op.create_index("ix_ticket_states_assignee", "ticket_states", ["assignee"])
