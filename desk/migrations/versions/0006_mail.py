"""Mail threads, mail that could not be read, the outbox, and where reading a folder stands."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"

MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "mail_folders",
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("folder", sa.Text, nullable=False),
        sa.Column("uidvalidity", sa.BigInteger, nullable=False),
        sa.Column("last_uid", sa.BigInteger, nullable=False),
        sa.Column("read_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("account", "folder", name="pk_mail_folders"),
    )
    op.create_table(
        "mail_messages",
        sa.Column("id", SEQUENCE, nullable=False, autoincrement=True),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("direction", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("ticket_id", sa.Text),
        sa.Column("message_id", sa.Text),
        sa.Column("references", JSON, nullable=False),
        sa.Column("address", sa.Text),
        sa.Column("reply_to", sa.Text),
        sa.Column("order_id", sa.Text),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("attachments", JSON, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_mail_messages"),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name="fk_mail_messages_ticket_id_tickets"),
        sa.CheckConstraint("direction IN ('in', 'out')", name="ck_mail_messages_direction"),
    )
    op.create_index("ix_mail_messages_ticket_id", "mail_messages", ["ticket_id"])
    op.create_index("ix_mail_messages_message_id", "mail_messages", ["message_id"])
    op.create_index("ix_mail_messages_at", "mail_messages", ["at"])
    op.create_index("ix_mail_messages_address", "mail_messages", ["address", "order_id"])
    op.create_table(
        "mail_problems",
        sa.Column("id", SEQUENCE, nullable=False, autoincrement=True),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
        sa.Column("raw", sa.LargeBinary, nullable=False),
        sa.Column("ticket_id", sa.Text),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_mail_problems"),
        sa.UniqueConstraint("account", "digest", name="uq_mail_problems_account_digest"),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name="fk_mail_problems_ticket_id_tickets"),
    )
    op.create_index("ix_mail_problems_ticket_id", "mail_problems", ["ticket_id"])
    op.create_table(
        "outbox",
        sa.Column("id", SEQUENCE, nullable=False, autoincrement=True),
        sa.Column("ticket_id", sa.Text, nullable=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("sender", sa.Text, nullable=False),
        sa.Column("recipient", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("in_reply_to", sa.Text),
        sa.Column("references", JSON, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("automatic", sa.Boolean, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_try_at", MOMENT, nullable=False),
        sa.Column("problem", sa.Text),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sa.UniqueConstraint("message_id", name="uq_outbox_message_id"),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name="fk_outbox_ticket_id_tickets"),
        sa.CheckConstraint(
            "state IN ('queued', 'sending', 'sent', 'failed', 'unknown')", name="ck_outbox_state"
        ),
    )
    op.create_index("ix_outbox_ticket_id", "outbox", ["ticket_id"])
    op.create_index("ix_outbox_state", "outbox", ["state", "next_try_at"])
