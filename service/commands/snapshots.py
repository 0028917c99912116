"""`paretodesk snapshot`: labelled tickets of the desk, frozen by date."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.table import Table

from models.signing import SigningKey
from service.commands.model_figures import count_table
from service.console_output import day_of, note, out, print_json, progress_bar
from service.settings import Settings, load_settings
from service.wiring import open_desk
from training.fitting import Progress
from training.snapshots import Snapshot, SnapshotStore, freeze

SNAPSHOTS = "snapshots"
PSEUDONYMS = "pseudonym.key"
"""Key of the pseudonyms under the home folder; with another one other groups would be frozen."""

Json = Annotated[bool, typer.Option("--json", help="print JSON")]
SnapshotId = Annotated[str, typer.Argument(help="id of the snapshot, such as 2026Q4-1a2b3c4d5e6f")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    group = typer.Typer(help="Labelled tickets frozen by date, to learn from and to measure on.")
    group.callback(invoke_without_command=True)(snapshot)
    group.command("list")(list_snapshots)
    group.command("show")(show)
    group.command("delete")(delete)
    app.add_typer(group, name="snapshot")


def store_of(settings: Settings) -> SnapshotStore:
    """The snapshots of this desk."""
    return SnapshotStore(settings.home / SNAPSHOTS)


def freeze_now(settings: Settings, until: str | None, since: str | None, step: Progress) -> Snapshot:
    """Freeze, and store what has tickets; ``until`` is yesterday unless told otherwise: all of one day's are equal."""
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    last_day, first_day = day_of("--until", until) or yesterday, day_of("--since", since)
    if last_day > yesterday:
        note(f"{last_day} is not over (UTC): freezing it again later may give another snapshot")
    secret = SigningKey.read_or_create(settings.home / PSEUDONYMS).secret
    with open_desk(settings) as desk:
        frozen = freeze(desk, last_day, first_day, secret=secret, progress=step)
    if frozen.tickets:
        store_of(settings).write(frozen)
    return frozen


def snapshot(
    context: typer.Context,
    until: Annotated[str | None, typer.Option(help="last day, UTC; yesterday when left out")] = None,
    since: Annotated[str | None, typer.Option(help="first day; of the first labelled ticket when left out")] = None,
    json: Json = False,
) -> None:
    """Freeze the tickets that people labelled and that the bot answered with success, redacted; exit code 1: none."""
    if context.invoked_subcommand is not None:
        return
    settings = load_settings()
    with progress_bar() as step:
        frozen = freeze_now(settings, until, since, step)
    if json:
        print_json({**frozen.to_json(), "folder": str(store_of(settings).folder / frozen.id)})
    else:
        _show(frozen, settings)
    if not frozen.tickets:
        note("no labelled ticket in this period; confirm or correct tags at the desk, or name earlier days")
        raise typer.Exit(1)


def list_snapshots(json: Json = False) -> None:
    """All snapshots, that of the oldest last day first."""
    store = store_of(load_settings())
    found = [store.manifest(snapshot_id) for snapshot_id in store.ids()]
    if json:
        print_json(found)
        return
    table = Table("snapshot", "first day", "last day", "tickets", "confirmed", "corrected", "bot", "frozen at")
    for row in found:
        sources = [str(row["counts"]["source"].get(name, 0)) for name in ("confirmed", "corrected", "bot")]
        table.add_row(row["id"], row["first_day"], row["last_day"], str(row["tickets"]), *sources, row["created_at"])
    out.print(table)


def show(snapshot_id: SnapshotId, json: Json = False) -> None:
    """Verify a snapshot and print its data card."""
    store = store_of(load_settings())
    found = store.read(snapshot_id)
    if json:
        print_json(found.to_json())
    else:
        out.print(store.card(snapshot_id), markup=False, highlight=False)


def delete(snapshot_id: SnapshotId) -> None:
    """Take a snapshot off the disk, for example because a customer in it was erased."""
    store_of(load_settings()).delete(snapshot_id)
    out.print(f"{snapshot_id} is deleted", highlight=False)


def _show(frozen: Snapshot, settings: Settings) -> None:
    out.print(
        f"{frozen.id}: {len(frozen.tickets)} tickets opened {frozen.first_day} to {frozen.last_day}", highlight=False
    )
    for title, counts in frozen.counts.items():
        if counts:
            out.print(count_table(title, counts))
    for why, n in sorted(frozen.dropped.items()):
        out.print(f"left out: {n} ({why})", highlight=False)
    out.print(f"in {store_of(settings).folder / frozen.id}", highlight=False, soft_wrap=True)
