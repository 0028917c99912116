"""Reports as CSV that a spreadsheet can open without running anything of a customer's or an agent's making."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from desk.metrics.definitions import definitions
from desk.metrics.deflection import SHARES, Chats, DeflectionReport, Part
from desk.metrics.figures import Estimate, Figure
from desk.metrics.macros import AFTER, MacroReport
from desk.metrics.query import Group, MetricsReport, TicketsBehind

Cell = str | int | float | None
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """RFC 4180; a byte order mark tells Excel that it is UTF-8. Text that would be a formula gets an apostrophe."""
    out = io.StringIO()
    out.write("\ufeff")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([_safe(cell) for cell in row] for row in rows)
    return out.getvalue()


def metrics_csv(report: MetricsReport) -> str:
    """One line per group and metric; the first group is the whole."""
    words = definitions()
    header = ("group", "name", "metric", "unit", "value", "low", "high", "n", "hits", "median", "p90", "mean",
              "definition")  # fmt: skip
    rows: list[Sequence[Cell]] = []
    for group in (report.total, *report.groups):
        for metric, figure in group.figures.items():
            about = words[metric]
            rows.append((*_named(report, group), metric, about.unit, *_figure(figure), about.definition))
    return csv_text(header, rows)


def tickets_csv(behind: TicketsBehind) -> str:
    """One line per ticket."""
    header = ("ticket_id", "created_at", "reason", behind.metric, "hit")
    return csv_text(
        header,
        [
            (ticket.ticket_id, ticket.created_at.isoformat(), ticket.reason, ticket.value, _yes(ticket.hit))
            for ticket in behind.tickets
        ],
    )


def macros_csv(report: MacroReport) -> str:
    """One line per macro and reason."""
    header = ["macro", "reason", "used", "answered", "share", "share_low", "share_high"]
    rows: list[list[Cell]] = [
        [line.macro, line.reason, line.used, line.answered, *_estimate(line.share)] for line in report.lines
    ]
    for metric in AFTER:
        header += [f"{metric}_n", f"{metric}_after", f"{metric}_without_n", f"{metric}_without"]
        header += [f"{metric}_difference", f"{metric}_difference_low", f"{metric}_difference_high"]
        for row, line in zip(rows, report.lines, strict=True):
            after = line.after[metric]
            row += [after.n, _estimate(after.rate)[0], after.without_n, _estimate(after.without)[0]]
            row += _estimate(after.difference)
    return csv_text(header, rows)


def deflection_csv(report: DeflectionReport) -> str:
    """One line per group and part or rate; the first group is the whole."""
    words = {word.id: word.definition for word in (*definitions().deflection, *definitions().deflection_shares)}
    shares: dict[str, tuple[Part, ...]] = {part.value: (part,) for part in Part} | SHARES
    rows: list[Sequence[Cell]] = []
    for chats in (report.total, *report.groups):
        for name, parts in shares.items():
            count = sum(chats.parts[part] for part in parts)
            key = _chat_key(report, chats)
            rows.append((*key, name, count, chats.n, *_estimate(chats.share(*parts)), words[name]))
    return csv_text(("group", "name", "part", "chats", "n", "share", "low", "high", "definition"), rows)


def _named(report: MetricsReport, group: Group) -> tuple[Cell, Cell]:
    return ("(all)" if group is report.total else group.key), group.name


def _chat_key(report: DeflectionReport, chats: Chats) -> tuple[Cell, Cell]:
    return ("(all)" if chats is report.total else chats.key), chats.name


def _figure(figure: Figure) -> list[Cell]:
    spread = [figure.spread[name].value if name in figure.spread else None for name in ("median", "p90", "mean")]
    return [*_estimate(figure.estimate), figure.n, figure.hits, *spread]


def _estimate(estimate: Estimate | None) -> list[Cell]:
    return [None, None, None] if estimate is None else [estimate.value, estimate.low, estimate.high]


def _yes(hit: bool | None) -> Cell:
    return None if hit is None else "yes" if hit else "no"


def _safe(cell: Cell) -> Cell:
    """Numbers stay numbers, minus sign and all; only text can be a formula."""
    if isinstance(cell, str) and cell.lstrip(" \u00a0").startswith(FORMULA):
        return f"'{cell}"
    return cell
