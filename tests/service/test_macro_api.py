"""The macro library over HTTP and on the command line, with the small content of the conversation tests."""

import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from bot.answers import Answers
from classifier.encoders import Encoder
from desk.database import DatabaseError
from desk.inbox import IncomingTicket
from desk.macro_library import MacroLibrary
from desk.tables import orders, upsert
from kb.knowledge import KnowledgeBase
from kb.usefulness import Usefulness
from service import served_macros, wiring
from service.app import create_app
from service.cli import main
from service.served_macros import ServedMacros
from service.settings import load_settings
from service.wiring import Services, open_desk, open_services, take_in_macros

CONTENT = Path(__file__).parents[1] / "bot" / "content"
ORDER = "123-4567890-1234567"
FACTS = {"order.fulfilment": "merchant", "shipment.carrier": "DHL", "shipment.status": "in_transit",
         "shipment.tracking": "JJD000390007882823456", "shipment.eta": "2030-03-07"}  # fmt: skip
WORDS = {
    "reason": "tracking_update", "title": "On its way", "when": {"shipment.status": ["in_transit"]},
    "body": "Your order {{ order.id }} is with {{ shipment.carrier }} and arrives by {{ shipment.eta }}.",
}  # fmt: skip
MACRO = "/v1/macros/en/on-its-way"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all tests, so that the passages are indexed once; each test has a database of its own."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def services(
    database_url: str, home: Path, encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Services]:
    monkeypatch.setattr(served_macros, "LOOK_EVERY", 0.0)
    monkeypatch.setattr(wiring, "encoder_of", lambda settings: encoder)
    settings = load_settings(
        home=home, database_url=database_url, content=CONTENT, models_store=tmp_path / "store",
        signing_key=tmp_path / "signing.key", shop="Lamps & Jars",
    )  # fmt: skip
    with open_services(settings) as opened:
        row = {"order_id": ORDER, "facts": FACTS, "as_of": datetime.now(UTC)}
        with opened.database.session() as session:
            session.execute(upsert(session, orders), [row])
        yield opened


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    with TestClient(create_app(services), raise_server_exceptions=False) as opened:
        yield opened


def said(services: Services) -> str | None:
    """What the bot says about a parcel that is on its way."""
    found = Answers(services.knowledge).macro("where is it", "tracking_update", FACTS | {"order.id": ORDER}, "en")
    return found.said.text if found.said else None


def test_an_edited_macro_serves_only_when_locked_and_then_without_a_restart(client, services):
    first = said(services)
    assert ORDER in first
    edited = client.post(f"{MACRO}/versions", json={**WORDS, "by": "Ana", "based_on": 1})
    assert edited.status_code == 201
    assert (edited.json()["version"], edited.json()["status"]) == (2, "checked")
    assert said(services) == first
    own = client.post(f"{MACRO}/versions/2/approve", json={"by": "Ana"})
    assert own.status_code == 409
    assert "another person" in own.json()["detail"]
    early = client.post(f"{MACRO}/versions/2/lock", json={"by": "Ben"})
    assert early.status_code == 409
    assert client.post(f"{MACRO}/versions/2/approve", json={"by": "Ben"}).json()["approver"] == "Ben"
    assert said(services) == first
    assert client.post(f"{MACRO}/versions/2/lock", json={"by": "Ana"}).json()["status"] == "locked"
    assert said(services) == f"Your order {ORDER} is with DHL and arrives by March 7, 2030."
    client.post(f"{MACRO}/retire", json={"by": "Ben", "why": "test"})
    assert said(services) is None
    changes = client.get(f"{MACRO}/history").json()["changes"]
    assert [(c["what"], c["who"], c["version"]) for c in changes] == [
        ("imported", "paretodesk", 1), ("drafted", "Ana", 2), ("checked", "Ana", 2), ("approved", "Ben", 2),
        ("superseded", "Ana", 1), ("locked", "Ana", 2), ("retired", "Ben", 2),
    ]  # fmt: skip
    assert changes[5]["rules"]


def test_a_new_macro_that_breaks_a_rule_is_a_draft_with_the_rule(client):
    body = "Leave us 5 stars and get a voucher of 10 EUR."
    made = client.post("/v1/macros", json={**WORDS, "body": body, "id": "stars", "locale": "en", "by": "Ana"})
    assert (made.status_code, made.json()["status"], made.json()["check"]["passed"]) == (201, "draft", False)
    assert made.json()["check"]["broken"][0]["remedy"]
    listed = {m["id"]: m for m in client.get("/v1/macros?locale=en").json()["macros"]}
    assert (listed["stars"]["serving"], listed["stars"]["in_work"]) == (None, 1)
    assert listed["on-its-way"]["serving"] == 1
    assert client.post("/v1/macros/en/stars/versions/1/check", json={"by": "Ben"}).json()["status"] == "draft"


