"""How the jobs of the desk are done while it serves. A new kind of job is one more line in `job_kinds`."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import timedelta
from functools import partial

from bot.autonomy import Dial
from bot.autonomy_steps import Turning
from bot.settling import settle
from desk.access.sessions import Sessions
from desk.access.throttle import forget_old
from desk.intake import TAG
from desk.jobs import Chore, JobKind, Worker
from desk.routing.engine import BATCH as ROUTE_BATCH
from desk.routing.engine import ROUTE
from desk.tag_jobs import BATCH, sweep, tag_tickets
from service import schedule
from service.chatwoot import chatwoot_bot
from service.wiring import Services

SWEEP_EVERY = 15.0
"""Seconds between looks for tickets that came without a job, such as imported ones."""
SETTLE_EVERY = 3_600.0
"""Seconds between looks for conversations whose week is over."""
FORGET_EVERY = 3_600.0
"""Seconds between deletions of sessions that have expired and of counts of sign-ins that count no more."""
REVIEW_EVERY = 3_600.0
"""Seconds between looks at what speaks against the autonomy of a reason."""
SETTLED_FOR = timedelta(minutes=1)
"""How long such a ticket is left to whoever brought it: an import tags its own."""


def job_kinds(services: Services) -> tuple[JobKind, ...]:
    """All kinds of jobs with their handlers."""

    def model_serves() -> bool:
        return services.tagger.tagger.model is not None

    chatwoot = chatwoot_bot(services)
    pace = services.pace
    tagging = partial(tag_tickets, tagger=services.tagger)
    return (
        JobKind(TAG, tagging, BATCH, ready=model_serves, portion=pace.portion, rest_after=pace.rest_after),
        JobKind(ROUTE, services.router.work, ROUTE_BATCH, portion=pace.portion, rest_after=pace.rest_after),
        schedule.job_kind(services.settings),
        *services.mail.job_kinds(),
        *([chatwoot.job_kind()] if chatwoot else ()),
    )


def working(
    services: Services, *, sweep_every: float = SWEEP_EVERY, settled_for: timedelta = SETTLED_FOR
) -> AbstractContextManager[Worker]:
    """Does jobs in the background until the block ends, and finds tickets that came without one."""
    sweeping = Chore("sweep", sweep_every, lambda: sweep(services.database, settled_for))
    settling = Chore("chat outcomes", SETTLE_EVERY, lambda: settle(services.database))
    turning = Turning(Dial(services.database, services.taxonomy))
    reviewing = Chore("autonomy review", REVIEW_EVERY, turning.review)
    forgetting = Chore("expired sessions", FORGET_EVERY, lambda: _forget(services))
    retraining = schedule.chores(services.settings, services.database)
    return Worker(services.database, job_kinds(services), [sweeping, settling, reviewing, forgetting, *retraining])


def _forget(services: Services) -> None:
    Sessions(services.database).forget_expired(services.settings.lifetime)
    services.database.write(forget_old)
