"""When the model is retrained: on the dates of a schedule, and at once when somebody or an alarm asks for it.

Dates and requests become jobs of one kind in the desk's queue, so that of any number of serving processes one does each
of them, once. The job runs ``paretodesk retrain`` as a process of its own, whose memory returns to the system.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice

import sqlalchemy as sa
from cronsim import CronSim
from filelock import FileLock, Timeout
from sqlalchemy.orm import Session

from desk import DeskError
from desk.database import Database
from desk.inbox import Desk
from desk.intake import enqueue, first_time
from desk.jobs import Chore, JobKind, NotNowError, Run
from desk.tables import deliveries, jobs
from service.settings import Settings
from training.retraining.from_snapshot import LOCK

log = logging.getLogger("paretodesk.schedule")

RETRAIN = "retrain"
"""Job that retrains; payload: ``why``."""
USUAL = "0 3 1 1,4,7,10,11,12 *"
"""Quarterly, and monthly in the fourth quarter; docs/domain.md section 1 audits reasons as often."""
LOOK_EVERY = 60.0
"""Seconds between looks at the schedule; a date of it has minutes."""
ATTEMPTS = 3
BUSY = timedelta(minutes=5)
"""How long a job waits for a retraining that somebody started by hand."""
RETRAININGS = "retraining"
"""Folder of the runs under the home folder."""
DONE = (0, 1)
"""Exit codes of a retraining that came to a verdict: promoted, refused."""
NICENESS = 10
TOLD = 500
"""Characters of what a failed retraining said that the job keeps."""


class RetrainError(DeskError):
    """A retraining came to no verdict; the message is what it said."""


def dates_of(schedule: str, after: datetime) -> Iterator[datetime]:
    """The dates of a cron expression after a moment, UTC. Raises `cronsim.CronSimError`."""
    return CronSim(schedule, after.astimezone(UTC))


def last_date(schedule: str, now: datetime) -> datetime | None:
    """The newest date of the schedule up to ``now``."""
    # one second on: the date itself counts from its first moment
    return next(CronSim(schedule, now.astimezone(UTC) + timedelta(seconds=1), reverse=True), None)


def next_dates(schedule: str, now: datetime, count: int) -> list[datetime]:
    """The next dates of the schedule."""
    return list(islice(dates_of(schedule, now), count))


def request_retrain(where: Database | Desk, why: str) -> bool:
    """Ask for a retraining at once; False where one waits or runs already.

    A serving process does it, whether there is a schedule or not. Raises `DatabaseError`.
    """
    database = where.database if isinstance(where, Desk) else where
    return database.write(lambda session: _request(session, why))


def _request(session: Session, why: str) -> bool:
    # Named after the last one that ended: of requests between two retrainings only the first finds its name free.
    ended = sa.select(sa.func.max(jobs.c.id)).where(jobs.c.kind == RETRAIN, jobs.c.ended_at.is_not(None))
    key = f"after-{session.scalar(ended) or 0}"
    return enqueue(session, RETRAIN, {"why": why}, key=key, max_attempts=ATTEMPTS)


def look(database: Database, schedule: str, now: datetime | None = None) -> bool:
    """Ask for a retraining where a date of the schedule has passed since the last look; whether one was asked for.

    Of several missed dates only the last counts. The first look at a schedule only takes note of where it stands.
    Any number of processes may look: the desk's database remembers each date once. Raises `DatabaseError`.
    """
    moment = now or datetime.now(UTC)
    due = last_date(schedule, moment)
    if due is None:
        return False
    source = f"schedule {schedule}"

    def act(session: Session) -> bool:
        known = session.scalar(sa.select(sa.func.count()).where(deliveries.c.source == source))
        if not first_time(session, source, due.isoformat(), RETRAIN, at=moment) or not known:
            return False
        return _request(session, f"scheduled for {due:%Y-%m-%d %H:%M} UTC")

    asked = database.write(act)
    if asked:
        log.info("retraining of %s is due", due.isoformat())
    return asked


def chores(settings: Settings, database: Database) -> list[Chore]:
    """The look at the schedule, where there is one."""
    schedule = settings.retrain_schedule
    return [Chore("retraining schedule", LOOK_EVERY, lambda: look(database, schedule))] if schedule else []


def job_kind(settings: Settings) -> JobKind:
    """How retraining jobs are done."""
    return JobKind(RETRAIN, lambda run: _retrain(run, settings))


def _retrain(run: Run, settings: Settings) -> None:
    (lease,) = run.pending
    if _busy(settings):
        raise NotNowError("another retraining runs", BUSY)
    log.info("retraining starts: %s", lease.payload.get("why", ""))
    command = [sys.executable, "-m", "service.cli", "retrain"]
    with subprocess.Popen(  # noqa: S603  # our own command
        command, env=_environment(settings), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
        _, said = process.communicate()
    if process.returncode not in DONE:
        raise RetrainError(f"retraining ended with code {process.returncode}: {said.strip()[-TOLD:]}")
    log.info("retraining ended: %s", "promoted" if process.returncode == 0 else "refused, see 'paretodesk models list'")


def _busy(settings: Settings) -> bool:
    folder = settings.home / RETRAININGS
    if not folder.is_dir():
        return False
    try:
        with FileLock(folder / LOCK, timeout=0):
            return False
    except Timeout:
        return True


def _environment(settings: Settings) -> dict[str, str]:
    """This process's environment with the settings that options may have changed, relative paths made whole."""
    return os.environ | {
        "PARETODESK_HOME": str(settings.home.resolve()),
        "PARETODESK_DATABASE_URL": settings.database_url,
        "PARETODESK_MODELS_STORE": str(settings.models_store.resolve()),
        "PARETODESK_SIGNING_KEY": str(settings.signing_key.resolve()),
    }
