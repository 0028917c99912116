"""Work that follows from what came in: leased, done once, tried again, and kept with its problem when it will not go.

`desk.intake.enqueue` puts a job into the caller's transaction. A `Worker` leases it, its `JobKind` handles it, and the
effect is committed together with 'done'.
"""

from desk.intake import Queued, enqueue_many
from desk.jobs.queue import (
    Job,
    JobState,
    Lease,
    UnknownJobError,
    backoff,
    counts,
    fail,
    finish,
    give_back,
    jobs_in,
    lease,
    purge,
    renew,
    requeue,
    revive,
    settle,
    waiting_kinds,
)
from desk.jobs.run import JobKind, NotNowError, Run
from desk.jobs.worker import Chore, Worker

__all__ = [
    "Chore",
    "Job",
    "JobKind",
    "JobState",
    "Lease",
    "NotNowError",
    "Queued",
    "Run",
    "UnknownJobError",
    "Worker",
    "backoff",
    "counts",
    "enqueue_many",
    "fail",
    "finish",
    "give_back",
    "jobs_in",
    "lease",
    "purge",
    "renew",
    "requeue",
    "revive",
    "settle",
    "waiting_kinds",
]
