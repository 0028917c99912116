"""`paretodesk import` and `orders`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from desk.importer import ImportProgress, import_file
from desk.mapping import load_preset
from desk.order_table import load_orders
from service.console_output import fail, note, out, print_json, progress_bar
from service.settings import load_settings
from service.wiring import encoder_of, open_desk, tagger_of

Json = Annotated[bool, typer.Option("--json", help="print JSON")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("import")(import_tickets)
    orders = typer.Typer(help="Order facts for macros and the chat.", no_args_is_help=True)
    orders.command("import")(import_orders)
    app.add_typer(orders, name="orders")


def import_tickets(
    file: Annotated[Path, typer.Argument(help="CSV, JSON Lines, Excel or OpenDocument export of another desk")],
    preset: Annotated[
        str, typer.Option(help="generic, edesk, zendesk, freshdesk, gorgias or a mapping file")
    ] = "generic",
    columns: Annotated[list[str] | None, typer.Option("--map", help="field=column, such as body=Text")] = None,
    channel: Annotated[str | None, typer.Option(help="channel where a row names none")] = None,
    marketplace: Annotated[str | None, typer.Option(help="marketplace where a row names none")] = None,
    encoding: Annotated[str | None, typer.Option(help="when it is not found by itself")] = None,
    sheet: Annotated[str | None, typer.Option(help="sheet of a workbook; the best fitting when left out")] = None,
    source: Annotated[str | None, typer.Option(help="name that tells apart systems whose ids overlap")] = None,
    date_format: Annotated[list[str] | None, typer.Option(help="such as %d/%m/%Y %H:%M, several allowed")] = None,
    timezone: Annotated[str | None, typer.Option(help="of dates without one, such as Europe/Paris")] = None,
    rejects: Annotated[Path | None, typer.Option(help="where refused rows go; beside the file when left out")] = None,
    tags: Annotated[bool, typer.Option("--tag/--no-tag", help="tag the tickets as they come in")] = True,
    json: Json = False,
) -> None:
    """Load tickets. Rows that cannot be read go to a rejects file with line and reason; exit code 1 then."""
    settings = load_settings()
    mapping = load_preset(preset)
    if date_format or timezone:
        mapping = mapping.with_date_formats(date_format or (), timezone)
    mapped = dict(_pair(text) for text in columns or [])
    tagger = None
    if tags:
        tagger = tagger_of(settings, encoder_of(settings))
        if tagger.problem:
            note(f"tickets wait as undecided: {tagger.problem}")
            tagger = None
    with open_desk(settings) as desk, progress_bar() as step:

        def tell(progress: ImportProgress) -> None:
            step("importing", progress.bytes_done, progress.bytes_total)

        result = import_file(
            desk, file, mapping, columns=mapped, channel=channel, marketplace=marketplace, source=source,
            encoding=encoding, sheet=sheet, tagger=tagger, progress=tell, rejects_path=rejects,
        )  # fmt: skip
    for notice in result.notices:
        note(notice)
    figures = {
        "read": result.read,
        "imported": result.imported,
        "duplicates": result.duplicates,
        "rejected": result.rejected,
        "tagged": result.tagged,
        "rejects_file": str(result.rejects_file) if result.rejects_file else None,
    }
    if json:
        print_json(figures)
    else:
        out.print(
            f"{result.read} rows: {result.imported} imported, {result.duplicates} were there already, "
            f"{result.rejected} refused" + (f", see {result.rejects_file}" if result.rejects_file else ""),
            highlight=False,
        )
    if result.rejected:
        raise typer.Exit(1)


def import_orders(
    file: Annotated[Path, typer.Argument(help="CSV whose columns are fact names; order.id is needed")],
) -> None:
    """Load order facts; newer facts of an order replace what is known. Exit code 1 with refused rows."""
    with open_desk(load_settings()) as desk:
        load = load_orders(desk.database, file)
    out.print(
        f"{load.read} rows: {load.loaded} orders stored, "
        + (f"{load.older} older than what is known, " if load.older else "")
        + f"{load.rejected} refused"
        + (f", see {load.rejects_file}" if load.rejects_file else ""),
        highlight=False,
    )
    if load.rejected:
        raise typer.Exit(1)


def _pair(text: str) -> tuple[str, str]:
    field, _, column = text.partition("=")
    if not field or not column:
        fail(f"--map {text}: write field=column, such as --map body=Text")
    return field, column
