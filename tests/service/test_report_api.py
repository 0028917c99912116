"""The report routes and commands over a small desk of their own; no model is needed."""

import csv
import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
import typer
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from desk.inbox import IncomingTicket
from desk.ledger import Event, EventKind
from desk.metrics.definitions import Metric
from desk.tables import chat_sessions, chat_turns
from service.app import create_app
from service.commands import reporting
from service.settings import Settings, load_settings
from service.wiring import Services, open_services

SMALL_CONTENT = Path(__file__).parents[1] / "bot" / "content"
AT = datetime(2026, 3, 3, 12, tzinfo=UTC)
MARCH = {"from": "2026-03-01", "to": "2026-04-01"}
HOSTILE = '=HYPERLINK("http://evil.example")'


@pytest.fixture(scope="module")
def desk_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path_factory.mktemp("reports")
    return load_settings(home=home, models_store=home / "none", signing_key=home / "key", content=SMALL_CONTENT)


@pytest.fixture(scope="module")
def desk_services(desk_settings: Settings) -> Iterator[Services]:
    with open_services(desk_settings) as opened:
        batch = []
        for number in range(24):
            at = AT + timedelta(hours=number)
            agent = HOSTILE if number % 2 else "Anna"
            told = [
                (EventKind.ASSIGNED, {"assignee": agent}),
                (EventKind.TAG_CONFIRMED, {"reason": "refund_status" if number % 3 else "wrong_size"}),
                (EventKind.MACRO_SENT if number % 4 else EventKind.REPLIED, {"macro": "+soon"}),
                (EventKind.HANDLED, {"seconds": 60 + number}),
                (EventKind.RESOLVED, {}),
                (EventKind.RATED, {"csat": 1 + number % 5, "nps": number % 11}),
            ]
            ticket = IncomingTicket("t", str(number), "text", channel="Amazon", created_at=at)
            facts = [Event("", kind, at + timedelta(hours=1), "agent:a", data) for kind, data in told]
            batch.append((ticket, facts))
        opened.desk.receive_many(batch)
        with opened.database.session() as session:
            row = {"id": "C-1", "site": "@shop", "token_hash": "x", "state": {"reason": None}, "created_at": AT}
            session.execute(chat_sessions.insert().values(row))
            for role, act in (("customer", None), ("bot", "answer")):
                turn = {"session_id": "C-1", "role": role, "act": act, "text": "t", "at": AT}
                session.execute(chat_turns.insert().values(turn))
        yield opened


