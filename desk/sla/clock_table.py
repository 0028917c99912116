"""The clocks of all tickets as a table, kept in step with the ledger: recomputed whenever a ticket's events change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from desk.database import Database
from desk.ledger import CHUNK, Event, UnknownTicketError, events_by_ticket, lock
from desk.sla.clocks import Clock, ClockState, clocks_of
from desk.sla.policies import Policies, Subject, starter_policies
from desk.tables import sla_clocks, sla_policies, tickets, upsert

FOLLOWER = "sla_clocks"
Progress = Callable[[int, int], None]
_KEY = tuple(column.name for column in sla_clocks.primary_key.columns)


@dataclass(frozen=True, slots=True)
class ClockKeeper:
    """A follower of the ledger that computes the clocks of a ticket anew when something is recorded about it."""

    policies: Policies

    def __call__(self, session: Session, told: Mapping[str, Sequence[Event]]) -> None:
        """Store the clocks of the tickets whose events are ``told``."""
        store_clocks(session, told, self.policies, datetime.now(UTC))


def keep_clocks(database: Database, policies: Policies | None = None) -> Policies:
    """Keep the clocks in step with the ledger from now on, and return by which policies.

    None: those that they are kept by already, or else the shipped ones.
    """
    keeper = database.followers.get(FOLLOWER)
    if policies is None and isinstance(keeper, ClockKeeper):
        return keeper.policies
    chosen = policies or starter_policies()
    database.follow(FOLLOWER, ClockKeeper(chosen))
    return chosen


def refresh(
    session: Session, ticket_ids: Sequence[str], policies: Policies, now: datetime | None = None
) -> dict[str, tuple[Clock, ...]]:
    """Compute the clocks of tickets anew from their events, store them, and return them by ticket id."""
    return store_clocks(session, events_by_ticket(session, ticket_ids), policies, now or datetime.now(UTC))


def store_clocks(
    session: Session, told: Mapping[str, Sequence[Event]], policies: Policies, now: datetime
) -> dict[str, tuple[Clock, ...]]:
    """Store what the events ``told`` of each ticket make of its clocks; rows that stay the same are not written."""
    ids = sorted(told)
    found: dict[str, tuple[Clock, ...]] = {}
    for start in range(0, len(ids), CHUNK):
        chunk = ids[start : start + CHUNK]
        for row in session.execute(sa.select(tickets.c.id, tickets.c.marketplace, tickets.c.channel)
                                   .where(tickets.c.id.in_(chunk))):  # fmt: skip
            subject = policies.subject(row.marketplace, row.channel)
            found[row.id] = clocks_of(subject, told[row.id], policies, now)
        _write(session, chunk, found)
    return found


def explained(
    database: Database, ticket_id: str, policies: Policies, now: datetime
) -> tuple[Subject, tuple[Clock, ...]]:
    """What policies look at in a ticket, and its clocks computed from the events. Raises `UnknownTicketError`."""
    with database.session(read_only=True) as session:
        row = session.execute(sa.select(tickets).where(tickets.c.id == ticket_id)).one_or_none()
        told = events_by_ticket(session, [ticket_id])
    if row is None:
        raise UnknownTicketError(f"there is no ticket {ticket_id}")
    subject = policies.subject(row.marketplace, row.channel)
    return subject, clocks_of(subject, told.get(ticket_id, ()), policies, now)


def rebuild(
    database: Database, policies: Policies, now: datetime | None = None, progress: Progress | None = None
) -> int:
    """Compute the clocks of every ticket anew and note by which policies; returns how many tickets there are.

    Tickets are locked by the hundred, so that the desk goes on working; stopping half-way leaves the rest as it was.
    ``progress`` is called with (done, total).
    """
    with database.session(read_only=True) as session:
        ids = session.scalars(sa.select(tickets.c.id).order_by(tickets.c.id)).all()
    for start in range(0, len(ids), CHUNK):
        chunk = ids[start : start + CHUNK]
        with database.session() as session:
            lock(session, chunk)
            refresh(session, chunk, policies, now)
        if progress:
            progress(start + len(chunk), len(ids))
    with database.session() as session:
        row = {"fingerprint": policies.fingerprint, "adopted_at": now or datetime.now(UTC)}
        session.execute(upsert(session, sla_policies), row)
    return len(ids)


def in_force(database: Database, policies: Policies) -> bool:
    """Whether the stored clocks were computed by these policies."""
    newest = sa.select(sla_policies.c.fingerprint).order_by(sla_policies.c.adopted_at.desc()).limit(1)
    with database.session(read_only=True) as session:
        return session.scalar(newest) == policies.fingerprint


@dataclass(frozen=True, slots=True)
class StoredClock:
    """A clock as the table has it, with its state as of ``now``.

    ``seconds_left`` until it is due, negative when overdue; while paused, the working time that will be left; None for
    a stopped one.
    """

    ticket_id: str
    clock: str
    policy: str
    state: ClockState
    started_at: datetime
    due_at: datetime | None
    at_risk_at: datetime | None
    stopped_at: datetime | None
    at_risk: bool
    seconds_left: float | None

    def to_json(self) -> dict[str, Any]:
        """As JSON data; times in ISO 8601."""
        times = {name: getattr(self, name) for name in ("started_at", "due_at", "at_risk_at", "stopped_at")}
        return {
            "clock": self.clock,
            "policy": self.policy,
            "state": str(self.state),
            **{name: moment.isoformat() if moment else None for name, moment in times.items()},
            "at_risk": self.at_risk,
            "seconds_left": self.seconds_left,
        }


def clocks_by_ticket(database: Database, ticket_ids: Sequence[str], now: datetime) -> dict[str, list[StoredClock]]:
    """The stored clocks of each ticket: those that run first, by when they are due, then those that ended."""
    with database.session(read_only=True) as session:
        return clocks_in(session, ticket_ids, now)


def clocks_in(session: Session, ticket_ids: Sequence[str], now: datetime) -> dict[str, list[StoredClock]]:
    """`clocks_by_ticket` as ``session`` sees them."""
    found: dict[str, list[StoredClock]] = {ticket_id: [] for ticket_id in ticket_ids}
    query = sa.select(sla_clocks).where(sla_clocks.c.ticket_id.in_(ticket_ids))
    clocks = [_stored(row, now) for row in session.execute(query)]
    for clock in sorted(clocks, key=_by_urgency):
        found[clock.ticket_id].append(clock)
    return found


def open_clocks(
    database: Database, now: datetime, due_before: datetime | None = None, limit: int = 100, offset: int = 0
) -> list[StoredClock]:
    """Of each ticket that is owed something the clock that runs out first, soonest first, overdue ones included."""
    query = sa.select(sla_clocks).where(sla_clocks.c.foremost)
    if due_before is not None:
        query = query.where(sla_clocks.c.due_at <= due_before)
    query = query.order_by(sla_clocks.c.due_at, sla_clocks.c.ticket_id).limit(limit).offset(offset)
    with database.session(read_only=True) as session:
        return [_stored(row, now) for row in session.execute(query)]


def _stored(row: sa.Row[Any], now: datetime) -> StoredClock:
    state, left = ClockState(row.state), row.paused_with
    if row.stopped_at is None and row.due_at is not None:
        left = (row.due_at - now).total_seconds()
        state = ClockState.BREACHED if left < 0 else ClockState.RUNNING
    at_risk = row.stopped_at is None and row.at_risk_at is not None and row.at_risk_at <= now
    return StoredClock(
        ticket_id=row.ticket_id,
        clock=row.clock,
        policy=row.policy,
        state=state,
        started_at=row.started_at,
        due_at=row.due_at,
        at_risk_at=row.at_risk_at,
        stopped_at=row.stopped_at,
        at_risk=at_risk,
        seconds_left=left,
    )


def _by_urgency(clock: StoredClock) -> tuple[bool, datetime, datetime]:
    return clock.stopped_at is not None, clock.due_at or datetime.max.replace(tzinfo=UTC), clock.started_at


def _write(session: Session, ticket_ids: Sequence[str], found: Mapping[str, Sequence[Clock]]) -> None:
    wanted = {_key(row): row for ticket_id in ticket_ids for row in _rows(ticket_id, found.get(ticket_id, ()))}
    query = sa.select(sla_clocks).where(sla_clocks.c.ticket_id.in_(ticket_ids))
    stored = {_key(row): row for row in map(dict, session.execute(query).mappings())}
    for key in stored.keys() - wanted.keys():
        session.execute(
            sla_clocks.delete().where(*(sla_clocks.c[name] == part for name, part in zip(_KEY, key, strict=True)))
        )
    if changed := [row for key, row in wanted.items() if stored.get(key) != row]:
        session.execute(upsert(session, sla_clocks), changed)


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in _KEY)


def _rows(ticket_id: str, clocks: Iterable[Clock]) -> list[dict[str, Any]]:
    rows = [
        {
            "ticket_id": ticket_id,
            "clock": str(clock.kind),
            "started_at": clock.started_at,
            "policy": clock.policy,
            "due_at": clock.due_at,
            "at_risk_at": clock.at_risk_at,
            "stopped_at": clock.stopped_at,
            "state": str(clock.state),
            "paused_with": clock.remaining.total_seconds() if clock.state is ClockState.PAUSED else None,
            "told": clock.told,
            "look_at": clock.look_at,
            "foremost": False,
        }
        for clock in clocks
    ]
    if running := [row for row in rows if row["stopped_at"] is None and row["due_at"] is not None]:
        min(running, key=lambda row: (row["due_at"], row["clock"], row["started_at"]))["foremost"] = True
    return rows
