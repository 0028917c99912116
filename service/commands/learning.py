"""`paretodesk train` and `evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from classifier.encoders import MINILM, UNIVERSAL, encoder_by_name
from classifier.taxonomy import Autonomy, starter_taxonomy
from models.bundle import CARD
from models.registry import Registry
from models.signing import SigningKey
from service.commands.model_figures import show_evaluation, show_verdict
from service.console_output import fail, note, out, print_json, progress_bar
from service.settings import load_settings
from service.wiring import registry_of
from training.corpus import STARTER_CORPUS, Example, as_labelled, load_corpus, load_labelled
from training.evaluation import evaluate, evaluate_with_unknown
from training.finetuning import MINUTES, adapted
from training.fitting import Settings as FitSettings
from training.retraining import REASONS_MODEL, Outcome, load_model, train_any
from training.retraining import retrain as fit_and_judge

PROFILES = {"fast": UNIVERSAL, "accurate": f"{UNIVERSAL}+{MINILM}"}
ENCODINGS = "encodings"
"""Folder under the home that keeps vectors from one training to the next."""
ENCODERS = "encoders"
"""Folder under the home that holds adapted encoders."""

Json = Annotated[bool, typer.Option("--json", help="print JSON")]
Name = Annotated[str, typer.Option(help="name of the model")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("train")(train)
    app.command("evaluate")(evaluate_command)


def train(
    data: Annotated[Path | None, typer.Option(help="CSV or JSON Lines; the starter corpus when left out")] = None,
    text: Annotated[str, typer.Option(help="column with the text")] = "text",
    label: Annotated[str, typer.Option(help="column with the label")] = "label",
    name: Name = REASONS_MODEL,
    encoder: Annotated[str | None, typer.Option(help="encoder by name or path; overrides the profile")] = None,
    profile: Annotated[
        str, typer.Option(help="fast (no torch) or accurate (adds MiniLM: better in English, needs torch)")
    ] = "fast",
    finetune: Annotated[
        bool, typer.Option("--finetune", help="adapt the sentence-transformers encoder to the texts first, if it helps")
    ] = False,
    minutes: Annotated[float, typer.Option(min=0.1, help="of wall clock that --finetune may take")] = MINUTES,
    json: Json = False,
) -> None:
    """Fit a model: on the starter corpus, or on any labelled text set with --data, --text, --label and --name."""
    settings = load_settings()
    if profile not in PROFILES:
        fail(f"profile '{profile}' is unknown; choose {' or '.join(PROFILES)}")
    if data is not None and name == REASONS_MODEL:
        fail(f"the name '{REASONS_MODEL}' is kept for contact reasons; choose another with --name")
    used = encoder_by_name(encoder or PROFILES[profile], settings.threads or None)
    key, registry = SigningKey.read_or_create(settings.signing_key), registry_of(settings)
    examples = load_labelled(data, text, label) if data else load_corpus(STARTER_CORPUS, starter_taxonomy())
    with progress_bar() as step:
        if finetune:
            # frozen tickets are only measured on; a set of somebody else has none
            learned = as_labelled([e for e in examples if data or not e.frozen])
            used, told = adapted(
                used, learned, settings.home / ENCODERS, seed=FitSettings.seed, minutes=minutes, progress=step
            )
            note(told.sentence)
        if data is None:
            outcome = fit_and_judge(
                examples, used, registry, key, name=name, human_only=_human_only(), progress=step,
                replace_unreadable=True, cache=settings.home / ENCODINGS,
            )  # fmt: skip
        else:
            outcome = train_any(examples, used, registry, key, name, step, settings.home / ENCODINGS)
    _tell(outcome, registry, json)


def evaluate_command(
    data: Annotated[Path | None, typer.Option(help="CSV or JSON Lines; the frozen starter set when left out")] = None,
    text: Annotated[str, typer.Option(help="column with the text")] = "text",
    label: Annotated[str, typer.Option(help="column with the label")] = "label",
    model: Annotated[str, typer.Option(help="name of the model")] = REASONS_MODEL,
    version: Annotated[str | None, typer.Option(help="version; the serving one when left out")] = None,
    unknown: Annotated[str | None, typer.Option(help="label of rows that belong to no label of the model")] = None,
    json: Json = False,
) -> None:
    """Measure a model on labelled texts that it has not learned from."""
    settings = load_settings()
    if data is None and model != REASONS_MODEL:
        fail(f"--data is needed to evaluate '{model}'")
    loaded, model_id = load_model(registry_of(settings), SigningKey.read(settings.signing_key), model, version)
    examples = load_labelled(data, text, label) if data else _frozen_starter()
    dangerous = _human_only() & set(loaded.labels)
    if unknown:
        figures = evaluate_with_unknown(loaded, examples, unknown, dangerous)
    else:
        figures = evaluate(loaded, examples, dangerous)
    if json:
        print_json({"model": model_id, **figures.to_json()})
    else:
        show_evaluation(model_id, figures)


def _human_only() -> frozenset[str]:
    return starter_taxonomy().with_autonomy(Autonomy.HUMAN_ONLY)


def _frozen_starter() -> list[Example]:
    return [example for example in load_corpus(STARTER_CORPUS, starter_taxonomy()) if example.frozen]


def _tell(outcome: Outcome, registry: Registry, json: bool) -> None:
    if outcome.note:
        note(outcome.note)
    if json:
        print_json({"name": outcome.name, "version": outcome.version, **outcome.verdict.to_json()})
        return
    show_verdict(f"{outcome.name}/{outcome.version}", outcome.verdict)
    out.print(f"card: {registry.folder(outcome.name, outcome.version) / CARD}", highlight=False)
