"""`paretodesk kb` and `paretodesk macros`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.table import Table

from kb.articles import Audience
from kb.index import IndexLockedError, KnowledgeIndex
from kb.knowledge import KnowledgeBase
from kb.policy import check_file
from service.console_output import note, out, print_json, progress_bar
from service.settings import load_settings
from service.wiring import encoder_of

Json = Annotated[bool, typer.Option("--json", help="print JSON")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    kb = typer.Typer(help="Articles: index, check and search.", no_args_is_help=True)
    kb.command("sync")(sync)
    kb.command("check")(check)
    kb.command("search")(search)
    app.add_typer(kb, name="kb")
    macros = typer.Typer(help="Macros and other messages: policy check.", no_args_is_help=True)
    macros.command("check")(check_messages)
    app.add_typer(macros, name="macros")


def sync(
    folder: Annotated[Path | None, typer.Argument(help="content folder; the configured one when left out")] = None,
) -> None:
    """Read articles and macros and bring the index up to date with the approved ones."""
    settings = load_settings(content=folder)
    knowledge = KnowledgeBase.load(settings.content)
    with KnowledgeIndex.open(settings.index, encoder_of(settings)) as index, progress_bar() as step:
        rebuilt = knowledge.sync(index, lambda done, total: step("indexing passages", done, total))
    out.print(
        f"{len(knowledge.articles)} articles, {len(knowledge.macros)} macros; {rebuilt.passages} passages indexed"
        + (f", {rebuilt.encoded} of them new" if rebuilt.changed else ", nothing changed")
    )


def check(json: Json = False) -> None:
    """Find what is missing or stale: locales, approvals, links, review dates. Exit code 1 with findings."""
    settings = load_settings()
    findings = KnowledgeBase.load(settings.content).check(date.today())
    if json:
        print_json([finding.to_json() for finding in findings])
    else:
        for finding in findings:
            out.print(str(finding), markup=False, highlight=False)
        out.print(f"{len(findings)} findings")
    if findings:
        raise typer.Exit(1)


def search(
    question: Annotated[str, typer.Argument(help="what a customer asks")],
    locale: Annotated[str, typer.Option(help="language of the answer")] = "en",
    marketplace: Annotated[str | None, typer.Option(help="only what holds there")] = None,
    k: Annotated[int, typer.Option("-k", min=1, max=20, help="answers at most")] = 3,
    explain: Annotated[bool, typer.Option(help="show why")] = False,
    json: Json = False,
) -> None:
    """Passages that answer a question, best first; none where nothing does."""
    settings = load_settings()
    knowledge = KnowledgeBase.load(settings.content)
    with _own_index(settings.index, knowledge):
        found = knowledge.search(question, locale, audience=Audience.CUSTOMER, marketplace=marketplace, k=k)
    if json:
        print_json([result.to_json(explain) for result in found])
        return
    if not found:
        out.print("nothing answers this")
        return
    for result in found:
        row = result.to_json(explain)
        fallback = f", in {result.fallback}" if result.fallback else ""
        out.print(f"[bold]{result.passage.title}[/] / {result.passage.heading} ({result.probability:.0%}{fallback})")
        out.print(result.passage.text, markup=False)
        if explain:
            out.print(row["explain"])
        out.print()


@contextmanager
def _own_index(folder: Path, knowledge: KnowledgeBase) -> Iterator[None]:
    """Search in the index; in a copy made for the moment while a running service owns it."""
    encoder = encoder_of(load_settings())
    try:
        index = KnowledgeIndex.open(folder, encoder)
    except IndexLockedError:
        note("the index is in use by a running service; searching in a copy made now")
        with TemporaryDirectory() as copy, KnowledgeIndex.open(Path(copy), encoder) as index:
            knowledge.sync(index)
            yield
        return
    with index:
        knowledge.sync(index)
        yield


def check_messages(
    files: Annotated[list[Path], typer.Argument(help="text files; may start with 'Subject: ...' and an empty line")],
    marketplace: Annotated[str, typer.Option(help="whose rules")] = "amazon",
    kind: Annotated[str, typer.Option(help="reply or proactive")] = "reply",
    locale: Annotated[str | None, typer.Option(help="the buyer's language")] = None,
    json: Json = False,
) -> None:
    """Check messages against a marketplace's rules. Exit code 1 when one is blocked."""
    checked = [check_file(path, marketplace=marketplace, kind=kind, locale=locale) for path in files]
    if json:
        print_json([violation for file in checked for violation in file.to_json()])
    else:
        table = Table("file", "rule", "severity", "text", "message", "remedy")
        for file in checked:
            for row in file.to_json():
                table.add_row(*(str(row[key]) for key in ("file", "rule", "severity", "span", "message", "remedy")))
        out.print(table if table.row_count else "no rule is broken")
    if any(file.blocked for file in checked):
        raise typer.Exit(1)
