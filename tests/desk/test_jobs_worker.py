import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from desk import DeskError
from desk.intake import TAG, enqueue, first_time
from desk.jobs import Chore, JobKind, NotNowError, Worker
from desk.ledger import EventKind
from desk.tables import deliveries, jobs
from desk.tag_jobs import Delivery, Intake, sweep, tag_tickets, tagged_at_once
from desk.tagging import TaggerUnavailableError


@pytest.fixture
def put(database):
    def many(kind: str, numbers: range, **more: object) -> None:
        with database.session() as session:
            for number in numbers:
                enqueue(session, kind, {"n": number}, key=str(number), **more)

    return many


@pytest.fixture
def states(database):
    def look() -> Counter[str]:
        with database.session(read_only=True) as session:
            return Counter(session.scalars(sa.select(jobs.c.state)))

    return look


def soon(done) -> None:
    ends = time.monotonic() + 20
    while not done():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.02)


def test_many_workers_have_each_effect_once(database, put, states):
    put("count", range(120))

    def handle(run) -> None:
        def effect(session, held) -> None:
            for lease in held:
                assert first_time(session, "effect", str(lease.payload["n"]), "done")

        run.finish(effect)

    kind = JobKind("count", handle, batch=7)
    with Worker(database, [kind], look_every=0.02), Worker(database, [kind], look_every=0.02):
        soon(lambda: states() == {"done": 120})
    with database.session(read_only=True) as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(deliveries)) == 120
        assert session.scalar(sa.select(sa.func.max(jobs.c.attempts))) == 1


def test_one_bad_job_does_not_take_its_batch_with_it(database, put, states):
    put("work", range(5), max_attempts=1)

    def handle(run) -> None:
        if any(lease.payload["n"] == 3 for lease in run.leases):
            raise DeskError("number 3 cannot be done: choose another")

    assert Worker(database, []).work_once(JobKind("work", handle, batch=10)) == 5
    assert states() == {"done": 4, "dead": 1}
    with database.session(read_only=True) as session:
        row = session.execute(sa.select(jobs).where(jobs.c.state == "dead")).one()
    assert (row.key, row.problem) == ("3", "number 3 cannot be done: choose another")


def test_an_effect_that_fails_half_way_leaves_neither_effect_nor_done(database, put):
    put("work", range(1))

    def handle(run) -> None:
        def effect(session, held) -> None:
            first_time(session, "effect", "1", "done")
            raise RuntimeError("a customer's words")

        run.finish(effect)

    Worker(database, []).work_once(JobKind("work", handle))
    with database.session(read_only=True) as session:
        assert session.execute(sa.select(deliveries)).all() == []
        row = session.execute(sa.select(jobs)).one()
    assert (row.state, row.attempts, row.problem) == ("queued", 1, "unexpected RuntimeError")
    assert row.run_after > datetime.now(UTC)


def test_a_handler_that_cannot_work_now_costs_no_attempt(database, put):
    put("work", range(2), max_attempts=1)

    def handle(run) -> None:
        raise NotNowError("the mail server is away", timedelta(minutes=5))

    Worker(database, []).work_once(JobKind("work", handle, batch=2))
    with database.session(read_only=True) as session:
        rows = session.execute(sa.select(jobs)).all()
    assert {(row.state, row.attempts) for row in rows} == {("queued", 0)}
    assert all(row.run_after > datetime.now(UTC) + timedelta(minutes=4) for row in rows)


def test_a_kind_that_is_not_ready_waits(database, put, states):
    put("work", range(1))
    ready = threading.Event()
    kind = JobKind("work", lambda run: None, ready=ready.is_set)
    with Worker(database, [kind], look_every=0.02):
        time.sleep(0.2)
        assert states() == {"queued": 1}
        ready.set()
        soon(lambda: states() == {"done": 1})


def test_a_long_job_keeps_its_lease_while_it_works(database, put, states):
    put("long", range(1))
    runs = []

    def handle(run) -> None:
        runs.append(run)
        time.sleep(3)

    kind = JobKind("long", handle, lease=timedelta(seconds=1.5))
    reviving = Chore("revive", 0.05, lambda: worker._revive())
    worker = Worker(database, [kind], [reviving], look_every=0.02)
    with worker:
        soon(lambda: states() == {"done": 1})
    assert len(runs) == 1


def test_a_stopped_worker_lets_its_job_end_first(database, put, states):
    put("work", range(1))
    begun = threading.Event()

    def handle(run) -> None:
        begun.set()
        time.sleep(0.3)

    with Worker(database, [JobKind("work", handle)], look_every=0.02):
        begun.wait(10)
    assert states() == {"done": 1}


# -- tags --------------------------------------------------------------------------------------------------


@pytest.fixture
def tag_kind(tagger):
    return JobKind(TAG, lambda run: tag_tickets(run, tagger), batch=64)


