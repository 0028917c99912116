"""Other chat clients over a small real model: Rasa's REST channel, deep-chat, and a Chatwoot that a server plays."""

import hashlib
import hmac
import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from classifier.datafile import DataFileError
from classifier.model import ReasonModel
from desk.jobs import JobState, Worker, jobs_in
from models.bundle import Manifest, write_bundle
from models.registry import Registry
from models.signing import SigningKey
from service.app import create_app
from service.chat_clients import ChatClients, load_clients, load_clients_file
from service.chatwoot import ANSWER
from service.job_kinds import job_kinds
from service.settings import load_settings
from service.wiring import Services, open_services
from training.retraining import REASONS_MODEL

CONTENT = Path(__file__).parents[1] / "bot" / "content"
GUIDE = Path(__file__).parents[2] / "docs" / "clients.md"
TOKEN = "qM4-vR8tXw2_zL6p"
SECRET = "ZfR3kq9TnW7xYb2VhLs8"
BOT_TOKEN = "b0t-0f-th3-acc0unt"
FIRE = "The charger caught fire and burned my daughter's hand"


@pytest.fixture(scope="module")
def services(small_model: ReasonModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    root = tmp_path_factory.mktemp("clients")
    registry, key = Registry(root / "store"), SigningKey.read_or_create(root / "signing.key")
    manifest = Manifest(REASONS_MODEL, "small", "2026-11-22T00:00:00+00:00", {}, {}, "", {})
    write_bundle(registry.folder(REASONS_MODEL, "small"), manifest, small_model.to_files(), "card", key)
    registry.promote(REASONS_MODEL, "small")
    settings = load_settings(
        home=root / "home", models_store=registry.store, signing_key=root / "signing.key", content=CONTENT
    )
    with open_services(settings) as opened:
        yield opened


@contextmanager
def client_of(services: Services) -> Iterator[TestClient]:
    with TestClient(create_app(services), raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    with client_of(services) as opened:
        yield opened


@pytest.fixture
def configured(services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The services with the clients of a file, whose secrets stand in the environment."""
    monkeypatch.setenv("CLIENT_TOKEN", TOKEN)
    monkeypatch.setenv("CHATWOOT_SECRET", SECRET)
    monkeypatch.setenv("CHATWOOT_BOT", BOT_TOKEN)

    def configure(text: str) -> Services:
        path = tmp_path / "clients.yaml"
        path.write_text(text, encoding="utf-8")
        return replace(services, clients=load_clients_file(path))

    return configure


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


def test_the_same_guard_stands_before_other_clients(client, services):
    who = sender()
    [handed_off, reference] = rasa(client, who, FIRE)
    ticket_id = reference["text"].split("reference is ")[1].rstrip(".")
    assert FIRE in services.desk.ticket(ticket_id).ticket.body
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


def test_beyond_this_machine_only_configured_clients_may_ask(services):
    far = services.settings.model_copy(update={"host": "0.0.0.0", "console_token": "x" * 16})
    with client_of(replace(services, settings=far, clients=load_clients(far))) as client:
        for path in ("/webhooks/rest/webhook", "/v1/clients/deep-chat"):
            body = {"message": "Hello", "messages": [{"role": "user", "text": "Hello"}]}
            answer = client.post(path, json=body)
            assert answer.status_code == 404
            assert "PARETODESK_CLIENTS" in answer.json()["detail"]


def test_a_server_shows_its_token_and_browsers_a_sender_that_nobody_guesses(configured):
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
def test_a_file_of_clients_with_a_mistake_is_refused_with_its_line(configured, text: str, mistake: str):
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


# -- Chatwoot ----------------------------------------------------------------------------------------------


@dataclass
class PlayedChatwoot:
    """What Chatwoot was asked to do, and how it answers."""

    url: str = ""
    asked: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    failures: list[int] = field(default_factory=list)

    def messages(self) -> list[dict[str, Any]]:
        return [body for path, _, body in self.asked if path.endswith("/messages")]


@pytest.fixture
def chatwoot() -> Iterator[PlayedChatwoot]:
    played = PlayedChatwoot()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status = played.failures.pop(0) if played.failures else 200
            if self.headers["api_access_token"] != BOT_TOKEN:
                status = 401
            if status == 200:
                played.asked.append((self.path, self.headers["api_access_token"], body))
            self.send_response(status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    played.url = f"http://127.0.0.1:{server.server_port}"
    yield played
    server.shutdown()
    server.server_close()


class Deliveries:
    """Delivers to the agent bot as Chatwoot does, and has the answers sent."""

    def __init__(self, services: Services, client: TestClient) -> None:
        self.services, self.client = services, client
        self.conversation, self.message = uuid.uuid4().int % 10**9, uuid.uuid4().int % 10**9
        [self.kind] = [kind for kind in job_kinds(services) if kind.name == ANSWER]

    def payload(self, content: str, **changes: Any) -> dict[str, Any]:
        self.message += 1
        return {
            "event": "message_created",
            "id": self.message,
            "content": content,
            "message_type": "incoming",
            "content_type": "text",
            "content_attributes": {},
            "private": False,
            "account": {"id": 3, "name": "Lumen"},
            "conversation": {
                "id": self.conversation,
                "status": "pending",
                "additional_attributes": {"browser_language": "en"},
            },
            **changes,
        }

    def deliver(self, payload: dict[str, Any], secret: str = SECRET):
        body = json.dumps(payload).encode()
        sent_at = str(int(time.time()))
        signature = hmac.new(secret.encode(), f"{sent_at}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {"X-Chatwoot-Signature": f"sha256={signature}", "X-Chatwoot-Timestamp": sent_at}
        return self.client.post("/v1/clients/chatwoot", content=body, headers=headers)

    def work(self) -> None:
        while Worker(self.services.database, [self.kind]).work_once(self.kind):
            pass

    def say(self, content: str, **changes: Any) -> None:
        answer = self.deliver(self.payload(content, **changes))
        assert answer.json() == {"effect": "taken"}, answer.text
        self.work()


@pytest.fixture
def deliveries(configured, chatwoot: PlayedChatwoot) -> Iterator[Deliveries]:
    services = configured(
        f"chatwoot: {{url: '{chatwoot.url}', account: 3, bot_token: {{secret_env: CHATWOOT_BOT}}, "
        "secrets: [{secret_env: CHATWOOT_SECRET}]}"
    )
    with client_of(services) as client:
        yield Deliveries(services, client)


def test_a_customers_message_in_chatwoot_is_answered_there_with_buttons(deliveries, chatwoot):
    deliveries.say("Where is my parcel?")
    [(path, token, body)] = chatwoot.asked
    assert (path, token) == (f"/api/v1/accounts/3/conversations/{deliveries.conversation}/messages", BOT_TOKEN)
    assert "Your Orders" in body["content"]
    assert body["message_type"] == "outgoing"
    assert body["content_type"] == "input_select"
    assert {"title": "Yes, thank you", "value": "/solved"} in body["content_attributes"]["items"]


def test_a_pressed_button_goes_on_with_the_conversation(deliveries, chatwoot):
    deliveries.say("Where is my parcel?")
    chosen = {"submitted_values": [{"title": "Yes, thank you", "value": "/solved"}]}
    deliveries.say("", event="message_updated", message_type="outgoing", content_attributes=chosen)
    assert "glad to hear" in chatwoot.messages()[-1]["content"]


def test_what_needs_a_person_is_handed_over_by_opening_the_conversation(deliveries, chatwoot):
    deliveries.say(FIRE)
    (_, _, said), (path, _, status) = chatwoot.asked
    assert "colleague" in said["content"]
    assert "content_type" not in said
    assert path.endswith(f"/conversations/{deliveries.conversation}/toggle_status")
    assert status == {"status": "open"}


def test_a_repeated_delivery_is_answered_once(deliveries, chatwoot):
    payload = deliveries.payload("Where is my parcel?")
    assert deliveries.deliver(payload).json()["effect"] == "taken"
    deliveries.work()
    assert deliveries.deliver(payload).json()["effect"] == "ignored"
    deliveries.work()
    assert len(chatwoot.asked) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"message_type": "outgoing"},
        {"message_type": 1},
        {"private": True},
        {"content": None},
        {"event": "webwidget_triggered"},
        {"account": {"id": 4}},
        {"conversation": {"id": 1, "status": "open"}},
        {"conversation": {"id": 1, "status": "resolved"}},
        {"event": "message_updated", "content_attributes": None},
    ],
)
def test_what_is_no_affair_of_the_bot_is_acknowledged_and_left_alone(deliveries, chatwoot, changes):
    answer = deliveries.deliver(deliveries.payload("Where is my parcel?") | changes)
    assert (answer.status_code, answer.json()["effect"]) == (200, "ignored")
    deliveries.work()
    assert chatwoot.asked == []


def test_a_resolved_conversation_begins_anew(deliveries, chatwoot):
    deliveries.say(FIRE)
    ended = deliveries.payload("", event="conversation_resolved", id=deliveries.conversation, status="resolved")
    del ended["conversation"]
    assert deliveries.deliver(ended).json()["effect"] == "taken"
    deliveries.say("Where is my parcel?")
    assert "Your Orders" in chatwoot.messages()[-1]["content"]


def test_an_unproven_delivery_is_refused_and_stores_nothing(deliveries, chatwoot):
    payload = deliveries.payload("Where is my parcel?")
    assert deliveries.deliver(payload, secret="another-secret-of-length").status_code == 401
    assert deliveries.client.post("/v1/clients/chatwoot", json=payload).status_code == 401
    deliveries.work()
    assert chatwoot.asked == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"event": "message_created"}', b'{"event": 1}', b"\xff"])
def test_a_delivery_that_cannot_be_understood_is_explained(configured, chatwoot, body: bytes):
    text = f"chatwoot: {{url: '{chatwoot.url}', account: 3, bot_token: {{secret_env: CHATWOOT_BOT}}, unsigned: true}}"
    with client_of(configured(text)) as client:
        answer = client.post("/v1/clients/chatwoot", content=body)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"]


def test_an_answer_that_chatwoot_does_not_take_waits_and_its_problem_is_told_without_the_words(deliveries, chatwoot):
    chatwoot.failures[:] = [502]
    deliveries.say("Where is my parcel?")
    with deliveries.services.database.session(read_only=True) as session:
        [job] = jobs_in(session, kind=ANSWER, state=JobState.QUEUED)
    assert "answers 502 to messages" in job.problem
    assert "parcel" not in job.problem
    assert chatwoot.asked == []


def test_the_shipped_example_file_can_be_read(configured, monkeypatch: pytest.MonkeyPatch):
    text = GUIDE.read_text(encoding="utf-8").split("```yaml\n", 1)[1].split("```", 1)[0]
    for name in ("RASA_CHANNEL_TOKEN", "CHATWOOT_WEBHOOK_SECRET", "CHATWOOT_BOT_TOKEN"):
        monkeypatch.setenv(name, SECRET)
    assert set(ChatClients.model_fields) == configured(text).clients.model_fields_set
