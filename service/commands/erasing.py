"""`paretodesk erase` and `retention`: personal data goes, what happened and when stays."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

import typer

from desk.access.erasure import Erased, apply_retention
from desk.access.erasure import erase as erase_data
from desk.inbox import Desk
from service.commands.access import operator
from service.commands.snapshots import store_of
from service.console_output import fail, note, out, print_json
from service.schedule import RETRAININGS
from service.settings import Settings, load_settings
from service.wiring import open_desk
from training.snapshots.erasing import Rewritten, forget_erased

Json = Annotated[bool, typer.Option("--json", help="print JSON")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="count, and change nothing")]
DAYS = re.compile(r"(\d{1,5})\s*d(?:ays?)?")


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("erase")(erase)
    app.command("retention")(retention)


def erase(
    email: Annotated[str | None, typer.Option("--email", help="of the person")] = None,
    order: Annotated[str | None, typer.Option("--order", help="id of an order")] = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Erase the personal data of one person or about one order: tickets, events, chats, mails, orders and snapshots.

    Exit code 1 when there was none.
    """
    settings = load_settings()
    with open_desk(settings) as desk:
        done = erase_data(desk.database, email=email, order_id=order, by=operator(), dry_run=dry_run)
        _tell(done, [] if dry_run else _forget(settings, desk), dry_run, json)
    if not done.to_json():
        raise typer.Exit(1)


def retention(
    older_than: Annotated[str, typer.Option("--older-than", help="such as 730d, since anything last happened")],
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Erase the personal data of tickets, chats and orders in which nothing has happened for so long."""
    found = DAYS.fullmatch(older_than.strip().lower())
    if found is None:
        fail(f"--older-than {older_than}: write a number of days, such as 730d")
    settings = load_settings()
    with open_desk(settings) as desk:
        done = apply_retention(desk.database, timedelta(days=int(found[1])), by=operator(), dry_run=dry_run)
        _tell(done, [] if dry_run else _forget(settings, desk), dry_run, json)


def _forget(settings: Settings, desk: Desk) -> list[Rewritten]:
    return forget_erased(desk.database, store_of(settings), settings.home / RETRAININGS)


def _tell(done: Erased, snapshots: list[Rewritten], dry_run: bool, json: bool) -> None:
    rows = done.to_json()
    if json:
        print_json({"dry_run": dry_run, "rows": rows, "snapshots": [each.to_json() for each in snapshots]})
        return
    if not rows:
        note("nothing was found to erase")
        return
    out.print("would be erased:" if dry_run else "erased:")
    for name, count in rows.items():
        out.print(f"  {name}: {count} rows", highlight=False)
    for each in snapshots:
        out.print(f"  snapshot {each.before}: {each.tickets} tickets, now {each.now or 'deleted'}", highlight=False)
    if not dry_run:
        note("backups, and the systems that tickets and orders come from, hold it still: erase it there too")
