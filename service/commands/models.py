"""`paretodesk models`, `promote` and `rollback`: which versions there are, which one serves, which one is better."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from classifier.encoders import Encoder, encoder_by_name
from classifier.model import encoder_name
from classifier.taxonomy import Autonomy, starter_taxonomy
from models.bundle import CARD
from models.signing import SigningKey
from service.commands.model_figures import show_comparison
from service.commands.snapshots import store_of
from service.console_output import fail, note, out, print_json, progress_bar
from service.schedule import RETRAININGS
from service.settings import Settings, load_settings
from service.wiring import registry_of
from training.corpus import STARTER_CORPUS, Example, load_corpus, load_labelled
from training.encoding_cache import CachedEncoder
from training.fitting import Progress
from training.promotion import Comparison, compare
from training.retraining import REASONS_MODEL
from training.retraining.champion import Champion, champion_of
from training.retraining.encoding import OneByOne, encode_in_steps
from training.retraining.from_snapshot import ENCODINGS
from training.retraining.parts import parts_of

Json = Annotated[bool, typer.Option("--json", help="print JSON")]
Name = Annotated[str, typer.Option(help="name of the model")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("promote")(promote)
    app.command("rollback")(rollback)
    models = typer.Typer(help="Versions of models.", no_args_is_help=True)
    models.command("list")(list_models)
    models.command("show")(show_model)
    models.command("compare")(compare_models)
    app.add_typer(models, name="models")


def promote(version: Annotated[str, typer.Argument(help="version to serve")], name: Name = REASONS_MODEL) -> None:
    """Let a version serve; running servers switch within five seconds."""
    settings = load_settings()
    registry = registry_of(settings)
    registry.read(name, SigningKey.read(settings.signing_key), version)
    registry.promote(name, version)
    out.print(f"{name}/{version} serves")


def rollback(name: Name = REASONS_MODEL) -> None:
    """Let the version before the serving one serve again; running servers switch within five seconds."""
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
    json: Json = False,
) -> None:
    """Print a model's card."""
    settings = load_settings()
    bundle = registry_of(settings).read(name, SigningKey.read(settings.signing_key), version)
    if json:
        print_json(asdict(bundle.manifest))
    else:
        out.print(bundle.files[CARD].decode(), markup=False, highlight=False)


def compare_models(
    first: Annotated[str, typer.Argument(help="a version, such as the serving one")],
    second: Annotated[str, typer.Argument(help="the version to hold against it")],
    snapshot: Annotated[str | None, typer.Option(help="a snapshot whose frozen and newest tickets count too")] = None,
    data: Annotated[Path | None, typer.Option(help="CSV or JSON Lines to compare on instead")] = None,
    text: Annotated[str, typer.Option(help="column of --data with the text")] = "text",
    label: Annotated[str, typer.Option(help="column of --data with the label")] = "label",
    name: Name = REASONS_MODEL,
    json: Json = False,
) -> None:
    """Two versions on the same tickets that neither has learned from: by reason, language and channel."""
    settings = load_settings()
    if data is None and name != REASONS_MODEL:
        fail(f"--data is needed to compare versions of '{name}'")
    key, registry = SigningKey.read(settings.signing_key), registry_of(settings)
    for version in (first, second):
        registry.read(name, key, version)  # told before anything is encoded
    versions = [champion_of(registry, key, name, version) for version in (first, second)]
    sets = {"data": load_labelled(data, text, label)} if data else _sets(settings, versions, snapshot)
    human_only = starter_taxonomy().with_autonomy(Autonomy.HUMAN_ONLY) if name == REASONS_MODEL else frozenset()
    with progress_bar() as step:
        encoders = {encoder_name(version.files): _encoder(settings, version, sets, step) for version in versions}
        models = [version.model_on(encoders[encoder_name(version.files)]) for version in versions]
        one, other = models
        assert one is not None and other is not None  # noqa: S101, PT018  # both were just read
        found = {part: compare(one, other, examples, human_only) for part, examples in sets.items()}
    if json:
        print_json({"name": name, "first": first, "second": second,
                    "sets": {part: _json(comparison) for part, comparison in found.items()}})  # fmt: skip
        return
    for part, comparison in found.items():
        show_comparison(f"{part} tickets", first, second, comparison)
    out.print("lost: only the first was right; won: only the second; p: chance of so many losses (McNemar, exact)")


def _sets(settings: Settings, versions: list[Champion], snapshot: str | None) -> dict[str, list[Example]]:
    corpus = load_corpus(STARTER_CORPUS, starter_taxonomy())
    if snapshot is None:
        return {"frozen": [example for example in corpus if example.frozen]}
    parts = parts_of(corpus, store_of(settings).read(snapshot))
    days = [version.learned_until for version in versions if version.learned_until]
    newest = parts.newest_after(max(days, default=None))
    if not newest:
        note(f"no ticket of snapshot {snapshot}'s newest quarter was opened after both versions had learned")
    return {"frozen": list(parts.frozen)} | ({"newest": newest} if newest else {})


def _encoder(settings: Settings, version: Champion, sets: dict[str, list[Example]], step: Progress) -> Encoder:
    """The version's encoder with the vectors of all tickets at hand; retraining keeps most of them."""
    own = OneByOne(encoder_by_name(encoder_name(version.files), settings.threads or None))
    encoder = CachedEncoder(own, settings.home / RETRAININGS / ENCODINGS)
    encode_in_steps(encoder, [example.text for examples in sets.values() for example in examples], step)
    return encoder


def _json(comparison: Comparison) -> dict[str, Any]:
    values = asdict(comparison)
    return {"first": values.pop("champion"), "second": values.pop("challenger"), **values}
