"""`paretodesk retrain`: from a snapshot to a version that serves, or to the reasons why none does."""

from __future__ import annotations

from typing import Annotated

import typer

from classifier.encoders import UNIVERSAL, encoder_by_name
from classifier.taxonomy import Autonomy, starter_taxonomy
from models.bundle import CARD
from models.signing import SigningKey
from service.commands.learning import ENCODERS
from service.commands.model_figures import show_verdict
from service.commands.snapshots import freeze_now, store_of
from service.console_output import fail, note, out, print_json, progress_bar
from service.schedule import RETRAININGS
from service.settings import load_settings
from service.wiring import registry_of
from training.corpus import STARTER_CORPUS, as_labelled, load_corpus
from training.finetuning import MINUTES, adapted
from training.fitting import Settings as FitSettings
from training.retraining import REASONS_MODEL, Plan, Retrained, champion_encoder, retrain_from
from training.retraining.parts import parts_of


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("retrain")(retrain)


def retrain(
    snapshot: Annotated[str | None, typer.Option(help="learn from this snapshot instead of a new one")] = None,
    until: Annotated[str | None, typer.Option(help="last day of a new snapshot, UTC; yesterday when left out")] = None,
    since: Annotated[str | None, typer.Option(help="first day of a new snapshot")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="of the folds")] = FitSettings.seed,
    encoder: Annotated[str | None, typer.Option(help="by name or path; the champion's when left out")] = None,
    finetune: Annotated[
        bool,
        typer.Option("--finetune", help="adapt the sentence-transformers encoder to the tickets first, if it helps"),
    ] = False,
    minutes: Annotated[float, typer.Option(min=0.1, help="of wall clock that --finetune may take")] = MINUTES,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="judge, but write no version and change nothing")] = False,
    afresh: Annotated[bool, typer.Option("--afresh", help="do the stages again that an earlier call did")] = False,
    json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Freeze a snapshot, fit on it and the corpus, and let the result serve only if it beats the champion.

    Killed, it goes on where it was when it is called again. Exit code 1 when the challenger is refused.
    """
    if snapshot and (until or since):
        fail("--snapshot names its own days; leave out --until and --since")
    settings = load_settings()
    key, registry = SigningKey.read_or_create(settings.signing_key), registry_of(settings)
    taxonomy = starter_taxonomy()
    corpus = load_corpus(STARTER_CORPUS, taxonomy)
    with progress_bar() as step:
        found = store_of(settings).read(snapshot) if snapshot else freeze_now(settings, until, since, step)
        used = encoder_by_name(encoder or champion_encoder(registry, key) or UNIVERSAL, settings.threads or None)
        if finetune:
            learned = as_labelled(parts_of(corpus, found).learned)
            used, told = adapted(used, learned, settings.home / ENCODERS, seed=seed, minutes=minutes, progress=step)
            note(told.sentence)
        fit = FitSettings(seed=seed, human_only=taxonomy.with_autonomy(Autonomy.HUMAN_ONLY))
        done = retrain_from(
            Plan(corpus, found, used, fit), registry, key, settings.home / RETRAININGS,
            progress=step, dry_run=dry_run, afresh=afresh,
        )  # fmt: skip
    if not found.tickets:
        note(f"snapshot {found.id} has no labelled ticket: learned from the starter corpus alone")
    for remark in done.notes:
        note(remark)
    if json:
        print_json({"name": REASONS_MODEL, "version": done.version, **done.to_json()})
    else:
        _show(done)
        if done.version:
            out.print(f"card: {registry.folder(REASONS_MODEL, done.version) / CARD}", highlight=False, soft_wrap=True)
    if not done.verdict.promote:
        raise typer.Exit(1)


def _show(done: Retrained) -> None:
    sizes = done.tickets
    out.print(
        f"snapshot {done.snapshot}: learned {sizes['learned']} tickets"
        + (f" and {sizes['later']} of the newest quarter" if done.fit == "refit" else "")
        + f", measured on {sizes['frozen']} frozen and {sizes['newest']} of the newest quarter",
        highlight=False,
    )
    out.print(
        f"label audit: {len(done.audit['suspicious'])} likely wrong labels, {len(done.audit['contradictions'])} "
        "contradictions (nothing was left out for it; 'paretodesk labels audit' lists them)",
        highlight=False,
    )
    for finding in done.labellers["labellers"]:
        if finding["decision"] != "kept":
            out.print(
                f"labeller {finding['labeller']} is {finding['decision']}: {finding['aside']} labels put aside, "
                f"{finding['because']}",
                highlight=False,
            )
    show_verdict(f"{REASONS_MODEL}/{done.version or 'challenger'}", done.verdict)
    if done.serves:
        out.print(f"{REASONS_MODEL}/{done.version} serves", highlight=False)
