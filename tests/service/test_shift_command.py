"""`paretodesk shift` over a real desk and a small real model in a temporary home."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from classifier.encoders import Encoder
from desk.database import open_database
from desk.inbox import Desk, IncomingTicket
from desk.ledger import Event, EventKind
from desk.tables import jobs
from models.bundle import Manifest, write_bundle
from models.registry import Registry
from models.signing import SigningKey
from service.cli import app
from service.errors import EXPECTED
from training.corpus import Example, as_labelled
from training.fitting import Fitted, Settings, fit
from training.retraining import REASONS_MODEL
from training.shift.evidence import EVIDENCE, evidence_of

PERIODS = ("--baseline", "2026Q1", "--current", "2026Q2")
Run = Callable[..., Result]


@pytest.fixture(scope="module")
def fitted(encoder: Encoder, small_examples: list[Example]) -> Fitted:
    return fit(as_labelled(small_examples), encoder, Settings(target_error=0.3))


@pytest.fixture
def home(tmp_path: Path, small_examples: list[Example]) -> Path:
    """Tracking rises from 10 to 50 of 60 tickets; every ticket was tagged."""
    database = open_database(f"sqlite:///{tmp_path}/desk.db")
    batch = []
    for month, counts in ((2, {"tracking_update": 10, "thanks": 50}), (5, {"tracking_update": 50, "thanks": 10})):
        at = datetime(2026, month, 3, tzinfo=UTC)
        for reason, count in counts.items():
            texts = [example.body for example in small_examples if example.reason == reason]
            tag = {"reason": reason, "confidence": 0.9, "decision": "tagged", "autonomy": "self_service"}
            for turn in range(count):
                ticket = IncomingTicket(
                    "test", f"{month}-{reason}-{turn}", texts[turn % len(texts)], created_at=at,
                    customer_email=f"{month}{reason}{turn}@example.com",
                )  # fmt: skip
                data = tag | {"language": "en", "guard": [], "model": "reasons/old"}
                batch.append((ticket, [Event("", EventKind.TAGGED, at, "model:reasons/old", data)]))
    Desk(database).receive_many(batch)
    database.close()
    return tmp_path


@pytest.fixture
def serve_model(home: Path, fitted: Fitted) -> Callable[..., None]:
    def write(version: str = "small", **files: bytes) -> None:
        registry, key = Registry(home / "store"), SigningKey.read_or_create(home / "signing.key")
        manifest = Manifest(REASONS_MODEL, version, "2026-11-22T00:00:00+00:00", {}, {}, "", {})
        write_bundle(registry.folder(REASONS_MODEL, version), manifest, fitted.model.to_files() | files, "card", key)
        registry.promote(REASONS_MODEL, version)

    return write


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("PARETODESK_HOME", str(home))
    monkeypatch.setenv("PARETODESK_MODELS_STORE", str(home / "store"))
    monkeypatch.setenv("PARETODESK_SIGNING_KEY", str(home / "signing.key"))
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *words: CliRunner().invoke(app, ["shift", *map(str, words)])


def test_the_shift_is_counted_and_corrected(run: Run, serve_model: Callable[..., None], fitted: Fitted) -> None:
    serve_model(**{EVIDENCE: evidence_of(fitted)})
    done = run(*PERIODS, "--json")
    assert done.exit_code == 0
    data = json.loads(done.stdout)
    assert data["reasons"][0]["significant"]
    assert data["estimate_missing"] is None
    tracking = next(line for line in data["estimate"]["reasons"] if line["reason"] == "tracking_update")
    assert tracking["real"]
    assert tracking["change"] == pytest.approx(40 / 60, abs=0.15)
    assert data["estimate"]["model"] == "reasons/small"
    assert ("change", "tracking_update") in {(alarm["kind"], alarm["reason"]) for alarm in data["alarms"]}
    shown = run(*PERIODS)
    assert shown.exit_code == 0
    assert "Where is my parcel" in shown.stdout
    assert "Corrected for the model's errors, larger than chance" in shown.stdout
    assert "alarm: tracking_update went from" in shown.stdout


def test_an_alarm_asks_for_one_retrain_and_is_told_by_the_exit_code(
    run: Run, serve_model: Callable[..., None], fitted: Fitted, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_model(**{EVIDENCE: evidence_of(fitted)})
    assert run(*PERIODS, "--alarm").exit_code == 3
    assert run(*PERIODS, "--alarm").exit_code == 3
    database = open_database(f"sqlite:///{home}/desk.db")
    with database.session(read_only=True) as session:
        waiting = session.execute(jobs.select().where(jobs.c.kind == "retrain")).all()
    database.close()
    assert len(waiting) == 1
    assert "shift in 2026Q2: tracking_update" in waiting[0].payload["why"]
    for name in ("CHANGE", "UNFAMILIAR", "ACCURACY"):
        monkeypatch.setenv(f"PARETODESK_SHIFT_{name}", "0")
    monkeypatch.setenv("PARETODESK_SHIFT_NEW_TOP_FIVE", "false")
    assert run(*PERIODS, "--alarm").exit_code == 0


def test_without_a_model_tags_are_only_counted_and_it_is_said(run: Run) -> None:
    done = run(*PERIODS)
    assert done.exit_code == 0
    assert "only counted, not corrected for the model's errors: no model serves" in done.stderr
    assert "+66.7 points" in done.stdout
    assert json.loads(run(*PERIODS, "--json").stdout)["estimate"] is None


def test_a_model_without_evidence_only_counts_and_says_what_to_do(run: Run, serve_model: Callable[..., None]) -> None:
    serve_model()
    done = run(*PERIODS)
    assert done.exit_code == 0
    assert "'paretodesk retrain' or 'paretodesk train' makes one that does" in done.stderr
    alarm = run(*PERIODS, "--alarm")
    assert alarm.exit_code == 2
    assert "no alarm can be judged" in alarm.stderr


def test_damaged_evidence_is_named(run: Run, serve_model: Callable[..., None]) -> None:
    serve_model(**{EVIDENCE: b"nonsense"})
    done = run(*PERIODS)
    assert isinstance(done.exception, EXPECTED)
    assert "evidence.npz cannot be read" in str(done.exception)


def test_counting_alone_needs_no_model(run: Run, serve_model: Callable[..., None], fitted: Fitted) -> None:
    serve_model(**{EVIDENCE: evidence_of(fitted)})
    done = run(*PERIODS, "--counted")
    assert done.exit_code == 0
    assert "reading" not in done.stderr
    assert "+66.7 points" in done.stdout
    refused = run(*PERIODS, "--counted", "--alarm")
    assert refused.exit_code == 2
    assert "--counted leaves out what --alarm needs" in refused.stderr


def test_the_page_is_written_whole_or_not_at_all(
    run: Run, serve_model: Callable[..., None], fitted: Fitted, home: Path
) -> None:
    assert run(*PERIODS, "--html", home / "none.html").exit_code == 2
    assert not list(home.glob("*.html"))
    serve_model(**{EVIDENCE: evidence_of(fitted)})
    assert run(*PERIODS, "--html", home / "shift.html").exit_code == 0
    assert "<svg" in (home / "shift.html").read_text("utf-8")
    assert isinstance(run(*PERIODS, "--html", home / "no" / "folder.html").exception, OSError)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--baseline", "2026Q9", "--current", "2026Q2"), "'2026Q9' is no period"),
        (("--baseline", "2020Q1", "--current", "2026Q2"), "no ticket of 2020Q1"),
        ((*PERIODS, "--channel", "fax"), "no ticket of 2026Q1"),
    ],
)
def test_what_cannot_be_compared_is_explained(
    run: Run, serve_model: Callable[..., None], fitted: Fitted, words: tuple[str, ...], told: str
) -> None:
    serve_model(**{EVIDENCE: evidence_of(fitted)})
    done = run(*words)
    assert isinstance(done.exception, EXPECTED)
    assert told in str(done.exception)
