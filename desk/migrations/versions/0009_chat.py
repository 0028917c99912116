"""How chats ended for good, attempts to prove an order, and how far each contact reason is trusted."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"

MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("chat_sessions", sa.Column("settled_at", MOMENT))
    unsettled = sa.text("settled_at IS NULL")
    op.create_index(
        "ix_chat_sessions_unsettled",
        "chat_sessions",
        ["created_at"],
        sqlite_where=unsettled,
        postgresql_where=unsettled,
    )
    op.create_table(
        "proof_attempts",
        sa.Column("subject_hash", sa.Text, nullable=False),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("subject_hash", name="pk_proof_attempts"),
    )
    op.create_index("ix_proof_attempts_since", "proof_attempts", ["since"])
    op.create_table(
        "reason_autonomy",
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("level_from", sa.Text, nullable=False),
        sa.Column("level_to", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("evidence", JSON, nullable=False),
        sa.PrimaryKeyConstraint("reason", "number", name="pk_reason_autonomy"),
        sa.CheckConstraint("level_from IN ('suggest', 'draft', 'auto')", name="ck_reason_autonomy_level_from"),
        sa.CheckConstraint("level_to IN ('suggest', 'draft', 'auto')", name="ck_reason_autonomy_level_to"),
    )
