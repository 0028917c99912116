"""What teams need to know of a ticket: who waits since when, whose it is, how urgent."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"

MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    # the defaults only fill what is there; states are folded anew after every migration
    for column in (
        sa.Column("nps", sa.Integer),
        sa.Column("team", sa.Text),
        sa.Column("priority", sa.Text, nullable=False, server_default="normal"),
        sa.Column("contacts", sa.Integer, nullable=False, server_default="1"),
        sa.Column("waiting_since", MOMENT),
        sa.Column("last_reply_at", MOMENT),
        sa.Column("snoozed_until", MOMENT),
        sa.Column("mentioned", JSON, nullable=False, server_default=sa.text("'[]'")),
        sa.Column("secondary", JSON, nullable=False, server_default=sa.text("'[]'")),
    ):
        op.add_column("ticket_states", column)
    for name in ("team", "waiting_since"):
        op.create_index(f"ix_ticket_states_{name}", "ticket_states", [name])
