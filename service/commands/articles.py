"""`paretodesk kb evaluate`, `kb fit-search` and `kb import`: work on articles and on the search that finds them."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from classifier.datafile import load_yaml
from classifier.encoders import Vectors
from classifier.taxonomy import starter_taxonomy
from kb.evaluation import OURS, Found, SearchReport, Share
from kb.evaluation import evaluate as measure
from kb.export_map import ExportMap
from kb.fitting import as_yaml, fit
from kb.importing import import_articles
from kb.knowledge import KnowledgeBase
from kb.questions import Part, load_questions, of_part
from kb.search import HybridSearch
from kb.search_settings import SearchSettings
from service.console_output import note, out, print_json
from service.indexing import own_index
from service.settings import load_settings
from service.wiring import encoder_of

Json = Annotated[bool, typer.Option("--json", help="print JSON")]

_CURVE_SHOWN = 2
"""Of the thresholds of the curve every second one is printed; the JSON has all."""


def evaluate(
    questions: Annotated[
        Path | None, typer.Option(help="folder of <locale>.jsonl files; the content folder's questions when left out")
    ] = None,
    part: Annotated[Part, typer.Option(help="the questions to measure on")] = Part.TEST,
    json: Json = False,
) -> None:
    """How often search finds the right article, and how well it knows when none answers; on questions held out."""
    settings = load_settings()
    knowledge = KnowledgeBase.load(settings.content)
    asked = of_part(load_questions(questions) if questions else knowledge.questions, part)
    encoder = encoder_of(settings)
    with own_index(settings, encoder, knowledge) as index:
        ids, rows = index.vectors()
    vectors: dict[str, Vectors] = dict(zip(ids, rows, strict=True))
    without_known = HybridSearch(knowledge.passages, vectors, encoder, knowledge.search_settings)
    report = measure(asked, part, knowledge.passages, vectors, knowledge.hybrid, without_known)
    if json:
        print_json(report.to_json())
    else:
        _show(report)


def fit_search(
    write: Annotated[Path | None, typer.Option("--out", help="file to write; printed when left out")] = None,
) -> None:
    """Fit search's weights on the development questions; as CONTENT/search.yaml they replace the shipped ones."""
    settings = load_settings()
    knowledge = KnowledgeBase.load(settings.content)
    encoder = encoder_of(settings)
    with own_index(settings, encoder, knowledge) as index:
        ids, rows = index.vectors()
    vectors: dict[str, Vectors] = dict(zip(ids, rows, strict=True))
    known = knowledge.known_questions

    def searcher(weighed: SearchSettings, profile: str) -> HybridSearch:
        return HybridSearch(
            knowledge.passages,
            None if profile == "lexical" else vectors,
            encoder,
            weighed,
            known if profile == "asked" else (),
        )

    text = as_yaml(fit(known, searcher, knowledge.search_settings))
    if write:
        write.write_text(text, encoding="utf-8")
        note(f"{write}: written; measure it with `paretodesk kb evaluate`")
    else:
        typer.echo(text, nl=False)


def import_export(
    source: Annotated[Path, typer.Argument(exists=True, help="an exported HTML or Markdown file, or a folder of them")],
    mapping: Annotated[Path, typer.Option(help="YAML file that says where title, body, locale and reason stand")],
    to: Annotated[Path, typer.Option("--out", help="folder of articles, as CONTENT/articles")],
    force: Annotated[bool, typer.Option(help="write over articles that are there already")] = False,
    json: Json = False,
) -> None:
    """Turn the export of a help centre into draft articles. Exit code 1 when a file could not be used."""
    imported = import_articles(
        source, load_yaml(mapping, ExportMap), to, starter_taxonomy(), today=date.today(), force=force
    )
    refused = [one for one in imported if one.target is None]
    if json:
        print_json([one.to_json() for one in imported])
    else:
        for one in imported:
            for line in one.problems or (f"{one.source}: written to {one.target}",):
                out.print(line, markup=False, highlight=False, soft_wrap=True)
        out.print(f"{len(imported) - len(refused)} drafts written, {len(refused)} files not used")
    if refused:
        raise typer.Exit(1)


def _show(report: SearchReport) -> None:
    out.print(f"{report.questions} questions of the {report.part} part; shares with their 95% Wilson interval")
    table = Table("method", "recall@1", "recall@3", "MRR", "questions")
    for found in report.methods:
        table.add_row(*_row(found.method, found))
    for locale, found in report.locales.items():
        table.add_row(*_row(f"{OURS}, {locale}", found))
    out.print(table)
    out.print(f"first right where dense search alone is not: {report.won}; the other way round: {report.lost}")
    curve = Table("answered from probability", "questions answered", "answers right")
    for point in (report.in_force, *report.curve[::_CURVE_SHOWN]):
        name = f"{point.threshold:.2f}" + (" (in force)" if point is report.in_force else "")
        curve.add_row(name, _share(point.coverage), _share(point.precision))
    out.print(curve)
    out.print(f"answerable against unanswerable, AUROC {report.auroc:.3f}; calibration error (ECE) {report.ece:.3f}")


def _row(name: str, found: Found) -> tuple[str, ...]:
    return name, _share(found.recall_at_1), _share(found.recall_at_3), f"{found.mrr:.3f}", str(found.recall_at_1.of)


def _share(share: Share) -> str:
    return f"{share.value:.3f} ({share.low:.2f}-{share.high:.2f})" if share.of else "-"