@pytest.fixture
def web(desk_services: Services) -> Iterator[TestClient]:
    with TestClient(create_app(desk_services), raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def run(desk_settings: Settings, desk_services: Services, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PARETODESK_HOME", str(desk_settings.home))
    app = typer.Typer()
    reporting.add_to(app)
    return lambda *arguments: CliRunner().invoke(app, ["report", *map(str, arguments)])


def test_every_figure_has_n_an_interval_a_definition_and_the_tickets_behind_it(web):
    report = web.get("/v1/reports/metrics", params={**MARCH, "by": "reason"}).json()
    assert [group["key"] for group in report["groups"]] == ["refund_status", "wrong_size"]
    assert report["groups"][0]["name"] == "Refund status"
    for group in (report["total"], *report["groups"]):
        for metric, figure in group["figures"].items():
            assert report["definitions"][metric]["definition"]
            if figure["n"] >= 6:
                assert figure["low"] <= figure["value"] <= figure["high"], metric
            else:
                assert metric == "sla_compliance" or figure["n"]
            if metric != "sla_compliance":  # which counts clocks
                behind = web.get(figure["tickets"]).json()
                assert behind["total"] == figure["n"], metric
    csat = report["total"]["figures"]["csat"]
    hits = web.get(csat["tickets"] + "&side=hits").json()
    assert hits["total"] == csat["hits"]
    assert {ticket["value"] for ticket in hits["tickets"]} == {4.0, 5.0}


def test_links_keep_window_filters_and_time_zone(web):
    asked = {**MARCH, "timezone": "Europe/Paris", "channel": ["amazon", "ebay"], "agent": HOSTILE, "by": "week"}
    report = web.get("/v1/reports/metrics", params=asked).json()
    week = next(group for group in report["groups"] if group["figures"]["volume"]["n"])
    link = dict(parse_qsl(urlsplit(week["figures"]["aht"]["tickets"]).query))
    assert link["agent"] == HOSTILE
    assert (link["from"], link["to"], link["timezone"]) == ("2026-03-02", "2026-03-09", "Europe/Paris")
    assert web.get(week["figures"]["aht"]["tickets"]).json()["total"] == week["figures"]["aht"]["n"] == 12


def test_csv_holds_no_formula(web):
    for path, by in (("metrics", "agent"), ("macros", None), ("tickets", None), ("deflection", "site")):
        asked = (
            {**MARCH, "format": "csv"} | ({"by": by} if by else {}) | ({"metric": "nps"} if path == "tickets" else {})
        )
        answer = web.get(f"/v1/reports/{path}", params=asked)
        assert answer.headers["content-type"].startswith("text/csv"), answer.text
        rows = list(csv.reader(io.StringIO(answer.text.lstrip("\ufeff"))))
        assert len(rows) > 1
        assert len({len(row) for row in rows}) == 1
        for cell in (cell for row in rows for cell in row):
            assert not cell.startswith(("=", "+", "@", "\t")), cell
            assert not cell.startswith("-") or float(cell) < 0
    named = web.get("/v1/reports/metrics", params={**MARCH, "by": "agent", "format": "csv"}).text
    assert "'=HYPERLINK" in named


def test_the_page_needs_nothing_else_and_escapes_what_people_wrote(web):
    page = web.get("/report/metrics", params={**MARCH, "by": "agent"}).text
    assert not re.search(r"<(script|link|img|iframe|object)\b", page)
    assert not re.search(r"""src\s*=|url\(\s*['"]?(?!#)|@import""", page)
    assert HOSTILE not in page
    assert "=HYPERLINK(&#34;http" in page
    assert "First contact resolution" in page
    assert 'href="/v1/reports/tickets?metric=' in page
    assert page.count("<svg ") >= 3
    as_format = web.get("/v1/reports/metrics", params={**MARCH, "format": "html"})
    assert as_format.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    ("path", "asked", "words"),
    [
        ("metrics", {"from": "2026-03-02", "to": "2026-03-01"}, "not after its start"),
        ("metrics", {**MARCH, "timezone": "Mars"}, "time zone"),
        ("metrics", {**MARCH, "by": "colour"}, "channel"),
        ("metrics", {**MARCH, "chanel": "amazon"}, "chanel"),
        ("metrics", {"from": "yesterday"}, "from"),
        ("metrics", {"from": "9999-12-31"}, ""),
        ("tickets", MARCH, "metric"),
        ("tickets", {**MARCH, "metric": "nps", "limit": 10**9}, "limit"),
        ("deflection", {**MARCH, "channel": "amazon"}, "channel"),
        ("deflection", {"from": "9999-12-31"}, ""),
        ("macros", {**MARCH, "reason": "x" * 501}, "reason"),
    ],
)
def test_wrong_questions_are_answered_with_what_was_wrong(web, path, asked, words):
    answer = web.get(f"/v1/reports/{path}", params=asked)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert words in answer.text


def test_filters_that_fit_nothing_say_what_there_is(web):
    report = web.get("/v1/reports/metrics", params={**MARCH, "channel": "fax"}).json()
    assert (report["total"]["figures"]["volume"]["n"], report["total"]["figures"]["csat"]["value"]) == (0, None)
    assert "Amazon" in report["notices"][0]
    assert "no ticket of the window has channel" in web.get("/report/metrics", params={**MARCH, "channel": "fax"}).text


def test_definitions_chats_upstream_and_macros_are_there(web):
    assert [one["id"] for one in web.get("/v1/reports/definitions").json()["metrics"]] == list(Metric)
    deflection = web.get("/v1/reports/deflection", params={**MARCH, "by": "site"}).json()
    assert (deflection["total"]["n"], deflection["total"]["silent"]["count"]) == (1, 1)
    assert web.get("/v1/reports/chats", params={**MARCH, "part": "silent"}).json()["chats"][0]["session_id"] == "C-1"
    upstream = web.get("/v1/reports/upstream", params=MARCH).json()
    assert {line["reason"] for line in upstream["reasons"]} == {"refund_status", "wrong_size"}
    macros = web.get("/v1/reports/macros", params=MARCH).json()
    assert macros["macros"][0]["macro"] == "+soon"
    assert {"used", "share", "fcr", "reopen_rate", "csat"} <= macros["macros"][0].keys()


def test_commands_say_the_same_as_the_routes(web, run, tmp_path):
    window = ("--from", "2026-03-01", "--to", "2026-04-01")
    shown = json.loads(run("metrics", *window, "--by", "agent", "--json").stdout)
    asked = web.get("/v1/reports/metrics", params={**MARCH, "by": "agent"}).json()
    assert (shown["total"], shown["groups"]) == (asked["total"], asked["groups"])
    page, sheet = tmp_path / "page.html", tmp_path / "sheet.csv"
    assert run("metrics", *window, "--html", page, "--csv", sheet).exit_code == 0
    assert "<svg" in page.read_text("utf-8")
    assert "href=" not in page.read_text("utf-8")
    assert sheet.read_text("utf-8-sig").startswith("group,")
    assert run("macros", *window, "--csv", "-").stdout.lstrip("\ufeff").startswith("macro,")
    tables = {
        ("metrics", "--by", "reason"): "Refund status",
        ("tickets", "--metric", "csat", "--side", "rest"): "Ratings of 4 or 5",
        ("macros",): "not a causal effect",
        ("deflection",): "Silence is not success",
        ("upstream",): "Fix",
    }
    for command, words in tables.items():
        done = run(*command, *window)
        assert done.exit_code == 0, done.output
        assert words.casefold() in " ".join(done.stdout.split()).casefold()
    for command in ("macros", "deflection"):
        file = tmp_path / f"{command}.html"
        assert run(command, *window, "--html", file).exit_code == 0
        assert "<h2>" in file.read_text("utf-8")


def test_commands_explain_what_they_cannot_do(run, tmp_path):
    window = ("--from", "2026-03-01", "--to", "2026-04-01")
    assert "fulfilment" in str(run("metrics", *window, "--by", "colour").exception)
    assert "time zone" in str(run("metrics", *window, "--timezone", "Mars").exception)
    done = run("macros", *window, "--csv", tmp_path / "no" / "such.csv")
    assert (done.exit_code, "cannot be written" in done.output) == (2, True)


def test_the_sheet_of_an_empty_window_has_a_header_alone(web):
    answer = web.get("/v1/reports/macros", params={"from": "2020-01-01", "to": "2020-02-01", "format": "csv"})
    assert len(answer.text.splitlines()) == 1