REFUSED = [
    ({"body": "{{ order.colour }}"}, 422, "unknown placeholder 'order.colour'"),
    ({"reason": "lunch"}, 422, "unknown reason 'lunch'"),
    ({"marketplace": ["any", "amazon"]}, 422, "stands alone"),
    ({"when": {"shipment.status": []}}, 422, "when"),
    ({"by": "paretodesk"}, 409, "program's own name"),
    ({"by": ""}, 422, "by"),
    ({"status": "locked"}, 422, "status"),
    ({"when": {"order.date": ["yes"]}, "body": "Ordered on {{ order.date }}."}, 422, "when.order.date"),
    ({"when": {"shipment.carrier": ["unknown"]}}, 422, "'unknown' stands for no value"),
    ({"id": "../etc"}, 422, "id"),
    ({"id": "on-its-way"}, 409, "is there already"),
]


def test_what_cannot_be_saved_is_a_problem_that_says_why(client):
    before = client.get("/v1/macros").json()
    for change, status, words in REFUSED:
        answer = client.post("/v1/macros", json={**WORDS, "id": "new-one", "locale": "en", "by": "Ana"} | change)
        assert (answer.status_code, words in answer.json()["detail"]) == (status, True), answer.json()
        assert answer.headers["content-type"] == "application/problem+json"
    assert client.get("/v1/macros").json() == before


def test_unknown_macros_and_stale_edits_are_problems(client):
    assert client.get("/v1/macros/en/nope").status_code == 404
    assert client.get("/v1/macros/en/no%00pe").status_code == 422
    assert client.get("/v1/macros/e%00/nope/history").status_code == 422
    assert client.get(f"{MACRO}/versions/7").status_code == 404
    assert client.post(f"{MACRO}/versions/7/lock", json={"by": "Ana"}).status_code == 404
    stale = client.post(f"{MACRO}/versions", json={**WORDS, "by": "Ana", "based_on": 5})
    assert (stale.status_code, "is at version 1 by now" in stale.json()["detail"]) == (409, True)


def test_a_version_is_rendered_for_a_ticket_or_says_what_is_missing(client, services):
    ticket = IncomingTicket("t", "1", "Where is it?", channel="amazon", order_id=ORDER)
    ticket_id = services.desk.receive(ticket).ticket_id
    filled = client.post(f"{MACRO}/versions/1/render", json={"ticket_id": ticket_id}).json()
    assert ORDER in filled["text"]
    assert filled["violations"] == []
    bare = client.post(f"{MACRO}/versions/1/render", json={"facts": {"order.id": ORDER, "shipment.eta": "soon"}}).json()
    assert bare["text"] is None
    assert bare["missing"] == ["shipment.carrier", "shipment.tracking", "shipment.eta"]
    assert bare["unusable"] == {"shipment.eta": "is not a date; write it as 2025-03-31"}
    assert bare["unmet"] == ["shipment.status"]
    delivered = {"ticket_id": ticket_id, "facts": {"shipment.status": "delivered"}}
    unmet = client.post(f"{MACRO}/versions/1/render", json=delivered).json()
    assert (unmet["text"], unmet["unmet"]) == (None, ["shipment.status"])
    spoilt = {"ticket_id": ticket_id, "facts": {"shipment.carrier": "www.cheap-lamps.example"}}
    assert client.post(f"{MACRO}/versions/1/render", json=spoilt).json()["text"] is None


def test_the_library_is_for_staff_only(services):
    closed = services.settings.model_copy(update={"console_token": "0123456789abcdef"})
    app = create_app(services)
    object.__setattr__(services, "settings", closed)
    with TestClient(app) as client:
        assert client.get("/v1/macros").status_code == 401
        assert client.post(f"{MACRO}/retire", json={"by": "Eve"}).status_code == 401
        allowed = {"authorization": "Bearer 0123456789abcdef"}
        assert client.get("/v1/macros", headers=allowed).status_code == 200


def test_the_macro_that_settles_more_tickets_comes_first_and_says_so(services, monkeypatch):
    library = services.macros
    for name in ("aaa", "bbb"):
        body = f"Your order {{{{ order.id }}}} travels with {name} care."
        macro = library.version("on-its-way", "en").macro
        fields = macro.fields.model_copy(update={"id": name, "version": 1})
        library.write(type(macro)(fields, body, macro.path, 1), "Ana")
        library.approve(name, "en", 1, "Ben")
        library.lock(name, "en", 1, "Ana")
    source = ServedMacros(library)
    monkeypatch.setattr(source, "usefulness", lambda: {"aaa": Usefulness(40, 8), "bbb": Usefulness(40, 36)})
    services.knowledge.serve_macros(source)
    facts = FACTS | {"order.id": ORDER}
    ranked = services.knowledge.suggest("where is it", "tracking_update", facts, "en", "amazon").macros
    assert [macro.macro_id for macro in ranked] == ["bbb", "on-its-way", "aaa"]
    assert "settled 36 of 40 tickets at first contact" in ranked[0].why


