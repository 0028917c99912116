from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from desk.database import open_database
from desk.inbox import Desk
from desk.intake import customer_wrote
from desk.jobs import JobKind, Worker
from desk.ledger import Event, EventKind, Priority, UnknownTicketError
from desk.order_table import OrderFacts, OrderSourceDownError
from desk.presence import AT_DESK_FOR, beat, set_away
from desk.routing.conditions import Money
from desk.routing.engine import ROUTE, Router, keep_routed
from desk.routing.rules import load_routing
from desk.sla.watch import watch
from desk.tables import jobs
from desk.teamwork import Teamwork

RULES = """\
version: 1
teams:
  - {id: senior, name: Senior desk}
  - {id: first, name: First line}
members:
  - {name: anna, teams: [senior, first], languages: [en, de], seniority: senior, capacity: 3}
  - {name: ben, teams: [first], languages: [en], capacity: 2}
  - {name: cleo, teams: [first], languages: [en, fr], seniority: junior, capacity: 2}
rules:
  - id: safety
    when: {reason: [safety_or_counterfeit]}
    then: {team: senior, assign: least_loaded, seniority: senior, any_language: true, priority: urgent}
  - id: late
    when: {sla_left: {below: 1 h}}
    then: {priority: high}
  - id: dear
    when: {order_value: [{at_least: 100 EUR}]}
    then: {priority: high}
  - id: rest
    then: {team: first, assign: HOW}
"""


class Orders:
    """One order, and a system that is down for every other."""

    def facts(self, order_id):
        if order_id == "rich":
            return OrderFacts(order_id, {"item.price": "120.00 EUR"}, datetime.now(UTC))
        raise OrderSourceDownError("the order system does not answer")

    def verify(self, order_id, email_or_postcode):
        return None


@pytest.fixture
def router(database, tmp_path):
    def make(how: str = "round_robin") -> Router:
        path = tmp_path / f"{how}.yaml"
        path.write_text(RULES.replace("HOW", how), encoding="utf-8")
        return Router(database, load_routing(path), orders=Orders())

    return make


@pytest.fixture
def here(database):
    def come(*names: str) -> None:
        for name in names:
            beat(database, name)

    return come


@pytest.fixture
def tagged(desk, incoming, tag):
    count = 0

    def make(reason: str = "tracking_update", language: str | None = "en", **fields) -> str:
        nonlocal count
        count += 1
        ticket_id = desk.receive(incoming(str(count), **fields)).ticket_id
        desk.tag(ticket_id, tag(reason, language=language))
        return ticket_id

    return make


def routed(desk, ticket_id):
    return [event for event in desk.events(ticket_id) if event.kind is EventKind.ROUTED]


def test_routing_is_an_event_with_its_rule_and_why(desk, router, here, tagged):
    here("anna")
    ticket_id = tagged("safety_or_counterfeit", "fr")
    assert router().route([ticket_id]) == 1
    [event] = routed(desk, ticket_id)
    assert (event.actor, event.data["rule"], event.data["team"]) == ("routing", "safety", "senior")
    assert "reason is safety_or_counterfeit" in event.data["why"]
    assert "anna: 0 open tickets of 3" in event.data["why"]
    state = desk.ticket(ticket_id).state
    assert (state.team, state.assignee, state.priority) == ("senior", "anna", Priority.URGENT)
    assert router().route([ticket_id]) == 0  # the same again changes nothing and says nothing
    assert len(routed(desk, ticket_id)) == 1


def test_turns_go_round_among_those_at_the_desk_who_speak_the_language(desk, router, here, tagged):
    here("anna", "ben", "cleo")
    ids = [tagged() for _ in range(6)]
    for ticket_id in ids:
        router().route([ticket_id])
    assert [desk.ticket(ticket_id).state.assignee for ticket_id in ids] == ["anna", "ben", "cleo"] * 2
    french = tagged(language="fr")
    assert router().explain(french).choice.considered[0].why == "does not answer in fr"
    router().route([french])
    state = desk.ticket(french).state  # cleo is full by now
    assert (state.team, state.assignee) == ("first", None)
    assert "cleo has 2 open tickets of 2" in routed(desk, french)[0].data["why"]


