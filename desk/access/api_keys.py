"""Keys of programs that work with the desk: each has a name, the permissions that it needs, and an end."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from desk.access import AccessError
from desk.access.audit import AuditKind, record
from desk.access.roles import Roles, desk_roles
from desk.database import Database
from desk.tables import api_keys, storable

PREFIX = "pd_"
"""Begins every key, so that one which got into a repository is found."""
LONGEST_NAME = 100
USED_EVERY = timedelta(minutes=1)
"""How exactly it is known when a key was last used."""


class ApiKeyError(AccessError):
    """A key that cannot be made or found."""


class UnknownKeyError(ApiKeyError):
    """No key has this id or name."""


@dataclass(frozen=True)
class ApiKey:
    """What is kept of a key; the key itself is shown once and stored as SHA-256 only."""

    id: str
    name: str
    scopes: frozenset[str]
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None
    revoked_at: datetime | None

    def works(self, at: datetime) -> bool:
        """Whether it lets anybody in at that moment."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)

    def to_json(self) -> dict[str, Any]:
        """Plain data; times in ISO 8601."""
        times = {name: getattr(self, name) for name in ("created_at", "expires_at", "used_at", "revoked_at")}
        return {
            "id": self.id,
            "name": self.name,
            "scopes": sorted(self.scopes),
            "created_by": self.created_by,
            **{name: at.isoformat() if at else None for name, at in times.items()},
        }


class ApiKeys:
    """The keys of one desk. Making and revoking one is an entry in the audit log, made by ``by``."""

    def __init__(self, database: Database, roles: Roles | None = None) -> None:
        self._database = database
        self._roles = roles or desk_roles()

    def add(
        self, name: str, scopes: Sequence[str], *, by: str, expires_at: datetime | None = None
    ) -> tuple[ApiKey, str]:
        """A new key and, this once, what to show as bearer token. Raises `ApiKeyError`."""
        named = " ".join(str(storable(name)).split())
        if not named or len(named) > LONGEST_NAME:
            raise ApiKeyError(f"a key needs a name of 1 to {LONGEST_NAME} characters, such as the system that uses it")
        choices = ", ".join(sorted(self._roles.for_keys))
        if not scopes:
            raise ApiKeyError(f"a key needs a scope; choose from: {choices}")
        if refused := set(scopes) - self._roles.for_keys:
            raise ApiKeyError(f"a key cannot have {', '.join(sorted(refused))}; choose from: {choices}")
        now = datetime.now(UTC)
        if expires_at is not None and expires_at <= now:
            raise ApiKeyError("the key would have expired already; choose a later time")
        shown = PREFIX + secrets.token_urlsafe(32)
        row = {
            "id": f"K-{secrets.token_hex(6)}",
            "name": named,
            "key_hash": _digest(shown),
            "scopes": sorted(set(scopes)),
            "created_by": by,
            "created_at": now,
            "expires_at": expires_at,
        }

        def act(session: Session) -> ApiKey:
            session.execute(api_keys.insert().values(row))
            data = {"id": row["id"], "name": named, "scopes": row["scopes"]}
            record(session, AuditKind.KEY_ADDED, by, data)
            return _key(session.execute(sa.select(api_keys).where(api_keys.c.id == row["id"])).one())

        try:
            return self._database.write(act), shown
        except sa.exc.IntegrityError as error:
            raise ApiKeyError(f"there is a key '{named}' already; choose another name") from error

    def all(self) -> list[ApiKey]:
        """Every key, revoked and expired ones too, oldest first."""
        with self._database.session(read_only=True) as session:
            query = sa.select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id)
            return [_key(row) for row in session.execute(query)]

    def opened_by(self, shown: str, *, at: datetime | None = None) -> ApiKey | None:
        """The key that was shown; None when there is none such, or it was revoked or has expired."""
        if not shown.startswith(PREFIX):
            return None
        now = at or datetime.now(UTC)
        with self._database.session(read_only=True) as session:
            row = session.execute(sa.select(api_keys).where(api_keys.c.key_hash == _digest(shown))).one_or_none()
        if row is None or not (key := _key(row)).works(now):
            return None
        if key.used_at is None or now - key.used_at > USED_EVERY:
            used = api_keys.update().where(api_keys.c.id == key.id).values(used_at=now)
            self._database.write(lambda session: session.execute(used))
        return key

    def revoke(self, id_or_name: str, *, by: str) -> ApiKey:
        """Let a key in no more; one that was revoked before stays so. Raises `ApiKeyError`."""

        def act(session: Session) -> ApiKey:
            wanted = sa.or_(api_keys.c.id == id_or_name, api_keys.c.name == id_or_name)
            row = session.execute(sa.select(api_keys).where(wanted).with_for_update()).first()
            if row is None:
                raise UnknownKeyError(f"there is no key '{id_or_name}'; 'paretodesk keys list' shows those there are")
            if row.revoked_at is None:
                session.execute(api_keys.update().where(api_keys.c.id == row.id).values(revoked_at=datetime.now(UTC)))
                record(session, AuditKind.KEY_REVOKED, by, {"id": row.id, "name": row.name})
            return _key(session.execute(sa.select(api_keys).where(api_keys.c.id == row.id)).one())

        return self._database.write(act)


def _digest(shown: str) -> str:
    # 256 random bits need no slow hash
    return hashlib.sha256(shown.encode("utf-8", "replace")).hexdigest()


def _key(row: sa.Row[Any]) -> ApiKey:
    return ApiKey(
        row.id, row.name, frozenset(row.scopes), row.created_by, row.created_at, row.expires_at, row.used_at,
        row.revoked_at,
    )  # fmt: skip
