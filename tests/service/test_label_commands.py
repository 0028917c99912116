"""`paretodesk labels` over a real desk and a small real model; fits of the whole corpus are left to the benchmark."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from classifier.model import ReasonModel
from desk.inbox import Desk, IncomingTicket
from service.cli import app
from service.settings import load_settings
from service.wiring import open_desk

START = datetime(2026, 10, 5, tzinfo=UTC)
WAITING = {
    "en": ["My parcel and also the invoice please", "About the thing I asked", "Does it fit, or do I send it back?"],
    "de": ["Die Rechnung zum Paket fehlt", "Wegen der Sache von gestern"],
}


@pytest.fixture
def home(
    tmp_path: Path,
    small_model: ReasonModel,
    store_of: Callable[[Path, ReasonModel], tuple[Path, Path]],
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    store, key = store_of(tmp_path, small_model)
    for name, value in (("HOME", tmp_path / "home"), ("MODELS_STORE", store), ("SIGNING_KEY", key)):
        monkeypatch.setenv(f"PARETODESK_{name}", str(value))
    return tmp_path / "home"


@pytest.fixture
def desk(home: Path) -> Iterator[Desk]:
    with open_desk(load_settings()) as opened:
        yield opened


def run(*words: str) -> SimpleNamespace:
    result = CliRunner().invoke(app, ["labels", *words])
    assert isinstance(result.exception, SystemExit | type(None)), result.exception
    return SimpleNamespace(code=result.exit_code, out=result.stdout, err=result.stderr.replace("\n", " "))


def test_the_queue_names_undecided_tickets_each_language_in_turn(desk: Desk) -> None:
    texts = [(locale, text) for locale, part in WAITING.items() for text in part]
    ids = {}
    for number, (locale, text) in enumerate(texts):
        at = START + number * timedelta(hours=1)
        ticket = IncomingTicket("t", str(number), text, channel="mail", language=locale, created_at=at)
        ids[desk.receive(ticket).ticket_id] = locale
    labelled = desk.receive(IncomingTicket("t", "known", "Where is my parcel?", channel="mail", created_at=START))
    desk.correct_tag(labelled.ticket_id, "tracking_update", "agent:ana")
    told = run("queue", "--n", "4", "--json")
    assert told.code == 0, told.err
    found = json.loads(told.out)
    assert found["waiting"] == len(texts)
    assert found["measured"] is None
    assert sorted(row["language"] for row in found["queue"]) == ["de", "de", "en", "en"]
    assert {row["id"] for row in found["queue"]} <= set(ids)
    assert all(row["why"].startswith(f"between {row['between'][0]} and") for row in found["queue"])
    assert all(0 <= row["doubt"] <= 1 for row in found["queue"])
    german = json.loads(run("queue", "--language", "de", "--json").out)
    assert [ids[row["id"]] for row in german["queue"]] == ["de", "de"]
    assert found["queue"][0]["id"] in run("queue").out


def test_an_empty_queue_and_missing_snapshots_are_answered(desk: Desk) -> None:
    assert json.loads(run("queue", "--json").out)["queue"] == []
    for words in (("audit",), ("influence",), ("queue", "--measure")):
        answer = run(*words)
        assert answer.code == 2
        assert "paretodesk snapshot" in answer.err
