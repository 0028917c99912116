"""`paretodesk macros fit-policy`: the policy check's sentence model, made anew from its examples."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from kb.knowledge import KnowledgeBase
from kb.policy.examples import STARTER_EXAMPLES, load_examples
from kb.policy.sentence_fitting import Approved, fit
from kb.policy.sentence_model import About, save
from kb.rendering import render_example
from service.console_output import note, out, print_json
from service.settings import load_settings
from service.wiring import encoder_of


def fit_policy(
    write: Annotated[Path | None, typer.Option("--out", help="file to write; only figures when left out")] = None,
    own: Annotated[
        Path | None, typer.Option("--examples", help="folder of further examples, <locale>.jsonl", file_okay=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Fit the sentence model of the policy check; as CONTENT/policy.npz it replaces the shipped one.

    It learns from the shipped examples, those of a folder of your own, and the locked macros of the content folder. The
    figures are those of sentences that were held out.
    """
    settings = load_settings()
    if own is not None and not sorted(own.glob("*.jsonl")):
        raise typer.BadParameter(f"{own} has no <locale>.jsonl", param_hint="--examples")
    examples = load_examples([STARTER_EXAMPLES, *([own] if own else [])])
    approved = [
        Approved(f"macro {macro.id}", render_example(macro).text, macro.locale, macro.fields.kind.value)
        for macro in KnowledgeBase.load(settings.content).macros
        if macro.locked
    ]
    model = fit(examples, approved, encoder_of(settings))
    if write:
        save(model, write)
        note(f"{write}: written; it is used as {settings.content / 'policy.npz'}")
    if json:
        print_json(model.about.model_dump(exclude={"ideas"}))
    else:
        _show(model.about)


def _show(about: About) -> None:
    table = Table("rule", "AP", "found", "right", "found for sure", "right for sure", "warns from", "sure from")
    for rule in about.rules:
        shares = (rule.recall, rule.precision, rule.sure_recall, rule.sure_precision, rule.warn_from, rule.sure_from)
        table.add_row(rule.id, f"{rule.average_precision:.3f}", *(f"{share:.1%}" for share in shares))
    out.print(table)
    out.print(f"{about.learned_from} pieces of text, encoder {about.encoder}, seed {about.seed}, {about.fitted_with}")
