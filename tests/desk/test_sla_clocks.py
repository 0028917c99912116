"""Clocks from events, with every expected time written by hand."""

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk.sla import ClockKind, clocks_of, starter_policies
from desk.ticket_state import Event, EventKind

FIRST, NEXT, END = ClockKind.FIRST_RESPONSE, ClockKind.NEXT_RESPONSE, ClockKind.RESOLUTION
MONDAY = datetime(2026, 7, 6, tzinfo=UTC)
POLICIES = starter_policies()
AMAZON, SHOP = POLICIES.subject("amazon.fr", "amazon"), POLICIES.subject(None, "web")


def at(text: str) -> datetime:
    """``mon 09:30`` of one week in July, in UTC; Paris is two hours ahead."""
    day, clock = text.split()
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].index(day)
    hours, minutes = map(int, clock.split(":"))
    return MONDAY + timedelta(days=days, hours=hours, minutes=minutes)


def story(*told: tuple):
    numbers = count(1)
    return [
        Event("T-1", EventKind(kind), at(moment), "a", data[0] if data else {}, next(numbers))
        for moment, kind, *data in told
    ]


def clocks(subject, now, *told):
    return clocks_of(subject, story(*told), POLICIES, at(now))


def brief(found):
    return [(clock.kind, str(clock.state), clock.due_at, clock.stopped_at) for clock in found]


TAG = {"confidence": 0.9, "language": "en", "guard": [], "model": "m", "decision": "tagged", "autonomy": "assisted"}


def test_a_reply_within_a_day_meets_the_first_response_and_the_next_message_starts_another_clock():
    found = clocks(
        AMAZON, "sun 09:00",
        ("fri 20:00", "received"), ("sat 19:59", "replied"),
        ("sat 21:00", "customer_wrote"), ("sat 22:00", "customer_wrote"),
    )  # fmt: skip
    assert brief(found) == [
        (FIRST, "met", at("sat 20:00"), at("sat 19:59")),
        (NEXT, "running", at("sun 21:00"), None),  # the older of the two messages; a weekend counts
    ]
    assert (found[1].worked, found[1].remaining) == (timedelta(hours=12), timedelta(hours=12))
    assert found[1].at_risk_at == at("sun 15:00")  # three quarters of 24 hours


@pytest.mark.parametrize(("replied", "state"), [("tue 20:00", "met"), ("tue 20:01", "breached")])
def test_a_reply_at_the_last_moment_is_in_time(replied, state):
    [clock] = clocks(AMAZON, "sun 09:00", ("mon 20:00", "received"), (replied, "replied"))
    assert (clock.state, clock.due_at, clock.stopped_at) == (state, at("tue 20:00"), at(replied))


def test_an_automatic_reply_stops_no_clock():
    told = [("mon 20:00", "received"), ("mon 20:01", "replied", {"automatic": True}),
            ("mon 20:02", "macro_sent", {"macro": "m", "automatic": True})]  # fmt: skip
    assert brief(clocks(AMAZON, "tue 19:00", *told)) == [(FIRST, "running", at("tue 20:00"), None)]
    [overdue] = clocks(AMAZON, "tue 20:35", *told)
    assert (overdue.state, overdue.stopped_at, overdue.remaining) == ("breached", None, timedelta(minutes=-35))


def test_a_clock_due_now_is_not_overdue_yet():
    [clock] = clocks(AMAZON, "tue 20:00", ("mon 20:00", "received"))
    assert (clock.state, clock.remaining) == ("running", timedelta(0))


def test_reasons_that_need_no_answer_have_no_clock_once_that_is_decided():
    thanks = TAG | {"reason": "thanks", "autonomy": "auto_close"}
    received = ("mon 20:00", "received")
    assert clocks(AMAZON, "tue 09:00", received, ("mon 20:01", "tagged", thanks)) == ()
    guess = thanks | {"decision": "undecided"}
    assert len(clocks(AMAZON, "tue 09:00", received, ("mon 20:01", "tagged", guess))) == 1


def test_closing_in_time_without_a_reply_counts_neither_way_and_closing_late_is_a_breach():
    def closed(moment):
        return clocks(AMAZON, "sun 09:00", ("mon 20:00", "received"), (moment, "resolved"))[0].state

    assert (closed("tue 10:00"), closed("tue 21:00")) == ("cancelled", "breached")


