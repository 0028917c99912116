import json
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from typer.testing import CliRunner

from desk.database import open_database
from desk.intake import enqueue
from desk.jobs import fail, finish, lease
from service.cli import app
from service.processes import check_processes
from service.settings import SettingsError, load_settings

NOW = datetime.now(UTC)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("PARETODESK_HOME", str(tmp_path))
    database = open_database(f"sqlite:///{tmp_path}/desk.db")
    with database.session() as session:
        for key in ("done", "dead", "queued"):
            enqueue(session, "tag", {"ticket_id": key}, key=key, run_after=NOW - timedelta(days=30))
        done, dead = lease(session, "tag", worker="w", now=NOW, length=timedelta(minutes=1), limit=2)
        finish(session, [done], NOW - timedelta(days=20))
        fail(session, dead, "no route to the model", NOW, Random(1), final=True)
    database.close()

    def command(*words: str):
        return CliRunner().invoke(app, ["jobs", *words])

    return command


def test_jobs_are_listed_by_state_with_their_problems(run):
    told = json.loads(run("list", "--json").stdout)
    assert told["counts"] == {"tag": {"done": 1, "dead": 1, "queued": 1}}
    dead = json.loads(run("list", "--state", "dead", "--json").stdout)["jobs"]
    assert [(job["key"], job["problem"]) for job in dead] == [("dead", "no route to the model")]


def test_dead_jobs_wait_again_when_told_so(run):
    assert json.loads(run("retry", "--all", "--json").stdout) == {"requeued": 1}
    assert json.loads(run("list", "--json").stdout)["counts"] == {"tag": {"done": 1, "queued": 2}}


@pytest.mark.parametrize("words", [[], ["1", "--all"]])
def test_retrying_without_saying_which_is_refused(run, words):
    answer = run("retry", *words)
    assert answer.exit_code == 2
    assert "or say --all" in answer.stderr


def test_only_old_done_jobs_are_purged(run):
    assert json.loads(run("purge", "--days", "25", "--json").stdout) == {"deleted": 0}
    assert json.loads(run("purge", "--json").stdout) == {"deleted": 1}
    assert json.loads(run("list", "--json").stdout)["counts"] == {"tag": {"dead": 1, "queued": 1}}


def test_several_processes_need_postgresql_and_a_chroma_server(tmp_path):
    alone = load_settings(home=tmp_path)
    check_processes(alone, 1)
    with pytest.raises(SettingsError, match=r"(?s)PARETODESK_DATABASE_URL.*PostgreSQL.*PARETODESK_CHROMA_URL"):
        check_processes(alone, 2)
    server = load_settings(home=tmp_path, database_url="postgresql+psycopg://u@h/d", chroma_url="http://127.0.0.1:8001")
    check_processes(server, 4)
