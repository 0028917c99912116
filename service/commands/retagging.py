"""`paretodesk retag`: the desk's tickets once more, with the model that serves now."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from desk.retagging import Retagged, Which, retag, waiting
from service.bulk import serving_model, tag_in_bulk
from service.console_output import day_of, note, out, print_json, progress_bar
from service.settings import load_settings
from service.wiring import open_desk

SHOWN_MOVES = 15


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("retag")(retag_command)


def retag_command(
    first: Annotated[str | None, typer.Option("--from", help="tickets created on this day or later")] = None,
    end: Annotated[str | None, typer.Option("--to", help="and before this day")] = None,
    channel: Annotated[str | None, typer.Option(help="one channel only")] = None,
    cluster: Annotated[str | None, typer.Option(help="a Dask scheduler, tcp://HOST:PORT, whose workers tag")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only count the tickets")] = False,
    json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Tag the desk's tickets once more with the model that serves; what a person confirmed stays.

    Can be broken off: the next run goes on with the tickets that do not carry the model's tag yet.
    """
    which = Which(day_of("--from", first), day_of("--to", end), channel)
    settings = load_settings()
    model = serving_model(settings.models_store, settings.signing_key).model_id
    with open_desk(settings) as desk:
        total = waiting(desk, model, which)
        if dry_run:
            note(f"{total} tickets would be tagged once more by {model}; nothing was changed")
            done = Retagged()
        else:
            with progress_bar() as step:
                done = retag(
                    desk,
                    model,
                    lambda batches: tag_in_bulk(settings.models_store, settings.signing_key, batches, cluster=cluster),
                    which,
                    lambda n: step("tagging", n, total),
                )
    if json:
        print_json({"model": model, "waiting": total, **done.to_json()})
        return
    out.print(f"{model}: {done.tickets} tickets tagged once more, {done.changed} with another reason")
    out.print(f"undecided: {done.undecided_before} before, {done.undecided_after} now")
    if done.moves:
        table = Table("before", "now", "tickets")
        for (before, now), n in done.moves.most_common(SHOWN_MOVES):
            table.add_row(before or "-", now, str(n))
        out.print(table)
