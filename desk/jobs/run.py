"""Jobs of one kind while their handler works on them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from sqlalchemy.orm import Session

from desk import DeskError
from desk.database import Database
from desk.jobs import queue
from desk.jobs.queue import JobState, Lease

LEASE = timedelta(seconds=60)
"""How long a worker may be silent; while it works its leases are renewed every third of this."""


def utc_now() -> datetime:
    """The clock of workers."""
    return datetime.now(UTC)


class NotNowError(DeskError):
    """A handler cannot work now through no fault of its jobs: they wait ``after``, and the attempt does not count."""

    def __init__(self, message: str, after: timedelta) -> None:
        super().__init__(message)
        self.after = after


Handler = Callable[["Run"], None]
Effect = Callable[[Session, Sequence[Lease]], None]


def _always() -> bool:
    return True


def _no_rest(_worked: float) -> float:
    return 0.0


def _all(batch: int) -> int:
    return batch


@dataclass(frozen=True, slots=True)
class JobKind:
    """How jobs of a kind are done.

    ``handle`` gets up to ``batch`` of them at once. It ends them with `Run.finish`; those that it has not ended when
    it returns are done, when it raises they have failed (a batch is then tried one by one). While ``ready`` says no,
    jobs of this kind wait. ``portion`` says how many of a batch are done at once now; ``rest_after`` is told how many
    seconds that took, and says for how many to rest.
    """

    name: str
    handle: Handler
    batch: int = 1
    lease: timedelta = LEASE
    ready: Callable[[], bool] = _always
    portion: Callable[[int], int] = _all
    rest_after: Callable[[float], float] = _no_rest


class Run:
    """Leased jobs of one kind, and the ways to end them. ``pending`` are those not ended yet."""

    def __init__(
        self,
        database: Database,
        leases: Sequence[Lease],
        length: timedelta = LEASE,
        clock: Callable[[], datetime] = utc_now,
        random: Random | None = None,
    ) -> None:
        self.database = database
        self.leases = tuple(leases)
        self._length, self._clock, self._random = length, clock, random or Random()  # noqa: S311
        self._pending = {lease.job_id: lease for lease in leases}
        # Renewing and ending lock the same rows; one after the other they cannot block each other.
        self._changing = threading.Lock()

    @property
    def pending(self) -> tuple[Lease, ...]:
        """Leases that were not ended yet."""
        return tuple(self._pending.values())

    def finish(self, effect: Effect | None = None, leases: Sequence[Lease] | None = None) -> list[Lease]:
        """Commit ``effect`` and 'done' of ``leases`` (all pending ones when left out) in one transaction.

        The effect is told which jobs are still ours and is not called when none is; what it writes for these happens
        exactly once. Returns them. When the effect raises, nothing has happened and the jobs stay pending.
        """
        with self._changing:
            ended = self._chosen(leases)

            def act(session: Session) -> list[Lease]:
                held = queue.finish(session, ended, self._clock())
                if held and effect is not None:
                    effect(session, held)
                return held

            held = self.database.write(act) if ended else []
            self._forget(ended)
            return held

    def give_back(self, after: timedelta, leases: Sequence[Lease] | None = None) -> None:
        """Let jobs wait for ``after``; the attempt does not count."""
        with self._changing:
            back = self._chosen(leases)
            self.database.write(lambda session: queue.give_back(session, back, self._clock() + after))
            self._forget(back)

    def fail(self, lease: Lease, problem: str, *, final: bool = False) -> JobState | None:
        """The job failed; a ``final`` failure is not tried again. None when the lease was lost before."""
        with self._changing:
            state = self.database.write(
                lambda session: queue.fail(session, lease, problem, self._clock(), self._random, final=final)
            )
            self._forget([lease])
            return state

    def renew(self) -> None:
        """Keep the pending leases for another while; those that were lost are not pending any more."""
        with self._changing:
            ours = self.pending
            held = self.database.write(lambda session: queue.renew(session, ours, self._clock(), self._length))
            kept = {lease.job_id for lease in held}
            self._forget([lease for lease in ours if lease.job_id not in kept])

    def _chosen(self, leases: Sequence[Lease] | None) -> list[Lease]:
        return [lease for lease in (self.leases if leases is None else leases) if lease.job_id in self._pending]

    def _forget(self, leases: Sequence[Lease]) -> None:
        for lease in leases:
            self._pending.pop(lease.job_id, None)
