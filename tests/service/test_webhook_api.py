"""Signed deliveries over HTTP. The service has no model, which must not keep tickets from coming in."""

import base64
import hashlib
import hmac
import json
import logging
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from desk import database as desk_database
from desk.database import open_database
from desk.inbox import Desk
from desk.webhooks import load_sources
from service.app import create_app
from service.routes.webhooks import MAX_BODY
from service.settings import load_settings
from service.wiring import open_services

CONTENT = Path(__file__).parents[1] / "bot" / "content"
GUIDE = Path(__file__).parents[2] / "docs" / "webhooks.md"
KEY = "k3y-0f-7h3-t3st-4b9d2c"
MESSAGE = {
    "event": "message_created", "id": 654, "content": "Où est mon colis ? 📦", "message_type": "incoming",
    "sender": {"name": "Ben"}, "conversation": {"id": 207},
}  # fmt: skip


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    settings = load_settings(home=home, content=CONTENT, models_store=home / "store", signing_key=home / "key")
    with open_services(settings) as opened:
        yield opened


@pytest.fixture
def database(tmp_path, monkeypatch):
    monkeypatch.setattr(desk_database, "BUSY_TIMEOUT_MS", 100)
    opened = open_database(f"sqlite:///{tmp_path}/desk.db")
    yield opened
    opened.close()


@pytest.fixture
def client(services, database, tmp_path, monkeypatch):
    monkeypatch.setenv("DESK_SECRET", KEY)
    path = tmp_path / "webhooks.yaml"
    path.write_text("sources:\n  chat:\n    preset: chatwoot\n    secrets: [{secret_env: DESK_SECRET}]\n")
    token = services.settings.model_copy(update={"console_token": "a-token-of-the-staff"})
    changed = replace(services, settings=token, database=database, desk=Desk(database), webhooks=load_sources(path))
    with TestClient(create_app(changed), raise_server_exceptions=False) as opened:
        yield opened


def signed(body, key=KEY, delivery="d-1"):
    seconds = str(int(datetime.now(UTC).timestamp()))
    signature = hmac.new(key.encode(), seconds.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {
        "content-type": "application/json", "x-chatwoot-signature": f"sha256={signature}",
        "x-chatwoot-timestamp": seconds, "x-chatwoot-delivery": delivery,
    }  # fmt: skip


def send(client, payload, source="chat", **headers):
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return client.post(f"/v1/webhooks/{source}", content=body, headers=signed(body) | headers)


def test_a_signed_message_is_stored_without_a_staff_token_and_a_repeated_one_is_answered_with_200(client, database):
    first = send(client, MESSAGE)
    assert (first.status_code, first.json()["effect"]) == (202, "ticket_opened")
    assert Desk(database).ticket(first.json()["ticket_id"]).ticket.body == "Où est mon colis ? 📦"
    again = send(client, MESSAGE)
    assert (again.status_code, again.json()["effect"]) == (200, "duplicate")
    typing = send(client, {"event": "conversation_typing_on"}, **{"x-chatwoot-delivery": "d-2"})
    assert (typing.status_code, typing.json()["effect"]) == (200, "ignored")


def test_every_failure_of_the_proof_looks_the_same_and_says_nothing_of_the_secret(client, caplog):
    body = json.dumps(MESSAGE).encode()
    good = signed(body)
    old = {"x-chatwoot-timestamp": "1600000000"}
    refused = [
        client.post("/v1/webhooks/chat", content=body, headers=headers)
        for headers in (
            signed(body, key="another-k3y-0f-us"),
            good | old,
            {name: value for name, value in good.items() if "signature" not in name},
            good | {"x-chatwoot-signature": "sha256=zz"},
            {"content-type": "application/json"},
        )
    ]
    refused.append(client.post("/v1/webhooks/chat", content=body + b" ", headers=good))
    refused.append(client.post("/v1/webhooks/chat", content=b"not json", headers=good))
    assert {answer.status_code for answer in refused} == {401}
    assert len({answer.text for answer in refused}) == 1
    assert refused[0].headers["content-type"] == "application/problem+json"
    assert KEY not in caplog.text + refused[0].text
    assert "www-authenticate" not in refused[0].headers


def test_a_payload_that_lacks_a_field_is_a_problem_that_names_the_path(client):
    answer = send(client, {**MESSAGE, "conversation": {}})
    assert answer.status_code == 422
    assert "conversation.id" in answer.json()["detail"]
    assert answer.json()["errors"][0]["where"].startswith("conversation.id")
    for body in (b"", b"[]", b"{", b"\xff\xfe"):
        assert send(client, body).status_code == 422


def test_what_is_no_signed_json_post_is_refused_in_its_own_way(client):
    assert send(client, MESSAGE, source="unknown").status_code == 404
    assert send(client, MESSAGE, **{"content-type": "text/plain"}).status_code == 415
    assert send(client, MESSAGE, **{"content-type": "application/json; charset=utf-8"}).status_code == 202
    assert client.get("/v1/webhooks/chat").status_code == 405


def test_a_huge_body_is_refused_before_it_is_kept_also_without_a_declared_length(client, database):
    huge = b" " * (MAX_BODY + 1)
    assert send(client, huge).status_code == 413
    parts = (b" " * 65536 for _ in range(MAX_BODY // 65536 + 2))
    assert client.post("/v1/webhooks/chat", content=parts, headers=signed(b"")).status_code == 413
    assert Desk(database).coverage().tickets == 0


def test_a_database_that_cannot_be_written_asks_the_sender_to_come_again(client, database, caplog):
    with sqlite3.connect(database.engine.url.database, isolation_level=None) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with caplog.at_level(logging.ERROR):
            answer = send(client, MESSAGE)
        holder.execute("ROLLBACK")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "desk.db" not in answer.text
    assert "not stored" in caplog.text
    assert "colis" not in caplog.text
    assert send(client, MESSAGE).status_code == 202


def test_the_guides_example_is_taken_as_it_stands(services, database, tmp_path, monkeypatch):
    secret = "whsec_" + base64.b64encode(b"a key of twenty-four byte").decode()
    monkeypatch.setenv("ERP_WEBHOOK_SECRET", secret)
    guide = GUIDE.read_text(encoding="utf-8")
    path = tmp_path / "own.yaml"
    path.write_text(guide.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    client = TestClient(
        create_app(replace(services, database=database, desk=Desk(database), webhooks=load_sources(path)))
    )
    body = guide.split("```json\n")[1].split("```")[0].encode()
    seconds = str(int(datetime.now(UTC).timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = hmac.new(key, b"evt_1." + seconds.encode() + b"." + body, hashlib.sha256).digest()
    headers = {
        "content-type": "application/json", "webhook-id": "evt_1", "webhook-timestamp": seconds,
        "webhook-signature": "v1," + base64.b64encode(signature).decode(),
    }  # fmt: skip
    assert client.post("/v1/webhooks/erp", content=body, headers=headers).status_code == 202
