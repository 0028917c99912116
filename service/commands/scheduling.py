"""`paretodesk schedule`: when the model is retrained, and the lines by which cron or systemd do it instead."""

from __future__ import annotations

import shlex
import shutil
import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.markup import escape

from desk.jobs import JobState, jobs_in
from service.console_output import out, print_json
from service.schedule import RETRAIN, USUAL, last_date, next_dates
from service.settings import Settings, load_settings
from service.wiring import open_desk

MOST_DATES = 60
"""Lines of a systemd calendar."""
_TIMER = """\
# /etc/systemd/system/paretodesk-retrain.service
[Unit]
Description=Retrain the contact reasons of paretodesk
[Service]
Type=oneshot
Nice=10
# 1: the new version was refused, the old one goes on serving
SuccessExitStatus=1
WorkingDirectory={folder}
ExecStart={command} retrain

# /etc/systemd/system/paretodesk-retrain.timer
[Timer]
{calendar}
Persistent=true
[Install]
WantedBy=timers.target"""


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    group = typer.Typer(help="When the model is retrained.", no_args_is_help=True)
    group.command("show")(show)
    app.add_typer(group, name="schedule")


def show(
    count: Annotated[int, typer.Option(min=1, max=50, help="dates to show")] = 6,
    json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """The next dates of PARETODESK_RETRAIN_SCHEDULE (of the usual one where it is off), what waits, and cron lines."""
    settings = load_settings()
    schedule, now = settings.retrain_schedule or USUAL, datetime.now(UTC)
    dates, last = next_dates(schedule, now, count), last_date(schedule, now)
    with open_desk(settings) as desk, desk.database.session(read_only=True) as session:
        found = jobs_in(session, kind=RETRAIN, limit=5)
    waiting = [job for job in found if job.state in (JobState.QUEUED, JobState.LEASED)]
    crontab, timer = _crontab(schedule), _timer(settings, schedule, now)
    if json:
        print_json(
            {
                "schedule": settings.retrain_schedule, "shown": schedule, "last": last.isoformat() if last else None,
                "next": [date.isoformat() for date in dates], "crontab": crontab, "systemd": timer,
                "jobs": [{"id": job.id, "state": str(job.state), "why": job.payload.get("why"),
                          "problem": job.problem} for job in found],
            }
        )  # fmt: skip
        return
    if settings.retrain_schedule:
        out.print(f"a serving process retrains by '{escape(schedule)}' (UTC); next:", highlight=False)
    else:
        out.print("PARETODESK_RETRAIN_SCHEDULE is empty: no serving process retrains by itself", highlight=False)
        out.print(f"the usual schedule '{escape(schedule)}' (quarterly, monthly in Q4, UTC) would be:", highlight=False)
    for date in dates:
        out.print(f"  {date:%a %Y-%m-%d %H:%M} UTC", highlight=False)
    for job in waiting:
        out.print(f"job {job.id} is {job.state}: {escape(str(job.payload.get('why', '')))}", highlight=False)
    if settings.database_url:
        out.print("\nThe lines below need PARETODESK_DATABASE_URL in their environment too.", highlight=False)
    out.print("\nInstead of it, from cron (crontab -e):", highlight=False)
    out.print(crontab, markup=False, highlight=False, soft_wrap=True)
    if timer:
        out.print("\nor from systemd:", highlight=False)
        out.print(timer, markup=False, highlight=False, soft_wrap=True)


def _command() -> str:
    return shutil.which("paretodesk") or f"{sys.executable} -m service.cli"


def _crontab(schedule: str) -> str:
    settings = " ".join(f"{name}={shlex.quote(value)}" for name, value in _given())
    return f"CRON_TZ=UTC\n{schedule} {settings + ' ' if settings else ''}nice -n 10 {_command()} retrain"


def _given() -> list[tuple[str, str]]:
    """Where things lie; secrets are not printed."""
    settings = load_settings()
    paths = {
        "PARETODESK_HOME": settings.home,
        "PARETODESK_MODELS_STORE": settings.models_store,
        "PARETODESK_SIGNING_KEY": settings.signing_key,
    }
    return [(name, str(path.resolve())) for name, path in paths.items()]


def _timer(settings: Settings, schedule: str, now: datetime) -> str | None:
    """Units whose calendar lists the dates of a year, since systemd reads another language than cron.

    None for a schedule of weekdays, whose dates are others every year, and for one with very many dates.
    """
    dates = next_dates(schedule, now, MOST_DATES + 1)
    year = [date for date in dates if date < now + timedelta(days=366)]
    if schedule.split()[4] != "*" or len(year) > MOST_DATES:
        return None
    lines = "\n".join(sorted({f"OnCalendar=*-{date:%m-%d %H:%M}:00 UTC" for date in year}))
    environment = "\n".join(f'Environment="{name}={value}"' for name, value in _given())
    text = _TIMER.format(folder=settings.home.resolve(), command=_command(), calendar=lines)
    return text.replace("ExecStart=", f"{environment}\nExecStart=")
