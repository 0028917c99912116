"""Other chat clients over a small real model: Rasa's REST channel, deep-chat."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from classifier.datafile import DataFileError
from service.chat_clients import ChatClients, load_clients
from service.wiring import Services

GUIDE = Path(__file__).parents[2] / "docs" / "clients.md"
TOKEN = "qM4-vR8tXw2_zL6p"
SECRET = "ZfR3kq9TnW7xYb2VhLs8"
FIRE = "The charger caught fire and burned my daughter's hand"


@pytest.fixture
def client(client_of, small_services: Services) -> Iterator[TestClient]:
    with client_of(small_services) as opened:
        yield opened


def sender() -> str:
    return str(uuid.uuid4())


# -- Rasa --------------------------------------------------------------------------------------------------


def rasa(client: TestClient, who: str, message: str, **more: Any) -> list[dict[str, Any]]:
    answer = client.post("/webhooks/rest/webhook", json={"sender": who, "message": message}, **more)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_rasa_client_gets_messages_with_buttons_and_sends_a_payload_back(client):
    who = sender()
    answers = rasa(client, who, "Where is my parcel?")
    assert {answer["recipient_id"] for answer in answers} == {who}
    assert "Your Orders" in answers[0]["text"]
    assert "buttons" not in answers[0]
    buttons = {button["title"]: button["payload"] for button in answers[-1]["buttons"]}
    assert buttons["Yes, thank you"] == "/solved"
    assert "glad to hear" in rasa(client, who, "/solved")[0]["text"]


def test_a_rasa_conversation_begins_anew_on_restart_in_the_language_asked_for(client):
    who = sender()
    rasa(client, who, "Where is my parcel?")
    body = {"sender": who, "message": "/restart", "metadata": {"locale": "fr-CH"}}
    [greeting] = client.post("/webhooks/rest/webhook", json=body).json()
    assert greeting["text"].startswith("Bonjour")


def test_the_same_guard_stands_before_other_clients(client, small_services):
    who = sender()
    [handed_off, reference] = rasa(client, who, FIRE)
    ticket_id = reference["text"].split("reference is ")[1].rstrip(".")
    assert FIRE in small_services.desk.ticket(ticket_id).ticket.body
    assert "colleague" in handed_off["text"]
    told = client.post("/v1/clients/deep-chat", json={"messages": [{"role": "user", "text": FIRE}]}).json()
    assert "reference is T-" in told["text"]


def test_rasas_own_leniencies_hold(client):
    answer = client.post("/webhooks/rest/webhook", content=b'{"message": "Hello"}')
    assert len(answer.json()[0]["recipient_id"]) == 32
    assert client.get("/webhooks/rest/").json() == {"status": "ok"}


def test_a_page_of_another_site_cannot_post_without_being_asked_whether_it_may(client):
    headers = {"Origin": "https://elsewhere.example", "Content-Type": "text/plain"}
    answer = client.post("/webhooks/rest/webhook", content=b'{"message": "Hello"}', headers=headers)
    assert answer.status_code == 415


@pytest.mark.parametrize(
    ("body", "where"),
    [(b"", "body"), (b"[]", "body"), (b'{"sender": "x"}', "body.message"), (b'{"message": 5}', "body.message"),
     (b'{"message": "x", "sender": ""}', "body.sender"), (b'{"message": "' + b"x" * 4001 + b'"}', "body.message")],
)  # fmt: skip
def test_a_body_that_is_no_message_is_explained(client, body: bytes, where: str):
    answer = client.post("/webhooks/rest/webhook", content=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["where"] == where


def test_an_empty_message_is_explained(client):
    answer = client.post("/webhooks/rest/webhook", json={"sender": sender(), "message": "  "})
    assert answer.status_code == 422
    assert "empty" in answer.json()["detail"]


def test_beyond_this_machine_only_configured_clients_may_ask(client_of, small_services):
    far = small_services.settings.model_copy(update={"host": "0.0.0.0", "console_token": "x" * 16})
    with client_of(replace(small_services, settings=far, clients=load_clients(far))) as client:
        for path in ("/webhooks/rest/webhook", "/v1/clients/deep-chat"):
            body = {"message": "Hello", "messages": [{"role": "user", "text": "Hello"}]}
            answer = client.post(path, json=body)
            assert answer.status_code == 404
            assert "PARETODESK_CLIENTS" in answer.json()["detail"]


def test_a_server_shows_its_token_and_browsers_a_sender_that_nobody_guesses(client_of, configured, monkeypatch):
    monkeypatch.setenv("CLIENT_TOKEN", TOKEN)
    token = "[{secret_env: CLIENT_TOKEN}]"
    with client_of(configured(f"rasa: {{tokens: {token}}}\ndeep_chat: {{public: true}}")) as client:
        message = {"sender": "ada", "message": "Hello"}
        assert client.post("/webhooks/rest/webhook", json=message).status_code == 401
        assert client.post("/webhooks/rest/webhook?token=wrong", json=message).status_code == 401
        assert client.post(f"/webhooks/rest/webhook?token={TOKEN}", json=message).status_code == 200
        assert rasa(client, "ada", "Hello", headers={"Authorization": f"Bearer {TOKEN}"})
        short = {"sender": "ada", "messages": [{"role": "user", "text": "Hello"}]}
        refused = client.post("/v1/clients/deep-chat", json=short)
        assert refused.status_code == 422
        assert "body.sender" in refused.json()["detail"]
        assert client.post("/v1/clients/deep-chat", json=short | {"sender": sender()}).status_code == 200


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("rasa: {}", r"clients.yaml:1: rasa: .*give tokens"),
        ("rasa: {tokens: [{secret_env: NOTHING_THERE}]}", "NOTHING_THERE is not set"),
        ("whatsapp: {public: true}", "clients.yaml:1: whatsapp: Extra inputs"),
        ("chatwoot: {url: https://x.example, account: 1, bot_token: {secret_env: CHATWOOT_BOT}}", "secrets.*unsigned"),
        ("chatwoot: {url: 'x', account: 1, unsigned: true, bot_token: {secret_env: CHATWOOT_BOT}}", "address of Chat"),
    ],
)
def test_a_file_of_clients_with_a_mistake_is_refused_with_its_line(configured, monkeypatch, text: str, mistake: str):
    monkeypatch.setenv("CHATWOOT_BOT", SECRET)
    with pytest.raises(DataFileError, match=mistake):
        configured(text)


# -- deep-chat ---------------------------------------------------------------------------------------------


def test_deep_chat_gets_text_and_buttons_and_keeps_its_conversation_by_sender(client):
    props = {"sender": sender(), "locale": "de"}
    ask = {"messages": [{"role": "user", "text": "Where is my parcel?"}], **props}
    answer = client.post("/v1/clients/deep-chat", json=ask).json()
    assert "**Your Orders**" in answer["text"]
    assert ">Yes, thank you</button>" in answer["html"]
    history = [*ask["messages"], {"role": "ai", "text": answer["text"]}, {"role": "user", "text": "Yes, thank you"}]
    assert "glad to hear" in client.post("/v1/clients/deep-chat", json=props | {"messages": history}).json()["text"]


def test_deep_chat_without_a_customers_message_is_explained(client):
    answer = client.post("/v1/clients/deep-chat", json={"messages": [{"role": "ai", "text": "Hello"}]})
    assert answer.status_code == 422
    assert "role user" in answer.json()["detail"]


def test_the_shipped_example_file_can_be_read(configured, monkeypatch: pytest.MonkeyPatch):
    text = GUIDE.read_text(encoding="utf-8").split("```yaml\n", 1)[1].split("```", 1)[0]
    for name in ("RASA_CHANNEL_TOKEN", "CHATWOOT_WEBHOOK_SECRET", "CHATWOOT_BOT_TOKEN"):
        monkeypatch.setenv(name, SECRET)
    assert set(ChatClients.model_fields) == configured(text).clients.model_fields_set
