"""`paretodesk train`, `evaluate`, `retrain`, `rollback`, `models` and `shift`."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from classifier.encoders import MINILM, UNIVERSAL, encoder_by_name
from classifier.taxonomy import Autonomy, starter_taxonomy
from desk.inbox import Desk
from models.bundle import CARD
from models.registry import Registry
from models.signing import SigningKey
from service.console_output import fail, note, out, print_json, progress_bar
from service.settings import load_settings
from service.wiring import open_desk, registry_of
from training.corpus import STARTER_CORPUS, Example, load_corpus, load_labelled
from training.desk_labels import confirmed_examples
from training.evaluation import Evaluation, evaluate, evaluate_with_unknown
from training.retraining import REASONS_MODEL, Outcome, champion_encoder, load_model, train_any
from training.retraining import retrain as fit_and_judge
from training.shift import Shift, compare_periods, parse_period

PROFILES = {"fast": UNIVERSAL, "accurate": f"{UNIVERSAL}+{MINILM}"}
ENCODINGS = "encodings"
"""Folder under the home that keeps vectors from one training to the next."""

Json = Annotated[bool, typer.Option("--json", help="print JSON")]
Name = Annotated[str, typer.Option(help="name of the model")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("train")(train)
    app.command("evaluate")(evaluate_command)
    app.command("retrain")(retrain)
    app.command("promote")(promote)
    app.command("rollback")(rollback)
    app.command("shift")(shift)
    models = typer.Typer(help="Versions of models.", no_args_is_help=True)
    models.command("list")(list_models)
    models.command("show")(show_model)
    app.add_typer(models, name="models")


def train(
    data: Annotated[Path | None, typer.Option(help="CSV or JSON Lines; the starter corpus when left out")] = None,
    text: Annotated[str, typer.Option(help="column with the text")] = "text",
    label: Annotated[str, typer.Option(help="column with the label")] = "label",
    name: Name = REASONS_MODEL,
    encoder: Annotated[str | None, typer.Option(help="encoder by name or path; overrides the profile")] = None,
    profile: Annotated[
        str, typer.Option(help="fast (no torch) or accurate (adds MiniLM: better in English, needs torch)")
    ] = "fast",
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
    with progress_bar() as step:
        if data is None:
            outcome = fit_and_judge(
                load_corpus(STARTER_CORPUS, starter_taxonomy()),
                used, registry, key, name=name, human_only=_human_only(), progress=step, replace_unreadable=True,
                cache=settings.home / ENCODINGS,
            )  # fmt: skip
        else:
            outcome = train_any(
                load_labelled(data, text, label), used, registry, key, name, step, settings.home / ENCODINGS
            )
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
        _show(model_id, figures)


def retrain(
    since: Annotated[str | None, typer.Option(help="learn from tickets confirmed for this day or later")] = None,
    json: Json = False,
) -> None:
    """Fit on the corpus and the tags that people confirmed; let it serve only if it beats the champion.

    Exit code 1 when it is refused.
    """
    settings = load_settings()
    key, registry = SigningKey.read_or_create(settings.signing_key), registry_of(settings)
    try:
        first_day = date.fromisoformat(since) if since else None
    except ValueError as error:
        fail(f"--since {since}: {error}; write a day such as 2026-01-31")
    with open_desk(settings) as desk:
        confirmed = confirmed_examples(desk, first_day)
    note(f"{len(confirmed)} confirmed tickets join the corpus")
    used = encoder_by_name(champion_encoder(registry, key) or UNIVERSAL, settings.threads or None)
    examples = [*load_corpus(STARTER_CORPUS, starter_taxonomy()), *confirmed]
    with progress_bar() as step:
        outcome = fit_and_judge(
            examples, used, registry, key,
            human_only=_human_only(), progress=step, cache=settings.home / ENCODINGS,
        )  # fmt: skip
    _tell(outcome, registry, json)
    if not outcome.verdict.promote:
        raise typer.Exit(1)


def promote(version: Annotated[str, typer.Argument(help="version to serve")], name: Name = REASONS_MODEL) -> None:
    """Let a version serve; running servers switch within five seconds."""
    settings = load_settings()
    registry = registry_of(settings)
    registry.read(name, SigningKey.read(settings.signing_key), version)
    registry.promote(name, version)
    out.print(f"{name}/{version} serves")


def rollback(name: Name = REASONS_MODEL) -> None:
    """Let the version before the serving one serve again."""
    settings = load_settings()
    registry = registry_of(settings)
    champion = registry.rollback(name)
    out.print(f"{name}/{champion.version} serves again")


def list_models(json: Json = False) -> None:
    """Names and versions, the serving ones marked."""
    registry = registry_of(load_settings())
    rows: list[dict[str, Any]] = []
    for name in registry.names():
        champion = registry.champion(name)
        serving = champion.version if champion else None
        rows += [{"name": name, "version": v, "serves": v == serving} for v in registry.versions(name)]
    if json:
        print_json(rows)
        return
    table = Table("name", "version", "serves")
    for row in rows:
        table.add_row(row["name"], row["version"], "yes" if row["serves"] else "")
    out.print(table)


def show_model(
    version: Annotated[str | None, typer.Argument(help="version; the serving one when left out")] = None,
    name: Name = REASONS_MODEL,
) -> None:
    """Print a model's card."""
    settings = load_settings()
    bundle = registry_of(settings).read(name, SigningKey.read(settings.signing_key), version)
    out.print(bundle.files[CARD].decode(), markup=False, highlight=False)


