"""Order facts in the chat: only with proof, and the same words without."""

import statistics
import time

import pytest

from bot import Act
from bot.decision import starter_decision
from bot.order_details import OrderDetails, first_details, read_details, without_details
from desk.ledger import EventKind
from desk.tables import orders

ORDER, OTHER, EMAIL = "123-4567890-1234567", "123-4567890-0000000", "ada@example.org"


@pytest.fixture
def chat(open_chat, database, with_orders):
    with_orders(database)
    return open_chat(database)


@pytest.mark.parametrize("proof", [EMAIL, "ADA@example.org", "SW1A 1AA", "sw1a1aa"])
def test_with_order_number_and_proof_the_macro_answers(chat, proof):
    assert chat.say("Where is my parcel?").act is Act.ASK_ORDER
    turn = chat.say(f"{ORDER}, {proof}")
    assert turn.act is Act.ANSWER
    assert turn.messages[0].source == "macro:en/on-its-way"
    assert "JJD000390007882823456" in turn.messages[0].text


def test_number_and_proof_may_come_one_after_the_other_in_either_order(open_chat, database, with_orders):
    with_orders(database)
    for first, second in ((ORDER, EMAIL), (EMAIL, ORDER)):
        chat = open_chat(database)
        chat.say("Where is my parcel?")
        assert chat.say(first).act is Act.ASK_ORDER
        assert chat.say(second).messages[0].source == "macro:en/on-its-way"


def test_a_number_in_the_first_message_is_not_asked_for_again(chat):
    turn = chat.say(f"Where is my parcel? The order is {ORDER}")
    assert [said.source for said in turn.messages] == ["wording:ask_proof"]
    assert chat.say(EMAIL).act is Act.ANSWER


def test_the_answer_comes_in_the_language_of_the_conversation(open_chat, database, with_orders):
    with_orders(database)
    chat = open_chat(database, "de")
    chat.say("Wo ist mein Paket?")
    turn = chat.say(f"{ORDER} {EMAIL}")
    assert turn.messages[0].source == "macro:de/on-its-way"
    assert "2. Dezember 2026" in turn.messages[0].text


def test_unknown_order_and_wrong_proof_get_the_same_answer(open_chat, database, with_orders):
    with_orders(database)
    answers = []
    for details in (f"{ORDER} bob@example.org", f"{OTHER} {EMAIL}", f"{ORDER} 99999", f"{OTHER} 99999"):
        chat = open_chat(database)
        chat.say("Where is my parcel?")
        answers.append(chat.say(details))
    assert all(answer == answers[0] for answer in answers)
    assert [said.source for said in answers[0].messages] == ["wording:order_not_verified"]


def test_unknown_order_and_wrong_proof_take_about_as_long(open_chat, database, with_orders):
    with_orders(database)
    seconds = {ORDER: [], OTHER: []}
    for _ in range(8):
        for order_id, taken in seconds.items():
            chat = open_chat(database)
            chat.say("Where is my parcel?")
            began = time.process_time()
            chat.say(f"{order_id} bob@example.org")
            taken.append(time.process_time() - began)
    known, unknown = (statistics.median(taken) for taken in seconds.values())
    assert known == pytest.approx(unknown, rel=0.6, abs=0.01)


def test_five_wrong_proofs_go_to_a_person_without_a_fact(chat):
    chat.say("Where is my parcel?")
    turns = [chat.say(f"{ORDER} {10000 + n}") for n in range(5)]
    assert [turn.act for turn in turns] == [Act.ASK_ORDER] * 4 + [Act.HAND_OFF]
    view = chat.desk.ticket(turns[-1].ticket_id)
    assert view.ticket.order_id is None
    assert "not verified" in view.ticket.body
    [event] = [e for e in chat.desk.events(view.ticket.id) if e.kind is EventKind.HANDED_OFF]
    assert (event.data["why"], event.data["verified"]) == ("order_not_verified", False)
    assert not any("DHL" in entry.text for entry in chat.history())


def test_wrong_proofs_are_counted_over_several_questions(chat):
    for n in range(2):
        chat.say(f"Where is my parcel of order {ORDER}?")
        chat.say(f"{ORDER} {10000 + n}")
        chat.say(f"{ORDER} {20000 + n}")
        chat.press("no_order")
    chat.say(f"When do I get my refund for order {ORDER}?")
    assert chat.say(f"{ORDER} 30000").act is Act.HAND_OFF


def test_without_order_number_the_general_article_answers(open_chat, database, with_orders):
    with_orders(database)
    for decline in ("I don't have it", "no", "@no_order"):
        chat = open_chat(database)
        chat.say("Where is my parcel?")
        turn = chat.press(decline[1:]) if decline.startswith("@") else chat.say(decline)
        assert turn.messages[0].source == "article:en/track#1"


def test_a_shop_without_orders_is_never_asked_for_one(open_chat, database):
    assert open_chat(database).say("Where is my parcel?").act is Act.ANSWER


def test_facts_that_no_locked_macro_says_go_to_a_person_who_knows_the_order(chat):
    chat.say("Where is my parcel?")
    turn = chat.say(f"123-4567890-7654321 {EMAIL}")
    assert turn.act is Act.HAND_OFF
    assert chat.desk.ticket(turn.ticket_id).ticket.order_id == "123-4567890-7654321"
    assert not any(said.source.startswith("macro:") for said in turn.messages)


def test_another_order_needs_its_own_proof(chat):
    chat.say("Where is my parcel?")
    chat.say(f"{ORDER} {EMAIL}")
    turn = chat.say("Where is my parcel of order 123-4567890-7654321?")
    assert [said.source for said in turn.messages] == ["wording:ask_proof"]


