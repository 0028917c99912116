"""Every trace of steps leaves the jobs as a small model says, on both databases: none lost, none done twice."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from desk.database import Database
from desk.intake import enqueue, first_time
from desk.jobs import (
    JobState,
    Lease,
    UnknownJobError,
    backoff,
    fail,
    finish,
    give_back,
    lease,
    purge,
    renew,
    requeue,
    revive,
    settle,
    waiting_kinds,
)
from desk.tables import deliveries, jobs

START = datetime(2026, 7, 1, 12, tzinfo=UTC)
LENGTH = timedelta(seconds=60)
KINDS = ("tag", "send")
STEPS = (
    "enqueue", "lease", "lease", "finish", "finish", "fail", "give_back", "renew", "time_passes", "revive", "requeue",
    "purge",
)  # fmt: skip


@dataclass
class Expected:
    kind: str
    max_attempts: int
    run_after: datetime
    state: str = "queued"
    attempts: int = 0
    fence: int = 0
    leased_until: datetime | None = None
    ended_at: datetime | None = None


class Life:
    """Steps of several workers in any order, beside what should have come of them. A number chooses among the ways."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = START
        self.expected: dict[int, Expected] = {}
        self.leases: list[Lease] = []
        self.effects: set[int] = set()
        self.purged = 0
        with database.session() as session:
            session.execute(jobs.delete())
            session.execute(deliveries.delete())

    def holds(self, lease: Lease) -> bool:
        job = self.expected.get(lease.job_id)
        return job is not None and job.state == "leased" and job.fence == lease.fence

    def lease_of(self, number: int) -> Lease | None:
        """One of the leases ever given, mostly a recent one."""
        return self.leases[-1 - number % min(len(self.leases), 6)] if self.leases else None

    def enqueue(self, number: int) -> None:
        kind, delay, max_attempts = KINDS[number % 2], number % 7 * 10 - 40, 1 + number % 3
        after = self.now + timedelta(seconds=delay)
        with self.database.session() as session:
            assert enqueue(session, kind, {"n": delay}, run_after=after, max_attempts=max_attempts)
            newest = session.scalar(sa.select(sa.func.max(jobs.c.id)))
        assert newest not in self.expected
        self.expected[newest] = Expected(kind, max_attempts, after)

    def time_passes(self, number: int) -> None:
        self.now += timedelta(seconds=(1, 30, 61, 400)[number % 4])

    def lease(self, number: int) -> None:
        kind, worker, limit = KINDS[number % 2], "ab"[number % 3 % 2], 1 + number % 3
        due = sorted(
            (job.run_after, job_id)
            for job_id, job in self.expected.items()
            if job.state == "queued" and job.kind == kind and job.run_after <= self.now
        )
        with self.database.session() as session:
            assert waiting_kinds(session, [kind], self.now) == ({kind} if due else set())
            taken = lease(session, kind, worker=worker, now=self.now, length=LENGTH, limit=limit)
        assert [each.job_id for each in taken] == [job_id for _, job_id in due[:limit]]
        for each in taken:
            job = self.expected[each.job_id]
            job.state, job.leased_until = "leased", self.now + LENGTH
            job.attempts, job.fence = job.attempts + 1, job.fence + 1
            assert (each.attempt, each.fence, each.until) == (job.attempts, job.fence, job.leased_until)
            assert each.payload.keys() == {"n"}
        self.leases += taken

    def finish(self, number: int) -> None:
        chosen = list({each.job_id: each for each in self.leases[-1 - number % 6 :][: 1 + number % 3]}.values())
        ours = [each for each in chosen if self.holds(each)]
        with self.database.session() as session:
            held = finish(session, chosen, self.now)
            for each in held:  # the effect; a second one of the same job would be told
                assert first_time(session, "effect", str(each.job_id), "done")
        assert held == ours
        for each in held:
            self.effects.add(each.job_id)
            job = self.expected[each.job_id]
            job.state, job.ended_at, job.leased_until = "done", self.now, None

    def fail(self, number: int) -> None:
        one, final = self.lease_of(number), number % 5 == 0
        if one is None:
            return
        with self.database.session() as session:
            state = fail(session, one, "no route", self.now, Random(7), final=final)
        if not self.holds(one):
            assert state is None
            return
        job = self.expected[one.job_id]
        job.leased_until = None
        if final or job.attempts == job.max_attempts:
            job.state, job.ended_at = "dead", self.now
        else:
            job.state, job.run_after = "queued", self.now + backoff(job.attempts, Random(7))
        assert state is JobState(job.state)

    def give_back(self, number: int) -> None:
        if (one := self.lease_of(number)) is None:
            return
        after = self.now + timedelta(seconds=10)
        with self.database.session() as session:
            held = give_back(session, [one], after)
        assert held == ([one] if self.holds(one) else [])
        if held:
            job = self.expected[one.job_id]
            job.state, job.run_after, job.leased_until = "queued", after, None
            job.attempts -= 1

    def renew(self, number: int) -> None:
        if (one := self.lease_of(number)) is None:
            return
        with self.database.session() as session:
            held = renew(session, [one], self.now, LENGTH)
        assert held == ([one] if self.holds(one) else [])
        if held:
            self.expected[one.job_id].leased_until = self.now + LENGTH

    def revive(self, _: int = 0) -> None:
        lost = [job for job in self.expected.values() if job.state == "leased" and job.leased_until <= self.now]
        with self.database.session() as session:
            assert revive(session, self.now) == len(lost)
        for job in lost:
            job.leased_until = None
            if job.attempts == job.max_attempts:
                job.state, job.ended_at = "dead", self.now
            else:
                job.state, job.run_after = "queued", self.now

    def requeue(self, _: int = 0) -> None:
        dead = [job for job in self.expected.values() if job.state == "dead"]
        with self.database.session() as session:
            assert requeue(session, self.now) == len(dead)
        for job in dead:
            job.state, job.attempts, job.run_after, job.ended_at = "queued", 0, self.now, None

    def purge(self, _: int) -> None:
        before = self.now - timedelta(seconds=100)
        newest = max(self.expected, default=0)
        old = [n for n, job in self.expected.items() if job.state == "done" and job.ended_at < before and n != newest]
        with self.database.session() as session:
            assert purge(session, before) == len(old)
        for number in old:
            del self.expected[number]
        self.purged += len(old)

    def nothing_is_lost(self) -> None:
        with self.database.session(read_only=True) as session:
            rows = {row.id: row for row in session.execute(sa.select(jobs))}
            effects = set(session.scalars(sa.select(deliveries.c.event_id)))
        assert rows.keys() == self.expected.keys()
        for number, job in self.expected.items():
            row = rows[number]
            assert {name: getattr(row, name) for name in Expected.__dataclass_fields__} == vars(job)
        assert effects == set(map(str, self.effects))
        done = sum(job.state == "done" for job in self.expected.values())
        assert len(effects) == done + self.purged

    def everything_ends(self) -> None:
        """Given time, every job is done or dead."""
        for _ in range(4):
            self.now += timedelta(hours=2)
            self.revive()
            for kind in KINDS:
                with self.database.session() as session:
                    leases = lease(session, kind, worker="z", now=self.now, length=LENGTH, limit=100)
                    finish(session, leases, self.now)
        with self.database.session(read_only=True) as session:
            assert set(session.scalars(sa.select(jobs.c.state))) <= {"done", "dead"}