def test_a_reply_at_an_unknown_time_is_not_judged():
    told = [("mon 20:00", "received"), ("wed 20:00", "macro_sent", {"macro": "m", "time_unknown": True})]
    [clock] = clocks(AMAZON, "sun 09:00", *told[:1], ("mon 20:00", *told[1][1:]))
    assert clock.state == "cancelled"


def test_reopening_starts_the_resolution_clock_again():
    claim = ("mon 08:00", "tagged", TAG | {"reason": "a_to_z_claim"})
    found = clocks(
        AMAZON, "fri 10:00",
        ("mon 08:00", "received"), claim, ("mon 09:00", "replied"), ("mon 10:00", "resolved"),
        ("thu 10:00", "customer_wrote"), ("thu 10:00", "reopened"),
    )  # fmt: skip
    assert brief(found) == [
        (FIRST, "met", at("tue 08:00"), at("mon 09:00")),
        (END, "met", at("wed 08:00"), at("mon 10:00")),
        (NEXT, "running", at("fri 10:00"), None),
        (END, "running", at("sat 10:00"), None),
    ]


def test_a_person_who_reopens_owes_no_reply_but_a_resolution():
    claim = ("mon 08:00", "tagged", TAG | {"reason": "a_to_z_claim"})
    found = clocks(AMAZON, "tue 08:00", ("mon 08:00", "received"), claim, ("mon 09:00", "replied"),
                   ("mon 10:00", "resolved"), ("mon 11:00", "reopened"))  # fmt: skip
    assert brief(found)[2:] == [(END, "running", at("wed 11:00"), None)]


def test_the_shops_clock_keeps_office_hours_and_waits_while_the_customer_is_to_answer():
    # 8:00 to 11:00 in Paris: two hours of work; nine to go to the next closing time, 27 hours are three days
    told = [("mon 06:00", "received"), ("mon 09:00", "replied")]
    first, paused = clocks(SHOP, "wed 12:00", *told)
    assert (first.state, first.worked) == ("met", timedelta(hours=2))
    assert (paused.state, paused.due_at, paused.remaining) == ("paused", None, timedelta(hours=25))
    # the customer answers on Wednesday at 17:00: 1 hour, Thursday 9, Friday 8 (until 17:00), 7 left for Monday: 16:00
    answered = [*told, ("wed 15:00", "customer_wrote")]
    *_, running, reply = clocks(SHOP, "thu 08:00", *answered)
    assert (running.kind, running.state) == (END, "running")
    assert running.due_at == at("mon 14:00") + timedelta(days=7)
    assert running.worked == timedelta(hours=2 + 1 + 1)
    # an answer is owed within 8 hours: 1 on Wednesday, 7 on Thursday, at 16:00 in Paris
    assert (reply.kind, reply.due_at) == (NEXT, at("thu 14:00"))


def test_a_marketplace_clock_does_not_wait_for_the_customer():
    claim = ("mon 08:00", "tagged", TAG | {"reason": "a_to_z_claim"})
    *_, end = clocks(AMAZON, "wed 08:01", ("mon 08:00", "received"), claim, ("mon 09:00", "replied"))
    assert (end.kind, end.state, end.due_at) == (END, "breached", at("wed 08:00"))


def test_a_late_tag_does_not_judge_an_answered_message_anew():
    received, replied = ("mon 08:00", "received"), ("wed 07:00", "replied")
    ebay = POLICIES.subject("ebay", "mail")
    retagged = ("fri 08:00", "retagged", {"reason": "not_received", "autonomy": "assisted"})
    [answered, *_] = clocks(ebay, "fri 09:00", received, replied, retagged)
    assert (answered.policy, answered.state) == ("everyone", "breached")
    [waiting, *_] = clocks(ebay, "tue 09:00", received, ("mon 08:01", *retagged[1:]))
    assert (waiting.policy, waiting.due_at) == ("ebay-item-not-received", at("thu 08:00"))


def test_a_higher_priority_shortens_the_clock_that_runs():
    told = [("mon 08:00", "received"), ("mon 08:05", "priority_set", {"priority": "urgent", "why": "angry"})]
    first, _ = clocks(SHOP, "mon 08:06", *told)
    assert (first.policy, first.due_at) == ("own-shop-urgent", at("mon 09:00"))


