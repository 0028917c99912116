import json
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from desk.database import open_database
from desk.inbox import Desk, IncomingTicket
from desk.ledger import Event, EventKind
from service.cli import app
from training.quarterly import QuarterlyError

AT = datetime(2026, 8, 3, 9, tzinfo=UTC)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("PARETODESK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PARETODESK_MODELS_STORE", str(tmp_path / "home" / "models"))

    def command(*words: str):
        return CliRunner().invoke(app, ["report", "quarterly", *words])

    return command


@pytest.fixture
def tickets(tmp_path, run):
    (tmp_path / "home").mkdir()
    database = open_database(f"sqlite:///{tmp_path}/home/desk.db")
    facts = [Event("", EventKind.TAG_CONFIRMED, AT, "agent:ana", {"reason": "refund_status"})]
    batch = [(IncomingTicket("t", str(place), "words", created_at=AT), facts) for place in range(4)]
    Desk(database).receive_many(batch)
    database.close()


def test_five_sentences_and_the_decisions_on_the_terminal(run, tickets):
    done = run("--quarter", "2026Q3")
    assert done.exit_code == 0, done.output
    text = " ".join(done.output.split())
    assert "- 2026Q3 brought 4 tickets, with none in 2026Q2 to compare with" in text
    assert "Decisions to take: 1. Bring the service levels back above 95% (support lead)" in text  # nobody answered
    assert "Fix the cause of “Refund status” (operations)" in text
    assert "Approve a macro" not in text  # the shipped ones answer it


def test_page_and_json_at_once(tmp_path, run, tickets):
    done = run("--quarter", "2026Q3", "--html", str(tmp_path / "q3.html"), "--json")
    told = json.loads(done.stdout)
    assert told["quarter"]["start"] == "2026-07-01"
    assert [line["count"] for line in told["top_reasons"]["reasons"]] == [4]
    page = (tmp_path / "q3.html").read_text(encoding="utf-8")
    assert all(one in page for one in ("Quarterly report 2026Q3", "Refund status", "No model serves"))


def test_an_empty_home_has_a_report_too(tmp_path, run):
    done = run("--quarter", "2026Q3", "--html", str(tmp_path / "q3.html"))
    assert done.exit_code == 0, done.output
    assert "The desk is empty" in (tmp_path / "q3.html").read_text(encoding="utf-8")


def test_given_files_are_read(tmp_path, run, tickets):
    audit = tmp_path / "audit.json"
    audit.write_text(json.dumps({"n": 50, "suspicious": [{}] * 5, "contradictions": []}))
    told = json.loads(run("--quarter", "2026Q3", "--labels", str(audit), "--json").stdout)
    assert (told["labels"]["audited"], told["labels"]["suspicious"]) == (50, 5)
    assert "suspicious_labels" in [one["rule"] for one in told["decisions"]]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--quarter", "summer"], "'summer' is no period"),
        (["--quarter", "2026-07"], "is no quarter; write one such as 2026Q4"),
        (["--quarter", "2999Q1"], "lies ahead"),
        (["--quarter", "2026Q3", "--emerging", "/nowhere/x.json"], "no such file"),
    ],
)
def test_what_cannot_be_done_is_told(run, tickets, words, said):
    error = run(*words).exception
    assert isinstance(error, QuarterlyError)
    assert said in str(error)


def test_a_page_that_cannot_be_written_leaves_nothing(tmp_path, run, tickets):
    (tmp_path / "q3.html").mkdir()
    done = run("--quarter", "2026Q3", "--html", str(tmp_path / "q3.html"))
    assert done.exit_code == 2
    assert "cannot be written" in done.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "q3.html"]