@given(trace=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 1_000)), min_size=35, max_size=35))
@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,  # the same traces on both databases
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_no_trace_of_steps_loses_a_job_or_does_it_twice(database, trace):
    life = Life(database)
    for number in range(4):
        life.enqueue(number)
    for step, number in trace:
        getattr(life, step)(number)
        life.nothing_is_lost()
    life.everything_ends()


@pytest.fixture
def put(database):
    def one(kind: str = "tag", **more: object) -> None:
        with database.session() as session:
            enqueue(session, kind, {}, run_after=START, **more)

    return one


def test_a_worker_that_was_overtaken_changes_nothing_any_more(database, put):
    put()
    with database.session() as session:
        (slow,) = lease(session, "tag", worker="slow", now=START, length=LENGTH)
    later = START + LENGTH
    with database.session() as session:
        assert revive(session, later) == 1
        (quick,) = lease(session, "tag", worker="quick", now=later, length=LENGTH)
        assert (quick.fence, quick.attempt) == (2, 2)
    with database.session() as session:
        assert finish(session, [slow], later) == []
        assert fail(session, slow, "late", later, Random(1)) is None
        assert renew(session, [slow], later, LENGTH) == []
        assert finish(session, [quick], later) == [quick]
        assert finish(session, [quick], later) == []  # done is final


def test_a_job_that_kills_its_worker_each_time_ends_dead_with_a_problem(database, put):
    put(max_attempts=2)
    now = START
    for _ in range(2):
        with database.session() as session:
            assert len(lease(session, "tag", worker="w1", now=now, length=LENGTH)) == 1
        now += LENGTH
        with database.session() as session:
            revive(session, now)
    with database.session(read_only=True) as session:
        row = session.execute(sa.select(jobs)).one()
    assert row.state == "dead"
    assert row.problem == "its worker w1 went silent at the last of 2 attempts"


def test_delays_double_up_to_an_hour_and_are_spread():
    spread = {backoff(1, Random(seed)) for seed in range(20)}
    assert len(spread) == 20
    assert all(timedelta(seconds=2.5) <= delay <= timedelta(seconds=5) for delay in spread)
    assert timedelta(seconds=160) <= backoff(7, Random(1)) <= timedelta(seconds=320)
    assert backoff(10_000, Random(1)) <= timedelta(hours=1)


def test_only_a_dead_job_can_be_requeued(database, put):
    put()
    with database.session(read_only=True) as session:
        number = session.scalar(sa.select(jobs.c.id))
    said = f"no dead job has the id {number}, 99999"
    with pytest.raises(UnknownJobError, match=said), database.session() as session:
        requeue(session, START, ids=[99999, number])


def test_a_job_that_its_caller_does_at_once_is_not_leased_any_more(database, put):
    put(key="T-1")
    with database.session() as session:
        assert settle(session, "tag", "T-1", START)
        assert not settle(session, "tag", "T-1", START)
        assert lease(session, "tag", worker="w", now=START, length=LENGTH) == []