def taken_in(desk, ticket, at_once=False):
    return Intake(desk.database).take(Delivery(ticket, at_once)).received


def kinds_of(desk, ticket_id: str) -> list[EventKind]:
    return [event.kind for event in desk.events(ticket_id)]


def test_a_ticket_and_its_job_come_in_together_and_the_job_tags_it_once(desk, incoming, tag_kind, states):
    first = taken_in(desk, incoming())
    again = taken_in(desk, incoming())
    assert (again.ticket_id, again.duplicate) == (first.ticket_id, True)
    assert states() == {"queued": 1}
    worker = Worker(desk.database, [])
    assert worker.work_once(tag_kind) == 1
    assert worker.work_once(tag_kind) == 0
    assert desk.ticket(first.ticket_id).state.reason == "tracking_update"
    assert kinds_of(desk, first.ticket_id) == [EventKind.RECEIVED, EventKind.TAGGED]


def test_who_tags_at_once_keeps_the_worker_away_and_the_other_way_round(desk, incoming, tag, tag_kind, states):
    ours = taken_in(desk, incoming("1"), at_once=True).ticket_id
    worker = Worker(desk.database, [])
    assert worker.work_once(tag_kind) == 0
    assert tagged_at_once(desk.database, ours, tag())
    assert states() == {"done": 1}
    theirs = taken_in(desk, incoming("2")).ticket_id
    assert worker.work_once(tag_kind) == 1
    assert not tagged_at_once(desk.database, theirs, tag("refund_status"))
    assert kinds_of(desk, theirs) == [EventKind.RECEIVED, EventKind.TAGGED]
    assert desk.ticket(theirs).state.reason == "tracking_update"


def test_a_reason_that_a_person_chose_meanwhile_stays_alone(desk, incoming, tag_kind):
    ticket_id = taken_in(desk, incoming()).ticket_id
    desk.correct_tag(ticket_id, "refund_status", "agent:anna")
    Worker(desk.database, []).work_once(tag_kind)
    assert kinds_of(desk, ticket_id) == [EventKind.RECEIVED, EventKind.RETAGGED]


def test_without_a_tagger_jobs_wait_and_lose_no_attempt(desk, incoming):
    class Away:
        def tag_many(self, texts):
            raise TaggerUnavailableError("no model: run paretodesk train")

    taken_in(desk, incoming())
    Worker(desk.database, []).work_once(JobKind(TAG, lambda run: tag_tickets(run, Away()), batch=64))
    with desk.database.session(read_only=True) as session:
        row = session.execute(sa.select(jobs)).one()
    assert (row.state, row.attempts) == ("queued", 0)


def test_tickets_without_a_job_are_swept_up_once(desk, incoming, tag_kind, tag):
    waiting = [desk.receive(incoming(str(number))).ticket_id for number in range(3)]
    tagged = desk.receive(incoming("tagged")).ticket_id
    desk.tag(tagged, tag())
    assert sweep(desk.database) == 0  # whoever brings them in may be tagging them
    assert sweep(desk.database, timedelta()) == 3
    assert sweep(desk.database, timedelta()) == 0
    assert Worker(desk.database, []).work_once(tag_kind) == 3
    assert {desk.ticket(ticket_id).state.reason for ticket_id in waiting} == {"tracking_update"}


def test_jobs_that_trickle_in_are_done_by_the_batch_and_a_kind_may_rest(desk):
    batches, told = [], []

    def rest_after(worked):
        told.append(worked)
        return 0.0

    kind = JobKind("greet", lambda run: batches.append(len(run.leases)), batch=10, rest_after=rest_after)
    with Worker(desk.database, [kind], look_every=0.2):
        for n in range(12):
            desk.database.write(lambda session, n=n: enqueue(session, "greet", {"n": n}))
            time.sleep(0.02)
        until = time.monotonic() + 10
        while sum(batches) < 12 and time.monotonic() < until:
            time.sleep(0.02)
    assert sum(batches) == 12
    assert len(batches) <= 6
    assert len(told) >= len(batches)
    assert all(worked >= 0 for worked in told)


def test_a_kind_does_a_portion_and_rests_until_it_is_told_to_go_on(desk):
    batches, rush = [], threading.Event()
    rush.set()
    kind = JobKind(
        "greet",
        lambda run: batches.append(len(run.leases)),
        batch=10,
        portion=lambda batch: 2 if rush.is_set() else batch,
        rest_after=lambda worked: 60.0 if rush.is_set() else 0.0,
    )
    for n in range(8):
        desk.database.write(lambda session, n=n: enqueue(session, "greet", {"n": n}))
    with Worker(desk.database, [kind], look_every=0.05):
        time.sleep(0.6)
        assert batches == [2]
        rush.clear()
        until = time.monotonic() + 10
        while sum(batches) < 8 and time.monotonic() < until:
            time.sleep(0.02)
    assert batches == [2, 6]