def shift(
    baseline: Annotated[str, typer.Option(help="quarter (2026Q1), month (2026-01) or days (2026-01-01..2026-02-01)")],
    current: Annotated[str, typer.Option(help="the period to compare with it")],
    channel: Annotated[str | None, typer.Option(help="one channel only")] = None,
    json: Json = False,
) -> None:
    """Which contact reasons became more or less frequent between two periods, and which changes are real."""
    with open_desk(load_settings()) as desk:
        result = compare_periods(desk, parse_period(baseline), parse_period(current), channel)
    if json:
        print_json(result.to_json())
    else:
        _show_shift(result, desk)


def _human_only() -> frozenset[str]:
    return starter_taxonomy().with_autonomy(Autonomy.HUMAN_ONLY)


def _frozen_starter() -> list[Example]:
    return [example for example in load_corpus(STARTER_CORPUS, starter_taxonomy()) if example.frozen]


def _tell(outcome: Outcome, registry: Registry, json: bool) -> None:
    verdict = outcome.verdict
    if outcome.note:
        note(outcome.note)
    if json:
        print_json({"name": outcome.name, "version": outcome.version, **verdict.to_json()})
        return
    _show(f"{outcome.name}/{outcome.version}", verdict.challenger)
    word = "[bold green]promoted[/]" if verdict.promote else "[bold red]refused[/]"
    out.print(f"{outcome.name}/{outcome.version} {word}: " + "; ".join(verdict.because))
    out.print(f"card: {registry.folder(outcome.name, outcome.version) / CARD}", highlight=False)


def _show(model_id: str, figures: Evaluation) -> None:
    wrong = "-" if figures.selective_error is None else f"{figures.selective_error:.1%}"
    out.print(
        f"{model_id}: accuracy {figures.accuracy:.3f}, macro-F1 {figures.macro_f1:.3f}, calibration error "
        f"{figures.ece:.3f}, tagged {figures.coverage:.1%} with {wrong} wrong (n = {figures.n})"
    )
    if figures.unknown_auroc is not None:
        out.print(f"familiarity ranks known texts above unknown ones: AUROC {figures.unknown_auroc:.3f}")
    if figures.per_language:
        table = Table("language", "n", "accuracy", "macro-F1", "tagged", "wrong when tagged")
        for language, f in figures.per_language.items():
            error = "-" if f.selective_error is None else f"{f.selective_error:.1%}"
            table.add_row(language, str(f.n), f"{f.accuracy:.3f}", f"{f.macro_f1:.3f}", f"{f.coverage:.1%}", error)
        out.print(table)
    table = Table("label", "n", "precision", "recall", "F1", "tagged", "wrong when tagged")
    for label, g in figures.per_label.items():
        error = "-" if g.selective_error is None else f"{g.selective_error:.1%}"
        table.add_row(
            label, str(g.n), f"{g.precision:.3f}", f"{g.recall:.3f}", f"{g.f1:.3f}", f"{g.coverage:.1%}", error
        )
    out.print(table)


def _show_shift(result: Shift, desk: Desk) -> None:
    table = Table("reason", result.baseline.label, result.current.label, "change", "95% interval", "real?")
    for line in result.reasons:
        table.add_row(
            desk.taxonomy[line.reason].name("en") if line.reason in desk.taxonomy else line.reason,
            f"{line.baseline_share:.1%} ({line.baseline_count})",
            f"{line.current_share:.1%} ({line.current_count})",
            f"{100 * line.change:+.1f} points",
            f"{100 * line.low:+.1f} to {100 * line.high:+.1f}",
            "yes" if line.significant else "",
        )
    out.print(table)
    out.print(result.sentence)
    out.print("Real: beyond chance after correcting for looking at every reason at once; intervals are not corrected.")
