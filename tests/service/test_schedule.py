"""Retraining on dates and on request: once, by one process, survived by nothing but the desk's database."""

import json
import stat
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from filelock import FileLock
from typer.testing import CliRunner

from desk.database import Database, open_database
from desk.inbox import Desk
from desk.jobs import Job, JobState, Worker, jobs_in, purge
from service.cli import app
from service.schedule import (
    RETRAIN,
    RETRAININGS,
    USUAL,
    chores,
    job_kind,
    last_date,
    look,
    next_dates,
    request_retrain,
)
from service.settings import Settings, SettingsError, load_settings
from training.retraining.from_snapshot import LOCK

BEFORE = datetime(2026, 9, 20, tzinfo=UTC)
DUE = datetime(2026, 10, 1, 3, tzinfo=UTC)
AFTER = datetime(2026, 10, 1, 3, 0, 40, tzinfo=UTC)


@pytest.fixture
def database(database_url: str):
    opened = open_database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(
        home=tmp_path / "home", models_store=tmp_path / "store", signing_key=tmp_path / "key", retrain_schedule=USUAL
    )


def jobs(database: Database) -> list[Job]:
    with database.session(read_only=True) as session:
        return jobs_in(session, kind=RETRAIN)


def test_the_usual_schedule_is_quarterly_and_monthly_in_the_fourth_quarter() -> None:
    dates = next_dates(USUAL, datetime(2026, 1, 1, 4, tzinfo=UTC), 6)
    assert [(date.month, date.day, date.hour) for date in dates] == [
        (4, 1, 3), (7, 1, 3), (10, 1, 3), (11, 1, 3), (12, 1, 3), (1, 1, 3)
    ]  # fmt: skip
    assert last_date(USUAL, DUE) == DUE
    assert last_date(USUAL, DUE - timedelta(seconds=1)) == datetime(2026, 7, 1, 3, tzinfo=UTC)


def test_a_date_that_passes_is_asked_for_once(database: Database) -> None:
    assert not look(database, USUAL, BEFORE)
    assert not look(database, USUAL, DUE - timedelta(minutes=1))
    assert look(database, USUAL, AFTER)
    assert not look(database, USUAL, AFTER + timedelta(minutes=1))
    (job,) = jobs(database)
    assert job.payload == {"why": "scheduled for 2026-10-01 03:00 UTC"}


def test_a_new_schedule_does_not_catch_up_with_dates_before_it(database: Database) -> None:
    assert not look(database, USUAL, AFTER)
    assert jobs(database) == []


def test_missed_dates_are_caught_up_with_once(database: Database) -> None:
    look(database, USUAL, BEFORE)
    back = datetime(2026, 12, 24, tzinfo=UTC)
    assert look(database, USUAL, back)
    assert not look(database, USUAL, back + timedelta(hours=1))
    (job,) = jobs(database)
    assert job.payload == {"why": "scheduled for 2026-12-01 03:00 UTC"}


