"""What a person gets with a conversation, what the customer is told, and that nobody is talked over."""

from datetime import UTC, datetime

import pytest

from bot import Act
from bot.expectation import Expectation
from bot.wording import starter_wording
from desk.ledger import EventKind
from desk.sla import starter_policies

ORDER, DELIVERED, EMAIL = "123-4567890-1234567", "123-4567890-7654321", "ada@example.org"


def package(chat, ticket_id):
    return next(e for e in chat.desk.events(ticket_id) if e.kind is EventKind.HANDED_OFF).data


@pytest.fixture
def chat(open_chat, database, with_orders):
    with_orders(database)
    return open_chat(database)


def test_the_package_has_reason_alternatives_order_facts_and_what_was_tried(chat):
    chat.say("Where is my parcel?")
    chat.say(f"{DELIVERED} 99999")
    turn = chat.say(f"{DELIVERED} {EMAIL}")
    told = package(chat, turn.ticket_id)
    assert (told["why"], told["reason"], told["language"]) == ("order_facts_missing", "tracking_update", "en")
    assert told["alternatives"][0]["id"] == "tracking_update"
    assert told["sentiment"] in {"neutral", "positive", "negative", "very_negative"}
    assert (told["order_id"], told["verified"], told["failed_proofs"]) == (DELIVERED, True, 1)
    assert told["order"]["facts"]["shipment.status"] == "delivered"
    assert told["said"] == ["wording:ask_order", "wording:order_not_verified"]
    assert told["tried"][0] == {"wrote": "Where is my parcel?"}
    assert len(told["tried"]) == 3
    assert datetime.fromisoformat(told["answer_by"]) > datetime.now(UTC)
    ticket = chat.desk.ticket(turn.ticket_id).ticket
    assert (ticket.customer_email, ticket.customer_name) == (EMAIL, "Ada Byron")


def test_without_proof_there_are_no_facts_and_no_address(chat):
    chat.say("Where is my parcel?")
    chat.say(ORDER)
    turn = chat.press("person")
    told = package(chat, turn.ticket_id)
    assert (told["order_id"], told["verified"], told["order"]) == (ORDER, False, None)
    ticket = chat.desk.ticket(turn.ticket_id).ticket
    assert (ticket.order_id, ticket.customer_email, ticket.customer_name) == (None, None, None)


def test_a_postcode_proves_the_order_but_no_address(chat):
    chat.say("Where is my parcel?")
    turn = chat.say(f"{DELIVERED} SW1A 1AA")
    assert chat.desk.ticket(turn.ticket_id).ticket.customer_email is None


@pytest.mark.parametrize(
    ("written", "day", "time"),
    [
        (datetime(2026, 11, 19, 9, tzinfo=UTC), "Thursday 19 November", "18:00 (UTC+1)"),
        (datetime(2026, 11, 20, 15, tzinfo=UTC), "Monday 23 November", "16:00 (UTC+1)"),  # Friday closes at 17:00
        (datetime(2026, 11, 21, 3, tzinfo=UTC), "Monday 23 November", "17:00 (UTC+1)"),  # a Saturday night
        (datetime(2026, 7, 13, 15, tzinfo=UTC), "Wednesday 15 July", "16:00 (UTC+2)"),  # over Bastille Day
    ],
)
def test_the_answer_is_promised_within_opening_hours_by_the_service_levels(written, day, time):
    promised = Expectation(starter_policies(), lambda: written).answer_by("return_request")
    assert promised.words(starter_wording()["en"], "en") == {"day": day, "time": time}


def test_the_customer_is_told_when_to_expect_it_in_their_language(open_chat, database):
    turn = open_chat(database, "de").say("Ich möchte mit einem Menschen sprechen")
    told = next(said.text for said in turn.messages if said.source == "wording:hand_off_expect")
    assert "spätestens am" in told
    assert "UTC" in told
    assert turn.ticket_id in told


def test_the_promise_is_the_clock_that_the_ticket_gets(chat):
    turn = chat.say("I want to talk to a human")
    from desk.sla.clock_table import clocks_by_ticket

    clocks = clocks_by_ticket(chat.desk.database, [turn.ticket_id], datetime.now(UTC))[turn.ticket_id]
    first = next(clock for clock in clocks if clock.clock == "first_response")
    promised = datetime.fromisoformat(package(chat, turn.ticket_id)["answer_by"])
    assert abs((first.due_at - promised).total_seconds()) < 5


# -- people ------------------------------------------------------------------------------------------------


def test_once_a_person_has_replied_the_bot_is_silent(chat):
    ticket_id = chat.say("I want to talk to a human").ticket_id
    chat.desk.reply(ticket_id, "Hello, this is Anna.", "agent:anna")
    turn = chat.say("Where is my parcel?")
    assert (turn.act, turn.messages, turn.choices) == (Act.HAND_OFF, (), ())
    assert [entry.role for entry in chat.history()][-2:] == ["agent", "customer"]


def test_a_person_who_answers_what_was_passed_on_is_not_talked_over(chat, database):
    """The ticket was made beside an answer, so that the bot had gone on talking."""
    ticket_id = chat.say("I want to talk to a human").ticket_id
    from desk.tables import chat_sessions

    with database.session() as session:  # as if it had been passed on: the bot still answers
        state = session.execute(chat_sessions.select()).one().state | {"phase": "confirm"}
        session.execute(chat_sessions.update().values(state=state))
    assert chat.say("How do I return an article?").act is Act.ANSWER
    chat.desk.reply(ticket_id, "Hello, this is Anna.", "agent:anna")
    turn = chat.say("How do I return an article?")
    assert (turn.act, turn.messages) == (Act.HAND_OFF, ())
    wrote = [e.data["text"] for e in chat.desk.events(ticket_id) if e.kind is EventKind.CUSTOMER_WROTE]
    assert wrote == ["How do I return an article?"]


def test_a_reply_that_arrives_while_the_bot_thinks_wins(chat, database, monkeypatch):
    from bot.dialogue import Dialogue
    from desk.tables import chat_sessions

    ticket_id = chat.say("I want to talk to a human").ticket_id
    with database.session() as session:
        state = session.execute(chat_sessions.select()).one().state | {"phase": "confirm"}
        session.execute(chat_sessions.update().values(state=state))
    thinks = Dialogue.respond

    def slowly(self, *arguments):
        reply = thinks(self, *arguments)
        chat.desk.reply(ticket_id, "Hello, this is Anna.", "agent:anna")
        return reply

    monkeypatch.setattr(Dialogue, "respond", slowly)
    turn = chat.say("How do I return an article?")
    assert (turn.act, turn.messages) == (Act.HAND_OFF, ())


def test_an_automatic_reply_is_no_person(chat):
    ticket_id = chat.say("I want to talk to a human").ticket_id
    chat.desk.record(ticket_id, EventKind.REPLIED, actor="bot", data={"text": "We have it.", "automatic": True})
    assert [said.source for said in chat.say("still here").messages] == ["wording:hand_off_more"]