def test_macros_known_before_keep_serving_while_the_database_is_away(services, monkeypatch, caplog):
    source = ServedMacros(services.macros)
    before = source.locked()

    def gone(library: MacroLibrary) -> None:
        raise DatabaseError("the database is away")

    monkeypatch.setattr(MacroLibrary, "mark", gone)
    assert source.locked() is before
    assert "those known before keep serving" in caplog.text


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PARETODESK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PARETODESK_CONTENT", str(CONTENT))
    with open_desk(load_settings()) as desk:
        take_in_macros(desk, KnowledgeBase.load(CONTENT))

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["paretodesk", "macros", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        told = capsys.readouterr()
        return int(stopped.value.code or 0), told.out, told.err

    return run


def test_the_command_line_goes_through_the_whole_life(run, tmp_path):
    file = tmp_path / "on-its-way.md"
    shipped = (CONTENT / "macros" / "en" / "on-its-way.md").read_text("utf-8")
    file.write_text(f"{shipped}\nLeave us 5 stars and get a voucher of 10 EUR.\n", "utf-8")
    code, out, err = run("edit", file, "--by", "Ana", "--json")
    assert (code, json.loads(out)["status"], json.loads(out)["version"]) == (1, "draft", 2)
    assert "author, status, version not read" in err
    file.write_text(f"{shipped}\nThank you for waiting.\n", "utf-8")
    code, out, _ = run("edit", file, "--by", "Ana")
    assert (code, "version 3: checked, written by Ana" in out) == (0, True)
    code, _, err = run("approve", "on-its-way", "--version", 3, "--by", "Ana")
    assert (code, "another person must approve" in " ".join(err.split())) == (2, True)
    assert run("approve", "on-its-way", "--version", 3, "--by", "Ben")[0] == 0
    assert run("recheck", "on-its-way", "--by", "Ben")[0] == 0
    assert json.loads(run("lock", "on-its-way", "--version", 3, "--by", "Ben", "--json")[1])["status"] == "locked"
    [row] = [row for row in json.loads(run("list", "--json")[1]) if (row["id"], row["locale"]) == ("on-its-way", "en")]
    assert (row["serving"], row["in_work"]) == (3, None)
    assert "Thank you for waiting." in run("show", "on-its-way")[1]
    assert run("retire", "on-its-way", "--by", "Ben", "--why", "sold out")[0] == 0
    log = json.loads(run("history", "on-its-way", "--json")[1])
    assert (log[-1]["what"], log[-1]["data"]["why"]) == ("retired", "sold out")
    assert "superseded" in run("history", "on-its-way")[1]
    assert "tracking_update" in run("list")[1]


def test_commands_in_a_shell_with_another_content_folder_leave_the_library_alone(run, tmp_path, monkeypatch):
    before = run("list", "--json")[1]
    assert json.loads(before)
    monkeypatch.setenv("PARETODESK_CONTENT", str(tmp_path))
    assert run("show", "on-its-way")[0] == 0
    assert run("history", "on-its-way")[0] == 0
    assert run("list", "--json")[1] == before


def test_square_brackets_that_people_wrote_are_shown_as_they_are(run, tmp_path):
    file = tmp_path / "odd.md"
    shipped = (CONTENT / "macros" / "en" / "on-its-way.md").read_text("utf-8")
    titled = re.sub(r"(?m)^title:.*$", 'title: "Parcel [/b]"', shipped.replace("id: on-its-way", "id: odd"))
    file.write_text(titled, "utf-8")
    assert "[/b]" in run("new", file, "--by", "Ana [/i]")[1]
    assert "written by Ana [/i]" in run("show", "odd")[1]
    assert "Parcel [/b]" in run("list")[1]
    assert "Ana [/i]" in run("history", "odd")[1]


def test_the_command_line_says_what_is_wrong_without_a_traceback(run, tmp_path):
    file = tmp_path / "new.md"
    file.write_text(
        "---\nid: new\nreason: lunch\nlocale: en\ntitle: T\nmarketplace: [any]\nkind: reply\n---\n{{ a.b }}\n"
    )
    code, _, err = run("new", file, "--by", "Ana")
    assert code == 2
    assert "unknown reason 'lunch'" in err
    assert "unknown placeholder 'a.b'" in err
    code, _, err = run("show", "nope")
    assert (code, "there is no macro nope (en)" in " ".join(err.split())) == (2, True)
    assert run("approve", "on-its-way", "--by", "Ana")[0] == 2
    code, _, err = run("edit", tmp_path / "absent.md", "--by", "Ana")
    assert (code, "no such file" in " ".join(err.split())) == (2, True)
