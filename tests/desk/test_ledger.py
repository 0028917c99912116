from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from desk.ledger import (
    Decision,
    Event,
    EventKind,
    Status,
    UnknownTicketError,
    append,
    append_many,
    events_of,
    fold,
    rebuild_states,
    state_of,
)
from desk.tables import events, ticket_states

START = datetime(2026, 7, 1, 12, tzinfo=UTC)
REASONS = st.sampled_from(["tracking_update", "refund_status", "other"])
MODEL_TAG = st.fixed_dictionaries(
    {
        "reason": REASONS,
        "confidence": st.floats(0, 1),
        "decision": st.sampled_from(list(map(str, Decision))),
        "autonomy": st.just("self_service"),
        "language": st.none() | st.just("fr"),
        "guard": st.lists(st.just("safety"), max_size=1),
        "model": st.just("m"),
        "secondary": st.lists(st.just(["invoice_request", 0.8]), max_size=1),
    }
)
DATA = {
    EventKind.TAGGED: MODEL_TAG,
    EventKind.TAG_CONFIRMED: st.fixed_dictionaries({"reason": REASONS}),
    EventKind.RETAGGED: st.fixed_dictionaries({"reason": REASONS, "autonomy": st.just("assisted")}),
    EventKind.MACRO_SENT: st.fixed_dictionaries({"macro": st.text(max_size=5), "automatic": st.booleans()}),
    EventKind.REPLIED: st.fixed_dictionaries({"text": st.text(max_size=5), "automatic": st.booleans()}),
    EventKind.ASSIGNED: st.fixed_dictionaries({"assignee": st.none() | st.just("anna")}),
    EventKind.HANDLED: st.fixed_dictionaries({"seconds": st.integers(0, 1000)}),
    EventKind.RATED: st.fixed_dictionaries({}, optional={"csat": st.integers(1, 5), "nps": st.integers(0, 10)}),
    EventKind.ROUTED: st.fixed_dictionaries(
        {"team": st.none() | st.just("claims"), "assignee": st.none(), "priority": st.none() | st.just("urgent")}
    ),
    EventKind.PRIORITY_SET: st.fixed_dictionaries({"priority": st.sampled_from(["low", "high"])}),
    EventKind.SNOOZED: st.just({"until": "2026-07-02T08:00:00+00:00"}),
    EventKind.MENTIONED: st.fixed_dictionaries({"who": st.sampled_from(["anna", "ben"]), "text": st.just("?")}),
}
FACT = st.sampled_from(list(EventKind)).flatmap(
    lambda kind: st.tuples(st.just(kind), DATA.get(kind, st.just({})), st.integers(-60, 600))
)


@given(facts=st.lists(FACT, max_size=12))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_stored_state_is_always_what_the_events_alone_add_up_to(desk, incoming, facts):
    ticket_id = desk.receive(incoming(external_id=str(datetime.now(UTC)), created_at=START)).ticket_id
    with desk.database.session() as session:
        for kind, data, minutes in facts:  # also out of order, as a slow mailbox delivers them
            append(session, ticket_id, kind, actor="agent:a", data=data, at=START + timedelta(minutes=minutes))
    with desk.database.session() as session:
        told = events_of(session, ticket_id)
        kept = state_of(session, ticket_id)
        rebuild_states(session)
        rebuilt = state_of(session, ticket_id)
    assert len(told) == len(facts) + 1
    assert kept == rebuilt == fold(ticket_id, told)
    assert (kept.status is Status.RESOLVED) == (kept.resolved_at is not None)
    assert kept.replies == sum(kind in (EventKind.REPLIED, EventKind.MACRO_SENT) for kind, _, _ in facts)


@pytest.mark.parametrize("change", [sa.update(events).values(actor="x"), sa.delete(events)])
def test_events_can_neither_be_changed_nor_deleted(desk, incoming, change):
    ticket_id = desk.receive(incoming()).ticket_id
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), desk.database.session() as session:
        session.execute(change)
    assert [event.actor for event in desk.events(ticket_id)] == ["test"]


def test_events_can_not_be_replaced_or_truncated_either(desk, incoming):
    ticket_id = desk.receive(incoming()).ticket_id
    if desk.database.engine.dialect.name == "sqlite":
        statement = "INSERT OR REPLACE INTO events SELECT seq, ticket_id, 'noted', at, actor, data FROM events"
    else:
        statement = "TRUNCATE events"
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), desk.database.session() as session:
        session.execute(sa.text(statement))
    assert [event.kind for event in desk.events(ticket_id)] == [EventKind.RECEIVED]


def test_a_lost_states_table_is_rebuilt_from_the_events(desk, incoming):
    ticket_id = desk.receive(incoming()).ticket_id
    before = desk.correct_tag(ticket_id, "refund_status", "agent:a")
    with desk.database.session() as session:
        session.execute(ticket_states.delete())
        assert rebuild_states(session) == 1
    assert desk.ticket(ticket_id).state == before


def test_facts_about_an_unknown_ticket_record_nothing(desk, incoming):
    known = desk.receive(incoming()).ticket_id
    facts = [Event(ticket_id, EventKind.NOTED, START, "agent:a") for ticket_id in (known, "T-NOBODY")]
    with pytest.raises(UnknownTicketError, match="T-NOBODY"), desk.database.session() as session:
        append_many(session, facts)
    assert len(desk.events(known)) == 1


def test_automatic_replies_do_not_stop_the_first_response_clock(desk, incoming):
    ticket_id = desk.receive(incoming()).ticket_id
    assert desk.reply(ticket_id, "We got your message.", "bot", automatic=True).first_reply_at is None
    state = desk.send_macro(ticket_id, "tracking_update", "It is on its way.", "agent:a")
    assert state.first_reply_at is not None
    assert (state.replies, state.macros) == (2, ("tracking_update",))


def test_each_message_of_the_customer_waits_until_a_person_answers(desk, incoming):
    ticket_id = desk.receive(incoming(created_at=START)).ticket_id
    minute = timedelta(minutes=1)

    def after(minutes: int, kind: EventKind, **data: object):
        with desk.database.session() as session:
            return append(session, ticket_id, kind, actor="agent:a", data=data, at=START + minutes * minute)

    assert after(1, EventKind.REPLIED, text="we got it", automatic=True).waiting_since == START
    assert after(2, EventKind.CUSTOMER_WROTE, text="hello?").waiting_since == START
    answered = after(3, EventKind.REPLIED, text="it comes tomorrow", automatic=False)
    assert (answered.waiting_since, answered.contacts, answered.last_reply_at) == (None, 2, START + 3 * minute)
    snoozed = after(4, EventKind.SNOOZED, until=(START + timedelta(days=2)).isoformat())
    assert snoozed.snoozed_until == START + timedelta(days=2)
    again = after(5, EventKind.CUSTOMER_WROTE, text="it did not come")
    assert (again.waiting_since, again.snoozed_until) == (START + 5 * minute, None)
    assert after(6, EventKind.RESOLVED).waiting_since is None
