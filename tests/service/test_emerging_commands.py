"""`paretodesk reasons` over a real desk and a small real model."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from classifier.encoders import Encoder
from classifier.model import ReasonModel
from desk.inbox import Desk, IncomingTicket
from service.cli import app
from service.settings import load_settings
from service.wiring import open_desk
from training.corpus import Example, as_labelled
from training.emerging.space import EmergingError
from training.fitting import fit

NEW = "gift_options"
KNOWN = ("tracking_update", "return_request", "invoice_request", "payment_issue", "safety_or_counterfeit", "thanks")
START = datetime(2026, 10, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def english(corpus: list[Example]) -> dict[str, list[Example]]:
    drawn = sorted(corpus, key=lambda example: sha256(example.id.encode()).digest())
    return {r: [e for e in drawn if e.locale == "en" and e.reason == r] for r in (*KNOWN, NEW)}


@pytest.fixture(scope="module")
def store(
    english: dict[str, list[Example]],
    encoder: Encoder,
    store_of: Callable[[Path, ReasonModel], tuple[Path, Path]],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, Path]:
    model = fit(as_labelled([e for reason in KNOWN for e in english[reason][25:60]]), encoder).model
    return store_of(tmp_path_factory.mktemp("store"), model)


@pytest.fixture
def home(tmp_path: Path, store: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in (("HOME", tmp_path / "home"), ("MODELS_STORE", store[0]), ("SIGNING_KEY", store[1])):
        monkeypatch.setenv(f"PARETODESK_{name}", str(value))
    return tmp_path / "home"


@pytest.fixture
def desk(home: Path) -> Iterator[Desk]:
    with open_desk(load_settings()) as opened:
        yield opened


@pytest.fixture
def filled(desk: Desk, english: dict[str, list[Example]]) -> dict[str, str]:
    """Undecided tickets of October, an hour apart: ticket ids and what each is really about."""
    rows = [example for reason in (*KNOWN, NEW) for example in english[reason][:25]]
    batch = [
        (IncomingTicket("t", e.id, e.body, subject=e.subject, channel="mail", language="en",
                        created_at=START + i * timedelta(hours=1)), ())
        for i, e in enumerate(rows)
    ]  # fmt: skip
    received = desk.receive_many(batch)
    return {got.ticket_id: example.reason for got, example in zip(received, rows, strict=True)}


def run(*words: str) -> SimpleNamespace:
    result = CliRunner().invoke(app, ["reasons", *words])
    expected = isinstance(result.exception, SystemExit | EmergingError | type(None))
    assert expected, result.exception
    return SimpleNamespace(code=result.exit_code, out=result.stdout, err=result.stderr, error=result.exception)


def test_what_emerges_is_told_followed_and_drafted(filled: dict[str, str], home: Path, tmp_path: Path) -> None:
    told = run("emerging", "--from", "2026-10-01", "--to", "2026-10-31", "--json")
    assert told.code == 0, told.err
    report = json.loads(told.out)
    assert (report["tickets"], report["undecided"]) == (len(filled), len(filled))
    first = report["reasons"][0]
    purity = [filled[ticket] == NEW for ticket in first["tickets"]]
    assert sum(purity) / len(purity) > 0.5, "a few hundred tickets tell less than a real desk's"
    assert sum(purity) >= 0.4 * 25
    assert "centre" not in first
    assert first["first_seen"] == "2026-10-01"
    shown = run("emerging", "--from", "2026-10-01", "--to", "2026-10-31")
    assert first["id"] in shown.out
    assert ", ".join(first["terms"]) in shown.out
    drafted = run("draft", first["id"], "--id", "present_wrapped", "--into", str(tmp_path / "draft"), "--json")
    assert drafted.code == 0, drafted.err
    files = {str(Path(file).relative_to(tmp_path / "draft")) for file in json.loads(drafted.out)["files"]}
    assert {"reason.yaml", "CHECKLIST.md", "macros/fr/present-wrapped.md", "articles/it/present-wrapped.md",
            "examples/en/present_wrapped.jsonl"} <= files  # fmt: skip
    again = run("draft", first["id"], "--id", "present_wrapped", "--into", str(tmp_path / "draft"))
    assert "never overwritten" in str(again.error)
    assert list((home / "emerging").glob("*.json"))


def test_wrong_words_are_answered_with_what_to_do(filled: dict[str, str], tmp_path: Path) -> None:
    for words, told in (
        (("emerging", "--from", "yesterday"), "write a day such as"),
        (("emerging", "--from", "2026-10-02", "--to", "2026-10-01"), "swap them"),
        (("emerging", "--language", "xx"), "not one of"),
        (("emerging", "--from", "2020-01-01", "--to", "2020-01-31"), "choose other days"),
    ):
        answer = run(*words)
        assert answer.code == 2
        assert told in answer.err.replace("\n", " ")
    few = run("emerging", "--from", "2026-10-05", "--to", "2026-10-05")
    assert "24 tickets are too few" in str(few.error)
    unknown = run("draft", "C-000000", "--id", "anything", "--into", str(tmp_path / "x"))
    assert "there is no cluster C-000000" in str(unknown.error)
    assert not (tmp_path / "x").exists()
