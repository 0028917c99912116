"""`paretodesk kb` and `paretodesk macros`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from kb.articles import Audience
from kb.health import Level
from kb.knowledge import KnowledgeBase
from kb.policy import check_file, marketplaces
from kb.search_result import SearchResult
from service.commands import articles
from service.console_output import out, print_json, progress_bar
from service.indexing import open_index, own_index
from service.settings import load_settings
from service.wiring import encoder_of, open_desk, sentences_of, take_in_macros

Json = Annotated[bool, typer.Option("--json", help="print JSON")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    kb = typer.Typer(help="Articles: index, check and search.", no_args_is_help=True)
    kb.command("sync")(sync)
    kb.command("check")(check)
    kb.command("search")(search)
    kb.command("evaluate")(articles.evaluate)
    kb.command("fit-search")(articles.fit_search)
    kb.command("import")(articles.import_export)
    app.add_typer(kb, name="kb")


def sync(
    folder: Annotated[Path | None, typer.Argument(help="content folder; the configured one when left out")] = None,
    verify: Annotated[bool, typer.Option(help="audit the index in another process; rebuild a bad one")] = False,
    json: Json = False,
) -> None:
    """Bring the index up to date with the approved articles and the macro library with the content files."""
    settings = load_settings(content=folder)
    knowledge = KnowledgeBase.load(settings.content)
    with open_index(settings, encoder_of(settings), verify=verify) as index, progress_bar() as step:
        rebuilt = knowledge.sync(index, lambda done, total: step("indexing passages", done, total))
    with open_desk(settings) as desk:
        take_in_macros(desk, knowledge)
    if json:
        counts = {"articles": len(knowledge.articles), "macros": len(knowledge.macros)}
        print_json({**counts, **asdict(rebuilt)})
        return
    out.print(
        f"{len(knowledge.articles)} articles, {len(knowledge.macros)} macros; {rebuilt.passages} passages indexed"
        + (f", {rebuilt.encoded} of them new" if rebuilt.changed else ", nothing changed")
    )


def check(json: Json = False) -> None:
    """Find what is missing, stale or never found: locales, approvals, links, reviews. Exit code 1 with errors."""
    settings = load_settings()
    knowledge = KnowledgeBase.load(settings.content)
    with own_index(settings, encoder_of(settings), knowledge):
        findings = knowledge.check(date.today())
    errors = sum(finding.level is Level.ERROR for finding in findings)
    if json:
        print_json([finding.to_json() for finding in findings])
    else:
        for finding in findings:
            out.print(f"{finding.level}: {finding}", markup=False, highlight=False)
        out.print(f"{errors} errors, {len(findings) - errors} warnings")
    if errors:
        raise typer.Exit(1)


def search(
    question: Annotated[str, typer.Argument(help="what a customer asks")],
    locale: Annotated[str, typer.Option(help="language of the answer")] = "en",
    marketplace: Annotated[str | None, typer.Option(help="only what holds there")] = None,
    audience: Annotated[Audience, typer.Option(help="who asks; agents see more")] = Audience.CUSTOMER,
    k: Annotated[int, typer.Option("-k", min=1, max=20, help="answers at most")] = 3,
    explain: Annotated[bool, typer.Option(help="show why")] = False,
    json: Json = False,
) -> None:
    """Passages that answer a question, best first; none where nothing does."""
    settings = load_settings()
    knowledge = KnowledgeBase.load(settings.content)
    with own_index(settings, encoder_of(settings), knowledge):
        found = knowledge.search(question, locale, audience=audience, marketplace=marketplace, k=k)
        nearest = knowledge.hybrid.ranked(question, locale, audience=audience, marketplace=marketplace, k=k)
        answer_from = knowledge.hybrid.settings.answer_from
    if json:
        print_json([result.to_json(explain) for result in found])
        return
    if not found:
        out.print("nothing answers this")
        if explain and nearest:
            out.print(f"Nearest; a passage is an answer from a probability of {answer_from:.0%} on:\n")
    for result in found or (nearest if explain else []):
        fallback = f", in {result.fallback}" if result.fallback else ""
        heading = escape(f"{result.passage.title} / {result.passage.heading}")
        out.print(f"[bold]{heading}[/] ({result.probability:.0%}{fallback})")
        out.print(result.passage.text, markup=False)
        if explain:
            for line in _why(result):
                out.print(f"  {line}", markup=False, highlight=False)
        out.print()


def _why(result: SearchResult) -> Iterator[str]:
    parts, weights = result.parts, result.parts.weights
    yield f"score {result.score:.3f}, of {weights.dense:.0%} meaning, {weights.asked:.0%} known questions, " + (
        f"{weights.lexical:.0%} words"
    )
    yield f"meaning {parts.cosine:.3f} (cosine)"
    if parts.asked is not None:
        yield f"nearest known question {parts.asked:.3f}; one that no article answers {parts.unanswered:+.3f}"
    yield f"words {parts.lexical:.3f}: {', '.join(parts.terms) or 'none in common'}"
    yield f"ahead of any other article by {parts.margin:+.3f}"
    scope = parts.scope
    yield f"among {parts.passages} passages in '{scope.locale}' for {scope.audience}s on {scope.marketplace or 'any'}"
    if result.fallback:
        yield f"in the fallback language '{result.fallback}', because nothing in the language asked for answers"


def check_messages(
    files: Annotated[list[Path], typer.Argument(help="text files; may start with 'Subject: ...' and an empty line")],
    marketplace: Annotated[str, typer.Option(help="whose rules: amazon, ebay, walmart or generic")] = "amazon",
    kind: Annotated[str, typer.Option(help="reply or proactive")] = "reply",
    locale: Annotated[str | None, typer.Option(help="the buyer's language")] = None,
    rules_only: Annotated[bool, typer.Option("--rules-only", help="without the sentence model")] = False,
    json: Json = False,
) -> None:
    """Check messages against a marketplace's rules, and by the sentence model. Exit code 1 when one is blocked."""
    if marketplace not in marketplaces():
        known = ", ".join(marketplaces())
        raise typer.BadParameter(
            f"there are no rules for {marketplace!r}; choose one of: {known}", param_hint="--marketplace"
        )
    settings = load_settings()
    sentences = None if rules_only else sentences_of(settings, lambda: encoder_of(settings))
    checked = [
        check_file(path, marketplace=marketplace, kind=kind, locale=locale, sentences=sentences) for path in files
    ]
    if json:
        print_json([violation for file in checked for violation in file.to_json()])
    else:
        table = Table("file", "rule", "severity", "text", "found by", "message", "remedy")
        for file in checked:
            for row in file.to_json():
                sure = "" if row["probability"] is None else f" ({row['probability']:.0%})"
                found = {**row, "found_by": f"{row['found_by']}{sure}"}
                shown = ("file", "rule", "severity", "span", "found_by", "message", "remedy")
                table.add_row(*(escape(str(found[key])) for key in shown))
        out.print(table if table.row_count else "no rule is broken")
    if any(file.blocked for file in checked):
        raise typer.Exit(1)
