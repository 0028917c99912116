"""Who may use the desk, what they showed to prove it, and the audit log."""

from __future__ import annotations

import sqlalchemy as sa

from desk.tables.types import SEQUENCE, StoredJson, StoredText, UtcDateTime, metadata

accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("username", StoredText, nullable=False, unique=True),  # as `desk.access.accounts.username_of` folds it
    sa.Column("display_name", StoredText, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("password_hash", sa.Text),  # None: signs in through an identity provider only
    sa.Column("issuer", StoredText),
    sa.Column("subject", StoredText),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("disabled_at", UtcDateTime),
    sa.UniqueConstraint("issuer", "subject"),
)

account_sessions = sa.Table(
    "account_sessions",
    metadata,
    sa.Column("id_hash", sa.Text, primary_key=True),
    sa.Column("account_id", sa.ForeignKey("accounts.id"), nullable=False, index=True),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("seen_at", UtcDateTime, nullable=False),
)

sign_in_attempts = sa.Table(
    "sign_in_attempts",
    metadata,
    sa.Column("subject_hash", sa.Text, primary_key=True),  # of an account's name or of an address
    sa.Column("since", UtcDateTime, nullable=False, index=True),
    sa.Column("attempts", sa.Integer, nullable=False),
)

provider_sign_ins = sa.Table(
    "provider_sign_ins",
    metadata,
    sa.Column("state_hash", sa.Text, primary_key=True),
    sa.Column("browser_hash", sa.Text, nullable=False),
    sa.Column("nonce", sa.Text, nullable=False),
    sa.Column("verifier", sa.Text, nullable=False),
    sa.Column("goes_to", StoredText, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False, index=True),
)

api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", StoredText, nullable=False, unique=True),
    sa.Column("key_hash", sa.Text, nullable=False, unique=True),
    sa.Column("scopes", StoredJson, nullable=False),
    sa.Column("created_by", StoredText, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime),
    sa.Column("used_at", UtcDateTime),
    sa.Column("revoked_at", UtcDateTime),
)

audit_entries = sa.Table(
    "audit_entries",
    metadata,
    sa.Column("seq", SEQUENCE, primary_key=True, autoincrement=False),  # without gaps, so that a missing one shows
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("actor", StoredText, nullable=False),
    sa.Column("data", StoredJson, nullable=False),
    sa.Column("previous", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
)

erasure_gate = sa.Table(
    "erasure_gate",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.CheckConstraint("id = 1", name="one"),
)
"""While it has a row, which only ever is inside the transaction of an erasure, the data of events may be replaced."""
