"""Threads that do jobs as they fall due, and chores that come round."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Self

from desk import DeskError
from desk.database import Database
from desk.jobs import queue
from desk.jobs.queue import Lease
from desk.jobs.run import JobKind, NotNowError, Run, utc_now

log = logging.getLogger("paretodesk.jobs")

LOOK_EVERY = 0.5
"""Seconds between looks of an idle thread; a look is one indexed query that locks nothing."""
REVIVE_EVERY = 5.0
PURGE_EVERY = 3_600.0
KEEP_DONE = timedelta(days=7)
"""How long done jobs stay to be looked at, and their keys to be recognised."""
STOP_WITHIN = 20.0
"""Seconds that a stop waits for jobs under way; what takes longer is done again after its lease."""


@dataclass(frozen=True, slots=True)
class Chore:
    """Something to do every so many seconds."""

    name: str
    every: float
    act: Callable[[], object]


class Worker:
    """Does jobs of ``kinds`` in the background, one thread for each, so that a slow mail server does not hold up tags.

    A further thread does the ``chores``, among them reviving lost leases and purging old jobs. Any number of workers
    may share a database. Use it as a context manager.
    """

    def __init__(
        self,
        database: Database,
        kinds: Sequence[JobKind],
        chores: Sequence[Chore] = (),
        *,
        look_every: float = LOOK_EVERY,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(2)}"
        self._database, self._kinds, self._clock, self._look_every = database, tuple(kinds), clock, look_every
        self._chores = (Chore("revive", REVIVE_EVERY, self._revive), Chore("purge", PURGE_EVERY, self._purge), *chores)
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        for kind in self._kinds:
            self._start(f"jobs: {kind.name}", partial(self._work, kind))
        for chore in self._chores:
            self._start(f"chore: {chore.name}", partial(self._come_round, chore))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(STOP_WITHIN)

    def work_once(self, kind: JobKind) -> int:
        """Lease the due jobs of a kind, one batch, and do them; how many there were."""
        now = self._clock()
        with self._database.session(read_only=True) as session:
            if not queue.waiting_kinds(session, [kind.name], now):
                return 0
        leases = self._database.write(
            lambda session: queue.lease(
                session, kind.name, worker=self.name, now=now, length=kind.lease, limit=kind.portion(kind.batch)
            )
        )
        if leases:
            self._attempt(kind, leases)
        return len(leases)

    # -- jobs ----------------------------------------------------------------------------------------------

    def _attempt(self, kind: JobKind, leases: Sequence[Lease]) -> None:
        run = Run(self._database, leases, kind.lease, self._clock)
        with self._renewing(run, kind):
            try:
                kind.handle(run)
                run.finish()
                return
            except NotNowError as pause:
                log.info("%s jobs wait: %s", kind.name, pause)
                run.give_back(pause.after)
                return
            except Exception as error:  # noqa: BLE001  # whatever a handler raises, the job and its problem are kept
                if len(leases) == 1:
                    self._failed(run, leases[0], error)
                    return
            # One bad job must not take its batch with it.
            for lease in run.pending:
                if not self._stop.is_set():
                    self._attempt(kind, [lease])

    def _failed(self, run: Run, lease: Lease, error: Exception) -> None:
        # Messages of our own errors are meant for people; those of others may hold a customer's words.
        problem = str(error) if isinstance(error, DeskError) else f"unexpected {type(error).__name__}"
        state = run.fail(lease, problem)
        trace = None if isinstance(error, DeskError) else error
        log.warning(
            "job %d (%s), attempt %d of %d failed and is %s: %s",
            lease.job_id, lease.kind, lease.attempt, lease.max_attempts, state or "another worker's", problem,
            exc_info=trace,
        )  # fmt: skip

    @contextmanager
    def _renewing(self, run: Run, kind: JobKind) -> Iterator[None]:
        ended = threading.Event()

        def beat() -> None:
            while not ended.wait(kind.lease.total_seconds() / 3):
                if run.pending:
                    with _told("leases were not renewed"):
                        run.renew()

        threading.Thread(target=beat, name=f"leases: {kind.name}", daemon=True).start()
        try:
            yield
        finally:
            ended.set()

    # -- threads -------------------------------------------------------------------------------------------

    def _start(self, name: str, act: Callable[[], None]) -> None:
        thread = threading.Thread(target=act, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _work(self, kind: JobKind) -> None:
        while not self._stop.is_set():
            done, began = 0, time.monotonic()
            with _told(f"{kind.name} jobs were not done"):
                done = self.work_once(kind) if kind.ready() else 0
            self._rest(kind, time.monotonic() - began)
            if done < kind.portion(kind.batch):  # what trickles in is done by the batch, not one by one
                self._stop.wait(self._look_every)

    def _rest(self, kind: JobKind, worked: float) -> None:
        """Rest for as long as the kind says, which it may take back meanwhile."""
        began = time.monotonic()
        while (left := kind.rest_after(worked) - (time.monotonic() - began)) > 0:
            if self._stop.wait(min(left, self._look_every)):
                return

    def _come_round(self, chore: Chore) -> None:
        while not self._stop.is_set():
            with _told(f"{chore.name} was not done"):
                chore.act()
            self._stop.wait(chore.every)

    def _revive(self) -> None:
        if found := self._database.write(lambda session: queue.revive(session, self._clock())):
            log.info("%d jobs were revived whose worker went silent", found)

    def _purge(self) -> None:
        self._database.write(lambda session: queue.purge(session, self._clock() - KEEP_DONE))


@contextmanager
def _told(what: str) -> Iterator[None]:
    """A thread of the background survives everything and says so in the log."""
    try:
        yield
    except DeskError as error:
        log.error("%s: %s", what, error)
    except Exception as error:
        log.exception("%s: unexpected %s", what, type(error).__name__)
