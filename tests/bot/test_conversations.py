"""What a customer experiences, turn by turn, over the real model, search and database."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot import Act, EmptyMessageError
from bot.decision import starter_decision
from bot.wording import starter_wording
from classifier.folding import fold
from classifier.tagger import Tagger
from desk.database import Database
from desk.ledger import EventKind
from desk.tables import chat_sessions

QUESTIONS = {
    "en": "Where is my parcel?",
    "fr": "Bonjour, où est mon colis ?",
    "de": "Wo ist mein Paket?",
    "es": "¿Cómo puedo devolver un artículo?",
    "it": "Come faccio a restituire un articolo?",
}
UNCLEAR = ("asdf qwer", "still qwer", "blub qwertz")


def sources(turn) -> list[str]:
    return [said.source for said in turn.messages]


def outcome_of(database: Database) -> str | None:
    with database.session(read_only=True) as session:
        return session.execute(sa.select(chat_sessions.c.outcome)).scalar_one()


def handed_off(chat, turn):
    return next(e for e in chat.desk.events(turn.ticket_id) if e.kind is EventKind.HANDED_OFF)


# -- answering ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("locale", QUESTIONS)
def test_a_self_service_question_is_answered_from_an_article_in_its_language(open_chat, database, locale):
    turn = open_chat(database, locale).say(QUESTIONS[locale])
    assert turn.act is Act.ANSWER
    assert turn.messages[0].source.startswith(f"article:{locale}/")
    assert [choice.value for choice in turn.choices] == ["solved", "not_solved", "person"]


def test_the_greeting_says_that_it_is_automatic_and_whose_it_is(open_chat, database):
    for locale in QUESTIONS:
        started = open_chat(database, locale).started
        assert started.locale == locale
        assert "automat" in fold(started.messages[0].text)
        assert "Lumen & Co" in started.messages[0].text


@pytest.mark.parametrize(
    ("wish", "locale"), [("fr-CH", "fr"), ("DE_de", "de"), ("pt-BR", "en"), (None, "en"), ("", "en")]
)
def test_a_session_starts_in_the_nearest_supported_language(open_chat, database, wish, locale):
    assert open_chat(database, wish).started.locale == locale


def test_a_confirmed_answer_closes_the_conversation_and_a_new_question_opens_it_again(chat, database):
    chat.say("Where is my parcel?")
    assert chat.press("solved").act is Act.CLOSE
    assert outcome_of(database) == "confirmed"
    assert chat.say("How do I return an article?").act is Act.ANSWER
    assert outcome_of(database) is None


def test_an_answer_that_did_not_help_goes_to_a_person_and_is_never_repeated(chat):
    chat.say("Where is my parcel?")
    again = chat.say("Where is my parcel?")
    assert "article:en/track#1" not in sources(again)
    chat.say("How do I return an article?")
    turn = chat.say("no")
    assert turn.act is Act.HAND_OFF
    assert handed_off(chat, turn).data["why"] == "answer_did_not_help"


def test_thanks_closes_politely_in_the_customers_language(open_chat, database):
    chat = open_chat(database, "de")
    assert chat.say("Hallo").act is Act.CLARIFY
    turn = chat.say("Vielen Dank!")
    assert turn.act is Act.CLOSE
    assert turn.messages[0].text == starter_wording()["de"].says.close_thanks


def test_a_language_without_an_article_gets_no_answer_in_another_one(open_chat, database):
    turn = open_chat(database, "fr").say("J'ai oublié mon mot de passe, je ne peux plus me connecter")
    assert not any(source.startswith("article:") for source in sources(turn))


# -- clarifying --------------------------------------------------------------------------------------------


def test_it_asks_at_most_twice_and_then_a_person_takes_over(chat):
    acts = [chat.say(text).act for text in UNCLEAR]
    assert acts == [Act.CLARIFY, Act.CLARIFY, Act.HAND_OFF]


ASKS_BACK = starter_decision().model_copy(update={"agreed_threshold": 1.0})
"""Search alone never convinces the bot of what the model is not sure of."""


def test_a_reason_button_answers_the_question_that_was_asked(open_chat, database, unsure):
    chat = open_chat(database, "en", unsure, ASKS_BACK)
    turn = chat.say("How do I return an article?")
    assert turn.act is Act.CLARIFY
    assert [choice.to_json() for choice in turn.choices] == [
        {"label": "Return request", "value": "reason:return_request"},
        {"label": "Talk to a person", "value": "person"},
    ]
    answer = chat.press("reason:return_request")
    assert (answer.act, answer.reason) == (Act.ANSWER, "return_request")
    assert answer.messages[0].source == "article:en/return#1"


def test_what_the_model_is_not_sure_of_is_answered_where_search_agrees(open_chat, database, unsure):
    turn = open_chat(database, "en", unsure).say("How do I return an article?")
    assert (turn.act, turn.messages[0].source) == (Act.ANSWER, "article:en/return#1")


def test_where_no_passage_is_near_enough_the_questions_that_are_answered_are_offered(open_chat, database, unsure):
    never = ASKS_BACK.model_copy(update={"passage_threshold_chosen": 1.0})
    chat = open_chat(database, "en", unsure, never)
    chat.say("How do I return an article?")
    turn = chat.press("reason:return_request")
    assert (turn.act, turn.messages[0].source) == (Act.CLARIFY, "wording:clarify_sections")
    assert turn.choices[0].to_json() == {"label": "How do I return an article?", "value": "section:return#1"}
    assert chat.press("section:return#1").messages[0].source == "article:en/return#1"


def test_a_section_of_another_reason_cannot_be_asked_for(open_chat, database, unsure):
    chat = open_chat(database, "en", unsure, ASKS_BACK.model_copy(update={"passage_threshold_chosen": 1.0}))
    chat.say("How do I return an article?")
    chat.press("reason:return_request")
    with pytest.raises(EmptyMessageError):
        chat.press("section:damaged#1")


def test_the_same_reason_is_not_offered_twice(open_chat, database, unsure):
    chat = open_chat(database, "en", unsure, ASKS_BACK)
    offered = [c.value for text in ("How do I return an article?", "to return it") for c in chat.say(text).choices]
    assert offered.count("reason:return_request") == 1


def test_a_button_that_was_not_offered_is_no_shortcut(chat):
    with pytest.raises(EmptyMessageError):
        chat.press("reason:return_request")
    assert chat.say("asdf qwer", choice="reason:return_request").act is Act.CLARIFY


# -- a person ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "I want to talk to a human",
        "can I speak to someone please",
        "Je voudrais parler à un conseiller",
        "Ich möchte mit einem Menschen sprechen",
        "Quiero hablar con una persona",
        "Vorrei parlare con un operatore",
    ],
)
def test_asking_for_a_person_hands_off_at_once(chat, text):
    turn = chat.say(text)
    assert turn.act is Act.HAND_OFF
    assert turn.ticket_id


def test_the_person_button_works_at_every_turn(open_chat, database):
    for before in ([], ["hello"], ["asdf qwer"], ["Where is my parcel?"], ["Where is my parcel?", "yes"]):
        chat = open_chat(database)
        for text in before:
            chat.say(text)
        assert chat.press("person").act is Act.HAND_OFF


def test_an_assisted_reason_goes_to_a_person_with_an_article_meanwhile(chat):
    turn = chat.say("The vase arrived broken")
    assert turn.act is Act.HAND_OFF
    assert turn.reason == "damaged_in_transit"
    assert sources(turn)[-1] == "article:en/damaged#1"
    assert any(turn.ticket_id in said.text for said in turn.messages)


def test_the_ticket_has_the_customers_words_first_the_tag_and_why(chat):
    chat.say("How do I return an article?")
    turn = chat.press("not_solved")
    view = chat.desk.ticket(turn.ticket_id)
    assert view.ticket.body.startswith("How do I return an article?")
    assert "Assistant: You can return" in view.ticket.body
    assert (view.ticket.source, view.ticket.channel, view.ticket.language) == ("chat", "chat", "en")
    assert view.state.reason == "return_request"
    data = handed_off(chat, turn).data
    assert data["said"] == ["article:en/return#1", "wording:confirm"]
    assert data["alternatives"][0]["id"] == "return_request"


def test_after_the_hand_off_messages_reach_the_ticket_and_are_acknowledged_once_and_replies_appear(chat):
    ticket_id = chat.say("I want to talk to a human").ticket_id
    first, second = chat.say("It is about order 12"), chat.say("How do I return an article?")
    assert [len(first.messages), len(second.messages)] == [1, 0]
    assert {first.act, second.act} == {Act.HAND_OFF}
    wrote = [e.data["text"] for e in chat.desk.events(ticket_id) if e.kind is EventKind.CUSTOMER_WROTE]
    assert wrote == ["It is about order 12", "How do I return an article?"]
    chat.desk.reply(ticket_id, "Hello, this is Anna.", "agent:anna")
    last = chat.history()[-1]
    assert (last.role, last.text, last.ticket_id) == ("agent", "Hello, this is Anna.", ticket_id)


def test_a_message_after_the_ticket_was_resolved_opens_it_again(chat):
    ticket_id = chat.say("The vase arrived broken").ticket_id
    chat.desk.correct_tag(ticket_id, "damaged_in_transit", "agent:anna")
    chat.desk.resolve(ticket_id, "agent:anna")
    chat.say("It still is")
    assert chat.desk.ticket(ticket_id).state.status == "open"


def test_another_language_switches_the_conversation_and_an_unknown_one_goes_to_a_person(open_chat, database):
    chat = open_chat(database, "en")
    assert chat.say("Wo ist mein Paket?").locale == "de"
    assert chat.say("Danke").locale == "de"
    dutch = open_chat(database, "de")
    turn = dutch.say("waar blijft mijn pakket, ik wacht al een week op de bestelling")
    assert (turn.act, turn.locale) == (Act.HAND_OFF, "en")
    assert dutch.desk.ticket(turn.ticket_id).ticket.language == "nl"


def test_a_desk_without_model_hands_everything_off(open_chat, database, tagger):
    blind = Tagger(tagger.taxonomy, tagger.guard, tagger.languages, None)
    chat = open_chat(database, "en", blind)
    turn = chat.say("Where is my parcel?")
    assert turn.act is Act.HAND_OFF
    assert handed_off(chat, turn).data["why"] == "guard_unavailable"


MOVES = st.sampled_from(
    ["hello", "thanks", "yes", "no", "asdf", "qwer blub", "Where is my parcel?", "I forgot my password", "12345",
     "123-4567890-1234567", "bob@example.org", "wo ist mein paket", "@solved", "@not_solved", "@no_order", "@reason"]
)  # fmt: skip


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(MOVES, max_size=10))
def test_whatever_is_said_it_never_asks_three_times_in_a_row_nor_speaks_after_a_hand_off(
    open_chat: Callable, database: Database, moves: list[str]
):
    chat = open_chat(database)
    turn, asked, over = None, 0, False
    for move in moves:
        if move.startswith("@"):
            buttons = [c.value for c in turn.choices if c.value.startswith(move[1:])] if turn else []
            if not buttons:
                continue
            turn = chat.press(buttons[0])
        else:
            turn = chat.say(move)
        small_talk = sources(turn) == ["wording:greet_back"]
        asked = asked + 1 if turn.act is Act.CLARIFY and not small_talk else 0
        assert asked <= 2
        assert turn.messages or over
        assert not over or turn.act is Act.HAND_OFF
        over = turn.act is Act.HAND_OFF
        assert over or "person" in {choice.value for choice in turn.choices}
        said = [source for entry in chat.history() if (source := entry.source or "").startswith(("article:", "macro:"))]
        assert len(said) == len(set(said))
