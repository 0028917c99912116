"""Proof that an order is the customer's: bounded per order and per address, whatever session or process it comes from.

An unknown order, a wrong proof and a locked order are the same None after the same work: every attempt is counted on
disk before it is judged, and the order source is asked every time, so that neither words nor time tell them apart.
"""

from __future__ import annotations

import hashlib
import ipaddress
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.decision import DecisionSettings
from bot.order_lookup import OrderLookup
from desk.database import Database
from desk.order_table import OrderFacts, OrderSourceDownError
from desk.tables import insert_new, proof_attempts

PURGE_EVERY = 60.0
"""Seconds between looks for counts that are over."""


@dataclass(frozen=True)
class Attempt:
    """One counted attempt: whether it may be judged, and whose counts it went to."""

    allowed: bool
    subjects: tuple[str, ...]


class ProofLocks:
    """Counts attempts in the table `proof_attempts`; safe between threads and processes.

    A subject (an order, an e-mail address that was tried, a client's address) that had its share of wrong proofs is
    locked for ``proof_lock_minutes`` from the one that was one too many; attempts meanwhile neither count nor prolong
    it. Methods raise `DatabaseError`.
    """

    def __init__(
        self, database: Database, settings: DecisionSettings, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._database, self._settings, self._now = database, settings, now
        self._lock_for = timedelta(minutes=settings.proof_lock_minutes)
        self._purging = threading.Lock()
        self._purged = time.monotonic()

    def count(self, order_id: str, proof: str, address: str | None) -> Attempt:
        """Count an attempt before it is judged, so that attempts at the same time cannot pass together."""
        self._purge_sometimes()
        limits = {_digest("order", order_id): self._settings.max_proofs_per_order}
        if "@" in proof:
            limits[_digest("email", proof)] = self._settings.max_proofs_per_email
        if address:
            limits[_digest("address", _network(address))] = self._settings.max_proofs_per_address

        def act(session: Session) -> bool:
            # in one order everywhere, or two attempts could wait for each other
            judged = [self._counted(session, subject, limits[subject]) for subject in sorted(limits)]
            return all(judged)

        return Attempt(self._database.write(act), tuple(limits))

    def forgive(self, attempt: Attempt) -> None:
        """Take back an attempt that was no wrong proof."""
        columns = proof_attempts.c

        def act(session: Session) -> None:
            for subject in sorted(attempt.subjects):
                mine = proof_attempts.update().where(columns.subject_hash == subject, columns.attempts > 0)
                session.execute(mine.values(attempts=columns.attempts - 1))

        self._database.write(act)

    def purge(self) -> int:
        """Delete counts that are over; returns how many."""
        columns = proof_attempts.c
        over = sa.select(columns.subject_hash).where(columns.since <= self._now() - self._lock_for)

        def act(session: Session) -> int:
            # rows that an attempt holds at this moment are left for the next time
            found = session.scalars(over.with_for_update(skip_locked=True)).all()
            session.execute(proof_attempts.delete().where(columns.subject_hash.in_(found)))
            return len(found)

        return self._database.write(act)

    def _counted(self, session: Session, subject: str, limit: int) -> bool:
        """Whether the subject may still be judged. The statement is the same, and writes, where it may not.

        A count runs from its first attempt; the one that reaches the limit starts the lock.
        """
        columns, now = proof_attempts.c, self._now()
        over = columns.since <= now - self._lock_for
        judged = columns.attempts < limit
        locks = columns.attempts == limit - 1
        statement = insert_new(session, proof_attempts).values(subject_hash=subject, since=now, attempts=1)
        statement = statement.on_conflict_do_update(
            index_elements=[columns.subject_hash],
            set_={
                "since": sa.case((sa.or_(over, locks), statement.excluded.since), else_=columns.since),
                "attempts": sa.case((over, 1), (judged, columns.attempts + 1), else_=limit + 1),
            },
        ).returning(columns.attempts)
        return int(session.execute(statement).scalar_one()) <= limit

    def _purge_sometimes(self) -> None:
        with self._purging:
            if time.monotonic() - self._purged < PURGE_EVERY:
                return
            self._purged = time.monotonic()
        self.purge()


@dataclass
class Prover:
    """Judges the proofs of one customer message.

    The same proof asked for again, because the turn is taken again, is not counted twice. ``address`` is where the
    message came from, None where nobody knows.
    """

    lookup: OrderLookup
    locks: ProofLocks
    address: str | None = None
    _judged: dict[tuple[str, str], OrderFacts | None] = field(default_factory=dict)

    def __call__(self, order_id: str, proof: str) -> OrderFacts | None:
        """The order if the proof fits and nothing is locked. Raises `OrderSourceDownError` and `DatabaseError`."""
        key = order_id, proof
        if key not in self._judged:
            self._judged[key] = self._judge(order_id, proof)
        return self._judged[key]

    def _judge(self, order_id: str, proof: str) -> OrderFacts | None:
        attempt = self.locks.count(order_id, proof, self.address)
        try:
            found = self.lookup.proven(order_id, proof)
        except OrderSourceDownError:
            if attempt.allowed:
                self.locks.forgive(attempt)
            raise
        if found is None or not attempt.allowed:
            return None
        self.locks.forgive(attempt)
        return found


def _network(address: str) -> str:
    """A client's address; of IPv6 the network, because a household has all addresses of it."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed  # a socket of both versions shows IPv4 clients so
    return str(ipaddress.ip_network(f"{parsed}/64", strict=False)) if parsed.version == 6 else str(parsed)


def _digest(kind: str, value: str) -> str:
    # people type other things into the wrong field: what was tried is not kept as it was typed
    return hashlib.sha256(f"{kind}:{value.strip().casefold()}".encode("utf-8", "replace")).hexdigest()
