"""The life of a job, each step a statement within a session that the caller opened: queued, leased, done or dead.

A lease ends at a time and carries a fencing token, `Lease.fence`, that rises with each lease of the job. Ending a job
takes the token: who was overtaken (its lease ran out and the job went to another) changes nothing any more. Time is
always given by the caller.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from desk import DeskError
from desk.tables import jobs

T = TypeVar("T")

FIRST_DELAY = timedelta(seconds=5)
LONGEST_DELAY = timedelta(hours=1)
"""With eight attempts a job is tried for about ten minutes; the last delays grow to five."""
MAX_PROBLEM = 1_000
"""Characters of a problem that are kept."""
CHUNK = 400  # ids per IN list, below the parameter limit of both databases with two per row


class UnknownJobError(DeskError):
    """No dead job has this id."""


class JobState(StrEnum):
    """Where a job is in its life. Done and dead ones are left alone by workers."""

    QUEUED = "queued"
    LEASED = "leased"
    DONE = "done"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a job until ``until``. ``attempt`` counts from 1."""

    job_id: int
    kind: str
    key: str | None
    payload: Mapping[str, Any]
    attempt: int
    max_attempts: int
    fence: int
    worker: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it stands, for people. ``problem`` is what went wrong last."""

    id: int
    kind: str
    key: str | None
    payload: Mapping[str, Any]
    state: JobState
    attempts: int
    max_attempts: int
    run_after: datetime
    leased_until: datetime | None
    fence: int
    worker: str | None
    problem: str | None
    created_at: datetime
    ended_at: datetime | None


def waiting_kinds(session: Session, kinds: Collection[str], now: datetime) -> set[str]:
    """Those of ``kinds`` that have a job to lease; a look that locks nothing."""
    due = sa.select(jobs.c.kind).where(_due(now), jobs.c.kind.in_(kinds)).distinct()
    return set(session.scalars(due))


def lease(session: Session, kind: str, *, worker: str, now: datetime, length: timedelta, limit: int = 1) -> list[Lease]:
    """Take up to ``limit`` due jobs of a kind, the one that has waited longest first. Each take is an attempt."""
    # PostgreSQL passes over jobs that another worker is taking right now; SQLite has one writer at a time.
    due = sa.select(jobs).where(_due(now), jobs.c.kind == kind).order_by(jobs.c.run_after, jobs.c.id).limit(limit)
    rows = session.execute(due.with_for_update(skip_locked=True)).all()
    until = now + length
    taken = {
        "state": JobState.LEASED,
        "attempts": jobs.c.attempts + 1,
        "fence": jobs.c.fence + 1,
        "leased_until": until,
        "worker": worker,
    }
    for chunk in _chunks([row.id for row in rows]):
        session.execute(jobs.update().where(jobs.c.id.in_(chunk)).values(taken))
    return [
        Lease(row.id, row.kind, row.key, row.payload, row.attempts + 1, row.max_attempts, row.fence + 1, worker, until)
        for row in rows
    ]


def renew(session: Session, leases: Sequence[Lease], now: datetime, length: timedelta) -> list[Lease]:
    """Prolong leases to ``now + length``; those that are still held, as they were given."""
    return _change(session, leases, {"leased_until": now + length})


def finish(session: Session, leases: Sequence[Lease], now: datetime) -> list[Lease]:
    """Jobs are done. Returns those that were still held; only their effect may be committed with it."""
    # nothing runs it again, and what it was to work on may be a customer's words
    done = {"state": JobState.DONE, "ended_at": now, "leased_until": None, "problem": None, "payload": {}}
    return _change(session, leases, done)


def give_back(session: Session, leases: Sequence[Lease], run_after: datetime) -> list[Lease]:
    """Jobs could not be tried now, which does not count as an attempt. Returns those that were still held."""
    queued = {
        "state": JobState.QUEUED,
        "attempts": jobs.c.attempts - 1,
        "run_after": run_after,
        "leased_until": None,
    }
    return _change(session, leases, queued)


def fail(
    session: Session, lease: Lease, problem: str, now: datetime, random: Random, *, final: bool = False
) -> JobState | None:
    """An attempt went wrong: the job waits for the next, or is dead after its last or a ``final`` one.

    None when the lease was not held any more; then nothing changed.
    """
    dead = final or lease.attempt >= lease.max_attempts
    state = JobState.DEAD if dead else JobState.QUEUED
    when = {"ended_at": now} if dead else {"run_after": now + backoff(lease.attempt, random)}
    changed = _change(
        session, [lease], {"state": state, "leased_until": None, "problem": problem[:MAX_PROBLEM], **when}
    )
    return state if changed else None


def backoff(attempt: int, random: Random) -> timedelta:
    """How long to wait after the ``attempt``-th failure: doubling, with jitter so that jobs come back one by one."""
    doublings: int = 2 ** min(attempt - 1, 30)
    return min(FIRST_DELAY * doublings, LONGEST_DELAY) * random.uniform(0.5, 1.0)


def revive(session: Session, now: datetime) -> int:
    """Jobs whose lease ran out wait again, or are dead after their last attempt; returns how many."""
    expired = sa.select(jobs).where(jobs.c.state == JobState.LEASED, jobs.c.leased_until <= now)
    rows = session.execute(expired.order_by(jobs.c.id).with_for_update(skip_locked=True)).all()
    spent = {row.id: row for row in rows if row.attempts >= row.max_attempts}
    again = [row.id for row in rows if row.id not in spent]
    for chunk in _chunks(again):
        queued = {"state": JobState.QUEUED, "run_after": now, "leased_until": None}
        session.execute(jobs.update().where(jobs.c.id.in_(chunk)).values(queued))
    for row in spent.values():
        problem = f"its worker {row.worker} went silent at the last of {row.max_attempts} attempts"
        values = {"state": JobState.DEAD, "ended_at": now, "leased_until": None, "problem": problem}
        session.execute(jobs.update().where(jobs.c.id == row.id).values(values))
    return len(rows)


def settle(session: Session, kind: str, key: str, now: datetime) -> bool:
    """The caller does a waiting job itself, in this transaction; False when no such job waits any more."""
    waits = jobs.c.state == JobState.QUEUED, jobs.c.kind == kind, jobs.c.key == key
    done = jobs.update().where(*waits).values({"state": JobState.DONE, "ended_at": now, "problem": None, "payload": {}})
    return session.execute(done.returning(jobs.c.id)).first() is not None


def requeue(session: Session, now: datetime, *, ids: Sequence[int] | None = None, kind: str | None = None) -> int:
    """Dead jobs wait again with all their attempts: those of ``ids``, or all, or all of ``kind``; returns how many.

    Raises `UnknownJobError`, with nothing changed, for an id that is no dead job.
    """
    dead = sa.select(jobs.c.id).where(jobs.c.state == JobState.DEAD)
    if kind is not None:
        dead = dead.where(jobs.c.kind == kind)
    if ids is not None:
        dead = dead.where(jobs.c.id.in_(ids))
    found = session.scalars(dead.order_by(jobs.c.id).with_for_update()).all()
    if ids is not None and (missing := sorted(set(ids) - set(found))):
        names = ", ".join(map(str, missing))
        raise UnknownJobError(f"no dead job has the id {names}; 'paretodesk jobs list --state dead' shows them")
    queued = {"state": JobState.QUEUED, "attempts": 0, "run_after": now, "ended_at": None}
    for chunk in _chunks(found):
        session.execute(jobs.update().where(jobs.c.id.in_(chunk)).values(queued))
    return len(found)


def purge(session: Session, before: datetime, states: Collection[JobState] = (JobState.DONE,)) -> int:
    """Delete jobs that ended so before a moment, and with them the memory of their keys; returns how many."""
    # SQLite gives the id of a deleted last row again, and a stale lease must never fit a new job: the last row stays.
    newest = sa.select(sa.func.max(jobs.c.id)).scalar_subquery()
    old = sa.select(jobs.c.id).where(jobs.c.state.in_(states), jobs.c.ended_at < before, jobs.c.id < newest)
    ids = session.scalars(old.with_for_update(skip_locked=True)).all()
    for chunk in _chunks(ids):
        session.execute(jobs.delete().where(jobs.c.id.in_(chunk)))
    return len(ids)


def jobs_in(session: Session, *, state: JobState | None = None, kind: str | None = None, limit: int = 100) -> list[Job]:
    """Jobs as they stand, newest first."""
    query = sa.select(jobs).order_by(jobs.c.id.desc()).limit(limit)
    if state is not None:
        query = query.where(jobs.c.state == state)
    if kind is not None:
        query = query.where(jobs.c.kind == kind)
    return [_job(row) for row in session.execute(query)]


def counts(session: Session) -> dict[str, dict[str, int]]:
    """How many jobs there are, by kind and state."""
    query = sa.select(jobs.c.kind, jobs.c.state, sa.func.count()).group_by(jobs.c.kind, jobs.c.state)
    found: dict[str, dict[str, int]] = {}
    for kind, state, number in session.execute(query.order_by(jobs.c.kind, jobs.c.state)):
        found.setdefault(kind, {})[state] = number
    return found


def _due(now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(jobs.c.state == JobState.QUEUED, jobs.c.run_after <= now)


def _change(session: Session, leases: Sequence[Lease], values: Mapping[str, Any]) -> list[Lease]:
    """Change the jobs of those leases that are still held, and return these."""
    held: set[int] = set()
    for chunk in _chunks(leases):
        tokens = sa.tuple_(jobs.c.id, jobs.c.fence).in_([(lease.job_id, lease.fence) for lease in chunk])
        ours = jobs.update().where(jobs.c.state == JobState.LEASED, tokens).values(dict(values))
        held |= set(session.scalars(ours.returning(jobs.c.id)))
    return [lease for lease in leases if lease.job_id in held]


def _job(row: sa.Row[Any]) -> Job:
    values = {name: getattr(row, name) for name in Job.__dataclass_fields__}
    return Job(**(values | {"state": JobState(row.state)}))


def _chunks(items: Sequence[T]) -> Iterable[Sequence[T]]:
    return (items[start : start + CHUNK] for start in range(0, len(items), CHUNK))
