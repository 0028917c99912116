import json
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from desk.database import open_database
from desk.inbox import Desk, IncomingTicket
from desk.ledger import Event, EventKind
from service.cli import app
from training.packs import PackError

AT = datetime(2026, 8, 3, 9, tzinfo=UTC)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("PARETODESK_HOME", str(tmp_path / "home"))

    def command(*words: str):
        return CliRunner().invoke(app, ["training-pack", "--into", str(tmp_path / "packs"), *words])

    return command


@pytest.fixture
def tickets(tmp_path, run):
    (tmp_path / "home").mkdir()
    database = open_database(f"sqlite:///{tmp_path}/home/desk.db")
    batch = []
    for number, (reason, count) in enumerate({"thanks": 3, "refund_status": 2, "phishing": 1}.items()):
        facts = [Event("", EventKind.TAG_CONFIRMED, AT, "agent:ana", {"reason": reason})]
        for place in range(count):
            batch.append((IncomingTicket("t", f"{number}-{place}", f"words {place}", created_at=AT), facts))
    Desk(database).receive_many(batch)
    database.close()


def test_the_top_reasons_get_a_pack_in_each_language_and_form(tmp_path, run, tickets):
    done = run("--quarter", "2026Q3", "--top", "2")
    assert done.exit_code == 0, done.output
    names = {f"{reason}.{locale}.{form}" for reason in ("thanks", "refund_status") for locale in ("en", "fr")
             for form in ("md", "html")}  # fmt: skip
    assert {path.name for path in (tmp_path / "packs").iterdir()} == names


def test_one_reason_in_one_language_with_its_contents_as_json(tmp_path, run, tickets):
    done = run("--reason", "refund_status", "--language", "fr", "--quarter", "2026Q3", "--json")
    told = json.loads(done.stdout)
    assert [(one["reason"], one["language"], one["tickets"], len(one["quiz"])) for one in told] == [
        ("refund_status", "fr", 2, 10)
    ]
    assert sorted(told[0]["files"]) == sorted(str(path) for path in (tmp_path / "packs").iterdir())


def test_a_failure_leaves_no_file_behind(tmp_path, run, tickets):
    done = run("--reason", "refund_status", "--reason", "nonsense", "--quarter", "2026Q3")
    assert isinstance(done.exception, PackError)
    assert not (tmp_path / "packs").exists()


def test_a_folder_in_the_way_of_a_file_leaves_the_old_packs_and_no_drafts(tmp_path, run, tickets):
    blocked = tmp_path / "packs" / "thanks.fr.md"
    blocked.mkdir(parents=True)
    done = run("--reason", "thanks", "--language", "fr", "--quarter", "2026Q3")
    assert isinstance(done.exception, OSError)
    assert [path.name for path in (tmp_path / "packs").iterdir()] == ["thanks.fr.md"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--language", "de"], "packs are written in en and fr"),
        (["--quarter", "2025Q1"], "no ticket from 2025-01-01 to 2025-04-01 has a reason"),
    ],
)
def test_what_cannot_be_done_is_told(run, tickets, words, said):
    done = run(*words)
    assert done.exit_code == 2
    assert said in " ".join(done.output.split())


def test_an_empty_desk_says_so(run):
    done = run()
    assert done.exit_code == 2
    assert "it is empty" in " ".join(done.output.split())


def test_a_file_is_no_folder(tmp_path, run, tickets):
    (tmp_path / "packs").write_text("")
    assert "is a file; name a folder" in run("--reason", "thanks").output
