"""How often somebody may try to sign in: counted in the database, so that every process counts the same."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil

import sqlalchemy as sa
from sqlalchemy.orm import Session

from desk.access import AccessError
from desk.tables import insert_new, sign_in_attempts

WINDOW = timedelta(minutes=15)
PER_ACCOUNT = 10
PER_ADDRESS = 60
"""More than per account, because a whole office may share one."""


class ThrottledError(AccessError):
    """Too many attempts; ``after`` seconds from now there may be another."""

    def __init__(self, after: int) -> None:
        super().__init__(f"too many attempts to sign in; try again in {ceil(after / 60)} minutes")
        self.after = after


@dataclass(frozen=True)
class Attempt:
    """What counting an attempt said: whether it may go on, whether it is the first that may not, and the wait."""

    allowed: bool
    first_refused: bool
    after: int


def count_attempt(session: Session, username: str, address: str, *, at: datetime | None = None) -> Attempt:
    """Count an attempt before it is judged, known name or not, so that attempts at once cannot pass together.

    An address that has had its share does not count against accounts any more.
    """
    now = at or datetime.now(UTC)
    for subject, limit in ((f"address:{address}", PER_ADDRESS), (f"account:{username}", PER_ACCOUNT)):
        count, since = _counted(session, subject, now)
        if count > limit:
            after = ceil((since + WINDOW - now).total_seconds())
            return Attempt(False, count == limit + 1, max(after, 1))
    return Attempt(True, False, 0)


def forgive(session: Session, username: str) -> None:
    """Forget the attempts on an account that was signed in to; those of the address stay counted."""
    session.execute(sign_in_attempts.delete().where(sign_in_attempts.c.subject_hash == _digest(f"account:{username}")))


def forget_old(session: Session, *, at: datetime | None = None) -> None:
    """Delete counts whose window is over; they count nothing any more."""
    session.execute(sign_in_attempts.delete().where(sign_in_attempts.c.since <= (at or datetime.now(UTC)) - WINDOW))


def _counted(session: Session, subject: str, now: datetime) -> tuple[int, datetime]:
    columns = sign_in_attempts.c
    over = columns.since <= now - WINDOW
    statement = insert_new(session, sign_in_attempts).values(subject_hash=_digest(subject), since=now, attempts=1)
    statement = statement.on_conflict_do_update(
        index_elements=[columns.subject_hash],
        set_={
            "since": sa.case((over, statement.excluded.since), else_=columns.since),
            "attempts": sa.case((over, 1), else_=columns.attempts + 1),
        },
    ).returning(columns.attempts, columns.since)
    found = session.execute(statement).one()
    return found.attempts, found.since


def _digest(subject: str) -> str:
    # people type passwords into the wrong field: names are not kept as they were typed
    return hashlib.sha256(subject.encode("utf-8", "replace")).hexdigest()
