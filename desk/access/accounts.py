"""Accounts of the people who work at the desk."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from time import monotonic
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from desk.access import AccessError
from desk.access.audit import AuditKind, record
from desk.access.passwords import fits, hashed
from desk.access.roles import Roles, desk_roles
from desk.access.throttle import Attempt, ThrottledError, count_attempt, forgive
from desk.database import Database
from desk.tables import account_sessions, accounts, storable

USERNAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,99}")
RESERVED = frozenset({"paretodesk", "customer", "bot", "agent", "system"})
"""Names by which the ledger and the macro library call somebody else."""
LONGEST_NAME = 100
NOBODY = "unknown"
"""Who tried to sign in with a name that no account has; the name itself may be a mistyped password."""


class AccountError(AccessError):
    """A name, role or account that cannot be; the message says what to do."""


class UnknownAccountError(AccountError):
    """No account has this name."""


class SignInError(AccessError):
    """Wrong name or password; which of them is not told."""

    def __init__(self) -> None:
        super().__init__("the user name or the password is wrong")


@dataclass(frozen=True)
class Account:
    """A person who may work at the desk. ``provider`` is the identity provider that vouches for them, if any."""

    id: str
    username: str
    display_name: str
    role: str
    provider: str | None
    has_password: bool
    created_at: datetime
    disabled_at: datetime | None

    @property
    def enabled(self) -> bool:
        """Whether it may be signed in to."""
        return self.disabled_at is None

    def to_json(self) -> dict[str, Any]:
        """Plain data; times in ISO 8601."""
        return {
            "username": self.username,
            "display_name": self.display_name,
            "role": self.role,
            "provider": self.provider,
            "enabled": self.enabled,
            "created_at": self.created_at.isoformat(),
        }


def username_of(text: str) -> str:
    """A user name as it is stored: one form for all spellings. Raises `AccountError`."""
    name = unicodedata.normalize("NFKC", str(storable(text))).strip().casefold()
    if not USERNAME.fullmatch(name):
        raise AccountError(
            "a user name has 1 to 100 letters a-z, digits and . _ @ + -, and begins with a letter or digit"
        )
    if name in RESERVED:
        raise AccountError(f"'{name}' is a name of the program itself; choose another")
    return name


def account_from_row(row: sa.Row[Any]) -> Account:
    """The account in a row that has all columns of `desk.tables.accounts` (it may have more)."""
    return Account(
        row.id, row.username, row.display_name, row.role, row.issuer, row.password_hash is not None,
        row.created_at, row.disabled_at,
    )  # fmt: skip


NONE_FRESH = 0.2
"""Seconds for which it is believed that there is still no account; another process may add the first one."""


class Accounts:
    """The accounts of one desk. Every change is an entry in the audit log, made by ``by``.

    Methods raise `AccountError` for an account that is not there, and `DatabaseError`.
    """

    def __init__(self, database: Database, roles: Roles | None = None) -> None:
        self._database = database
        self._roles = roles or desk_roles()
        self._any = False
        self._looked = -inf

    @property
    def any(self) -> bool:
        """Whether there is an account, disabled or not: then nobody is let in without signing in."""
        # Accounts are never deleted, so that once is for ever; until then each request asks.
        if not self._any and monotonic() - self._looked >= NONE_FRESH:
            with self._database.session(read_only=True) as session:
                self._any = session.scalar(sa.select(sa.exists().select_from(accounts))) or False
            self._looked = monotonic()
        return self._any

    def all(self) -> list[Account]:
        """Every account, by name."""
        with self._database.session(read_only=True) as session:
            return [account_from_row(row) for row in session.execute(sa.select(accounts).order_by(accounts.c.username))]

    def get(self, username: str) -> Account:
        """The account of that name."""
        with self._database.session(read_only=True) as session:
            return account_from_row(_row(session, username))

    def add(
        self,
        username: str,
        role: str,
        *,
        by: str,
        password: str | None = None,
        display_name: str = "",
        provider: tuple[str, str] | None = None,
    ) -> Account:
        """A new account, with a password, an identity provider's (issuer, subject), or both.

        Raises `AccountError` and `PasswordError`.
        """
        name = username_of(username)
        self._check_role(role)
        if password is None and provider is None:
            raise AccountError("give the account a password, or the identity provider's subject")
        shown = " ".join(str(storable(display_name)).split()) or name
        if len(shown) > LONGEST_NAME:
            raise AccountError(f"the display name has {len(shown)} characters; the limit is {LONGEST_NAME}")
        row: dict[str, Any] = {
            "id": f"A-{secrets.token_hex(8)}",
            "username": name,
            "display_name": shown,
            "role": role,
            "password_hash": None if password is None else hashed(password, name),
            "issuer": provider[0] if provider else None,
            "subject": provider[1] if provider else None,
            "created_at": datetime.now(UTC),
            "disabled_at": None,
        }

        def act(session: Session) -> Account:
            session.execute(accounts.insert().values(row))
            data = {"username": name, "role": role, "provider": row["issuer"]}
            record(session, AuditKind.ACCOUNT_ADDED, by, data)
            return account_from_row(_row(session, name))

        try:
            added = self._database.write(act)
            self._any = True
            return added
        except sa.exc.IntegrityError as error:
            raise AccountError(
                f"there is an account '{name}' already, or one of the same subject; choose another name, "
                "or change that account"
            ) from error

    def change(
        self,
        username: str,
        *,
        by: str,
        role: str | None = None,
        password: str | None = None,
        enabled: bool | None = None,
    ) -> Account:
        """Give an account another role or password, disable or enable it: all that is given, or nothing.

        A role holds from the next request on; a new password and disabling end all of its sessions. Raises
        `PasswordError` too.
        """
        name = username_of(username)
        if role is not None:
            self._check_role(role)
        made = None if password is None else hashed(password, name)

        def change(session: Session, row: sa.Row[Any]) -> None:
            told: list[tuple[AuditKind, dict[str, Any]]] = []
            values: dict[str, Any] = {}
            if role not in (None, row.role):
                values["role"] = role
                told.append((AuditKind.ROLE_CHANGED, {"from": row.role, "to": role}))
            if made is not None:
                values["password_hash"] = made
                told.append((AuditKind.PASSWORD_CHANGED, {}))
                forgive(session, row.username)
            if enabled is not None and enabled != (row.disabled_at is None):
                values["disabled_at"] = None if enabled else datetime.now(UTC)
                told.append((AuditKind.ACCOUNT_ENABLED if enabled else AuditKind.ACCOUNT_DISABLED, {}))
            if not values:
                return
            session.execute(accounts.update().where(accounts.c.id == row.id).values(values))
            self._keep_an_admin(session, row)
            if made is not None or enabled is False:
                session.execute(account_sessions.delete().where(account_sessions.c.account_id == row.id))
            for kind, data in told:
                record(session, kind, by, {"username": row.username, **data})

        return self._change(name, change)

    def set_role(self, username: str, role: str, *, by: str) -> Account:
        """See `change`."""
        return self.change(username, by=by, role=role)

    def set_password(self, username: str, password: str, *, by: str) -> Account:
        """See `change`."""
        return self.change(username, by=by, password=password)

    def disable(self, username: str, *, by: str) -> Account:
        """See `change`."""
        return self.change(username, by=by, enabled=False)

    def enable(self, username: str, *, by: str) -> Account:
        """See `change`."""
        return self.change(username, by=by, enabled=True)

    def link(self, username: str, provider: tuple[str, str], *, by: str) -> Account:
        """Let an identity provider's (issuer, subject) sign in to an account that is there."""
        issuer, subject = provider

        def change(session: Session, row: sa.Row[Any]) -> None:
            session.execute(accounts.update().where(accounts.c.id == row.id).values(issuer=issuer, subject=subject))
            record(session, AuditKind.ACCOUNT_LINKED, by, {"username": row.username, "provider": issuer})

        try:
            return self._change(username, change)
        except sa.exc.IntegrityError as error:
            raise AccountError(f"another account has the subject '{subject}' of {issuer} already") from error

    def check_password(self, username: str, password: str, address: str) -> Account:
        """The account that name and password open; ``address`` is where the attempt comes from.

        Raises `SignInError` for an unknown name, a wrong password and a disabled account alike, after the same work,
        `ThrottledError` after too many attempts, and `BusyError`. Each failure is an entry in the audit log.
        """
        try:
            name = username_of(username)
        except AccountError:
            name = f"?{username[:200]}"  # no account's; counted and answered like any other
        attempt, row = self._database.write(lambda session: self._counted(session, name, address))
        if not attempt.allowed:
            raise ThrottledError(attempt.after)
        fitting = fits(password, row.password_hash if row is not None else None)
        if row is None or not fitting or row.disabled_at is not None:
            self._database.write(lambda session: _note_failure(session, row, address))
            raise SignInError
        self._database.write(lambda session: forgive(session, name))
        return account_from_row(row)

    def _counted(self, session: Session, name: str, address: str) -> tuple[Attempt, sa.Row[Any] | None]:
        attempt = count_attempt(session, name, address)
        row = session.execute(sa.select(accounts).where(accounts.c.username == name)).one_or_none()
        if attempt.first_refused:
            record(session, AuditKind.SIGN_IN_THROTTLED, row.username if row else NOBODY, {"address": address})
        return attempt, row

    def _change(self, username: str, change: Callable[[Session, sa.Row[Any]], None]) -> Account:
        def act(session: Session) -> Account:
            # every row in one order: two administrators who demote each other must not both succeed
            session.execute(sa.select(accounts.c.id).order_by(accounts.c.id).with_for_update()).all()
            row = _row(session, username)
            change(session, row)
            return account_from_row(_row(session, row.username))

        return self._database.write(act)

    def _check_role(self, role: str) -> None:
        if role not in self._roles.granted:
            raise AccountError(f"there is no role '{role}'; choose one of: {', '.join(self._roles.granted)}")

    def _keep_an_admin(self, session: Session, before: sa.Row[Any]) -> None:
        """Raises `AccountError` where a change has left no account that may manage accounts."""
        may = [name for name, granted in self._roles.granted.items() if "users:manage" in granted]
        if before.role not in may or before.disabled_at is not None:
            return
        left = sa.select(accounts.c.id).where(accounts.c.role.in_(may), accounts.c.disabled_at.is_(None))
        if session.execute(left.limit(1)).first() is None:
            raise AccountError(f"'{before.username}' is the last administrator; make another account one first")


def _row(session: Session, username: str) -> sa.Row[Any]:
    name = username_of(username)
    row = session.execute(sa.select(accounts).where(accounts.c.username == name)).one_or_none()
    if row is None:
        raise UnknownAccountError(f"there is no account '{name}'; 'paretodesk users list' shows those there are")
    return row


def _note_failure(session: Session, row: sa.Row[Any] | None, address: str) -> None:
    record(session, AuditKind.SIGN_IN_FAILED, row.username if row is not None else NOBODY, {"address": address})
