import threading
from datetime import UTC, datetime

import pytest

from desk import DeskError
from desk.inbox import (
    IncomingTicket,
    IncomingTicketError,
    TicketStateError,
    UnknownReasonError,
    UntaggedError,
)
from desk.intake import TAG, customer_wrote, enqueue, first_time
from desk.ledger import Decision, EventKind, Status, UnknownTicketError
from desk.tagging import TaggerUnavailableError


def test_a_repeated_delivery_is_one_ticket(desk, incoming):
    first = desk.receive(incoming())
    again = desk.receive(incoming())
    other = desk.receive(incoming(body="Something else"))
    assert (first.duplicate, again.duplicate, other.duplicate) == (False, True, True)
    assert first.ticket_id == again.ticket_id == other.ticket_id
    assert (again.differs, other.differs) == (False, True)
    assert desk.coverage().tickets == 1
    assert [event.kind for event in desk.events(first.ticket_id)] == [EventKind.RECEIVED]


def test_deliveries_at_the_same_time_are_one_ticket_each(desk, incoming):
    received, failures = [], []

    def deliver() -> None:
        try:
            received.extend(desk.receive(incoming(external_id=str(number))) for number in range(10))
        except DeskError as error:
            failures.append(error)

    threads = [threading.Thread(target=deliver) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sum(not answer.duplicate for answer in received) == 10
    assert desk.coverage().tickets == 10


def test_the_same_id_from_two_sources_is_two_tickets(desk):
    for source in ("zendesk", "mailbox"):
        assert not desk.receive(IncomingTicket(source, "7", "hello")).duplicate


def test_a_ticket_comes_back_as_it_was(desk, incoming):
    created = datetime(2026, 7, 1, 9, 30, tzinfo=UTC)
    ticket = incoming(
        subject="Où est mon colis ?",
        body="Bonjour 📦\nmerci",
        channel="Amazon",
        order_id="1",
        created_at=created,
    )
    stored = desk.ticket(desk.receive(ticket).ticket_id).ticket
    assert (stored.subject, stored.body, stored.channel, stored.created_at) == (
        ticket.subject,
        ticket.body,
        "Amazon",
        created,
    )


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"body": " \n"}, "body"),
        ({"body": "x" * (1024 * 1024 + 1)}, "body"),
        ({"external_id": ""}, "external_id"),
        ({"external_id": "x" * 501}, "external_id"),
        ({"created_at": datetime(2026, 1, 1)}, "created_at"),
    ],
)
def test_a_ticket_that_cannot_be_accepted_says_which_field(incoming, fields, field):
    with pytest.raises(IncomingTicketError) as caught:
        incoming(**fields)
    assert caught.value.field == field


def test_characters_that_databases_refuse_are_replaced_not_lost(desk, incoming):
    first = desk.receive(incoming(external_id="a\x00b", body="nul \x00, half a pair \ud83d"))
    assert desk.ticket(first.ticket_id).ticket.body == "nul \ufffd, half a pair \ufffd"
    assert desk.receive(incoming(external_id="a\x00b", body="nul \x00, half a pair \ud83d")).duplicate


def test_without_a_tagger_a_ticket_waits_undecided_and_is_tagged_later(desk, incoming, tagger):
    ids = [desk.receive(incoming(external_id=str(n), body=body)).ticket_id for n, body in enumerate(["parcel", "?"])]
    assert {view.state.decision for view in desk.open_tickets()} == {Decision.UNDECIDED}
    seen = []
    assert desk.tag_waiting(tagger, seen.append) == 2
    assert seen == [2]
    assert desk.tag_waiting(tagger) == 0
    assert [desk.ticket(ticket_id).state.decision for ticket_id in ids] == [
        Decision.TAGGED,
        Decision.UNDECIDED,
    ]


def test_an_unavailable_tagger_loses_nothing(desk, incoming):
    class Broken:
        def tag_many(self, texts):
            raise TaggerUnavailableError("no model: run paretodesk retrain")

    ticket_id = desk.receive(incoming()).ticket_id
    with pytest.raises(TaggerUnavailableError):
        desk.tag_waiting(Broken())
    assert desk.ticket(ticket_id).state.decision is Decision.UNDECIDED


def test_a_persons_word_outlasts_every_later_model(desk, incoming, tag):
    ticket_id = desk.receive(incoming()).ticket_id
    desk.tag(ticket_id, tag())
    corrected = desk.correct_tag(ticket_id, "not_received", "agent:anna", "it says delivered")
    assert (corrected.reason, corrected.autonomy, corrected.confirmed_by) == (
        "not_received",
        "assisted",
        "agent:anna",
    )
    after = desk.tag(ticket_id, tag("refund_status"))
    assert (after.reason, after.confirmed_by) == ("not_received", "agent:anna")
    last = desk.events(ticket_id)[2]
    assert (last.kind, last.data["instead_of"], last.data["why"]) == (
        EventKind.RETAGGED,
        "tracking_update",
        "it says delivered",
    )
    assert [view.ticket.id for view in desk.confirmed_tickets()] == [ticket_id]


