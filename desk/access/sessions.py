"""Sessions of people who signed in: kept here, so that they can be ended; the browser holds only a random number."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from desk.access.accounts import Account, account_from_row
from desk.access.audit import AuditKind, record
from desk.database import Database
from desk.tables import account_sessions, accounts

SEEN_EVERY = timedelta(minutes=1)
"""How exactly it is known when a session was last used; every request would otherwise be a write."""


@dataclass(frozen=True)
class Lifetime:
    """How long a session lasts unused, and how long at all."""

    idle: timedelta = timedelta(hours=8)
    whole: timedelta = timedelta(hours=72)


class Sessions:
    """The sessions of one desk. Methods raise `DatabaseError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(self, account: Account, address: str, *, instead_of: str | None = None, how: str = "password") -> str:
        """Sign an account in and return the session's secret (256 bits, stored as SHA-256 only).

        The session ``instead_of`` which it begins, the one that the browser showed, ends.
        """
        secret, now = secrets.token_urlsafe(32), datetime.now(UTC)

        def act(session: Session) -> None:
            if instead_of:
                session.execute(account_sessions.delete().where(account_sessions.c.id_hash == _digest(instead_of)))
            row = {"id_hash": _digest(secret), "account_id": account.id, "created_at": now, "seen_at": now}
            session.execute(account_sessions.insert().values(row))
            record(session, AuditKind.SIGNED_IN, account.username, {"address": address, "how": how})

        self._database.write(act)
        return secret

    def account(self, secret: str, lifetime: Lifetime, *, at: datetime | None = None) -> Account | None:
        """Whose session it is, with its role of now; None when it ended or expired, or the account is disabled."""
        now, hashed = at or datetime.now(UTC), _digest(secret)
        query = (
            sa.select(accounts, account_sessions.c.seen_at, account_sessions.c.created_at.label("begun_at"))
            .join(account_sessions, account_sessions.c.account_id == accounts.c.id)
            .where(account_sessions.c.id_hash == hashed)
        )
        with self._database.session(read_only=True) as session:
            row = session.execute(query).one_or_none()
        if row is None or row.disabled_at is not None:
            return None
        if now - row.seen_at > lifetime.idle or now - row.begun_at > lifetime.whole:
            return None
        if now - row.seen_at > SEEN_EVERY:
            seen = account_sessions.update().where(account_sessions.c.id_hash == hashed).values(seen_at=now)
            self._database.write(lambda session: session.execute(seen))
        return account_from_row(row)

    def end(self, secret: str, account: Account) -> None:
        """Sign out. A session that ended already stays ended."""

        def act(session: Session) -> None:
            gone = account_sessions.delete().where(account_sessions.c.id_hash == _digest(secret))
            if session.execute(gone.returning(account_sessions.c.id_hash)).first():
                record(session, AuditKind.SIGNED_OUT, account.username)

        self._database.write(act)

    def forget_expired(self, lifetime: Lifetime, *, at: datetime | None = None) -> int:
        """Delete sessions that have expired, and return how many there were."""
        now = at or datetime.now(UTC)
        over = sa.or_(
            account_sessions.c.seen_at < now - lifetime.idle, account_sessions.c.created_at < now - lifetime.whole
        )
        gone = account_sessions.delete().where(over).returning(account_sessions.c.id_hash)
        return self._database.write(lambda session: len(session.execute(gone).all()))


def request_token(secret: str) -> str:
    """What a page of the session shows with each request that changes something; another site cannot know it.

    It follows from the session's secret, which does not follow from it.
    """
    return hashlib.sha256(f"request token of {secret}".encode("utf-8", "replace")).hexdigest()


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
