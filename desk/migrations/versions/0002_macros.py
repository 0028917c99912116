"""Macro versions and the audit log of their life."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"

MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

WORDS = "macro_id, locale, version, reason, title, marketplace, kind, conditions, body, author, written_at"

SQLITE_TRIGGERS = (
    """CREATE TRIGGER macro_events_no_update BEFORE UPDATE ON macro_events
       BEGIN SELECT RAISE(ABORT, 'macro events are append-only'); END""",
    """CREATE TRIGGER macro_events_no_delete BEFORE DELETE ON macro_events
       BEGIN SELECT RAISE(ABORT, 'macro events are append-only'); END""",
    # REPLACE would delete without firing the trigger above where recursive triggers are off
    """CREATE TRIGGER macro_events_no_replace BEFORE INSERT ON macro_events
       WHEN EXISTS (SELECT 1 FROM macro_events WHERE seq = NEW.seq)
       BEGIN SELECT RAISE(ABORT, 'macro events are append-only'); END""",
    f"""CREATE TRIGGER macro_versions_no_update BEFORE UPDATE OF {WORDS} ON macro_versions
       BEGIN SELECT RAISE(ABORT, 'what a macro version says is final'); END""",
    """CREATE TRIGGER macro_versions_no_delete BEFORE DELETE ON macro_versions
       BEGIN SELECT RAISE(ABORT, 'what a macro version says is final'); END""",
    """CREATE TRIGGER macro_versions_no_replace BEFORE INSERT ON macro_versions
       WHEN EXISTS (SELECT 1 FROM macro_versions
                    WHERE macro_id = NEW.macro_id AND locale = NEW.locale AND version = NEW.version)
       BEGIN SELECT RAISE(ABORT, 'what a macro version says is final'); END""",
)
POSTGRESQL_TRIGGERS = (
    """CREATE FUNCTION macro_events_are_append_only() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'macro events are append-only'; END $$""",
    """CREATE TRIGGER macro_events_no_change BEFORE UPDATE OR DELETE ON macro_events
       FOR EACH ROW EXECUTE FUNCTION macro_events_are_append_only()""",
    """CREATE TRIGGER macro_events_no_truncate BEFORE TRUNCATE ON macro_events
       FOR EACH STATEMENT EXECUTE FUNCTION macro_events_are_append_only()""",
    """CREATE FUNCTION macro_words_are_final() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'what a macro version says is final'; END $$""",
    f"""CREATE TRIGGER macro_versions_no_change BEFORE UPDATE OF {WORDS} OR DELETE ON macro_versions
       FOR EACH ROW EXECUTE FUNCTION macro_words_are_final()""",
    """CREATE TRIGGER macro_versions_no_truncate BEFORE TRUNCATE ON macro_versions
       FOR EACH STATEMENT EXECUTE FUNCTION macro_words_are_final()""",
)


def upgrade() -> None:
    op.create_table(
        "macro_versions",
        sa.Column("macro_id", sa.Text, nullable=False),
        sa.Column("locale", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("marketplace", JSON, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("conditions", JSON, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("written_at", MOMENT, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("approver", sa.Text),
        sa.Column("passed", JSON, nullable=False),
        sa.PrimaryKeyConstraint("macro_id", "locale", "version", name="pk_macro_versions"),
        sa.CheckConstraint(
            "status IN ('draft', 'checked', 'approved', 'locked', 'retired')", name="ck_macro_versions_status"
        ),
    )
    for name, holds in {
        "uq_macro_versions_locked": "status = 'locked'",
        "uq_macro_versions_in_work": "status IN ('draft', 'checked', 'approved')",
    }.items():
        where = sa.text(holds)
        op.create_index(
            name, "macro_versions", ["macro_id", "locale"], unique=True, sqlite_where=where, postgresql_where=where
        )

    op.create_table(
        "macro_events",
        sa.Column("seq", SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("macro_id", sa.Text, nullable=False),
        sa.Column("locale", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("status_from", sa.Text),
        sa.Column("status_to", sa.Text, nullable=False),
        sa.Column("data", JSON, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_macro_events"),
        sa.ForeignKeyConstraint(
            ["macro_id", "locale", "version"],
            ["macro_versions.macro_id", "macro_versions.locale", "macro_versions.version"],
            name="fk_macro_events_macro_id",
        ),
    )
    op.create_index("ix_macro_events_macro_id", "macro_events", ["macro_id", "locale"])

    triggers = POSTGRESQL_TRIGGERS if op.get_bind().dialect.name == "postgresql" else SQLITE_TRIGGERS
    for trigger in triggers:
        op.execute(trigger)
