"""Indexes for what is looked up with every ticket, or every second."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_index("ix_jobs_kind", "jobs", ["kind", "state", "run_after"])
    op.create_index("ix_jobs_leased", "jobs", ["state", "leased_until"])
    waits = sa.text("reason IS NULL")
    op.create_index("ix_ticket_states_waiting", "ticket_states", ["ticket_id"],
                    sqlite_where=waits, postgresql_where=waits)
    op.create_index("ix_tickets_email", "tickets", [sa.text("lower(customer_email)")])
