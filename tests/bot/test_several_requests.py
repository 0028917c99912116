"""A customer who asks for several things gets the first answered, and is told what went to a person."""

from dataclasses import dataclass, field, replace

import pytest

from bot import Act
from bot.wording import starter_wording
from classifier.tagger import Alternative, Tag
from desk.ledger import EventKind

ORDER, EMAIL = "123-4567890-1234567", "ada@example.org"
RETURN = "How do I return an article?"


def tag(reason: str, *secondary: str, decision: str = "tagged", language: str = "en") -> Tag:
    return Tag(
        reason,
        0.93,
        decision,
        "self_service",
        (Alternative(reason, 0.93),),
        (),
        language,
        "neutral",
        model="stated-1",
        secondary=tuple(Alternative(also, 0.8) for also in secondary),
    )


@dataclass
class Stated:
    """Tags stated beforehand by words in the text; the whole conversation is judged like its latest part."""

    tags: dict[str, Tag] = field(default_factory=dict)

    def tag_many(self, tickets):
        return [self._tag(body) for _, body in tickets]

    def _tag(self, body: str) -> Tag:
        found = [tag for words, tag in self.tags.items() if words in body]
        return found[-1] if found else tag("other", decision="undecided")


@pytest.fixture
def chat_with(open_chat, opened, database_url):
    """A conversation, over both databases, in which texts have stated tags."""
    database = opened(database_url)

    def start(locale: str = "en", prepare=None, **tags: Tag):
        if prepare:
            prepare(database)
        return open_chat(database, locale, Stated({words.replace("_", " "): tag for words, tag in tags.items()}))

    return start


def sources(turn) -> list[str]:
    return [said.source for said in turn.messages]


def test_the_first_is_answered_and_the_others_are_named_and_passed_on(chat_with):
    chat = chat_with(return_an=tag("return_request", "invoice_request", "price_or_promotion"))
    turn = chat.say("How do I return an article? And I need an invoice, and why is it cheaper today?")
    assert turn.act is Act.ANSWER
    assert sources(turn) == ["article:en/return#1", "wording:passed_on", "wording:confirm"]
    told = turn.messages[1].text
    assert "Invoice request; Price or promotion" in told
    assert turn.ticket_id in told
    view = chat.desk.ticket(turn.ticket_id)
    assert (view.state.reason, view.state.decision) == ("invoice_request", "undecided")
    assert view.state.secondary == ("price_or_promotion",)
    assert view.ticket.body.startswith("How do I return an article? And I need an invoice")
    [handed] = [e for e in chat.desk.events(turn.ticket_id) if e.kind is EventKind.HANDED_OFF]
    assert handed.data["why"] == "further_requests"


@pytest.mark.parametrize(
    ("locale", "question"),
    [
        ("fr", "Comment retourner un article ?"),
        ("de", "Wie kann ich einen Artikel zurücksenden?"),
        ("es", "¿Cómo puedo devolver un artículo?"),
        ("it", "Come faccio a restituire un articolo?"),
    ],
)
def test_it_is_said_in_the_customers_language(chat_with, locale, question, taxonomy):
    chat = chat_with(locale, **{"?": tag("return_request", "invoice_request", language=locale)})
    turn = chat.say(question)
    said = next(said for said in turn.messages if said.source == "wording:passed_on")
    assert taxonomy["invoice_request"].name(locale) in said.text
    assert said.text.startswith(starter_wording()[locale].says.passed_on.split("{")[0])


def test_what_waits_behind_an_order_number_is_passed_on_with_the_answer(chat_with, with_orders):
    chat = chat_with(prepare=with_orders, parcel=tag("tracking_update", "invoice_request"))
    first = chat.say("Where is my parcel, and I need an invoice")
    assert (first.act, first.ticket_id) == (Act.ASK_ORDER, None)
    turn = chat.say(f"{ORDER} {EMAIL}")
    assert sources(turn) == ["macro:en/on-its-way", "wording:passed_on", "wording:confirm"]
    ticket = chat.desk.ticket(turn.ticket_id).ticket
    assert (ticket.order_id, ticket.customer_email) == (ORDER, EMAIL)


def test_the_conversation_goes_on_and_the_same_is_not_passed_on_twice(chat_with):
    chat = chat_with(return_an=tag("return_request", "invoice_request"), broken=tag("damaged_in_transit"))
    first = chat.say("How do I return an article? And I need an invoice")
    assert chat.say("yes").act is Act.CLOSE
    again = chat.say("And how do I return an article that was used, I need an invoice")
    assert "wording:passed_on" not in sources(again)
    last = chat.say("Besides it came broken")
    assert (last.act, last.ticket_id) == (Act.HAND_OFF, first.ticket_id)
    state = chat.desk.ticket(first.ticket_id).state
    assert (state.reason, state.contacts) == ("damaged_in_transit", 2)


def test_a_person_only_reason_among_them_is_handed_off_at_once(chat_with):
    chat = chat_with(return_an=tag("return_request", "payment_issue"))
    turn = chat.say("How do I return an article? And I was charged twice")
    assert turn.act is Act.HAND_OFF
    assert not any(source.startswith("article:") for source in sources(turn))
    assert "payment_issue" in chat.desk.ticket(turn.ticket_id).state.secondary


def test_thanks_beside_a_request_is_no_request_and_a_request_beside_thanks_is_one(chat_with):
    chat = chat_with(return_an=tag("return_request", "thanks", "solicitation"))
    assert sources(chat.say(RETURN)) == ["article:en/return#1", "wording:confirm"]
    kind = chat_with(lovely=tag("thanks", "invoice_request"))
    turn = kind.say("lovely service! one more thing, the invoice")
    assert turn.act is Act.HAND_OFF
    assert kind.desk.ticket(turn.ticket_id).state.secondary == ("invoice_request",)


def test_a_hand_off_before_any_answer_has_everything(chat_with, with_orders):
    chat = chat_with(prepare=with_orders, parcel=tag("tracking_update", "invoice_request"))
    chat.say("Where is my parcel, and I need an invoice")
    turn = chat.press("person")
    [handed] = [e for e in chat.desk.events(turn.ticket_id) if e.kind is EventKind.HANDED_OFF]
    assert handed.data["further"] == ["invoice_request"]


def test_what_is_hardly_probable_makes_no_ticket_but_is_told_to_a_person(chat_with):
    guess = replace(tag("return_request"), secondary=(Alternative("invoice_request", 0.3),))
    chat = chat_with(return_an=guess)
    turn = chat.say(RETURN)
    assert (sources(turn), turn.ticket_id) == (["article:en/return#1", "wording:confirm"], None)
    handed = chat.press("not_solved")
    assert chat.desk.ticket(handed.ticket_id).state.secondary == ("invoice_request",)


def test_beside_a_reason_that_the_customer_chose_other_guesses_are_not_passed_on(chat_with):
    unsure = replace(
        tag("invoice_request", "product_question", decision="undecided"),
        reasons=(Alternative("invoice_request", 0.4), Alternative("return_request", 0.3)),
    )
    chat = chat_with(return_an=unsure)
    assert chat.say(RETURN).act is Act.CLARIFY
    turn = chat.press("reason:return_request")
    assert sources(turn) == ["article:en/return#1", "wording:confirm"]
