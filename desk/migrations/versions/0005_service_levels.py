"""Clocks of service-level agreements."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "sla_clocks",
        sa.Column("ticket_id", sa.Text, nullable=False),
        sa.Column("clock", sa.Text, nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("policy", sa.Text, nullable=False),
        sa.Column("due_at", MOMENT),
        sa.Column("at_risk_at", MOMENT),
        sa.Column("stopped_at", MOMENT),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("paused_with", sa.Float),
        sa.Column("told", sa.Text),
        sa.Column("look_at", MOMENT),
        sa.Column("foremost", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("ticket_id", "clock", "started_at", name="pk_sla_clocks"),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name="fk_sla_clocks_ticket_id_tickets"),
        sa.CheckConstraint("clock IN ('first_response', 'next_response', 'resolution')", name="ck_sla_clocks_clock"),
        sa.CheckConstraint(
            "state IN ('running', 'paused', 'met', 'breached', 'cancelled')", name="ck_sla_clocks_state"
        ),
        sa.CheckConstraint("told IN ('at_risk', 'breached')", name="ck_sla_clocks_told"),
    )
    for columns, holds in {
        ("due_at", "started_at", "ticket_id"): "foremost",
        ("look_at",): "look_at IS NOT NULL",
    }.items():
        where = sa.text(holds)
        name = f"ix_sla_clocks_{columns[0]}"
        op.create_index(name, "sla_clocks", list(columns), sqlite_where=where, postgresql_where=where)
    op.create_table(
        "sla_policies",
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("adopted_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_sla_policies"),
    )
    op.create_index("ix_sla_policies_adopted_at", "sla_policies", ["adopted_at"])