def test_a_batch_shares_its_turns_and_loads(desk, router, here, tagged):
    here("anna", "ben")
    ids = [tagged() for _ in range(6)]
    assert router("least_loaded").route(ids) == 6
    taken = Counter(desk.ticket(ticket_id).state.assignee for ticket_id in ids)
    assert taken == {"anna": 3, "ben": 2, None: 1}


def test_who_is_away_or_left_the_desk_gets_nothing(database, desk, router, here, tagged):
    beat(database, "ben", at=datetime.now(UTC) - AT_DESK_FOR - timedelta(seconds=5))
    here("anna", "cleo")
    set_away(database, "cleo", True)
    beat(database, "cleo")  # an open page does not bring somebody back who said that they are away
    ids = [tagged(), tagged()]
    router().route(ids)
    assert {desk.ticket(ticket_id).state.assignee for ticket_id in ids} == {"anna"}
    why = router().explain(tagged()).choice
    assert [one.why for one in why.considered] == [None, "is not at the desk", "takes no new tickets now"]


def test_a_persons_assignment_and_priority_outlast_every_rule(database, desk, router, here, tagged, tag):
    here("anna", "ben")
    together = Teamwork(database, router().routing)
    ticket_id = tagged()
    router().route([ticket_id])
    together.assign(ticket_id, "cleo", "agent:ben")
    together.set_priority(ticket_id, Priority.LOW, "agent:ben")
    desk.correct_tag(ticket_id, "safety_or_counterfeit", "agent:ben", "it burnt")
    assert router().explain(ticket_id).held_by == "cleo"
    router().route([ticket_id])
    state = desk.ticket(ticket_id).state
    assert (state.assignee, state.priority, state.team) == ("cleo", Priority.LOW, "first")
    together.assign(ticket_id, None, "agent:ben")  # given back: rules may give it again
    router().route([ticket_id])
    assert (desk.ticket(ticket_id).state.assignee, desk.ticket(ticket_id).state.team) == ("anna", "senior")


def test_a_ticket_that_moves_to_a_team_where_nobody_is_leaves_its_old_owner(desk, router, here, tagged):
    here("ben")
    ticket_id = tagged()
    router().route([ticket_id])
    assert desk.ticket(ticket_id).state.assignee == "ben"
    desk.correct_tag(ticket_id, "safety_or_counterfeit", "agent:ben", "it burnt")
    router().route([ticket_id])
    state = desk.ticket(ticket_id).state
    assert (state.team, state.assignee, state.priority) == ("senior", None, Priority.URGENT)


def test_a_ticket_that_is_routed_again_stays_with_who_has_it(desk, router, here, tagged):
    here("anna", "ben")
    ticket_id = tagged()
    router().route([ticket_id])
    first = desk.ticket(ticket_id).state.assignee
    desk.confirm_tag(ticket_id, "agent:ben")
    desk.resolve(ticket_id, "agent:ben")
    assert router().route([ticket_id]) == 0
    desk.reopen(ticket_id, "agent:ben")
    router().route([ticket_id])
    assert desk.ticket(ticket_id).state.assignee == first


def test_value_clock_and_earlier_contacts_are_found_and_a_system_that_is_down_stops_nothing(desk, router, tagged):
    rich, unknown = tagged(order_id="rich", customer_email="A@x.example"), tagged(order_id="poor")
    late = tagged(created_at=datetime.now(UTC) - timedelta(hours=23, minutes=30), channel="amazon")
    again = tagged(customer_email="a@x.example")
    router().route([rich, unknown, late, again])
    priorities = [desk.ticket(ticket_id).state.priority for ticket_id in (rich, unknown, late, again)]
    assert priorities == ["high", "normal", "high", "normal"]
    outcome = router().explain(rich)
    assert outcome.subject.order_value == Money.parse("120 EUR")
    assert router().explain(late).subject.sla_left < timedelta(minutes=31)