def test_of_many_processes_one_asks(database_url: str, database: Database) -> None:
    look(database, USUAL, BEFORE)
    others = [open_database(database_url) for _ in range(4)]
    answers: list[bool] = []
    threads = [threading.Thread(target=lambda d=d: answers.append(look(d, USUAL, AFTER))) for d in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for other in others:
        other.close()
    assert sorted(answers) == [False, False, False, True]
    assert len(jobs(database)) == 1


def test_a_date_stays_known_when_its_job_is_long_forgotten(database: Database, settings: Settings, python) -> None:
    look(database, USUAL, BEFORE)
    look(database, USUAL, AFTER)
    python(0)
    worked(database, settings)
    request_retrain(database, "so that the other one is not the last row")
    database.write(lambda session: purge(session, datetime.now(UTC) + timedelta(days=1)))
    assert [job.state for job in jobs(database)] == [JobState.QUEUED]
    assert not look(database, USUAL, AFTER + timedelta(days=20))


def test_a_request_is_one_job_until_it_has_ended(database: Database, settings: Settings, python) -> None:
    assert request_retrain(database, "shift alarm")
    assert not request_retrain(Desk(database), "another alarm")
    assert [job.payload["why"] for job in jobs(database)] == ["shift alarm"]
    python(1)
    worked(database, settings)
    assert request_retrain(database, "a new alarm")
    assert [job.state for job in jobs(database)] == [JobState.QUEUED, JobState.DONE]


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Stands in for the interpreter of the child process: tells what it was called with and ends with a code."""

    def stand_in(code: int, said: str = "") -> Path:
        script, told = tmp_path / "python", tmp_path / "called.txt"
        script.write_text(
            f'#!/bin/sh\necho "$@" > {told}\nenv | grep PARETODESK_ | sort >> {told}\necho "{said}" >&2\nexit {code}\n'
        )
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setattr(sys, "executable", str(script))
        return told

    return stand_in


def worked(database: Database, settings: Settings) -> None:
    Worker(database, []).work_once(job_kind(settings))


def test_the_job_runs_the_command_with_the_settings_in_force(
    database: Database, settings: Settings, python, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARETODESK_HOME", "elsewhere")
    told = python(0)
    request_retrain(database, "alarm")
    worked(database, settings)
    lines = told.read_text().splitlines()
    assert lines[0] == "-m service.cli retrain"
    assert f"PARETODESK_HOME={settings.home}" in lines
    assert f"PARETODESK_MODELS_STORE={settings.models_store}" in lines
    assert [job.state for job in jobs(database)] == [JobState.DONE]


def test_a_refused_challenger_is_a_verdict_and_no_failure(database: Database, settings: Settings, python) -> None:
    python(1)
    request_retrain(database, "alarm")
    worked(database, settings)
    assert [job.state for job in jobs(database)] == [JobState.DONE]


def test_a_retraining_without_a_verdict_is_tried_again_and_its_words_are_kept(
    database: Database, settings: Settings, python
) -> None:
    python(2, "error: no room on the disk")
    request_retrain(database, "alarm")
    worked(database, settings)
    (job,) = jobs(database)
    assert (job.state, job.attempts, job.max_attempts) == (JobState.QUEUED, 1, 3)
    assert job.problem == "retraining ended with code 2: error: no room on the disk"


def test_a_job_waits_while_somebody_retrains_by_hand(database: Database, settings: Settings, python) -> None:
    told = python(0)
    (settings.home / RETRAININGS).mkdir(parents=True)
    request_retrain(database, "alarm")
    with FileLock(settings.home / RETRAININGS / LOCK):
        worked(database, settings)
    (job,) = jobs(database)
    assert (job.state, job.attempts) == (JobState.QUEUED, 0)
    assert job.run_after > datetime.now(UTC) + timedelta(minutes=4)
    assert not told.exists()


def test_without_a_schedule_nobody_looks(settings: Settings, database: Database) -> None:
    assert [chore.name for chore in chores(settings, database)] == ["retraining schedule"]
    assert chores(settings.model_copy(update={"retrain_schedule": ""}), database) == []


@pytest.mark.parametrize("schedule", ["often", "0 3 30 2 *", "0 25 * * *", "* * *"])
def test_a_schedule_without_dates_is_refused_at_start(schedule: str) -> None:
    with pytest.raises(SettingsError, match=r"PARETODESK_RETRAIN_SCHEDULE: .*has no dates.*minute, hour, day"):
        load_settings(retrain_schedule=schedule)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PARETODESK_HOME", str(tmp_path / "home"))

    def command(schedule: str, *words: str):
        monkeypatch.setenv("PARETODESK_RETRAIN_SCHEDULE", schedule)
        return CliRunner().invoke(app, ["schedule", "show", *words])

    return command


def test_the_schedule_is_shown_with_its_lines_for_cron_and_systemd(run, tmp_path: Path) -> None:
    told = json.loads(run(USUAL, "--json", "--count", "2").stdout)
    assert (told["schedule"], len(told["next"]), told["jobs"]) == (USUAL, 2, [])
    assert all(datetime.fromisoformat(date) > datetime.now(UTC) for date in told["next"])
    assert told["crontab"].startswith(f"CRON_TZ=UTC\n{USUAL} PARETODESK_HOME={tmp_path}/home ")
    assert told["systemd"].count("OnCalendar=") == 6
    assert "OnCalendar=*-11-01 03:00:00 UTC" in told["systemd"]


def test_a_desk_without_a_schedule_is_told_how_to_have_one(run) -> None:
    answer = run("")
    assert "no serving process retrains by itself" in answer.stdout
    assert USUAL in answer.stdout


def test_a_schedule_of_weekdays_has_no_systemd_calendar(run) -> None:
    assert json.loads(run("0 3 * * 1", "--json").stdout)["systemd"] is None
