"""`paretodesk training-pack`: what agents learn a contact reason from, as Markdown and as a page to print."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from desk.inbox import Desk
from desk.macro_library import MacroLibrary
from desk.metrics.macros import macro_report
from desk.metrics.scope import Scope, Window
from desk.top_reasons import TopReasons, top_reasons
from kb.knowledge import KnowledgeBase
from service.console_output import fail, note, out, print_json, progress_bar
from service.settings import load_settings
from service.windows import newest_window
from service.wiring import encoder_of, open_desk, orders_of
from training.corpus import STARTER_CORPUS, load_corpus
from training.packs import LANGUAGES, Pack, PackSources, compose, render_html, render_markdown
from training.packs.compose import Volume
from training.shift import parse_period

MOST = 29
"""Reasons of a taxonomy of ours, more or less; nobody prints more packs at once."""


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("training-pack")(training_pack)


def training_pack(
    into: Annotated[Path, typer.Option(help="folder for the packs; made where it is missing")],
    reason: Annotated[
        list[str] | None, typer.Option(help="contact reason; may be repeated; the top five when left out")
    ] = None,
    top: Annotated[int, typer.Option(min=1, max=MOST, help="so many of the most frequent reasons")] = 5,
    quarter: Annotated[
        str | None, typer.Option(help="period such as 2026Q4 or 2026-11; the newest 90 days when left out")
    ] = None,
    language: Annotated[
        list[str] | None, typer.Option(help=f"{' or '.join(LANGUAGES)}; may be repeated; all when left out")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print what was written, with all contents, as JSON")] = False,
) -> None:
    """Write a training pack per contact reason: policy, macros, five real tickets, mistakes and a quiz."""
    languages = tuple(dict.fromkeys(language or LANGUAGES))
    if unknown := [one for one in languages if one not in LANGUAGES]:
        fail(f"--language {unknown[0]}: packs are written in {' and '.join(LANGUAGES)}")
    if into.exists() and not into.is_dir():
        fail(f"--into {into}: is a file; name a folder")
    settings = load_settings()
    with open_desk(settings) as desk:
        start, end = _window(desk, quarter)
        report = top_reasons(desk, desk.taxonomy, start, end)
        wanted = list(dict.fromkeys(reason or [line.reason for line in report.reasons if line.count][:top]))
        if not wanted:
            holds = desk.coverage()
            span = f"it holds tickets from {holds.first:%Y-%m-%d} to {holds.last:%Y-%m-%d}" if holds.first else (
                "it is empty")  # fmt: skip
            fail(
                f"no ticket from {start} to {end} has a reason, so there is no top {top}; the desk: {span}. Name a "
                "contact reason with --reason, or another period with --quarter"
            )
        knowledge = KnowledgeBase.load(settings.content)
        sources = PackSources(
            desk,
            orders_of(settings, desk.database),
            MacroLibrary(desk.database, desk.taxonomy).locked() or knowledge.macros,
            knowledge.articles,
            lambda: load_corpus(STARTER_CORPUS, desk.taxonomy),
            lambda: encoder_of(settings),
        )
        uses = _uses(desk, start, end)
        packs: list[Pack] = []
        with progress_bar() as step:
            total = len(wanted) * len(languages)
            for one in wanted:
                for locale in languages:
                    step("training packs", len(packs), total)
                    packs.append(compose(sources, one, locale, start, end, volume=_volume(report, one), uses=uses))
            step("training packs", total, total)
    files = _write(packs, into)
    if json:
        print_json([{"files": [str(file) for file in files[pack.reason, pack.language]], **pack.to_json()}
                    for pack in packs])  # fmt: skip
        return
    for pack in packs:
        real = sum(case.from_desk for case in pack.cases)
        out.print(
            f"{pack.name} ({pack.language}): {real} of {len(pack.cases)} tickets from the desk, "
            f"{len(pack.macros)} macros, {len(pack.quiz)} questions",
            markup=False, highlight=False,
        )  # fmt: skip
        for file in files[pack.reason, pack.language]:
            note(f"written to {file}")


def _window(desk: Desk, quarter: str | None) -> tuple[date, date]:
    if quarter is None:
        return newest_window(desk)
    period = parse_period(quarter)
    return period.start, period.end


def _uses(desk: Desk, start: date, end: date) -> Mapping[str, int]:
    """How often each macro was sent in tickets of the window."""
    uses: dict[str, int] = {}
    for line in macro_report(desk.database, desk.taxonomy, Scope(Window(start, end))).lines:
        uses[line.macro] = uses.get(line.macro, 0) + line.used
    return uses


def _volume(report: TopReasons, reason: str) -> Volume:
    line = next((line for line in report.reasons if line.reason == reason), None)
    return Volume(line.count, line.share, line.rank) if line and line.count else Volume()


def _write(packs: list[Pack], into: Path) -> dict[tuple[str, str], list[Path]]:
    """Every file as a draft first, so that a failure leaves no half of them behind."""
    into.mkdir(parents=True, exist_ok=True)
    files: dict[tuple[str, str], list[Path]] = {}
    with _drafts(into) as drafts:
        for pack in packs:
            for suffix, text in (("md", render_markdown(pack)), ("html", render_html(pack))):
                file = into / f"{pack.reason}.{pack.language}.{suffix}"
                draft = into / f".{file.name}.draft-{os.getpid()}"
                drafts[draft] = file
                draft.write_text(text, encoding="utf-8")
                files.setdefault((pack.reason, pack.language), []).append(file)
        for draft, file in drafts.items():
            draft.replace(file)
    return files


@contextmanager
def _drafts(into: Path) -> Iterator[dict[Path, Path]]:
    drafts: dict[Path, Path] = {}
    try:
        yield drafts
    finally:
        for draft in drafts:
            draft.unlink(missing_ok=True)
