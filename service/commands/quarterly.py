"""`paretodesk report quarterly`: the quarter on one page for a support lead and an engineer."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from desk.inbox import Desk
from desk.macro_library import MacroLibrary
from kb.knowledge import KnowledgeBase
from models.signing import SigningKey
from service.console_output import fail, note, out, print_json
from service.settings import Settings, load_settings
from service.wiring import open_desk, registry_of
from training.quarterly import ModelStore, Quarterly, measure, read_given, render, tracked_emerging
from training.quarterly.measuring import quarter_of
from training.retraining import REASONS_MODEL

JsonFile = Path | None


def report_quarterly(
    quarter: Annotated[str, typer.Option(help="the quarter, such as 2026Q4")],
    html: Annotated[Path | None, typer.Option(help="write a self-contained page")] = None,
    shift: Annotated[JsonFile, typer.Option(help="file with what `shift --json` printed for this quarter")] = None,
    emerging: Annotated[JsonFile, typer.Option(help="file with what `reasons emerging --json` printed")] = None,
    labels: Annotated[JsonFile, typer.Option(help="file with what `labels audit --json` printed")] = None,
    json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Top five, movement, causes, handle time, macros, deflection, service, model, labels, and decisions to take."""
    settings = load_settings()
    days = quarter_of(quarter, datetime.now(UTC).date())
    with open_desk(settings) as desk:
        names = {reason.id: reason.name("en") for reason in desk.taxonomy}
        given = read_given(shift, emerging, labels, days.start, days.end, lambda reason: names.get(reason, reason))
        if emerging is None:
            given = replace(given, emerging=tracked_emerging(settings.home, days.start, days.end))
        report = measure(desk, days, given, _store(settings), _locked_macros(desk, settings))
    if html:
        _write(html, render(report))
    if json:
        print_json(report.to_json())
    elif not html:
        _show(report)


def _store(settings: Settings) -> ModelStore | None:
    """The model's versions; None before the first one is trained."""
    registry = registry_of(settings)
    if registry.champion(REASONS_MODEL) is None:
        return None
    return ModelStore(registry, SigningKey.read(settings.signing_key), REASONS_MODEL)


def _locked_macros(desk: Desk, settings: Settings) -> Counter[str]:
    """Macros that serve, by reason; a macro in several languages counts once."""
    locked = MacroLibrary(desk.database, desk.taxonomy).locked()
    if not locked:
        locked = [macro for macro in KnowledgeBase.load(settings.content).macros if macro.locked]
    return Counter(reason for reason, _ in {(macro.reason, macro.id) for macro in locked})


def _show(report: Quarterly) -> None:
    for sentence in report.sentences:
        out.print(f"- {sentence}", markup=False, highlight=False)
    if report.decisions:
        out.print("\nDecisions to take:")
    for number, one in enumerate(report.decisions, start=1):
        out.print(f"{number}. {one.title} ({one.owner})", markup=False, highlight=False, style="bold")
        out.print(f"   {one.evidence}\n   To do: {one.action}", markup=False, highlight=False)


def _write(file: Path, text: str) -> None:
    """The whole page or none."""
    draft = file.with_name(f".{file.name}.draft-{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(file)
    except OSError as error:
        draft.unlink(missing_ok=True)
        fail(f"{file} cannot be written: {error.strerror}")
    note(f"written to {file}")
