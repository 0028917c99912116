"""`paretodesk sla`: which answer is owed by when, why, and who is told when time runs out."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from desk.inbox import Desk
from desk.sla.clock_table import explained, rebuild
from desk.sla.durations import in_words
from desk.sla.reading import explanation_json, policies_json
from desk.sla.watch import Watched, watch
from service.console_output import note, out, print_json, progress_bar
from service.settings import load_settings
from service.wiring import open_desk

Json = Annotated[bool, typer.Option("--json", help="print JSON")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    sla = typer.Typer(help="Service levels: policies, clocks, at risk and breached.", no_args_is_help=True)
    sla.command("list")(list_policies)
    sla.command("explain")(explain)
    sla.command("watch")(watch_clocks)
    sla.command("rebuild")(rebuild_clocks)
    app.add_typer(sla, name="sla")


def list_policies(json: Json = False) -> None:
    """The policies in force today, most specific first; PARETODESK_SLA names the file."""
    with open_desk(load_settings()) as desk:
        found = policies_json(desk.policies, datetime.now(UTC))
    if json:
        print_json(found)
        return
    table = Table("policy", "line", "for", "targets", "calendar", "at risk", "source")
    for row in found["policies"]:
        wanted = "; ".join(f"{name}: {', '.join(values)}" for name, values in row["for"].items()) or "every ticket"
        targets = "\n".join(f"{clock.replace('_', ' ')} {length}" for clock, length in row["targets"].items())
        calendar = row["calendar"] + (", pauses" if row["pauses"] else "")
        cells = (row["policy"], str(row["line"]), wanted, targets, calendar, f"{row['at_risk']:.0%}", row["source"])
        table.add_row(*map(escape, cells))
    out.print(table)
    note(found["file"])


def explain(ticket: Annotated[str, typer.Argument(help="the ticket's id")], json: Json = False) -> None:
    """The clocks of a ticket, computed from its ledger, and for each which policy line holds and why."""
    now = datetime.now(UTC)
    with open_desk(load_settings()) as desk:
        subject, clocks = explained(desk.database, ticket, desk.policies, now)
        found = explanation_json(desk.policies, subject, clocks, now)
    if json:
        print_json({"ticket_id": ticket, **found})
        return
    out.print(f"{ticket}: {found['marketplace'] or 'no known marketplace'}, channel {found['channel']}", markup=False)
    if not clocks:
        out.print("no clock: its reason needs no answer")
    for clock in found["clocks"]:
        _tell(clock, found["file"])


def watch_clocks(
    once: Annotated[bool, typer.Option("--once", help="look once and stop")] = False,
    every: Annotated[float, typer.Option(min=1, max=3_600, help="seconds between looks")] = 30.0,
    json: Json = False,
) -> None:
    """Record which clocks are at risk and which ran out, once each; `paretodesk serve` does it by itself."""
    with open_desk(load_settings()) as desk:
        while True:
            _tell_watched(_look(desk), json)
            if once:
                return
            time.sleep(every)


def rebuild_clocks(json: Json = False) -> None:
    """Compute the clocks of every ticket anew from the ledger, by the policies in force."""
    with open_desk(load_settings()) as desk, progress_bar() as step:
        count = rebuild(desk.database, desk.policies, progress=lambda done, total: step("tickets", done, total))
    if json:
        print_json({"tickets": count})
    else:
        out.print(f"{count} tickets: clocks computed anew", highlight=False)


def _look(desk: Desk) -> Watched:
    with progress_bar() as step:
        return watch(desk.database, desk.policies, progress=lambda done, total: step("policies changed", done, total))


def _tell_watched(watched: Watched, json: bool) -> None:
    figures = {"at_risk": watched.at_risk, "breached": watched.breached, "recomputed": watched.recomputed}
    if json:
        print_json(figures)
    else:
        out.print(f"{watched.at_risk} newly at risk, {watched.breached} newly breached", highlight=False)


def _tell(clock: dict[str, Any], file: str) -> None:
    left = clock["remaining_seconds"]
    always = clock["calendar"] == "always"
    rest = f"{in_words(left, days=always)} {'left' if left >= 0 else 'over'}{'' if always else ' of its hours'}"
    if clock["stopped_at"]:
        rest = f"stopped {_minute(clock['stopped_at'])} after {in_words(clock['worked_seconds'], days=always)}"
    due = f"due {_minute(clock['due_at'])}" if clock["due_at"] else "due when it goes on"
    name, started = clock["clock"].replace("_", " "), _minute(clock["started_at"])
    out.print(f"[bold]{name}[/] {clock['state']}: started {started}, {due}, {rest}", highlight=False)
    held = f"{clock['target']} ({clock['calendar']}) by {clock['policy']}, {file}:{clock['line']}"
    lines = [f"  {held}: {clock['because']}"]
    lines += [f"    not {fit['policy']}: {fit['why']}" for fit in clock["tried"] if fit["verdict"] != "chosen"]
    out.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)


def _minute(iso: str) -> str:
    return f"{iso[:16].replace('T', ' ')} UTC"
