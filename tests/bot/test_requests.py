"""What one message asks for, part by part."""

import pytest

from bot import Act
from bot.requests import starter_splitter
from classifier.tagger import Alternative, Tag


def pieces(text: str) -> list[str]:
    return [piece.text for piece in starter_splitter().pieces(text)]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Where is my parcel?", []),
        ("Where is my parcel, the kettle and the cups?", []),
        ("Thanks! Bye", []),
        ("Wo ist es? Und die Rechnung fehlt.", ["Wo ist es?", "Und die Rechnung fehlt."]),
        ("où est-il, et il me faut la facture", ["où est-il", "et il me faut la facture"]),
        ("la factura de mayo y de paso cancelar", ["la factura de mayo", "y de paso cancelar"]),
        ("write to ada@example.org about 10.50 euros please", []),
    ],
)
def test_sentences_and_joined_clauses_are_parts_and_a_message_of_one_part_has_none(text, parts):
    assert pieces(text) == parts


def test_a_sentence_that_tells_beside_one_that_asks_is_its_context_unless_it_adds_something():
    told, asked = starter_splitter().pieces("There was only a delivery note. Where do I get the invoice?")
    assert (told.context, asked.context) == (True, False)
    asked, added = starter_splitter().pieces("Where is it? And the invoice is missing.")
    assert (added.joined, added.context) == (True, False)
    first, _ = starter_splitter().pieces("Two things: where is it, and how do I get an invoice?")
    assert not first.context


def test_only_so_many_parts_of_a_message_are_judged_by_themselves():
    assert len(starter_splitter().pieces("One more thing here. " * 50)) == 6


# -- in a conversation: each part has a tag of its own -------------------------------------------------------


def tag(reason: str, decision: str = "tagged", *others: str, guard: tuple[str, ...] = ()) -> Tag:
    reasons = tuple(Alternative(one, 0.5) for one in (reason, *others))
    return Tag(reason, 0.9 if decision == "tagged" else 0.5, decision, "self_service", reasons, guard, "en", "neutral")


class ByText:
    """Tags stated by the whole text that is judged; what was not stated is about nothing."""

    def __init__(self, tags: dict[str, Tag]) -> None:
        self.tags = tags
        self.judged: list[str] = []

    def tag_many(self, tickets):
        self.judged += [body for _, body in tickets]
        return [self.tags.get(body, tag("other", "undecided")) for _, body in tickets]


RETURN, INVOICE = "How do I return an article?", "And where is my invoice?"
BOTH = f"{RETURN} {INVOICE}"


def test_two_questions_of_an_unsure_message_are_both_noticed(open_chat, database):
    judge = ByText(
        {
            BOTH: tag("invoice_request", "undecided", "return_request"),
            RETURN: tag("return_request"),
            INVOICE: tag("invoice_request"),
        }
    )
    chat = open_chat(database, "en", judge)
    turn = chat.say(BOTH)
    assert (turn.act, turn.reason) == (Act.ANSWER, "return_request")
    assert turn.messages[0].source == "article:en/return#1"
    assert "Invoice request" in turn.messages[1].text
    assert chat.desk.ticket(turn.ticket_id).state.reason == "invoice_request"


def test_a_person_only_reason_that_one_part_is_sure_of_is_never_answered(open_chat, database):
    charged = "And you charged me twice."
    judge = ByText(
        {f"{RETURN} {charged}": tag("return_request"), RETURN: tag("return_request"), charged: tag("payment_issue")}
    )
    turn = open_chat(database, "en", judge).say(f"{RETURN} {charged}")
    assert turn.act is Act.HAND_OFF
    assert not any(said.source.startswith("article:") for said in turn.messages)


def test_what_only_a_person_answers_is_not_taken_from_a_part_of_an_unsure_message(open_chat, database):
    told = "One of three things is here."
    text = f"{told} {RETURN}"
    judge = ByText({text: tag("wrong_or_missing_item", "undecided"), told: tag("wrong_or_missing_item")})
    assert open_chat(database, "en", judge).say(text).act is Act.CLARIFY


def test_a_context_makes_no_ticket_of_its_own(open_chat, database):
    told = "There was only a note."
    text = f"{told} {RETURN}"
    judge = ByText({text: tag("return_request"), told: tag("invoice_request"), RETURN: tag("return_request")})
    turn = open_chat(database, "en", judge).say(text)
    assert (turn.act, turn.ticket_id) == (Act.ANSWER, None)


def test_the_guard_hears_the_order_details_that_the_question_is_judged_without(open_chat, database):
    judge = ByText({})
    open_chat(database, "en", judge).say("My order 123-4567890-1234567, postcode SW1A 1AA, where is it?")
    assert "My order 123-4567890-1234567, postcode SW1A 1AA, where is it?" in judge.judged
    assert any("SW1A" not in text and "where is it?" in text for text in judge.judged)