def test_what_the_customer_writes_later_counts_too(database, desk, router, tagged):
    ticket_id = tagged(body="Thank you, lovely!")
    with database.session() as session:
        customer_wrote(session, ticket_id, "I am furious. This is a disgrace!", source="mail", message_id="1")
    subject = router().explain(ticket_id).subject
    assert subject.sentiment == "very_negative"


def test_every_tag_reopening_and_risk_makes_one_job_in_the_same_transaction(database, desk, router, incoming, tag):
    keep_routed(database)
    kind = JobKind(ROUTE, router().work, batch=10)
    worker = Worker(database, [])
    at = datetime.now(UTC) - timedelta(hours=23, minutes=59)
    ticket_id = desk.receive(incoming(channel="amazon", created_at=at)).ticket_id
    assert worker.work_once(kind) == 0  # nobody knows yet what it is about
    desk.tag(ticket_id, tag())
    desk.suggest(ticket_id, [], [], "console")  # no second job
    assert worker.work_once(kind) == 1
    assert [event.data["rule"] for event in routed(desk, ticket_id)] == ["late, rest"]
    desk.confirm_tag(ticket_id, "agent:anna")
    desk.resolve(ticket_id, "agent:anna")
    assert worker.work_once(kind) == 1  # of the confirmation; it finds the ticket closed
    desk.reopen(ticket_id, "agent:anna")
    assert worker.work_once(kind) == 1
    waiting = desk.receive(incoming("2", channel="amazon", created_at=at)).ticket_id
    desk.tag(waiting, tag())
    assert worker.work_once(kind) == 1
    watch(database, desk.policies, at + timedelta(hours=25))
    assert worker.work_once(kind) == 1
    with database.session(read_only=True) as session:
        states = session.scalars(sa.select(jobs.c.state).where(jobs.c.kind == ROUTE)).all()
    assert states == ["done"] * 5


def test_an_act_on_a_ticket_does_not_wait_for_the_job_that_routes_it(postgres_url, incoming, tag):
    database = open_database(postgres_url)
    desk = Desk(database)
    keep_routed(database)
    ticket_id = desk.receive(incoming()).ticket_id
    desk.tag(ticket_id, tag())
    noted = Event(ticket_id, EventKind.NOTED, datetime.now(UTC), "agent:anna", {"text": "hm"})
    with ThreadPoolExecutor(1) as pool, database.session() as ending:
        ending.execute(jobs.update().where(jobs.c.kind == ROUTE).values(state="done"))  # as the job does at its end
        act = pool.submit(desk.record, noted.ticket_id, noted.kind, actor=noted.actor, data=noted.data)
        assert act.result(timeout=30).contacts == 1
    database.close()


def test_tickets_that_came_in_before_are_found(desk, router, tagged, incoming):
    ids = sorted(tagged() for _ in range(3))
    desk.receive(incoming("untagged"))
    assert router().waiting(2) == ids[:2]
    assert router().waiting(2, ids[1]) == ids[2:]
    router().route(ids)
    assert router().waiting(5) == []
    assert router().waiting(5, everything=True) == ids


def test_two_routers_at_once_give_nobody_more_than_they_take(desk, router, here, tagged):
    here("ben", "cleo")
    ids = [tagged() for _ in range(8)]
    routers = [router("round_robin"), router("least_loaded")] * 4
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda one, ticket_id: one.route([ticket_id]), routers, ids))
    taken = Counter(desk.ticket(ticket_id).state.assignee for ticket_id in ids)
    assert taken == {"ben": 2, "cleo": 2, None: 4}


def test_an_unknown_ticket_is_said_to_be_unknown(router):
    with pytest.raises(UnknownTicketError, match="T-NONE"):
        router().explain("T-NONE")
