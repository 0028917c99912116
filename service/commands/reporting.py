"""`paretodesk report`: the top reasons, the metrics of the desk, its macros, its chats, and the tickets behind."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from desk.metrics import documents, spreadsheet
from desk.metrics.definitions import Metric
from desk.metrics.deflection import chat_grouping, deflection_report
from desk.metrics.macros import macro_report
from desk.metrics.page import Overview, overview, render
from desk.metrics.query import MAX_TICKETS, Side, metrics_report, tickets_behind
from desk.metrics.scope import Dimension, Period, grouping
from desk.metrics.upstream import upstream_report
from desk.report_page import render_top_reasons
from desk.top_reasons import top_reasons
from service.commands import report_tables as tables
from service.commands.quarterly import report_quarterly
from service.console_output import fail, note, print_json
from service.measuring import chat_scope, ticket_link, ticket_scope
from service.settings import load_settings
from service.windows import newest_window
from service.wiring import open_desk

BY_HELP = f"one of: {', '.join([*Dimension, *Period])}"

By = Annotated[str | None, typer.Option(help=BY_HELP)]
Json = Annotated[bool, typer.Option("--json", help="print JSON")]
Html = Annotated[Path | None, typer.Option(help="write a self-contained page")]
Csv = Annotated[Path | None, typer.Option(help="write CSV; - prints it")]
Start = Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="first day")]
End = Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="day after the last")]
Zone = Annotated[str, typer.Option(help="time zone of the days, such as Europe/Paris")]
Channel = Annotated[list[str] | None, typer.Option(help="only these; (none): without one")]
Marketplace = Annotated[list[str] | None, typer.Option(help="only these")]
Language = Annotated[list[str] | None, typer.Option(help="only these")]
Reason = Annotated[list[str] | None, typer.Option(help="only these contact reasons; undecided: without one")]
Agent = Annotated[list[str] | None, typer.Option(help="only these assignees")]
Team = Annotated[list[str] | None, typer.Option(help="only these")]
Product = Annotated[list[str] | None, typer.Option(help="only these ASINs")]
Carrier = Annotated[list[str] | None, typer.Option(help="only these")]
Fulfilment = Annotated[list[str] | None, typer.Option(help="fba or fbm")]
Priority = Annotated[list[str] | None, typer.Option(help="low, normal, high or urgent")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    report = typer.Typer(help="Reports.", no_args_is_help=True)
    report.command("top-reasons")(report_top_reasons)
    report.command("metrics")(report_metrics)
    report.command("tickets")(report_tickets)
    report.command("macros")(report_macros)
    report.command("deflection")(report_deflection)
    report.command("upstream")(report_upstream)
    report.command("quarterly")(report_quarterly)
    app.add_typer(report, name="report")


def report_top_reasons(
    start: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="first day (UTC)")] = None,
    end: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="day after the last")] = None,
    channel: Annotated[str | None, typer.Option(help="one channel only")] = None,
    marketplace: Annotated[str | None, typer.Option(help="one marketplace only")] = None,
    language: Annotated[str | None, typer.Option(help="one language only")] = None,
    json: Json = False,
    html: Html = None,
) -> None:
    """The contact reasons that make most of the tickets, with causes and upstream fixes; last 90 days by default."""
    with open_desk(load_settings()) as desk:
        window = newest_window(desk, _day(start), _day(end))
        report = top_reasons(desk, desk.taxonomy, *window, channel, marketplace, language)
    if html:
        _write(html, render_top_reasons(report))
    if json:
        print_json(report.to_json())
    elif not html:
        tables.show_top_reasons(report)


def report_metrics(
    start: Start = None, end: End = None, timezone: Zone = "UTC",
    by: By = None,
    channel: Channel = None, marketplace: Marketplace = None, language: Language = None, reason: Reason = None,
    agent: Agent = None, team: Team = None, product: Product = None, carrier: Carrier = None,
    fulfilment: Fulfilment = None, priority: Priority = None,
    json: Json = False, csv: Csv = None, html: Html = None,
) -> None:  # fmt: skip
    """Response and resolution times, FCR, AHT, CSAT, NPS, SLA and more, each with n, interval and definition."""
    filters = _filters(channel, marketplace, language, reason, agent, team, product, carrier, fulfilment, priority)
    grouped_by = grouping(by)
    with open_desk(load_settings()) as desk:
        scope = ticket_scope(desk, _day(start), _day(end), timezone, filters)
        if html:
            _write(html, render(overview(desk.database, desk.taxonomy, scope, grouped_by)))
            if not (json or csv):
                return
        report = metrics_report(desk.database, desk.taxonomy, scope, grouped_by)
    _deliver(
        json, csv, None,
        lambda: documents.metrics_document(report, ticket_link),
        lambda: spreadsheet.metrics_csv(report), None, lambda: tables.show_metrics(report),
    )  # fmt: skip


def report_tickets(
    metric: Annotated[Metric, typer.Option(help="the figure whose tickets are wanted")],
    start: Start = None, end: End = None, timezone: Zone = "UTC",
    side: Annotated[Side, typer.Option(help="all that count, the numerator, or the rest")] = Side.COUNTED,
    limit: Annotated[int, typer.Option(min=1, max=MAX_TICKETS)] = 100,
    offset: Annotated[int, typer.Option(min=0, max=2**31)] = 0,
    channel: Channel = None, marketplace: Marketplace = None, language: Language = None, reason: Reason = None,
    agent: Agent = None, team: Team = None, product: Product = None, carrier: Carrier = None,
    fulfilment: Fulfilment = None, priority: Priority = None,
    json: Json = False, csv: Csv = None,
) -> None:  # fmt: skip
    """The tickets behind a figure: the longest first for durations, else by time."""
    filters = _filters(channel, marketplace, language, reason, agent, team, product, carrier, fulfilment, priority)
    with open_desk(load_settings()) as desk:
        scope = ticket_scope(desk, _day(start), _day(end), timezone, filters)
        behind = tickets_behind(desk.database, scope, metric, side, limit=limit, offset=offset)
    _deliver(
        json, csv, None,
        lambda: documents.tickets_document(behind),
        lambda: spreadsheet.tickets_csv(behind), None, lambda: tables.show_tickets(behind),
    )  # fmt: skip


def report_macros(
    start: Start = None, end: End = None, timezone: Zone = "UTC",
    channel: Channel = None, marketplace: Marketplace = None, language: Language = None, reason: Reason = None,
    agent: Agent = None, team: Team = None, product: Product = None, carrier: Carrier = None,
    fulfilment: Fulfilment = None, priority: Priority = None,
    json: Json = False, csv: Csv = None, html: Html = None,
) -> None:  # fmt: skip
    """What happened after each macro was sent, against answered tickets of the same reason without it."""
    filters = _filters(channel, marketplace, language, reason, agent, team, product, carrier, fulfilment, priority)
    with open_desk(load_settings()) as desk:
        scope = ticket_scope(desk, _day(start), _day(end), timezone, filters)
        report = macro_report(desk.database, desk.taxonomy, scope)
    _deliver(
        json, csv, html,
        lambda: documents.macros_document(report), lambda: spreadsheet.macros_csv(report),
        lambda: render(Overview(scope, macros=report)), lambda: tables.show_macros(report),
    )  # fmt: skip


def report_deflection(
    start: Start = None, end: End = None, timezone: Zone = "UTC",
    by: Annotated[str | None, typer.Option(help="site, language, reason, day or week")] = None,
    site: Annotated[list[str] | None, typer.Option(help="only these sites")] = None,
    language: Language = None, reason: Reason = None,
    json: Json = False, csv: Csv = None, html: Html = None,
) -> None:  # fmt: skip
    """What became of the chats: confirmed, silent, came back within 7 days, escalated, abandoned; last 90 days."""
    scope = chat_scope(_day(start), _day(end), timezone, {"site": site, "language": language, "reason": reason})
    with open_desk(load_settings()) as desk:
        report = deflection_report(desk.database, desk.taxonomy, scope, chat_grouping(by))
    _deliver(
        json, csv, html,
        lambda: documents.deflection_document(report), lambda: spreadsheet.deflection_csv(report),
        lambda: render(Overview(scope, deflection=report)), lambda: tables.show_deflection(report),
    )  # fmt: skip


def report_upstream(
    start: Start = None, end: End = None, timezone: Zone = "UTC",
    channel: Channel = None, marketplace: Marketplace = None, language: Language = None,
    product: Product = None, carrier: Carrier = None, json: Json = False,
) -> None:  # fmt: skip
    """Tickets per week of each contact reason, with its usual cause and what to fix at the source."""
    filters: dict[str, Sequence[str] | None] = {
        "channel": channel, "marketplace": marketplace, "language": language, "product": product, "carrier": carrier,
    }  # fmt: skip
    with open_desk(load_settings()) as desk:
        scope = ticket_scope(desk, _day(start), _day(end), timezone, filters)
        report = upstream_report(desk.database, desk.taxonomy, scope)
    if json:
        print_json(documents.upstream_document(report))
    else:
        tables.show_upstream(report)


def _filters(
    channel: list[str] | None, marketplace: list[str] | None, language: list[str] | None, reason: list[str] | None,
    agent: list[str] | None, team: list[str] | None, product: list[str] | None, carrier: list[str] | None,
    fulfilment: list[str] | None, priority: list[str] | None,
) -> dict[str, Sequence[str] | None]:  # fmt: skip
    return {
        "channel": channel, "marketplace": marketplace, "language": language, "reason": reason, "agent": agent,
        "team": team, "product": product, "carrier": carrier, "fulfilment": fulfilment, "priority": priority,
    }  # fmt: skip


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None


def _deliver(
    as_json: bool,
    csv: Path | None,
    html: Path | None,
    document: Callable[[], object],
    sheet: Callable[[], str],
    page: Callable[[], str] | None,
    table: Callable[[], None],
) -> None:
    """Write the files that were asked for, print JSON where that was; else show the table."""
    if html and page:
        _write(html, page())
    if csv and str(csv) == "-":
        sys.stdout.write(sheet())
    elif csv:
        _write(csv, sheet())
    if as_json:
        print_json(document())
    elif not (csv or html):
        table()


def _write(file: Path, text: str) -> None:
    try:
        with file.open("w", encoding="utf-8", newline="") as out_file:
            out_file.write(text)
    except OSError as error:
        fail(f"{file} cannot be written: {error.strerror}")
    note(f"written to {file}")
