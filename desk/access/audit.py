"""The audit log: entries that can only be added, each sealed with the hash of the one before it.

Changing, removing or inserting an entry anywhere breaks the chain at that place. Cutting off its end does not, nor does
computing all of it anew, so an anchor (the newest entry's number and hash) kept elsewhere tells of both.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.orm import Session

from desk.access import AccessError
from desk.database import Database
from desk.tables import audit_entries, storable

GENESIS = "0" * 64
"""What the first entry follows."""
APPEND_LOCK = 7_246_302  # any constant: one advisory lock per PostgreSQL database while an entry is added


CHUNK = 500  # entries read at a time
UNREADABLE = datetime(1, 1, 1, tzinfo=UTC)
"""Stands for the time of an entry that cannot be read any more."""


class AuditError(AccessError):
    """An entry that cannot be kept, or an anchor that cannot be read."""


class AuditKind(StrEnum):
    """What happened, in the past tense."""

    SIGNED_IN = "signed_in"
    SIGN_IN_FAILED = "sign_in_failed"
    SIGN_IN_THROTTLED = "sign_in_throttled"
    SIGNED_OUT = "signed_out"
    ACCOUNT_ADDED = "account_added"
    ACCOUNT_DISABLED = "account_disabled"
    ACCOUNT_ENABLED = "account_enabled"
    ACCOUNT_LINKED = "account_linked"
    ROLE_CHANGED = "role_changed"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105  # the name of an event
    KEY_ADDED = "key_added"
    KEY_REVOKED = "key_revoked"
    ERASED = "erased"
    RETENTION_APPLIED = "retention_applied"


@dataclass(frozen=True)
class AuditEntry:
    """Something that was done, by whom, and the seal on it. ``hash`` covers all else, ``previous`` included."""

    seq: int
    at: datetime
    kind: str
    actor: str
    data: Mapping[str, Any]
    previous: str
    hash: str

    def to_json(self) -> dict[str, Any]:
        """Plain data; the time in ISO 8601."""
        return {
            "seq": self.seq,
            "at": self.at.isoformat(),
            "kind": self.kind,
            "actor": self.actor,
            "data": dict(self.data),
            "hash": self.hash,
        }


class Anchor(BaseModel):
    """An entry's number and hash, kept where those who can write the database cannot."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seq: int = Field(ge=0)
    hash: str = Field(pattern=r"^[0-9a-f]{64}$")

    @classmethod
    def read(cls, path: Path) -> Anchor:
        """The anchor in a file. Raises `AuditError`."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise AuditError(f"{path}: {error.strerror}; name the file that 'paretodesk audit anchor' wrote") from error
        except ValidationError as error:
            raise AuditError(f"{path}: not an anchor; name the file that 'paretodesk audit anchor' wrote") from error


@dataclass(frozen=True)
class Finding:
    """A place where the chain does not hold, and what that means."""

    seq: int
    problem: str


@dataclass(frozen=True)
class Verdict:
    """What checking the whole log found: how many entries there are, its newest, and every broken place."""

    entries: int
    head: Anchor
    findings: tuple[Finding, ...]


def record(
    session: Session, kind: AuditKind, actor: str, data: Mapping[str, Any] | None = None, *, at: datetime | None = None
) -> AuditEntry:
    """Add an entry in the caller's transaction; further writers wait until it ends.

    ``data`` holds text, whole numbers, booleans, None, and lists of them. Raises `AuditError` for anything else, which
    the two databases would not give back as it was.
    """
    kept = storable(dict(data or {}))
    if not all(_plain(value) for value in kept.values()):
        raise AuditError(f"an audit entry of kind {kind} holds data that is not plain: {', '.join(sorted(kept))}")
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(APPEND_LOCK)))
    last = _head(session)
    moment, who = (at or datetime.now(UTC)).astimezone(UTC), storable(actor)
    sealed = _seal(last.seq + 1, moment, str(kind), who, kept, last.hash)
    entry = AuditEntry(last.seq + 1, moment, str(kind), who, kept, last.hash, sealed)
    session.execute(audit_entries.insert().values(**vars(entry)))
    return entry


def head(database: Database) -> Anchor:
    """The newest entry; number 0 while there is none."""
    with database.session(read_only=True) as session:
        return _head(session)


def entries(database: Database, limit: int = 100, *, before: int | None = None) -> list[AuditEntry]:
    """The newest entries, newest first; with ``before`` those older than that number."""
    query = sa.select(audit_entries).order_by(audit_entries.c.seq.desc()).limit(limit)
    if before is not None:
        query = query.where(audit_entries.c.seq < before)
    with database.session(read_only=True) as session:
        return [_entry(row) for row in session.execute(query)]


def verify(database: Database, anchor: Anchor | None = None) -> Verdict:
    """Check every entry against its seal and the one before it, and the log against an ``anchor`` of earlier."""
    findings: list[Finding] = []
    last, count, held = _anchor(0, GENESIS), 0, anchor is None or anchor.seq == 0
    with database.session(read_only=True) as session:
        for entry in _all(session):
            count += 1
            findings += _broken(entry, last)
            if anchor and entry.seq == anchor.seq:
                held = True
                if entry.hash != anchor.hash:
                    findings.append(Finding(entry.seq, f"entry {entry.seq} is not the one that the anchor knew"))
            last = _anchor(entry.seq, entry.hash)
    if anchor and not held:
        missing = f"the log ends at entry {last.seq}" if last.seq < anchor.seq else f"entry {anchor.seq} is gone"
        findings.append(Finding(anchor.seq, f"the anchor knew entry {anchor.seq}, but {missing}: its end was cut off"))
    return Verdict(count, last, tuple(findings))


def _broken(entry: AuditEntry, last: Anchor) -> Iterator[Finding]:
    if entry.seq == last.seq + 2:
        yield Finding(entry.seq - 1, f"entry {entry.seq - 1} is missing")
    elif entry.seq > last.seq + 2:
        yield Finding(last.seq + 1, f"entries {last.seq + 1} to {entry.seq - 1} are missing")
    elif entry.seq != last.seq + 1:
        yield Finding(entry.seq, f"entry {entry.seq} stands where {last.seq + 1} is expected")
    elif entry.previous != last.hash:
        yield Finding(entry.seq, f"entry {entry.seq} does not follow from entry {last.seq}: one of them was replaced")
    if _resealed(entry) != entry.hash:
        yield Finding(entry.seq, f"entry {entry.seq} was changed")


def _resealed(entry: AuditEntry) -> str | None:
    """The seal that fits what the entry says now; None where it says what no entry can."""
    try:
        return _seal(entry.seq, entry.at, entry.kind, entry.actor, entry.data, entry.previous)
    except (TypeError, ValueError, AttributeError):
        return None


def _seal(seq: int, at: datetime, kind: str, actor: str, data: Mapping[str, Any], previous: str) -> str:
    """SHA-256 of the entry as canonical JSON: keys sorted, no blanks, times in UTC with microseconds."""
    stated = {
        "seq": seq,
        "at": at.isoformat(timespec="microseconds"),
        "kind": kind,
        "actor": actor,
        "data": data,
        "previous": previous,
    }
    text = json.dumps(stated, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _plain(value: object) -> bool:
    if isinstance(value, list):
        return all(_plain(item) for item in value)
    return value is None or isinstance(value, str | bool | int)


def _head(session: Session) -> Anchor:
    columns = (audit_entries.c.seq, audit_entries.c.hash)
    row = session.execute(sa.select(*columns).order_by(audit_entries.c.seq.desc()).limit(1)).one_or_none()
    return _anchor(0, GENESIS) if row is None else _anchor(row.seq, row.hash)


def _anchor(seq: int, sealed: str) -> Anchor:
    # unchecked: a seal that somebody overwrote must neither stop the check nor keep later entries from being added
    return Anchor.model_construct(seq=seq, hash=sealed)


def _all(session: Session) -> Iterator[AuditEntry]:
    seq: int | None = None
    while chunk := session.scalars(_numbers(seq)).all():
        rows = sa.select(audit_entries).where(audit_entries.c.seq.in_(chunk)).order_by(audit_entries.c.seq)
        try:
            yield from [_entry(row) for row in session.execute(rows)]
        except ValueError:  # a time or data that was overwritten with what is none
            yield from (_one(session, number) for number in chunk)
        seq = chunk[-1]


def _numbers(after: int | None) -> sa.Select[Any]:
    query = sa.select(audit_entries.c.seq).order_by(audit_entries.c.seq).limit(CHUNK)
    return query if after is None else query.where(audit_entries.c.seq > after)


def _one(session: Session, seq: int) -> AuditEntry:
    here = audit_entries.c.seq == seq
    try:
        return _entry(session.execute(sa.select(audit_entries).where(here)).one())
    except ValueError:
        row = session.execute(sa.select(audit_entries.c.previous, audit_entries.c.hash).where(here)).one()
        return AuditEntry(seq, UNREADABLE, "", "", {}, row.previous, row.hash)


def _entry(row: sa.Row[Any]) -> AuditEntry:
    return AuditEntry(row.seq, row.at, row.kind, row.actor, row.data, row.previous, row.hash)
