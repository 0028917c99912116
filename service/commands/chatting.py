"""`paretodesk chat` and `paretodesk chat test`: talk to the bot in the terminal, or let scripted customers do it."""

from __future__ import annotations

import time
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from bot.rehearsal import rehearse
from bot.rehearsal_report import Figures, RehearsalReport, report_on, transcript
from bot.script import Topic
from bot.script_files import STARTER_SCRIPTS, Scripts, load_scripts
from kb.knowledge import KnowledgeBase
from service.console_output import fail, note, out, print_json, progress_bar
from service.indexing import own_index
from service.served_macros import ServedMacros
from service.settings import load_settings
from service.wiring import encoder_of, open_macros, open_services, tagger_of

RESOLVED_FROM, WRONG_AT_MOST = 0.7, 0.1
"""Limits on self-service conversations; what the shipped ones reach is in docs/conversations.md."""


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    group = typer.Typer(invoke_without_command=True)
    group.callback()(chat)
    group.command("test")(play)
    app.add_typer(group, name="chat")


def chat(
    context: typer.Context,
    locale: Annotated[str, typer.Option(help="language to start in")] = "en",
    site: Annotated[str, typer.Option(help="site the customer is on")] = "demo",
) -> None:
    """Chat as a customer would; an empty line or Ctrl-D ends. Hand-offs become tickets in the console."""
    if context.invoked_subcommand:
        return
    with open_services(load_settings(), serving=False) as services:
        started = services.conversations.start(site, locale)
        data = started.to_json()
        _say(data["messages"])
        while True:
            try:
                text = input("> ").encode("utf-8", "replace").decode("utf-8").strip()
            except EOFError:
                break
            if not text:
                break
            turn = services.conversations.say(data["session_id"], data["token"], text).to_json()
            _say(turn["messages"])
            for choice in turn.get("choices", []):
                out.print(f"  [{choice['value']}] {choice['label']}", markup=False)
            if ticket := turn.get("ticket_id"):
                out.print(f"(ticket {ticket})", markup=False)


def play(
    folder: Annotated[
        Path, typer.Argument(help="folder of scripted conversations (YAML)", show_default="the shipped ones")
    ] = STARTER_SCRIPTS,
    locale: Annotated[str | None, typer.Option(help="only conversations in this language")] = None,
    tag: Annotated[Topic | None, typer.Option(help="only conversations with this tag")] = None,
    only: Annotated[str | None, typer.Option(help="only the conversation with this id")] = None,
    resolved_from: Annotated[
        float, typer.Option(min=0, max=1, help="share of self-service that must be resolved")
    ] = RESOLVED_FROM,
    wrong_at_most: Annotated[
        float, typer.Option(min=0, max=1, help="share of its answers that may be wrong")
    ] = WRONG_AT_MOST,
    transcripts: Annotated[bool, typer.Option(help="print what was said, of all that were played")] = False,
    json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Play scripted conversations with the bot as it serves now. Exit code 1 when an expectation or a limit fails.

    Each has a desk of its own that is thrown away; no ticket reaches yours.
    """
    settings = load_settings()
    knowledge = KnowledgeBase.load(settings.content)
    scripts = _chosen(load_scripts(folder, knowledge), locale, tag, only)
    encoder = encoder_of(settings)
    tagger = tagger_of(settings, encoder)
    if tagger.problem:
        fail(f"the bot answers nothing without a model: {tagger.problem}")
    began = time.monotonic()
    with own_index(settings, encoder, knowledge), open_macros(settings) as library:
        if library.macros():
            knowledge.serve_macros(ServedMacros(library))
        with nullcontext(lambda *_: None) if json else progress_bar() as step:
            verdicts = rehearse(
                scripts, tagger, knowledge, shop=settings.shop, step=lambda done, of: step("conversations", done, of)
            )
    report = report_on(verdicts)
    seconds = round(time.monotonic() - began, 1)
    if json:
        print_json({**report.to_json(), "model": tagger.model_id, "seconds": seconds})
    else:
        _show(report, transcripts=transcripts)
        note(f"model {tagger.model_id}, {seconds} s")
    beyond = _beyond(report, resolved_from, wrong_at_most)
    for line in beyond:
        note(line)
    if beyond or not report.ok:
        raise typer.Exit(1)


def _beyond(report: RehearsalReport, resolved_from: float, wrong_at_most: float) -> list[str]:
    """Limits on self-service that are not kept, as sentences."""
    figures = report.topics.get(Topic.SELF_SERVICE)
    if figures is None:
        return []
    found = []
    if figures.resolved.value < resolved_from:
        found.append(f"{figures.resolved.value:.0%} of self-service was resolved, the limit is {resolved_from:.0%}")
    if figures.wrong.of and figures.wrong.value > wrong_at_most:
        found.append(f"{figures.wrong.value:.1%} of its answers were wrong, the limit is {wrong_at_most:.1%}")
    return found


def _chosen(scripts: Scripts, locale: str | None, tag: Topic | None, only: str | None) -> Scripts:
    chosen = tuple(
        placed
        for placed in scripts.conversations
        if locale in (None, placed.script.locale)
        and (tag is None or tag in placed.script.tags)
        and only in (None, placed.script.id)
    )
    if not chosen:
        asked = ", ".join(
            f"--{name} {value}" for name, value in (("locale", locale), ("tag", tag), ("only", only)) if value
        )
        fail(f"no conversation fits {asked}; there are {len(scripts.conversations)} without it")
    return Scripts(chosen, scripts.orders)


def _show(report: RehearsalReport, *, transcripts: bool) -> None:
    table = Table(
        "conversations", "of", "passed", "failed", "known gaps", "resolved", "answers", "wrong", "needless tickets",
        "human-only answered", "disclosed", "loops",
    )  # fmt: skip
    for name, figures in report.topics.items():
        _row(table, name, figures)
    table.add_section()
    for name, figures in report.locales.items():
        _row(table, name, figures)
    table.add_section()
    _row(table, "all", report.total)
    for verdict in report.verdicts if transcripts else ():
        out.print(f"[bold]{verdict.placed.script.id}[/] {escape(verdict.placed.at())}", highlight=False)
        for line in transcript(verdict):
            out.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
    out.print(table)
    for verdict in report.verdicts:
        script = verdict.placed.script
        if not verdict.passed:
            title = "known gap" if script.known_gap else "failed"
            out.print(f"[bold]{title}[/] {script.id}: {escape(script.known_gap or script.purpose)}", highlight=False)
        for line in (*verdict.faults, *verdict.misses):
            out.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
    for verdict in report.closed_gaps:
        note(f"{verdict.placed.at()}: {verdict.placed.script.id} passes now; remove its known_gap")


def _row(table: Table, name: str, figures: Figures) -> None:
    resolved, wrong = figures.resolved, figures.wrong
    table.add_row(
        name,
        *(str(n) for n in (figures.conversations, figures.passed, figures.failed, figures.known_gaps)),
        f"{resolved.value:.0%} of {resolved.of}" if resolved.of else "",
        str(figures.answers),
        f"{round(wrong.value * wrong.of)} ({wrong.value:.1%})" if wrong.of else "",
        *map(str, (figures.needless_tickets, figures.human_only_answers, figures.disclosures, figures.loops)),
    )


def _say(messages: list[dict[str, Any]]) -> None:
    for message in messages:
        out.print(message["text"], markup=False, highlight=False)
