"""Teamwork and routing over HTTP and on the command line, on a desk without accounts and without a model."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from desk.inbox import IncomingTicket
from desk.routing.rules import STARTER_RULES
from service.app import create_app
from service.cli import app
from service.errors import EXPECTED
from service.settings import load_settings
from service.wiring import Services, open_services

CONTENT = Path(__file__).parents[1] / "bot" / "content"


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("teamwork")


@pytest.fixture(scope="module")
def services(home) -> Iterator[Services]:
    with open_services(load_settings(home=home, models_store=home / "none", content=CONTENT)) as opened:
        yield opened


@pytest.fixture(scope="module")
def client(services) -> Iterator[TestClient]:
    with TestClient(create_app(services), raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def ticket(services, request) -> str:
    incoming = IncomingTicket("t", request.node.name, "Where is my parcel?", subject="Parcel", channel="amazon")
    ticket_id = services.desk.receive(incoming).ticket_id
    services.desk.correct_tag(ticket_id, "tracking_update", "agent:anna")
    return ticket_id


@pytest.fixture
def run(home, monkeypatch):
    monkeypatch.setenv("PARETODESK_HOME", str(home))
    monkeypatch.setenv("PARETODESK_MODELS_STORE", str(home / "none"))

    def command(*words: str):
        return CliRunner().invoke(app, ["routing", *words])

    return command


def kinds(told):
    return [event["kind"] for event in told["events"]]


def test_an_answer_after_somebody_elses_is_refused_unless_it_is_forced(client, services, ticket):
    seen = client.get(f"/v1/console/tickets/{ticket}").json()["seq"]
    services.desk.reply(ticket, "Hello, I look into it.", "agent:ben")
    url, act = f"/v1/console/tickets/{ticket}/reply", {"agent": "anna", "text": "Hello, it comes tomorrow."}
    refused = client.post(url, json=act, headers={"If-Match": f'"{seen}"'})
    assert refused.status_code == 409
    assert "ben replied" in refused.json()["detail"]
    assert [(one["who"], one["text"]) for one in refused.json()["since"]] == [("ben", "Hello, I look into it.")]
    assert client.post(url, json=act, headers={"If-Match": "soon"}).status_code == 422
    assert kinds(client.get(f"/v1/tickets/{ticket}").json()).count("replied") == 1
    assert client.post(url, json={**act, "force": True}, headers={"If-Match": f'W/"{seen}"'}).status_code == 200
    assert client.post(url, json=act).status_code == 200  # who does not say what they saw is not asked


def test_a_reply_that_would_close_an_untagged_ticket_is_not_sent(client, services):
    ticket_id = services.desk.receive(IncomingTicket("t", "untagged", "hm")).ticket_id
    url = f"/v1/console/tickets/{ticket_id}/reply"
    refused = client.post(url, json={"text": "Hello, which order is it?", "resolve": True})
    assert refused.status_code == 409
    assert "nothing was sent" in refused.json()["detail"]
    assert kinds(client.get(f"/v1/tickets/{ticket_id}").json()) == ["received"]


def test_notes_assignment_priority_and_snooze_are_events(client, ticket):
    base = f"/v1/tickets/{ticket}"
    noted = client.post(f"{base}/notes", json={"agent": "agent", "text": "@agent and @agnt, look"}).json()
    assert (noted["mentioned"], noted["unknown"]) == (["agent"], [{"name": "agnt", "similar": ["agent"]}])
    assert client.get("/v1/mentions").json()["unread"] >= 1
    assert client.post("/v1/mentions/read", json={}).json()["unread"] == 0
    taken = client.post(f"{base}/assignment", json={"assignee": "agent"}).json()
    assert taken["state"]["assignee"] == "agent"
    assert client.post(f"{base}/priority", json={"priority": "urgent"}).json()["state"]["priority"] == "urgent"
    put_off = client.post(f"{base}/snooze", json={"preset": "tomorrow_morning", "why": "carrier"}).json()
    assert put_off["state"]["snoozed_until"] > datetime.now(UTC).isoformat()
    listed = client.get("/v1/console/tickets", params={"box": "snoozed"}).json()["tickets"]
    assert ticket in [one["id"] for one in listed]
    assert ticket not in [one["id"] for one in client.get("/v1/console/tickets?box=mine").json()["tickets"]]
    assert client.delete(f"{base}/snooze").status_code == 200
    mine = client.get("/v1/console/tickets", params={"box": "mine", "priority": "urgent"}).json()["tickets"]
    assert [one["id"] for one in mine] == [ticket]


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("assignment", {"assignee": "nobody-here"}, 422, "nobody at this desk is called 'nobody-here'"),
        ("assignment", {}, 422, "body.assignee"),
        ("priority", {"priority": "asap"}, 422, "body.priority"),
        ("snooze", {}, 422, "either preset or until"),
        ("snooze", {"until": "2020-01-01T00:00:00Z"}, 422, "has passed"),
        ("snooze", {"until": "2020-01-01T00:00:00"}, 422, "body.until"),
        ("snooze", {"preset": "some_day"}, 422, "body.preset"),
        ("notes", {"text": "  "}, 422, "body.text"),
    ],
)
def test_what_cannot_be_done_is_said_with_its_field(client, ticket, path, body, status, said):
    answer = client.post(f"/v1/tickets/{ticket}/{path}", json=body)
    assert answer.status_code == status
    assert said in answer.json()["detail"]
    assert client.post("/v1/tickets/T-NONE/notes", json={"text": "x"}).status_code == 404


def test_pages_say_where_they_are_and_hear_what_happened(client, services, ticket):
    seq = client.get(f"/v1/console/tickets/{ticket}").json()["seq"]
    client.post("/v1/presence", json={"agent": "ben", "ticket_id": ticket, "doing": "replying"})
    services.desk.reply(ticket, "Hello.", "agent:ben")
    told = client.post("/v1/presence", json={"agent": "anna", "ticket_id": ticket, "seq": seq}).json()
    assert [(one["agent"], one["doing"]) for one in told["others"]] == [("ben", "replying")]
    assert [(one["who"], one["kind"]) for one in told["since"]] == [("ben", "replied")]
    assert client.delete(f"/v1/tickets/{ticket}/presence", params={"agent": "ben"}).status_code == 200
    assert client.post("/v1/presence", json={"agent": "anna", "ticket_id": ticket}).json()["others"] == []
    assert client.post("/v1/presence", json={"ticket_id": "T-NONE"}).status_code == 404
    client.post("/v1/presence", json={})
    client.post("/v1/presence/away", json={"away": True})
    [agent] = client.get("/v1/colleagues").json()["people"]
    assert (agent["name"], agent["here"], agent["away"]) == ("agent", True, True)


def test_routing_is_explained_for_a_ticket_and_for_a_text(client, run, ticket):
    told = client.get("/v1/routing/explain", params={"ticket_id": ticket}).json()
    assert (told["team"], told["rule"]) == ("first_line", "everybody-else")
    assert told["rules"][0] == {
        "rule": "safety",
        "line": 28,
        "matched": False,
        "decides": [],
        "why": "reason is tracking_update, not safety_or_counterfeit",
    }
    text = {"text": "The battery caught fire and burnt my daughter.", "marketplace": "amazon.de"}
    heard = client.get("/v1/routing/explain", params=text).json()
    assert (heard["team"], heard["priority"]) == ("senior", "urgent")
    assert client.get("/v1/routing/explain").status_code == 422
    assert client.get("/v1/routing/explain", params={"ticket_id": "T-NONE"}).status_code == 404
    assert json.loads(run("explain", ticket, "--json").stdout)["rule"] == "everybody-else"
    spoken = run("explain", "--text", text["text"])
    assert spoken.exit_code == 0
    assert "team Senior desk, priority urgent" in spoken.stdout
    assert run("explain").exit_code == 2


def test_open_tickets_are_routed_on_demand(run, services, ticket):
    told = json.loads(run("apply", "--json").stdout)
    assert told["changed"] == told["looked_at"] >= 1
    assert services.desk.ticket(ticket).state.team == "first_line"
    assert json.loads(run("apply", "--json").stdout)["looked_at"] == 0
    assert json.loads(run("apply", "--all", "--json").stdout)["changed"] == 0


def test_a_routing_file_is_checked_before_it_is_used(run, tmp_path):
    assert run("check").exit_code == 0
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(STARTER_RULES.read_text(encoding="utf-8").replace("team: senior,", "team: senoir,", 1), "utf-8")
    error = run("check", str(wrong)).exception
    assert isinstance(error, EXPECTED)
    assert str(error).startswith(f"{wrong}:28: rules.safety.then.team: unknown senoir")
