"""Senders of other chat clients, and ratings of conversations."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "client_senders",
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("sender", sa.Text, nullable=False),
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("written_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("client", "sender", name="pk_client_senders"),
        sa.ForeignKeyConstraint(["session_id"], ["chat_sessions.id"], name="fk_client_senders_session_id"),
    )
    op.create_index("ix_client_senders_session_id", "client_senders", ["session_id"])
    op.create_table(
        "chat_ratings",
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("csat", sa.Integer),
        sa.Column("nps", sa.Integer),
        sa.Column("comment", sa.Text),
        sa.Column("rated_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("session_id", name="pk_chat_ratings"),
        sa.ForeignKeyConstraint(["session_id"], ["chat_sessions.id"], name="fk_chat_ratings_session_id"),
        sa.CheckConstraint("csat BETWEEN 1 AND 5", name="ck_chat_ratings_csat"),
        sa.CheckConstraint("nps BETWEEN 0 AND 10", name="ck_chat_ratings_nps"),
    )
