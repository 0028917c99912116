"""Service levels over HTTP and on the command line, without a model: intake and clocks need none."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from desk.inbox import Desk, IncomingTicket
from service.app import create_app
from service.cli import app
from service.clock_watching import watching_of_clocks
from service.settings import load_settings
from service.wiring import Services, open_desk

HOUR = timedelta(hours=1)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARETODESK_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def desk(home: Path) -> Iterator[Desk]:
    with open_desk(load_settings()) as opened:
        yield opened


@pytest.fixture
def client(desk: Desk) -> TestClient:
    """The whole application over a real desk; of the services only what these routes ask for."""
    services = cast(Services, SimpleNamespace(settings=load_settings(), database=desk.database, desk=desk))
    return TestClient(create_app(services), raise_server_exceptions=False)


def arrive(desk: Desk, name: str, hours_ago: float, marketplace: str = "amazon.fr") -> str:
    at = datetime.now(UTC) - hours_ago * HOUR
    ticket = IncomingTicket("t", name, "Where is it?", channel="mail", marketplace=marketplace, created_at=at)
    return desk.receive(ticket).ticket_id


def run(*words: str) -> SimpleNamespace:
    result = CliRunner().invoke(app, ["sla", *words])
    return SimpleNamespace(code=result.exit_code, out=result.stdout)


def test_clocks_that_are_due_soon_come_soonest_first(client, desk):
    overdue, soon, later = arrive(desk, "1", 25), arrive(desk, "2", 22), arrive(desk, "3", 1)
    asked = client.get("/v1/service-levels/clocks", params={"due_within": "4 h"}).json()
    assert [(c["ticket_id"], c["state"], c["at_risk"]) for c in asked["clocks"]] == [
        (overdue, "breached", True),
        (soon, "running", True),
    ]
    assert asked["clocks"][0]["seconds_left"] == pytest.approx(-3_600, abs=60)
    page = client.get("/v1/service-levels/clocks", params={"limit": 1, "offset": 2}).json()
    assert ([c["ticket_id"] for c in page["clocks"]], page["more"]) == ([later], False)
    refused = client.get("/v1/service-levels/clocks", params={"due_within": "soon"})
    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
    assert "'24 h'" in refused.json()["detail"]


def test_policies_and_explanations_name_the_line_and_the_reason(client, desk):
    policies = client.get("/v1/service-levels/policies").json()
    assert {line["policy"] for line in policies["policies"]} >= {"everyone", "amazon-messages"}
    assert policies["policies"][-1]["for"] == {}
    found = client.get(f"/v1/service-levels/tickets/{arrive(desk, '1', 1)}").json()
    [clock] = found["clocks"]
    assert (found["marketplace"], clock["policy"], clock["because"]) == (
        "amazon",
        "amazon-messages",
        "marketplace is amazon",
    )
    assert {fit["verdict"] for fit in clock["tried"]} == {"chosen", "less specific", "other tickets"}
    assert client.get("/v1/service-levels/tickets/T-NONE").status_code == 404


def test_compliance_is_told_for_a_window(client, desk):
    arrive(desk, "1", 25)
    [row] = client.get("/v1/service-levels/compliance").json()["compliance"]
    assert (row["policy"], row["breached"], row["compliance"]) == ("amazon-messages", 1, 0.0)
    assert client.get("/v1/service-levels/compliance?from=2026-02-30").status_code == 422


def test_the_commands_list_explain_watch_and_rebuild(desk):
    ticket = arrive(desk, "1", 25)
    assert "amazon-a-to-z" in {line["policy"] for line in json.loads(run("list", "--json").out)["policies"]}
    assert "amazon-a-to-z" in run("list").out
    assert json.loads(run("watch", "--once", "--json").out)["breached"] == 1
    assert "0 newly at risk, 0 newly breached" in run("watch", "--once").out
    told = json.loads(run("explain", ticket, "--json").out)
    assert (told["clocks"][0]["state"], told["clocks"][0]["policy"]) == ("breached", "amazon-messages")
    shown = run("explain", ticket).out
    assert "first response breached" in shown
    assert "not walmart-messages: marketplace is amazon, not walmart" in shown
    assert json.loads(run("rebuild", "--json").out) == {"tickets": 1}


def test_a_wrong_file_of_policies_is_an_error_with_its_line(home, monkeypatch):
    path = home / "sla.yaml"
    path.write_text("version: 1\ncalendars: [{id: always, always: true}]\npolicies:\n  - {id: a, calendar: x}\n")
    monkeypatch.setenv("PARETODESK_SLA", str(path))
    with pytest.raises(Exception, match=r"sla.yaml:4: policies.0.targets: Field required"):
        CliRunner().invoke(app, ["sla", "list"], catch_exceptions=False)
    assert not (home / "desk.db").exists()


def test_the_service_watches_by_itself(desk):
    ticket = arrive(desk, "1", 25)
    with watching_of_clocks(desk, every=0.05):
        deadline = datetime.now(UTC) + timedelta(seconds=20)
        while not any(e.kind == "sla_breached" for e in desk.events(ticket)) and datetime.now(UTC) < deadline:
            time.sleep(0.02)
    assert [e.kind for e in desk.events(ticket)].count("sla_breached") == 1