def test_choosing_the_suggested_reason_is_a_confirmation(desk, incoming, tag):
    ticket_id = desk.receive(incoming()).ticket_id
    desk.tag(ticket_id, tag(decision="undecided"))
    state = desk.correct_tag(ticket_id, "tracking_update", "agent:anna")
    assert desk.events(ticket_id)[-1].kind is EventKind.TAG_CONFIRMED
    assert (state.decision, state.confidence) == (Decision.TAGGED, 0.93)


def test_no_ticket_can_be_resolved_untagged(desk, incoming, tag):
    ticket_id = desk.receive(incoming()).ticket_id
    with pytest.raises(UntaggedError, match="no ticket can be resolved untagged"):
        desk.resolve(ticket_id, "agent:anna")
    desk.tag(ticket_id, tag(decision="undecided"))
    with pytest.raises(UntaggedError):
        desk.resolve(ticket_id, "agent:anna")
    desk.confirm_tag(ticket_id, "agent:anna")
    assert desk.resolve(ticket_id, "agent:anna").status is Status.RESOLVED
    with pytest.raises(TicketStateError, match="already resolved"):
        desk.resolve(ticket_id, "agent:anna")
    assert desk.reopen(ticket_id, "agent:anna").reopenings == 1


def test_confirming_nothing_and_choosing_an_unknown_reason_are_refused(desk, incoming):
    ticket_id = desk.receive(incoming()).ticket_id
    with pytest.raises(UntaggedError, match="no suggested reason"):
        desk.confirm_tag(ticket_id, "agent:anna")
    with pytest.raises(UnknownReasonError, match=r"'parcels'.*tracking_update"):
        desk.correct_tag(ticket_id, "parcels", "agent:anna")


def test_open_tickets_come_oldest_first_and_can_be_narrowed(desk, incoming, noon, tag):
    ids = [
        desk.receive(incoming(external_id=str(day), channel=channel, created_at=noon(7, day))).ticket_id
        for day, channel in ((3, "Amazon"), (1, "web"), (2, "Amazon"))
    ]
    desk.tag(ids[0], tag())
    assert [view.ticket.created_at.day for view in desk.open_tickets()] == [1, 2, 3]
    assert [view.ticket.created_at.day for view in desk.open_tickets(1, offset=1)] == [2]
    assert [view.ticket.created_at.day for view in desk.open_tickets(channel="AMAZON")] == [2, 3]
    assert [view.ticket.created_at.day for view in desk.open_tickets(reason="tracking_update")] == [3]
    desk.confirm_tag(ids[0], "agent:a")
    desk.resolve(ids[0], "agent:a")
    assert len(desk.open_tickets()) == 2


def test_every_act_is_an_event(desk, incoming):
    ticket_id = desk.receive(incoming()).ticket_id
    desk.suggest(ticket_id, ["m1"], ["article#1"], "console")
    desk.record(ticket_id, EventKind.ASSIGNED, actor="agent:lead", data={"assignee": "anna"})
    desk.record(ticket_id, EventKind.NOTED, actor="agent:anna", data={"text": "ask the carrier"})
    desk.hand_off(ticket_id, "bot", "asked for a person")
    desk.handled(ticket_id, 95, "agent:anna")
    desk.reply(ticket_id, "It comes tomorrow.", "agent:anna")
    desk.rate(ticket_id, 5)
    kinds = [event.kind.value for event in desk.events(ticket_id)]
    assert kinds == [
        "received",
        "suggested",
        "assigned",
        "noted",
        "handed_off",
        "handled",
        "replied",
        "rated",
    ]
    state = desk.ticket(ticket_id).state
    assert (state.assignee, state.handle_seconds, state.replies, state.csat) == ("anna", 95.0, 1, 5)
    with pytest.raises(TicketStateError, match="1 to 5"):
        desk.rate(ticket_id, 6)


def test_an_unknown_ticket_is_said_to_be_unknown(desk):
    for look in (desk.ticket, desk.events, lambda ticket_id: desk.reply(ticket_id, "x", "agent:a")):
        with pytest.raises(UnknownTicketError, match="T-NONE"):
            look("T-NONE")


def test_a_repeated_delivery_is_recognised_and_the_job_behind_it_is_queued_once(desk, incoming):
    ticket_id = desk.receive(incoming()).ticket_id
    for first in (True, False):
        with desk.database.session() as session:
            assert first_time(session, "shop", "evt-1", "message", ticket_id) is first
            assert enqueue(session, TAG, {"ticket_id": ticket_id}, key=ticket_id) is first


def test_a_customer_who_writes_again_opens_a_resolved_ticket(desk, incoming, tag):
    ticket_id = desk.receive(incoming()).ticket_id
    desk.tag(ticket_id, tag())
    desk.resolve(ticket_id, "agent:anna")
    with desk.database.session() as session:
        state = customer_wrote(session, ticket_id, "Still nothing!", source="mail", message_id="<1@x>")
    assert (state.status, state.contacts, state.reopenings) == (Status.OPEN, 2, 1)
    assert state.waiting_since is not None
