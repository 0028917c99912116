"""A conversation is on disk turn by turn: resent, interrupted and continued elsewhere, it stays one conversation."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

import bot
from bot import (
    MAX_MESSAGE,
    Act,
    EmptyMessageError,
    MessageTooLongError,
    UnknownSessionError,
    WrongTokenError,
)
from desk.database import Database
from desk.ledger import EventKind
from desk.tables import chat_sessions, chat_turns, tickets

UNCLEAR = ("asdf qwer", "still qwer", "blub qwertz")


def session_row(database: Database):
    with database.session(read_only=True) as session:
        return session.execute(sa.select(chat_sessions)).one()


def count(database: Database, table: sa.Table) -> int:
    with database.session(read_only=True) as session:
        return session.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def test_a_resent_message_has_one_effect_and_the_same_turn(open_chat, opened, database_url):
    database = opened(database_url)
    chat = open_chat(database)
    for text in ("Where is my parcel?", "I want to talk to a human", "more"):
        first = chat.say(text, client_id=text)
        rows = count(database, chat_turns)
        again = chat.say(text, client_id=text)
        assert again == first
        assert count(database, chat_turns) == rows
    assert count(database, tickets) == 1
    [ticket] = chat.desk.open_tickets()
    assert len([e for e in chat.desk.events(ticket.ticket.id) if e.kind is EventKind.CUSTOMER_WROTE]) == 1


def test_two_deliveries_at_the_same_moment_have_one_effect(open_chat, opened, database_url):
    database = opened(database_url)
    chat = open_chat(database)
    with ThreadPoolExecutor(4) as pool:
        turns = list(pool.map(lambda _: chat.say("The vase arrived broken", client_id="once"), range(4)))
    assert len({turn.ticket_id for turn in turns}) == 1
    assert count(database, tickets) == 1
    assert [entry.text for entry in chat.history() if entry.role == "customer"] == ["The vase arrived broken"]


def test_different_messages_at_the_same_moment_are_all_kept(open_chat, database):
    chat = open_chat(database)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(chat.say, ["Where is my parcel?", "hello", "How do I return an article?"]))
    assert len([entry for entry in chat.history() if entry.role == "customer"]) == 3


def test_another_process_continues_the_conversation(open_chat, opened, database_url):
    first = open_chat(opened(database_url))
    first.say(UNCLEAR[0])
    second = open_chat(opened(database_url))
    second.started = first.started
    assert second.say(UNCLEAR[1]).act is Act.CLARIFY
    assert first.say(UNCLEAR[2]).act is Act.HAND_OFF
    assert second.history() == first.history()


def test_the_history_ends_with_the_buttons_that_are_open_now(chat):
    chat.say("Where is my parcel?")
    history = [entry.to_json() for entry in chat.history()]
    assert [entry["role"] for entry in history] == ["bot", "customer", "bot", "bot"]
    assert [choice["value"] for choice in history[-1]["choices"]] == ["solved", "not_solved", "person"]
    assert all("choices" not in entry for entry in history[:-1])


def test_a_session_opens_with_its_own_token_only(open_chat, database):
    chat, other = open_chat(database), open_chat(database)
    for token in ("", "x", other.started.token, chat.started.token + "x", "\ud800"):
        with pytest.raises(WrongTokenError) as wrong:
            chat.conversations.say(chat.started.session_id, token, "hi")
        with pytest.raises(WrongTokenError):
            chat.conversations.history(chat.started.session_id, token)
    with pytest.raises(UnknownSessionError) as unknown:
        chat.conversations.say("C-0", chat.started.token, "hi")
    assert str(unknown.value) == str(wrong.value)
    assert len(chat.history()) == 1


def test_the_token_has_256_bits_and_only_its_hash_is_stored(chat, database):
    assert len(chat.started.token) >= 43
    row = session_row(database)
    assert row.token_hash == hashlib.sha256(chat.started.token.encode()).hexdigest()
    assert chat.started.token not in str(row._mapping)


def test_empty_and_overlong_messages_are_refused_and_leave_no_trace(chat, database):
    for text in ("", "  \n\t "):
        with pytest.raises(EmptyMessageError):
            chat.say(text)
    with pytest.raises(MessageTooLongError, match="4,001"):
        chat.say("x" * (MAX_MESSAGE + 1))
    assert count(database, chat_turns) == 1


@pytest.mark.parametrize("text", ["\x00", "\ud800 hello", "<script>alert(1)</script>", "🙂" * 4000, "{shop} {ticket}"])
def test_odd_characters_are_a_message_like_any_other(chat, text):
    assert chat.say(text).act in {Act.CLARIFY, Act.HAND_OFF}
    assert len(chat.history()) >= 3


def test_a_long_conversation_ends_with_a_person_and_fits_into_a_ticket(chat):
    for _ in range(200):
        turn = chat.say("How do I return an article? " + "é" * 3_900)
        if turn.act is Act.HAND_OFF:
            break
    assert turn.ticket_id


def test_every_public_name_is_there():
    assert all(hasattr(bot, name) for name in bot.__all__)