def test_what_the_ledger_was_told_is_known_by_clock_and_start():
    data = {"clock": "first_response", "policy": "p", "started_at": at("mon 08:00").isoformat(), "due_at": "-"}
    told = [("mon 08:00", "received"), ("tue 02:00", "sla_at_risk", data)]
    [clock] = clocks(AMAZON, "tue 03:00", *told)
    assert (clock.told, clock.look_at) == ("at_risk", at("tue 08:00"))
    [clock] = clocks(AMAZON, "tue 09:00", *told, ("tue 08:00", "sla_breached", data))
    assert (clock.told, clock.look_at) == ("breached", None)


def test_a_ticket_from_another_age_has_no_clock():
    for year in (1, 9999):
        event = Event("T-1", EventKind.RECEIVED, datetime(year, 12, 30, tzinfo=UTC), "a")
        assert clocks_of(SHOP, [event], POLICIES, MONDAY) == ()


def test_a_reply_dated_to_the_end_of_time_comes_too_late():
    events = [Event("T-1", EventKind.RECEIVED, MONDAY, "a")]
    reply = Event("T-1", EventKind.REPLIED, datetime(9999, 12, 31, 23, tzinfo=UTC), "a")
    assert [clock.state for clock in clocks_of(SHOP, [*events, reply], POLICIES, MONDAY)] == ["breached", "running"]


def test_no_events_have_no_clocks():
    assert clocks_of(SHOP, [], POLICIES, MONDAY) == ()


KINDS = ["customer_wrote", "replied", "resolved", "reopened", "noted", "macro_sent", "tagged", "priority_set"]


@st.composite
def stories(draw):
    events = [Event("T-1", EventKind.RECEIVED, MONDAY, "a", {}, 1)]
    minutes = draw(st.lists(st.integers(1, 10_000), unique=True, max_size=10))
    for seq, minute in enumerate(sorted(minutes), start=2):
        kind = draw(st.sampled_from(KINDS))
        data: dict = {}
        if kind in ("replied", "macro_sent"):
            data = {"automatic": draw(st.booleans()), "macro": "m"}
        if kind == "tagged":
            reasons = {"a_to_z_claim": "human_only", "thanks": "auto_close", "refund_status": "self_service"}
            reason = draw(st.sampled_from(sorted(reasons)))
            decision = draw(st.sampled_from(["tagged", "undecided"]))
            data = TAG | {"reason": reason, "autonomy": reasons[reason], "decision": decision}
        if kind == "priority_set":
            data = {"priority": draw(st.sampled_from(["urgent", "low"]))}
        events.append(Event("T-1", EventKind(kind), MONDAY + timedelta(minutes=minute), "a", data, seq))
    return events


@settings(max_examples=120, deadline=None)
@given(stories(), st.randoms(), st.integers(0, 12_000), st.sampled_from([AMAZON, SHOP]))
def test_events_that_arrive_late_and_out_of_order_give_the_same_clocks(events, order, now, subject):
    moment = MONDAY + timedelta(minutes=now)
    shuffled = list(events)
    order.shuffle(shuffled)
    late = [Event(e.ticket_id, e.kind, e.at, e.actor, e.data, seq) for seq, e in enumerate(shuffled, start=1)]
    assert clocks_of(subject, late, POLICIES, moment) == clocks_of(subject, events, POLICIES, moment)


@settings(max_examples=120, deadline=None)
@given(stories(), st.sampled_from([AMAZON, SHOP]), st.integers(0, 12_000), st.integers(0, 12_000))
def test_clocks_keep_their_laws(events, subject, one, two):
    early, late = (MONDAY + timedelta(minutes=minute) for minute in sorted((one, two)))
    before, after = clocks_of(subject, events, POLICIES, early), clocks_of(subject, events, POLICIES, late)
    keys = [(clock.kind, clock.started_at) for clock in after]
    assert len(set(keys)) == len(keys)
    for kinds in ({FIRST, NEXT}, {END}):  # one answer and one end is owed at a time
        assert sum(clock.is_open for clock in after if clock.kind in kinds) <= 1
    for clock, later in zip(before, after, strict=True):
        assert clock.worked <= later.worked
        assert (clock.due_at, clock.stopped_at, clock.policy) == (later.due_at, later.stopped_at, later.policy)
        assert (later.worked > later.target) <= (later.state == "breached") <= (later.worked >= later.target)
        assert later.worked + later.remaining == later.target
        assert (later.state in ("running", "paused")) <= later.is_open
        assert later.at_risk_at is None or later.due_at is None or later.at_risk_at <= later.due_at
        if clock.state == "breached":
            assert later.state == "breached"
