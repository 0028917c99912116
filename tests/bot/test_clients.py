"""Senders of other chat clients, and ratings, on both databases."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from bot import Act, Conversations, UnknownSessionError, WrongTokenError
from bot.clients import ClientChats, pressed
from bot.ratings import AlreadyRatedError, NothingToRateError, Rating, Ratings
from bot.turn import Choice
from desk.database import Database
from desk.inbox import Desk
from desk.ledger import EventKind
from desk.order_table import OrderTable
from desk.tables import chat_turns, client_senders


class Client:
    """One client of a desk; `say` is a message of a sender."""

    def __init__(self, database: Database, tagger, knowledge) -> None:
        self.database, self.desk = database, Desk(database)
        conversations = Conversations(database, self.desk, tagger, knowledge, OrderTable(database), shop="Lumen & Co")
        self.conversations, self.chats = conversations, ClientChats(database, conversations)

    def say(self, text: str, sender: str = "ada", client: str = "rasa", **more):
        return self.chats.say(client, sender, text, site="demo", **more)

    def sessions(self) -> list[str]:
        with self.database.session(read_only=True) as session:
            return list(session.scalars(sa.select(client_senders.c.session_id)))


@pytest.fixture
def database(database_url, opened) -> Database:
    return opened(database_url)


@pytest.fixture
def client(database, tagger, knowledge) -> Client:
    return Client(database, tagger, knowledge)


def test_a_sender_stays_in_one_conversation_over_restarts_and_others_have_their_own(client, tagger, knowledge):
    assert client.say("Where is my parcel?").turn.act is Act.ANSWER
    again = Client(client.database, tagger, knowledge)
    assert again.say("Yes, thank you").turn.act is Act.CLOSE
    client.say("Hello", sender="bob")
    client.say("Hello", client="deep_chat")
    assert len(set(client.sessions())) == len(client.sessions()) == 3


def test_senders_are_on_record_only_as_a_hash(client):
    client.say("Hello", sender="+33612345678")
    with client.database.session(read_only=True) as session:
        [row] = session.execute(sa.select(client_senders)).all()
    assert "612345678" not in str(row)


def test_a_resent_message_has_one_effect(client):
    first = client.say("Where is my parcel?", client_id="m-1")
    assert client.say("Where is my parcel?", client_id="m-1").turn == first.turn
    with client.database.session(read_only=True) as session:
        said = sa.select(sa.func.count()).where(chat_turns.c.role == "customer")
        assert session.scalar(said) == 1


def test_first_messages_at_the_same_moment_share_one_conversation(client):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: client.say("Hello", client_id=f"m-{n}"), range(4)))
    [session_id] = client.sessions()
    with client.database.session(read_only=True) as session:
        said = sa.select(sa.func.count()).where(chat_turns.c.role == "customer", chat_turns.c.session_id == session_id)
        assert session.scalar(said) == 4


def test_a_sender_who_was_silent_for_a_day_begins_anew_unless_a_person_still_owes_an_answer(client):
    now = datetime.now(UTC)
    client.say("Where is my parcel?", now=now - timedelta(hours=25))
    before = client.sessions()
    client.say("Hello", now=now)
    assert client.sessions() != before
    client.say("/person", now=now)
    handed_off = client.sessions()
    client.say("Are you there?", now=now + timedelta(days=6))
    assert client.sessions() == handed_off
    client.say("Hello", now=now + timedelta(days=14))
    assert client.sessions() != handed_off


def test_what_a_person_answered_comes_with_the_next_message_and_only_once(client):
    turn = client.say("/person").turn
    client.desk.reply(turn.ticket_id, "Hello, this is Anna.", "agent:anna")
    assert client.say("Thank you!").agents == ("Hello, this is Anna.",)
    assert client.say("Anything else?").agents == ()


def test_buttons_come_back_by_label_or_payload_and_nothing_else_is_a_button():
    choices = (Choice("Yes, thank you", "solved"),)
    assert pressed(" yes, THANK you ", choices) == choices[0]
    assert pressed("/solved", choices) == choices[0]
    assert pressed("/person", ()).value == "person"
    assert pressed("solved", choices) is pressed("/not_solved", choices) is pressed("", choices) is None


@pytest.fixture
def rated(client) -> tuple[Ratings, str, str, Client]:
    started = client.conversations.start("demo", "en")
    return Ratings(client.database), started.session_id, started.token, client


def test_a_rating_of_a_conversation_without_a_ticket_is_on_record_with_the_session(rated):
    ratings, session_id, token, client = rated
    with pytest.raises(NothingToRateError):
        ratings.rate(session_id, token, Rating(csat=5))
    client.conversations.say(session_id, token, "Where is my parcel?")
    assert ratings.rate(session_id, token, Rating(csat=5)) == Rating(csat=5)
    assert ratings.rate(session_id, token, Rating(nps=0, comment="why")) == Rating(5, 0, "why")
    assert ratings.of(session_id) == Rating(5, 0, "why")


def test_a_rating_is_an_event_of_the_ticket_once_however_often_it_is_sent(rated):
    ratings, session_id, token, client = rated
    ticket_id = client.conversations.say(session_id, token, "", choice="person").ticket_id
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: ratings.rate(session_id, token, Rating(csat=2, comment="slow")), range(4)))
    with pytest.raises(AlreadyRatedError, match="csat"):
        ratings.rate(session_id, token, Rating(csat=5))
    [event] = [event for event in client.desk.events(ticket_id) if event.kind is EventKind.RATED]
    assert (event.actor, event.data) == ("customer", {"csat": 2, "comment": "slow"})
    assert client.desk.ticket(ticket_id).state.csat == 2


def test_only_the_sessions_token_rates_it(rated):
    ratings, session_id, token, client = rated
    client.conversations.say(session_id, token, "Where is my parcel?")
    with pytest.raises(WrongTokenError):
        ratings.rate(session_id, "x" * 43, Rating(csat=1))
    with pytest.raises(UnknownSessionError):
        ratings.rate("C-none", token, Rating(csat=1))
    assert ratings.of(session_id) == Rating()