def test_a_proven_order_is_not_asked_for_twice(open_chat, database, with_orders):
    with_orders(database)
    chat = open_chat(database)
    chat.say("When do I get my refund?")
    assert chat.say(f"PD-10233 {EMAIL}").messages[0].source == "macro:en/refund-issued"
    assert chat.say("Where is my parcel?").act is not Act.ASK_ORDER


def test_a_danger_beside_order_details_is_heard(chat):
    chat.say("Where is my parcel?")
    turn = chat.say(f"{ORDER} {EMAIL} by the way the charger burned my hand")
    assert turn.act is Act.HAND_OFF
    assert "safety.injury.en" in chat.desk.ticket(turn.ticket_id).state.guard


def test_another_question_instead_of_an_order_number_is_answered(chat):
    chat.say("Where is my parcel?")
    assert chat.say("How do I return an article?").messages[0].source == "article:en/return#1"


@pytest.mark.parametrize(
    ("text", "known", "order_id", "proof"),
    [
        ("123-4567890-1234567 10115", None, "123-4567890-1234567", "10115"),
        ("my order is PD-10233 and I live in 75011", None, "PD-10233", "75011"),
        ("1002345 / ada@example.org", None, "1002345", "ada@example.org"),
        ("10115", "PD-10233", None, "10115"),
        ("10115", None, "10115", None),
        ("SW1A 1AA", None, None, "SW1A 1AA"),
        ("EC1A1BB PD-10233", None, "PD-10233", "EC1A1BB"),
        ("1011 AB, #10442", None, "#10442", "1011 AB"),
        ("A-1010", "PD-10233", None, "A-1010"),
        ("I do not know", None, None, None),
        ("postcode is 10115", None, None, "10115"),
        ("PLZ 26386, Nummer such ich", None, None, "26386"),
        ("FR-88213", "59170", "FR-88213", None),
        ("ES-77120, código postal 11520", None, "ES-77120", "11520"),
        ("D-26386", "PD-10233", None, "D-26386"),
    ],
)
def test_details_are_read_as_customers_type_them(text, known, order_id, proof):
    found = read_details(text, known)
    assert (found.order_id, found.proof) == (order_id, proof)
    assert found.any == (found != OrderDetails(rest=found.rest))


@pytest.mark.parametrize(
    "words", ["il cap è 55047", "my postcode is SW1A 1AA", "meine PLZ ist 10115", "c'est le 75011"]
)
def test_words_that_only_present_a_postcode_are_no_concern_of_their_own(words):
    found = read_details(words, ORDER)
    assert (found.proof is not None, found.rest) == (True, "")


def test_words_that_may_be_a_concern_stay():
    assert read_details("my postcode is SW1A 1AA and it burned me", ORDER).rest.endswith("and it burned me")


@pytest.mark.parametrize(
    ("text", "coded", "order_id", "proof"),
    [
        (f"where is it, {ORDER} SW1A 1AA", False, ORDER, "SW1A 1AA"),
        (f"where is it? {ORDER}. I waited 10115 days", False, ORDER, None),
        ("where is my money? PD-40417", True, "PD-40417", None),
        ("will it fit my WH-1000 headphones", False, None, None),
        ("ada@example.org, where is it?", True, None, None),
        ("Pedido ES-77120, código postal 11520, dónde está?", True, "ES-77120", "11520"),
        (f"where is it, {ORDER.replace('-', ' ')} SW1A 1AA", False, ORDER, "SW1A 1AA"),
        (f"where is it, {ORDER.replace('-', '–')}?", False, ORDER, None),
        (f"where is order {ORDER.replace('-', '')}?", False, ORDER, None),
    ],
)
def test_details_that_nobody_asked_for_are_read_only_where_they_can_be_nothing_else(text, coded, order_id, proof):
    found = first_details(text, coded=coded)
    assert (found.order_id, found.proof) == (order_id, proof)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"Where is {ORDER}?", "Where is ?"),
        ("order PD-40417, postcode BA1 5QT. where's my money", "order , . where's my money"),
        (f"{ORDER} ada@example.org", f"{ORDER} ada@example.org"),
        ("I live at postcode BA1 5QT and moved", "I live at postcode BA1 5QT and moved"),
    ],
)
def test_a_question_is_judged_without_what_only_says_whose_order_it_is(text, left):
    assert " ".join(without_details(text).split()) == left


def test_a_postcode_that_came_first_is_no_order_number(open_chat, database, with_orders):
    with_orders(database)
    with database.session() as session:
        session.execute(orders.update().where(orders.c.order_id == "PD-10233").values(postcode="59170"))
    chat = open_chat(database)
    chat.say("When do I get my refund?")
    assert chat.say("59170").act is Act.ASK_ORDER
    assert chat.say("PD-10233").messages[0].source == "macro:en/refund-issued"


def test_details_that_follow_a_question_back_belong_to_the_reason_offered(open_chat, database, with_orders, unsure):
    with_orders(database)
    never = starter_decision().model_copy(update={"agreed_threshold": 1.0})
    chat = open_chat(database, "en", unsure, never)
    turn = chat.say("Where is my parcel?")
    assert turn.choices[0].value == "reason:tracking_update"
    assert chat.say(f"{ORDER} {EMAIL}").messages[0].source == "macro:en/on-its-way"


def test_who_has_no_order_number_is_not_asked_for_it_again_until_one_is_named(chat):
    chat.say("Where is my parcel?")
    chat.press("no_order")
    assert chat.say("When do I get my refund?").act is not Act.ASK_ORDER
    named = chat.say(f"Where is my parcel of order {ORDER}?")
    assert [said.source for said in named.messages] == ["wording:ask_proof"]
