"""The clocks in the database: in step with the ledger, told once, rebuilt, and first in the queue."""

import random
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from desk.inbox import Desk
from desk.intake import customer_wrote
from desk.ledger import Event, EventKind, append, append_many
from desk.sla import clocks_of, load_policies, starter_policies
from desk.sla.clock_table import clocks_by_ticket, explained, in_force, open_clocks, rebuild, refresh
from desk.sla.compliance import compliance
from desk.sla.watch import watch
from desk.tables import sla_clocks

START = datetime(2026, 7, 6, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
POLICIES = starter_policies()


@pytest.fixture
def arrive(desk, incoming):
    """A ticket of Amazon received ``hours`` after the start; its id."""

    def make(hours: float = 0, name: str = "1", marketplace: str = "amazon.fr", **fields: object) -> str:
        ticket = incoming(external_id=name, marketplace=marketplace, created_at=START + hours * HOUR, **fields)
        return desk.receive(ticket).ticket_id

    return make


@pytest.fixture
def tell(desk):
    def record(ticket_id: str, hours: float, kind: EventKind, **data: object):
        return desk.record(ticket_id, kind, actor="agent:a", data=data, at=START + hours * HOUR)

    return record


def rows(database):
    with database.session(read_only=True) as session:
        found = session.execute(sa.select(sla_clocks).order_by(*sla_clocks.primary_key.columns))
        return [tuple(row) for row in found]


def look(desk, hours):
    found = watch(desk.database, desk.policies, START + hours * HOUR)
    return found.at_risk, found.breached


def told(desk, ticket_id):
    return [
        (event.kind, event.at, event.data) for event in desk.events(ticket_id) if event.kind.value.startswith("sla_")
    ]


def test_each_clock_is_told_at_risk_once_and_breached_once(desk, arrive, tell):
    ticket_id = arrive()
    assert look(desk, 18) == (0, 0)  # exactly three quarters of 24 hours: not beyond it yet
    assert [look(desk, 18.1), look(desk, 23), look(desk, 24), look(desk, 24.1), look(desk, 99)] == [
        (1, 0), (0, 0), (0, 0), (0, 1), (0, 0),
    ]  # fmt: skip
    data = {
        "clock": "first_response",
        "policy": "amazon-messages",
        "started_at": START.isoformat(),
        "due_at": (START + 24 * HOUR).isoformat(),
    }
    assert told(desk, ticket_id) == [
        (EventKind.SLA_AT_RISK, START + 18 * HOUR, data),
        (EventKind.SLA_BREACHED, START + 24 * HOUR, data),
    ]
    tell(ticket_id, 30, EventKind.REPLIED, text="sorry")
    tell(ticket_id, 40, EventKind.CUSTOMER_WROTE, text="well?")
    assert (look(desk, 63), look(desk, 65)) == ((1, 0), (0, 1))  # the next message has a clock of its own
    assert len(told(desk, ticket_id)) == 4


def test_a_clock_that_ran_out_unwatched_is_told_as_breached_only(desk, arrive):
    ticket_id = arrive()
    assert look(desk, 50) == (0, 1)
    assert [kind for kind, *_ in told(desk, ticket_id)] == [EventKind.SLA_BREACHED]


def test_answered_and_closed_tickets_are_left_in_peace(desk, arrive, tell, tag):
    answered, closed, thanks = (arrive(name=name) for name in "123")
    tell(answered, 1, EventKind.REPLIED, text="here")
    tell(closed, 1, EventKind.RESOLVED)
    desk.tag(thanks, tag("thanks", autonomy="auto_close"))
    assert look(desk, 99) == (0, 0)
    automatic = arrive(name="4")
    tell(automatic, 1, EventKind.REPLIED, text="we got it", automatic=True)
    assert look(desk, 99) == (0, 1)


def test_a_reply_that_is_recorded_late_mends_the_clock(desk, arrive, tell):
    ticket_id = arrive()
    look(desk, 25)
    [before] = clocks_by_ticket(desk.database, [ticket_id], START + 25 * HOUR)[ticket_id]
    tell(ticket_id, 2, EventKind.REPLIED, text="sent from another system, imported a day later")
    [after] = clocks_by_ticket(desk.database, [ticket_id], START + 25 * HOUR)[ticket_id]
    assert (before.state, after.state, after.stopped_at) == ("breached", "met", START + 2 * HOUR)


def test_stored_clocks_are_those_that_the_events_give_whatever_happens_in_any_order(desk, arrive, tag):
    chance = random.Random(7)
    ids = [arrive(n, f"s{n}", marketplace=chance.choice(["amazon", "ebay", "shop"]), channel="web") for n in range(6)]
    facts = []
    for ticket_id in ids:
        for hour in chance.sample(range(1, 120), 8):
            kind = chance.choice([EventKind.REPLIED, EventKind.CUSTOMER_WROTE, EventKind.RESOLVED, EventKind.REOPENED])
            facts.append(Event(ticket_id, kind, START + hour * HOUR, "agent:a", {"text": "x"}))
    chance.shuffle(facts)
    for part in range(0, len(facts), 16):
        with desk.database.session() as session:
            append_many(session, facts[part : part + 16])
    now = datetime.now(UTC)
    for ticket_id in ids:
        _, pure = explained(desk.database, ticket_id, POLICIES, now)
        stored = clocks_by_ticket(desk.database, [ticket_id], now)[ticket_id]
        assert {(c.kind, c.started_at, c.due_at, c.stopped_at, c.state) for c in pure} == {
            (c.clock, c.started_at, c.due_at, c.stopped_at, c.state) for c in stored
        }
    look(desk, 1_000)
    before = rows(desk.database)
    with desk.database.session() as session:
        session.execute(sla_clocks.delete())
    assert rebuild(desk.database, POLICIES) == len(ids)
    assert rows(desk.database) == before
    assert look(desk, 1_000) == (0, 0)  # what was told is in the ledger, so a rebuild tells nothing twice


def test_watchers_at_the_same_time_tell_each_clock_once(desk, arrive):
    ids = [arrive(name=str(n)) for n in range(12)]
    watch(desk.database, POLICIES, START)
    found = []
    watchers = [threading.Thread(target=lambda: found.append(look(desk, 30))) for _ in range(3)]
    for thread in watchers:
        thread.start()
    for thread in watchers:
        thread.join()
    assert sum(breached for _, breached in found) == 12
    assert [len(told(desk, ticket_id)) for ticket_id in ids] == [1] * 12


def test_other_policies_change_the_clocks_at_the_next_look(desk, arrive, tmp_path):
    ticket_id = arrive()
    path = tmp_path / "strict.yaml"
    path.write_text(
        "version: 1\ncalendars: [{id: always, always: true}]\n"
        "policies: [{id: strict, calendar: always, targets: {first_response: 2 h}}]\n"
    )
    assert look(desk, 3) == (0, 0)
    strict = load_policies(path)
    assert in_force(desk.database, POLICIES)
    again = Desk(desk.database, policies=strict)
    found = watch(again.database, again.policies, START + 3 * HOUR)
    assert (found.recomputed, found.breached) == (1, 1)
    assert told(desk, ticket_id)[0][2]["policy"] == "strict"
    assert watch(again.database, again.policies, START + 4 * HOUR).recomputed == 0
    assert Desk(desk.database).policies is strict  # a further desk over the same database keeps them


def test_a_failed_transaction_leaves_the_clocks_as_they_were(desk, arrive):
    ticket_id = arrive()
    before = rows(desk.database)

    def fail() -> None:
        with desk.database.session() as session:
            append(session, ticket_id, EventKind.REPLIED, actor="agent:a", data={"text": "x"})
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        fail()
    assert rows(desk.database) == before


def test_the_queue_starts_with_the_ticket_whose_clock_runs_out_first(desk, arrive, tell, tag):
    walmart = arrive(0, "walmart", "walmart")  # 48 hours
    amazon = arrive(10, "amazon", "amazon")  # 24 hours
    older, answered = arrive(-30, "older"), arrive(-20, "answered")
    tell(answered, -19, EventKind.REPLIED, text="a question back")
    thanks = arrive(-40, "thanks")
    desk.tag(thanks, tag("thanks", autonomy="auto_close"))
    expected = [older, amazon, walmart, thanks, answered]  # the last two are owed nothing: by age
    assert [view.ticket.id for view in desk.open_tickets()] == expected
    for size in (1, 2, 3):
        paged = [view.ticket.id for start in range(0, 6, size) for view in desk.open_tickets(size, offset=start)]
        assert paged == expected
    assert desk.open_tickets(offset=9) == []
    assert [view.ticket.id for view in desk.open_tickets(reason="thanks")] == [thanks]
    now = START + 12 * HOUR
    assert [clock.ticket_id for clock in open_clocks(desk.database, now)] == [older, amazon, walmart]
    soon = open_clocks(desk.database, now, now + 23 * HOUR)
    assert [(clock.ticket_id, clock.state, clock.seconds_left) for clock in soon] == [
        (older, "breached", -18 * 3600.0),
        (amazon, "running", 22 * 3600.0),
    ]


def test_a_customer_who_writes_again_after_closing_waits_anew(desk, arrive, tell, tag):
    ticket_id = arrive()
    tell(ticket_id, 1, EventKind.REPLIED, text="here")
    tell(ticket_id, 2, EventKind.RESOLVED)
    assert open_clocks(desk.database, START) == []
    with desk.database.session() as session:
        customer_wrote(session, ticket_id, "no!", source="mail", message_id="1", at=START + 3 * HOUR)
    [clock] = open_clocks(desk.database, START)
    assert (clock.clock, clock.due_at) == ("next_response", START + 27 * HOUR)


def test_compliance_counts_overdue_and_open_as_breached(desk, arrive, tell):
    met, late, overdue, waiting, closed = (arrive(name=str(n)) for n in range(5))
    tell(met, 1, EventKind.REPLIED, text="x")
    tell(late, 25, EventKind.REPLIED, text="x")
    tell(closed, 1, EventKind.RESOLVED)
    young = arrive(20, "young")
    now = START + 30 * HOUR
    with desk.database.session() as session:  # as the desk saw them before they were due
        refresh(session, [waiting, overdue, young], POLICIES, START + 21 * HOUR)
    [found] = compliance(desk.database, START, START + 24 * HOUR, now)
    assert (found.met, found.breached, found.waiting, found.cancelled) == (1, 3, 1, 1)
    assert (found.clock, found.policy, found.share) == ("first_response", "amazon-messages", 0.25)
    assert compliance(desk.database, START - HOUR, START, now) == []


def test_explaining_shows_what_the_policies_look_at(desk, arrive, tag):
    ticket_id = arrive()
    desk.tag(ticket_id, tag("refund_status"))
    subject, clocks = explained(desk.database, ticket_id, POLICIES, START)
    assert (subject.marketplace, [(c.kind, c.policy) for c in clocks]) == (
        "amazon",
        [("first_response", "amazon-messages"), ("resolution", "amazon-refund")],
    )
    assert {c.judged_as for c in clocks} == {replace(subject, reason="refund_status")}
    assert clocks == clocks_of(subject, desk.events(ticket_id), POLICIES, START)
