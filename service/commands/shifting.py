"""`paretodesk shift`: which contact reasons move, corrected for the model's errors, and what rings an alarm."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from classifier.taxonomy import Taxonomy
from desk.inbox import Desk
from models.bundle import BundleMissingError
from models.signing import SigningKey
from service.console_output import fail, note, out, print_json, progress_bar
from service.schedule import request_retrain
from service.settings import Settings, load_settings
from service.wiring import open_desk, registry_of
from training.retraining import REASONS_MODEL, load_model
from training.shift import PeriodOfTime, Shift, ShiftError, compare_periods, parse_period
from training.shift.alarms import Alarm, AlarmLimits, alarms_of
from training.shift.estimate import EstimatedShift, estimate_shift
from training.shift.evidence import read_evidence
from training.shift.page import render_shift

ENCODINGS = Path("encodings") / "shift"
"""Folder under the home that keeps vectors from one comparison to the next."""
RUNG = 3
"""Exit code of ``--alarm`` when one rings."""

Json = Annotated[bool, typer.Option("--json", help="print JSON")]


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("shift")(shift)


def shift(
    baseline: Annotated[str, typer.Option(help="quarter (2026Q1), month (2026-01) or days (2026-01-01..2026-02-01)")],
    current: Annotated[str, typer.Option(help="the period to compare with it")],
    channel: Annotated[str | None, typer.Option(help="one channel only")] = None,
    counted: Annotated[bool, typer.Option(help="only count the stored tags; no model reads the tickets again")] = False,
    alarm: Annotated[bool, typer.Option(help="exit with 3 and ask for a retrain when an alarm rings")] = False,
    html: Annotated[Path | None, typer.Option(help="write a self-contained page")] = None,
    json: Json = False,
) -> None:
    """Which contact reasons became more or less frequent between two periods, which changes are real, and why.

    The serving model reads both periods; shares are corrected for its errors. Limits of alarms: PARETODESK_SHIFT_*.
    """
    settings = load_settings()
    if counted and (alarm or html):
        fail(f"--counted leaves out what {'--alarm' if alarm else '--html'} needs; leave out one of the two")
    periods = parse_period(baseline), parse_period(current)
    with open_desk(settings) as desk:
        taxonomy = desk.taxonomy
        estimated, missing = (None, "left out by --counted") if counted else _estimate(settings, desk, periods, channel)
        counts, uncounted = _count(desk, periods, channel, estimated)
    rung = alarms_of(estimated, limits_of(settings)) if estimated else ()
    if estimated and html:
        _write(html, render_shift(estimated, periods[0].label, periods[1].label, rung, taxonomy))
    elif html:
        fail(f"there is no page to write: {missing}")
    if json:
        print_json(_document(periods, counts, estimated, missing, rung))
    else:
        if missing and not counted:
            note(f"only counted, not corrected for the model's errors: {missing}")
        _show(periods, counts, uncounted, estimated, rung, taxonomy)
    if alarm:
        _ring(settings, periods[1], estimated, missing, rung)


def limits_of(settings: Settings) -> AlarmLimits:
    """The alarm limits of the settings."""
    return AlarmLimits(
        settings.shift_change, settings.shift_new_top_five, settings.shift_unfamiliar, settings.shift_accuracy
    )


def _estimate(
    settings: Settings, desk: Desk, periods: tuple[PeriodOfTime, PeriodOfTime], channel: str | None
) -> tuple[EstimatedShift | None, str | None]:
    """The corrected comparison, or why there is none."""
    registry = registry_of(settings)
    if registry.champion(REASONS_MODEL) is None:
        return None, "no model serves; run 'paretodesk train'"
    key = SigningKey.read(settings.signing_key)
    try:
        evidence = read_evidence(registry.read(REASONS_MODEL, key).files)
    except BundleMissingError as error:
        return None, str(error)
    if evidence is None:
        return None, (
            "the serving model was fitted before models kept how they err; "
            "'paretodesk retrain' or 'paretodesk train' makes one that does"
        )
    model, model_id = load_model(registry, key, REASONS_MODEL)
    with progress_bar() as step:
        found = estimate_shift(
            desk, model, model_id, evidence, *periods, channel=channel, cache=settings.home / ENCODINGS, progress=step
        )
    return found, None


def _count(
    desk: Desk,
    periods: tuple[PeriodOfTime, PeriodOfTime],
    channel: str | None,
    estimated: EstimatedShift | None,
) -> tuple[Shift | None, str | None]:
    """The counted comparison; without stored tags the corrected one stands by itself, and it is said why."""
    try:
        return compare_periods(desk, *periods, channel), None
    except ShiftError as error:
        if estimated is None:
            raise
        return None, str(error)


def _document(
    periods: tuple[PeriodOfTime, PeriodOfTime],
    counts: Shift | None,
    estimated: EstimatedShift | None,
    missing: str | None,
    rung: tuple[Alarm, ...],
) -> dict[str, Any]:
    data = counts.to_json() if counts else Shift(*periods, 0, 0, 0, 0, (), 0).to_json()
    return data | {
        "estimate": estimated.to_json() if estimated else None,
        "estimate_missing": missing,
        "alarms": [one.to_json() for one in rung],
    }


def _write(path: Path, page: str) -> None:
    draft = path.with_name(f".{path.name}.draft")
    try:
        draft.write_text(page, encoding="utf-8")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    note(f"written: {path}")


def _ring(
    settings: Settings,
    period: PeriodOfTime,
    estimated: EstimatedShift | None,
    missing: str | None,
    rung: tuple[Alarm, ...],
) -> None:
    if estimated is None:
        fail(f"no alarm can be judged: {missing}")
    if not rung:
        return
    with open_desk(settings) as desk:
        asked = request_retrain(desk, f"shift in {period.label}: {rung[0].message}")
    note("a retrain was asked for; a serving process does it" if asked else "a retrain waits or runs already")
    raise typer.Exit(RUNG)


def _show(
    periods: tuple[PeriodOfTime, PeriodOfTime],
    counts: Shift | None,
    uncounted: str | None,
    estimated: EstimatedShift | None,
    rung: tuple[Alarm, ...],
    taxonomy: Taxonomy,
) -> None:
    if estimated:
        _show_estimate(periods, estimated, taxonomy)
        if counts is None:
            note(f"stored tags were not counted: {uncounted}")
    elif counts:
        _show_counts(counts, taxonomy)
    for one in rung:
        out.print(f"[bold red]alarm:[/] {one.message}", highlight=False)


def _show_estimate(periods: tuple[PeriodOfTime, PeriodOfTime], result: EstimatedShift, taxonomy: Taxonomy) -> None:
    then, now = periods
    table = Table("reason", then.label, now.label, "change", "95% interval", "real?", "itself", "mix", "new", "error")
    for line in result.reasons:
        if line.baseline.high * result.baseline.tickets < 1 and line.current.high * result.current.tickets < 1:
            continue
        why = line.why
        table.add_row(
            _name(line.reason, taxonomy),
            f"{line.baseline.value:.1%}",
            f"{line.current.value:.1%}",
            _points(line.change),
            f"{_points(line.low)} to {_points(line.high)}",
            "yes" if line.real else "",
            *map(_points, (why.within, why.mix, why.new_products + why.new_channels, why.model_error)),
        )
    out.print(table)
    out.print(result.sentence)
    for line in result.reasons:
        if line.real and line.why.drivers:
            named = ", ".join(f"{one.dimension} {one.segment} ({_points(one.change)})" for one in line.why.drivers)
            out.print(f"{_name(line.reason, taxonomy)} changed most in: {named}", markup=False, highlight=False)
    for period, figures in ((then, result.baseline), (now, result.current)):
        accuracy = figures.accuracy
        right = (
            f"; best reason right for an estimated {accuracy.value:.1%} ({accuracy.low:.1%} to {accuracy.high:.1%})"
            if accuracy
            else ""
        )
        out.print(
            f"{period.label}: {figures.tickets:,} tickets, {figures.decided_by_people:,} decided by people{right}; "
            f"the top five hold with probability {figures.set_holds:.2f}, their order with {figures.order_holds:.2f}"
        )
    unfamiliar, drift = result.unfamiliar, result.drift
    out.print(
        f"Unlike anything learned: {unfamiliar.baseline:.1%}, then {unfamiliar.current:.1%} of the tickets. "
        f"Tickets of the same reason read {'differently' if drift.p_within < 0.05 else 'alike'} "
        f"(p = {drift.p_within:.3f})."
    )
    out.print(
        f"Shares are of all tickets, corrected for the errors of {result.model}; changes are in points. Real: beyond "
        "chance after correcting for looking at every reason at once; intervals are not corrected. The change is the "
        "reason itself + mix of channels, marketplaces and languages + new products and channels; error is what "
        "counting would have shown beside it."
    )


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"


def _name(reason: str, taxonomy: Taxonomy) -> str:
    return taxonomy[reason].name("en") if reason in taxonomy else reason


def _show_counts(result: Shift, taxonomy: Taxonomy) -> None:
    table = Table("reason", result.baseline.label, result.current.label, "change", "95% interval", "real?")
    for line in result.reasons:
        table.add_row(
            _name(line.reason, taxonomy),
            f"{line.baseline_share:.1%} ({line.baseline_count})",
            f"{line.current_share:.1%} ({line.current_count})",
            f"{100 * line.change:+.1f} points",
            f"{100 * line.low:+.1f} to {100 * line.high:+.1f}",
            "yes" if line.significant else "",
        )
    out.print(table)
    out.print(result.sentence)
    out.print("Real: beyond chance after correcting for looking at every reason at once; intervals are not corrected.")
