"""Who is at the desk and at which ticket, who is asked in a note, and whose turn it is."""

from __future__ import annotations

import sqlalchemy as sa

from desk.tables.types import SEQUENCE, StoredJson, StoredText, UtcDateTime, metadata

presence = sa.Table(
    "presence",
    metadata,
    sa.Column("ticket_id", sa.ForeignKey("tickets.id"), primary_key=True),
    sa.Column("agent", StoredText, primary_key=True),
    sa.Column("doing", sa.Text, nullable=False),
    sa.Column("seen_at", UtcDateTime, nullable=False, index=True),
    sa.CheckConstraint("doing IN ('viewing', 'replying')", name="doing"),
)

agents_seen = sa.Table(
    "agents_seen",
    metadata,
    sa.Column("agent", StoredText, primary_key=True),  # as `desk.people.key_of` folds it
    sa.Column("seen_at", UtcDateTime, nullable=False),
    sa.Column("away", sa.Boolean, nullable=False),
)

mentions = sa.Table(
    "mentions",
    metadata,
    sa.Column("id", SEQUENCE, primary_key=True, autoincrement=True),
    sa.Column("ticket_id", sa.ForeignKey("tickets.id"), nullable=False, index=True),
    sa.Column("who", StoredText, nullable=False),
    sa.Column("event_seq", SEQUENCE, nullable=False),  # of the note; what it says stands in the ledger alone
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("read_at", UtcDateTime),
    sa.UniqueConstraint("event_seq", "who"),
    sa.Index("ix_mentions_who", "who", "at"),
)

team_turns = sa.Table(
    "team_turns",
    metadata,
    sa.Column("team", StoredText, primary_key=True),
    sa.Column("turns", StoredJson, nullable=False),  # member to the number of their last turn
)
"""One row for each team, which is held while a ticket is given to one of its members: two tickets, two turns."""
