"""What a person answers in a chat also reaches the customer by mail, if they proved an address."""

from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from desk.database import open_database
from desk.inbox import Desk, IncomingTicket
from desk.mail.message import Address
from desk.mail.threads import ticket_of_references
from desk.tables import outbox
from service.mailbox import MailDesk
from service.replying import send_reply


@pytest.fixture
def database(database_url):
    opened = open_database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def reply(database):
    """Answers a ticket of the chat; returns the mails that wait to go out."""

    def send(ticket_id: str, text: str, sender: Address | None) -> list[sa.Row]:
        services = SimpleNamespace(
            database=database, mail=MailDesk(sender=sender), settings=SimpleNamespace(shop="Lumen & Co")
        )
        send_reply(services, ticket_id, text, "agent:anna")
        with database.session(read_only=True) as session:
            return list(session.execute(sa.select(outbox).order_by(outbox.c.id)))

    return send


def chat_ticket(database, **fields) -> str:
    incoming = IncomingTicket("chat", "C-1", "Where is it?", channel="chat", **fields)
    return Desk(database).receive(incoming).ticket_id


SHOP = Address("support@shop.example", "Lumen & Co")


def test_an_answer_goes_to_the_proven_address_in_the_customers_language(database, reply):
    ticket_id = chat_ticket(database, customer_email="ada@example.org", language="de")
    reply(ticket_id, "Guten Tag, hier ist Anna.", SHOP)
    first, second = reply(ticket_id, "Und noch etwas.", SHOP)
    assert (first.recipient, first.text) == ("ada@example.org", "Guten Tag, hier ist Anna.")
    assert first.subject == f"Antwort von Lumen & Co auf Ihren Chat {ticket_id}"
    assert second.recipient == "ada@example.org"
    with database.session(read_only=True) as session:
        assert ticket_of_references(session, [first.message_id]) == ticket_id, "what they answer comes back to it"


@pytest.mark.parametrize(("email", "sender"), [(None, SHOP), ("ada@example.org", None)])
def test_without_an_address_or_a_server_the_answer_stays_in_the_chat(database, reply, email, sender):
    assert reply(chat_ticket(database, customer_email=email), "Hello", sender) == []


def test_a_ticket_of_another_source_is_not_mailed_by_this_way(database, reply):
    ticket_id = Desk(database).receive(IncomingTicket("api", "1", "x", customer_email="ada@example.org")).ticket_id
    assert reply(ticket_id, "Hello", SHOP) == []
