"""`paretodesk jobs`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.table import Table

from desk.jobs import Job, JobState, counts, jobs_in, purge, requeue
from desk.jobs.worker import KEEP_DONE
from service.console_output import fail, out, print_json
from service.settings import load_settings
from service.wiring import open_desk

Json = Annotated[bool, typer.Option("--json", help="print JSON")]
Kind = Annotated[str | None, typer.Option(help="one kind only, such as tag")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    group = typer.Typer(help="Work that waits, runs or has failed for good.", no_args_is_help=True)
    group.command("list")(list_jobs)
    group.command("retry")(retry)
    group.command("purge")(purge_done)
    app.add_typer(group, name="jobs")


def list_jobs(
    state: Annotated[JobState | None, typer.Option(help="one state only")] = None,
    kind: Kind = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="rows at most, newest first")] = 50,
    json: Json = False,
) -> None:
    """How many jobs there are by kind and state, and the newest of them with their problems."""
    with open_desk(load_settings()) as desk, desk.database.session(read_only=True) as session:
        numbers = counts(session)
        found = jobs_in(session, state=state, kind=kind, limit=limit)
    if json:
        print_json({"counts": numbers, "jobs": [_job_json(job) for job in found]})
        return
    summary = Table("kind", *JobState)
    for name, by_state in numbers.items():
        summary.add_row(name, *(str(by_state.get(each, 0)) for each in JobState))
    out.print(summary)
    table = Table("id", "kind", "key", "state", "attempts", "due or ended", "problem")
    for job in found:
        when = (job.ended_at or job.leased_until or job.run_after).isoformat(timespec="seconds")
        attempts = f"{job.attempts} of {job.max_attempts}"
        table.add_row(str(job.id), job.kind, job.key or "-", job.state, attempts, when, job.problem or "-")
    out.print(table)


def retry(
    ids: Annotated[list[int] | None, typer.Argument(help="ids of dead jobs")] = None,
    every: Annotated[bool, typer.Option("--all", help="all dead jobs, or all of --kind")] = False,
    kind: Kind = None,
    json: Json = False,
) -> None:
    """Let dead jobs wait again, with all their attempts. Name ids, or say --all."""
    if bool(ids) == every:
        fail("name the ids of dead jobs, or say --all; 'paretodesk jobs list --state dead' shows them")
    with open_desk(load_settings()) as desk:
        number = desk.database.write(lambda session: requeue(session, datetime.now(UTC), ids=ids or None, kind=kind))
    _tell("requeued", number, json)


def purge_done(
    days: Annotated[float, typer.Option(min=0, help="keep those that ended within so many days")] = KEEP_DONE.days,
    json: Json = False,
) -> None:
    """Delete jobs that are done; dead ones stay. A serving desk does so by itself after seven days."""
    with open_desk(load_settings()) as desk:
        before = datetime.now(UTC) - timedelta(days=min(days, 36_500))
        number = desk.database.write(lambda session: purge(session, before))
    _tell("deleted", number, json)


def _tell(what: str, number: int, json: bool) -> None:
    if json:
        print_json({what: number})
    else:
        out.print(f"{number} jobs {what}", highlight=False)


def _job_json(job: Job) -> dict[str, Any]:
    values = {name: getattr(job, name) for name in Job.__dataclass_fields__}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}
