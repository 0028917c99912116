"""`snapshot`, `retrain`, `models`, `promote` and `rollback` as a user runs them, on a small corpus."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from desk.database import open_database
from desk.inbox import Desk, IncomingTicket
from desk.ledger import EventKind
from service.cli import app
from service.errors import EXPECTED
from training.corpus import STARTER_CORPUS, Example

REASONS = ("tracking_update", "return_request", "thanks", "safety_or_counterfeit")
OPENED = datetime(2026, 5, 4, 9, tzinfo=UTC)
UNTIL = "2026-06-30"
Command = Callable[..., Result]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, corpus: list[Example]) -> Path:
    """A desk with a few labelled tickets, and a corpus of four reasons; the commands of this module share it."""
    root = tmp_path_factory.mktemp("retraining")
    (root / "corpus" / "en").mkdir(parents=True)
    for reason in REASONS:
        lines = (STARTER_CORPUS / "en" / f"{reason}.jsonl").read_text(encoding="utf-8").split("\n")
        (root / "corpus" / "en" / f"{reason}.jsonl").write_text("\n".join(lines[:40]) + "\n", encoding="utf-8")
    (root / "home").mkdir()
    database = open_database(f"sqlite:///{root}/home/desk.db")
    desk = Desk(database)
    for reason in REASONS:
        mine = [example for example in corpus if example.reason == reason and example.locale == "en"][60:72]
        for number, example in enumerate(mine):
            at = OPENED + timedelta(days=number)
            incoming = IncomingTicket("t", example.id, example.body, subject=example.subject, channel="shopify",
                                      customer_email=f"{example.id}@x.example", created_at=at)  # fmt: skip
            ticket = desk.receive(incoming).ticket_id
            desk.record(ticket, EventKind.RETAGGED, actor="agent:ana", data={"reason": reason}, at=at)
    database.close()
    return root


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    for name, value in {"HOME": "home", "MODELS_STORE": "store", "SIGNING_KEY": "signing.key"}.items():
        monkeypatch.setenv(f"PARETODESK_{name}", str(home / value))
    for room in ("retraining", "models", "learning"):
        monkeypatch.setattr(f"service.commands.{room}.STARTER_CORPUS", home / "corpus")

    def command(*words: str, fails: bool = False) -> Result:
        found = CliRunner().invoke(app, words)
        assert found.exception is None or isinstance(found.exception, (SystemExit, *EXPECTED)), found.exception
        assert fails or found.exit_code == 0, found.stderr
        return found

    return command


def test_a_snapshot_is_frozen_listed_shown_and_deleted(run: Command, home: Path) -> None:
    told = json.loads(run("snapshot", "--until", "2026-05-05", "--json").stdout)
    assert told["tickets"] == sum(told["counts"]["source"].values()) == 8
    assert told["counts"]["channel"] == {"shopify": 8}
    assert [row["id"] for row in json.loads(run("snapshot", "list", "--json").stdout)] == [told["id"]]
    assert f"# Data card: snapshot {told['id']}" in run("snapshot", "show", told["id"]).stdout
    assert json.loads(run("snapshot", "show", told["id"], "--json").stdout)["hash"] == told["hash"]
    run("snapshot", "delete", told["id"])
    assert json.loads(run("snapshot", "list", "--json").stdout) == []
    assert json.loads(run("snapshot", "--until", "2026-05-05", "--json").stdout)["id"] == told["id"]
    run("snapshot", "delete", told["id"])


def test_a_period_without_labels_and_a_day_that_is_none_are_told(run: Command) -> None:
    empty = run("snapshot", "--until", "2020-01-01", fails=True)
    assert empty.exit_code == 1
    assert "no labelled ticket in this period" in empty.stderr.replace("\n", " ")
    assert json.loads(run("snapshot", "list", "--json").stdout) == []
    wrong = run("snapshot", "--until", "soon", fails=True)
    assert wrong.exit_code == 2
    assert "--until soon" in wrong.stderr
    both = run("retrain", "--snapshot", "2026Q2-000000000000", "--since", "2026-01-01", fails=True)
    assert (both.exit_code, "leave out --until and --since" in both.stderr.replace("\n", " ")) == (2, True)
    assert "there is no snapshot" in str(run("retrain", "--snapshot", "2026Q2-000000000000", fails=True).exception)


def test_from_a_snapshot_to_a_serving_version_and_back(run: Command, home: Path) -> None:
    run("train", "--json")
    first = json.loads(run("models", "list", "--json").stdout)[0]["version"]
    dry = run("retrain", "--until", UNTIL, "--dry-run", "--json", fails=True)
    judged = json.loads(dry.stdout)
    assert (judged["version"], judged["serves"], judged["against"]) == (None, False, first)
    newest = judged["newest"]["challenger"]
    assert judged["tickets"]["newest"] == newest["n"] == newest["per_channel"]["shopify"]["n"]
    assert len(json.loads(run("models", "list", "--json").stdout)) == 1

    found = run("retrain", "--until", UNTIL, "--json", fails=True)
    told = json.loads(found.stdout)
    assert found.exit_code == (0 if told["promote"] else 1)
    assert told["because"] == judged["because"]
    assert told["serves"] == told["promote"]
    assert told["snapshot"] in json.loads(run("snapshot", "list", "--json").stdout)[-1]["id"]
    card = run("models", "show", told["version"]).stdout
    assert f"- snapshot: {told['snapshot']}" in card
    shown = json.loads(run("models", "show", told["version"], "--json").stdout)
    assert shown["certificates"]["against"] == first

    compared = json.loads(
        run("models", "compare", first, told["version"], "--snapshot", told["snapshot"], "--json").stdout
    )
    frozen = compared["sets"]["frozen"]
    assert frozen["first"]["macro_f1"] == pytest.approx(told["champion"]["macro_f1"])
    assert frozen["second"]["macro_f1"] == pytest.approx(told["challenger"]["macro_f1"])
    assert "(F1)" in run("models", "compare", first, told["version"]).stdout

    run("promote", told["version"])
    assert run("rollback").stdout == f"reasons/{first} serves again\n"
    serving = [row["version"] for row in json.loads(run("models", "list", "--json").stdout) if row["serves"]]
    assert serving == [first]
    for words in (["promote", "none"], ["models", "compare", first, "none"]):
        assert "no model at" in str(run(*words, fails=True).exception)


def test_without_labelled_tickets_the_corpus_alone_is_learned_from(run: Command) -> None:
    found = run("retrain", "--until", "2020-01-01", "--dry-run", fails=True)
    assert "has no labelled ticket" in found.stderr.replace("\n", " ")
    assert "measured on" in found.stdout
