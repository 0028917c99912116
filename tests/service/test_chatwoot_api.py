"""The agent bot of a Chatwoot that a server plays."""

import hashlib
import hmac
import json
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from fastapi.testclient import TestClient

from desk.jobs import JobState, Worker, jobs_in
from service.chatwoot import ANSWER
from service.job_kinds import job_kinds
from service.wiring import Services

SECRET = "ZfR3kq9TnW7xYb2VhLs8"
BOT_TOKEN = "b0t-0f-th3-acc0unt"
FIRE = "The charger caught fire and burned my daughter's hand"


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


@pytest.fixture(autouse=True)
def secrets_of_chatwoot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATWOOT_SECRET", SECRET)
    monkeypatch.setenv("CHATWOOT_BOT", BOT_TOKEN)


@pytest.fixture
def deliveries(client_of, configured, chatwoot: PlayedChatwoot) -> Iterator[Deliveries]:
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
    (path, _, status), (_, _, said) = chatwoot.asked
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
def test_a_delivery_that_cannot_be_understood_is_explained(client_of, configured, chatwoot, body: bytes):
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
