"""`paretodesk reasons`: contact reasons that emerge, and their drafts."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from classifier.encoders import Vectors
from classifier.model import ReasonModel
from classifier.taxonomy import starter_taxonomy
from desk.inbox import Desk
from models.signing import SigningKey
from service.commands.learning import ENCODINGS
from service.console_output import Step, day_of, fail, note, out, print_json, progress_bar
from service.settings import Settings, load_settings
from service.wiring import open_desk, registry_of
from training.emerging.draft import write_draft
from training.emerging.naming import name_terms
from training.emerging.period import AskedTicket, earlier_tickets, tickets_by_id, tickets_of_period
from training.emerging.report import EmergingReason, EmergingReport, emerging_reasons
from training.emerging.tracking import Tracker
from training.encoding_cache import encode_cached
from training.retraining import REASONS_MODEL, load_model

DAYS = 30
"""Length of the period when no day is given."""

Json = Annotated[bool, typer.Option("--json", help="print JSON")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    reasons = typer.Typer(help="Contact reasons that emerge beside the known ones.", no_args_is_help=True)
    reasons.command("emerging")(emerging)
    reasons.command("draft")(draft)
    app.add_typer(reasons, name="reasons")


def emerging(
    first: Annotated[str | None, typer.Option("--from", help=f"first day; {DAYS} days before the last one")] = None,
    last: Annotated[str | None, typer.Option("--to", help="last day, included, UTC; today when left out")] = None,
    language: Annotated[str, typer.Option(help="your language: words and typical tickets in it come first")] = "en",
    json: Json = False,
) -> None:
    """Groups of tickets of a period that the known reasons do not cover, the most evident first."""
    settings = load_settings()
    until = day_of("--to", last) or datetime.now(UTC).date()
    since = day_of("--from", first) or until - timedelta(days=DAYS - 1)
    if since > until:
        fail(f"--from {since} is after --to {until}; swap them")
    locales = starter_taxonomy().locales
    if language not in locales:
        fail(f"--language {language} is not one of {', '.join(locales)}")
    model, model_id = _model(settings)
    with open_desk(settings) as desk, progress_bar() as step:
        report = _look(settings, desk, model, model_id, since, until, language, step)
    report = Tracker(settings.home).follow(report, model.encoder.name)
    if json:
        print_json(report.to_json())
    else:
        _show(report)


def draft(
    cluster: Annotated[str, typer.Argument(help="the cluster's name, such as C-1a2b3c")],
    reason_id: Annotated[str, typer.Option("--id", help="id of the new reason, such as battery_recall")],
    into: Annotated[Path, typer.Option(help="folder to write, which must not exist")],
    json: Json = False,
) -> None:
    """Turn a cluster into the draft of a reason: taxonomy entry, examples, macro and article stubs, checklist."""
    settings = load_settings()
    tracked = Tracker(settings.home).find(cluster)
    with open_desk(settings) as desk:
        tickets = tickets_by_id(desk, tracked.ticket_ids)
        newest = tracked.sightings[-1]
        background = tickets_of_period(desk, newest.first, newest.last)
    terms = {
        locale: name_terms(
            [ticket.text for ticket in tickets if ticket.locale == locale],
            [ticket.text for ticket in background if ticket.locale == locale],
        )
        for locale in sorted({ticket.locale for ticket in tickets})
    }
    files = write_draft(into, reason_id, tickets, terms, starter_taxonomy(), datetime.now(UTC).date())
    if json:
        print_json({"cluster": tracked.id, "id": reason_id, "files": [str(path) for path in files]})
        return
    for path in files:
        out.print(str(path), markup=False, highlight=False, soft_wrap=True)
    note(f"{len(tickets)} tickets of {tracked.id} are its examples; go on with {into / 'CHECKLIST.md'}")


def _model(settings: Settings) -> tuple[ReasonModel, str]:
    return load_model(registry_of(settings), SigningKey.read(settings.signing_key), REASONS_MODEL)


def _look(
    settings: Settings,
    desk: Desk,
    model: ReasonModel,
    model_id: str,
    since: date,
    until: date,
    language: str,
    step: Step,
) -> EmergingReport:
    asked, earlier = tickets_of_period(desk, since, until, step), earlier_tickets(desk, since, step)

    def encode(tickets: list[AskedTicket]) -> Vectors:
        return encode_cached(model.encoder, [ticket.words for ticket in tickets], settings.home / ENCODINGS, step)

    if not asked:
        fail(f"no ticket was opened from {since} to {until}; import tickets or choose other days")
    found = emerging_reasons(
        model, asked, encode(asked), earlier, encode(earlier) if earlier else None, language=language, progress=step
    )
    undecided = sum(ticket.undecided for ticket in asked)
    return EmergingReport(since, until, len(asked), undecided, model_id, found)


def _show(report: EmergingReport) -> None:
    out.print(
        f"{report.n} tickets from {report.first} to {report.last}, {report.undecided} undecided, model {report.model}",
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip
    if not report.reasons:
        out.print("nothing emerges: every group of tickets is as large as was to be expected")
    for number, reason in enumerate(report.reasons, start=1):
        mark = "[bold green]evident[/]" if reason.evident else "perhaps"
        words = escape(", ".join(reason.terms)) or "(no word of its own)"
        out.print(
            f"\n[bold]{number}. {escape(reason.id)}[/]  {mark}  [bold]{words}[/]", highlight=False, soft_wrap=True
        )
        out.print(_figures(reason), markup=False, highlight=False, soft_wrap=True)
        for ticket in reason.typical:
            out.print(f"   [{ticket.locale}] {ticket.id}: {ticket.text}", markup=False, highlight=False, soft_wrap=True)
    if report.reasons:
        note("make a draft of one: paretodesk reasons draft CLUSTER --id my_reason --into FOLDER")


def _figures(reason: EmergingReason) -> str:
    parts = [
        f"{reason.size} tickets, {reason.expected:g} expected (score {reason.score:g})",
        f"{reason.undecided} undecided, {reason.corrected} corrected",
        "nearest: " + ", ".join(f"{name} {n}" for name, n in list(reason.nearest.items())[:3]),
        "languages: " + ", ".join(f"{name} {n}" for name, n in reason.languages.items()),
    ]
    if reason.said:
        parts.append("people said: " + ", ".join(f"{name} {n}" for name, n in list(reason.said.items())[:3]))
    parts.append(f"first seen {reason.first_seen}")
    if reason.growth is not None:
        parts.append(f"{reason.growth:+.0%} of its share since {reason.seen_before} tickets before")
    return "   " + "; ".join(parts)
