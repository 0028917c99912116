"""Reports as tables on the terminal."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from desk.metrics import shown
from desk.metrics.definitions import Metric, Unit, definitions
from desk.metrics.deflection import SHARES, DeflectionReport, Part
from desk.metrics.macros import AFTER, MacroReport
from desk.metrics.query import MetricsReport, TicketsBehind
from desk.metrics.scope import Window
from desk.metrics.upstream import UpstreamReport
from desk.top_reasons import TopReasons
from service.console_output import note, out

MAIN = (Metric.FRT, Metric.FCR, Metric.AHT, Metric.CSAT, Metric.REOPEN_RATE, Metric.SLA_COMPLIANCE)


def show_top_reasons(report: TopReasons) -> None:
    """The Pareto table with causes and fixes of the top five."""
    out.print(
        f"[bold]Top reasons[/] {report.start} to {report.end}: {report.total} tickets, "
        f"{report.with_reason} with a reason, {report.other} other, {report.undecided} undecided",
        highlight=False,
    )
    if not report.total:
        first, last = report.desk_holds.first, report.desk_holds.last
        known = (
            f"the desk holds tickets from {first:%Y-%m-%d} to {last:%Y-%m-%d}"
            if first and last
            else "the desk is empty"
        )
        out.print(f"no ticket in this window; {known}")
        return
    table = Table("#", "reason", "tickets", "share", "95% interval", "cumulative", "before", "autonomy", "at risk")
    for line in report.reasons:
        style = "bold" if line.is_top_five else "" if line.in_80 else "dim"
        change = "-" if line.change is None else f"{100 * line.change:+.1f} pts"
        table.add_row(
            str(line.rank), line.name, str(line.count), f"{line.share:.1%}",
            f"{line.share_low:.1%}-{line.share_high:.1%}", f"{line.cumulative_share:.1%}", change,
            line.autonomy or "-", ", ".join(line.metrics_at_risk) or "-", style=style,
        )  # fmt: skip
    out.print(table)
    out.print(f"{len(report.making_80)} reasons make 80% of the tickets with a reason. Causes and upstream fixes:")
    for line in report.top_five:
        out.print(f"  {line.rank}. {line.name}: {line.cause} -> {line.upstream_fix}", highlight=False, markup=False)


def show_metrics(report: MetricsReport) -> None:
    """Every figure of the whole with its definition, then the main ones by group."""
    _title("Metrics", report.scope.window, report.notices)
    if not report.total.figures[Metric.VOLUME].n:
        holds = report.desk_holds
        span = f"from {holds.first:%Y-%m-%d} to {holds.last:%Y-%m-%d}" if holds.first and holds.last else ""
        out.print(f"no ticket in this window; the desk holds {holds.tickets} tickets {span}".rstrip())
        return
    words = definitions()
    table = Table("metric", "value", "95% interval", "n", "median", "p90", "mean")
    for metric, figure in report.total.figures.items():
        spread = [
            shown.value_text(figure.spread[name].value if name in figure.spread else None, Unit.SECONDS)
            for name in ("median", "p90", "mean")
        ]
        row = (shown.figure_text(figure), shown.figure_interval(figure), f"{figure.n:,}")
        table.add_row(words[metric].name, *row, *(spread if figure.spread else ("", "", "")))
    out.print(table)
    if report.groups:
        table = Table(str(report.by), "tickets", *(words[metric].short for metric in MAIN))
        for group in report.groups:
            cells = [f"{shown.figure_text(one)} (n={one.n:,})" for one in (group.figures[metric] for metric in MAIN)]
            table.add_row(escape(group.name), f"{group.figures[Metric.VOLUME].n:,}", *cells)
        out.print(table)
        out.print("FRT is the median, AHT the mean. Intervals of every group: --json, --csv or --html.")
    for metric in report.total.figures:
        out.print(f"{words[metric].name}: {words[metric].definition}", style="dim", highlight=False, markup=False)


def show_tickets(behind: TicketsBehind) -> None:
    """One line per ticket."""
    words = definitions()[behind.metric]
    _title(f"Tickets behind: {words.name} ({behind.side})", behind.scope.window, behind.notices)
    table = Table("ticket", "created", "reason", "value", "hit")
    for ticket in behind.tickets:
        unit = words.unit if words.unit is Unit.SECONDS else Unit.TICKETS
        hit = "" if ticket.hit is None else "yes" if ticket.hit else "no"
        created = f"{ticket.created_at:%Y-%m-%d %H:%M}"
        value = shown.value_text(ticket.value, unit)
        table.add_row(ticket.ticket_id, created, escape(ticket.reason or "-"), value, hit)
    out.print(table)
    out.print(f"{len(behind.tickets)} of {behind.total} tickets. {words.definition}", highlight=False, markup=False)


def show_macros(report: MacroReport) -> None:
    """One line per macro and reason."""
    _title("Macros", report.scope.window, report.notices)
    words = definitions()
    heads = (head for metric in AFTER for head in (words[metric].short, "difference"))
    table = Table("macro", "reason", "used", *heads)
    for line in report.lines:
        cells = []
        for metric in AFTER:
            after = line.after[metric]
            rate = shown.value_text(after.rate.value if after.rate else None, Unit.SHARE)
            cells += [f"{rate} (n={after.n:,})", shown.difference_text(after.difference)]
        used = f"{line.used:,} ({line.share.value:.0%})"
        table.add_row(escape(line.macro), escape(line.reason_name), used, *cells)
    out.print(table)
    out.print(f"{report.with_macro} of {report.answered} answered tickets had a macro.", highlight=False)
    out.print(words.macros_note, style="dim", highlight=False, markup=False)


def show_deflection(report: DeflectionReport) -> None:
    """The five parts and the usual three rates, then the parts by group."""
    _title("Chats", report.scope.window, ())
    words = definitions()
    chats = report.total
    if not chats.n:
        out.print(f"no chat with a question in this window ({report.no_question} without)", highlight=False)
        return
    table = Table("part", "chats", "share", "95% interval", "definition")
    members = {part.value: (part,) for part in Part} | SHARES
    for word in (*words.deflection, *words.deflection_shares):
        estimate = chats.share(*members[word.id])
        count = sum(chats.parts[part] for part in members[word.id])
        share = shown.value_text(estimate.value if estimate else None, Unit.SHARE)
        table.add_row(word.name, f"{count:,}", share, shown.interval_text(estimate, Unit.SHARE), word.definition)
    out.print(table)
    out.print(
        f"n={chats.n} chats; {report.no_question} without a question left out; {chats.not_yet_known} confirmed or "
        "silent ones may still come back",
        highlight=False,
    )
    if report.groups:
        table = Table(str(report.by), "chats", *(word.name for word in words.deflection))
        for group in report.groups:
            shares = [f"{group.parts[part]:,} ({group.parts[part] / group.n:.0%})" if group.n else "-" for part in Part]
            table.add_row(escape(group.name), f"{group.n:,}", *shares)
        out.print(table)
    out.print(words.deflection_note, style="dim", highlight=False, markup=False)


def show_upstream(report: UpstreamReport) -> None:
    """One line per contact reason."""
    _title("Upstream", report.scope.window, ())
    table = Table("reason", "tickets", "change", "usual cause", "fix at the source")
    for line in report.lines:
        row = (f"{line.tickets:,}", shown.ratio_text(line.change), line.cause or "-", line.upstream_fix or "-")
        table.add_row(escape(line.name), *row)
    out.print(table)
    out.print(definitions().upstream_note, style="dim", highlight=False, markup=False)


def _title(name: str, window: Window, notices: tuple[str, ...]) -> None:
    out.print(f"[bold]{name}[/] {window.start} to {window.end} ({window.timezone})", highlight=False)
    for text in notices:
        note(text)
