"""`paretodesk labels`: labels that are likely wrong, whose labels may be trusted, and what to label next."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from classifier.encoders import UNIVERSAL, Encoder, encoder_by_name
from classifier.taxonomy import starter_taxonomy
from models.signing import SigningKey
from service.commands.learning import ENCODINGS
from service.commands.snapshots import store_of
from service.console_output import fail, note, out, print_json, progress_bar
from service.settings import Settings, load_settings
from service.wiring import open_desk, registry_of
from training.corpus import STARTER_CORPUS, Example, as_labelled, load_corpus
from training.emerging.period import undecided_tickets
from training.encoding_cache import encode_cached
from training.fitting import fit
from training.labels.audit import LabelAudit, audit_labels
from training.labels.influence import LabellerCheck, weigh_labellers
from training.labels.queue import label_queue
from training.labels.replay import Replay, replay
from training.labels.taught import Taught, corpus_taught, snapshot_taught
from training.retraining import REASONS_MODEL, champion_encoder, load_model
from training.snapshots import Snapshot

SHOWN = 30
REPLAY_START, REPLAY_BATCH, REPLAY_ROUNDS = 10, 100, 3

Json = Annotated[bool, typer.Option("--json", help="print JSON")]
WhichSnapshot = Annotated[str | None, typer.Option("--snapshot", help="id of a snapshot; the newest when left out")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    labels = typer.Typer(help="Label health: audit, labellers, and what to label next.", no_args_is_help=True)
    labels.command("audit")(audit)
    labels.command("influence")(influence)
    labels.command("queue")(queue)
    app.add_typer(labels, name="labels")


def audit(
    snapshot: WhichSnapshot = None,
    corpus: Annotated[
        bool, typer.Option("--corpus", help="the shipped corpus itself, not a snapshot's tickets")
    ] = False,
    json: Json = False,
) -> None:
    """Rank labels that are likely wrong, for a person to read; nothing is deleted. Exit code 1 with findings."""
    settings = load_settings()
    shipped = load_corpus(STARTER_CORPUS, starter_taxonomy())
    own = [] if corpus else [ticket.example() for ticket in _snapshot(settings, snapshot).tickets]
    # The corpus is learned from, too: a small snapshot alone could judge nothing.
    examples = [*shipped, *own]
    data = as_labelled(examples)
    with progress_bar() as step:
        encoder = _encoder(settings)
        fitted = fit(data, encoder, progress=step, vectors=encode_cached(encoder, data.texts, _cache(settings), step))
    found = audit_labels(examples, fitted.out_of_fold.probabilities, fitted.model.labels)
    looked_at = shipped if corpus else own
    found = _only(found, looked_at)
    if json:
        print_json(found.to_json())
    else:
        _show_audit(found, {example.id: example for example in examples})
    if found.suspicious or found.contradictions:
        raise typer.Exit(1)


def influence(snapshot: WhichSnapshot = None, json: Json = False) -> None:
    """Who of those who label contradicts everybody else, or has more than a share. Exit code 1 with findings."""
    settings = load_settings()
    frozen = _snapshot(settings, snapshot)
    taught: list[Taught] = [
        *corpus_taught(load_corpus(STARTER_CORPUS, starter_taxonomy())),
        *snapshot_taught(frozen.tickets),
    ]
    if not any(ticket.labelled_by for ticket in taught):
        fail(f"snapshot {frozen.id} names nobody who labelled; freeze one with tags that people confirmed")
    with progress_bar() as step:
        vectors = encode_cached(_encoder(settings), [ticket.text for ticket in taught], _cache(settings), step)
        found = weigh_labellers(taught, vectors, step)
    if json:
        print_json({"snapshot": frozen.id, **found.to_json()})
    else:
        _show_influence(found)
    if found.put_aside:
        raise typer.Exit(1)


def queue(
    n: Annotated[int, typer.Option(min=1, max=5_000, help="how many tickets")] = 100,
    language: Annotated[str | None, typer.Option(help="only tickets of this language, such as de")] = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="replay the newest snapshot: what 100 labels by this queue gained")
    ] = False,
    json: Json = False,
) -> None:
    """Undecided tickets whose labels would help most: doubtful, unlike each other, each language in turn."""
    settings = load_settings()
    model, model_id = load_model(registry_of(settings), SigningKey.read(settings.signing_key), REASONS_MODEL)
    with open_desk(settings) as desk, progress_bar() as step:
        waiting = [t for t in undecided_tickets(desk, step) if language is None or t.locale == language]
        vectors = encode_cached(model.encoder, [ticket.text for ticket in waiting], _cache(settings), step)
    scores = model.scores_of([ticket.text for ticket in waiting], vectors).probabilities
    picks = label_queue(scores, vectors, [ticket.locale for ticket in waiting], model.labels, n) if waiting else []
    gain = _measured(settings) if measure else None
    rows: list[dict[str, Any]] = [
        {
            "id": waiting[pick.row].id,
            "language": waiting[pick.row].locale,
            "between": [pick.first, pick.second],
            "doubt": pick.doubt,
            "distance": pick.distance,
            "why": f"between {pick.first} and {pick.second}; " + _far(pick.distance),
        }
        for pick in picks
    ]
    if json:
        print_json({"model": model_id, "waiting": len(waiting), "queue": rows, "measured": gain and gain.to_json()})
        return
    table = Table("ticket", "language", "doubt", "why")
    for row in rows:
        table.add_row(row["id"], row["language"], f"{row['doubt']:.2f}", row["why"])
    out.print(table)
    note(f"{len(rows)} of {len(waiting)} undecided tickets; label them in the console")
    if gain:
        told = gain.to_json()["points_per_100_labels"]
        out.print(
            f"measured on the newest snapshot: {told['queue']:+g} points of macro-F1 per 100 labels by this queue, "
            f"{told['random']:+g} at random",
            highlight=False, soft_wrap=True,
        )  # fmt: skip


def _measured(settings: Settings) -> Replay:
    tickets = sorted(_snapshot(settings, None).tickets, key=lambda ticket: (ticket.opened_at, ticket.id))
    examples = [ticket.example() for ticket in tickets if ticket.by_person]
    newest = examples[-max(1, len(examples) // 4) :]
    groups = {example.group for example in newest}
    older = [example for example in examples[: -len(newest)] if example.group not in groups]
    counts = {reason: sum(example.reason == reason for example in older) for reason in {e.reason for e in older}}
    kept = [example for example in older if counts[example.reason] >= REPLAY_START]
    held = [example for example in newest if counts.get(example.reason, 0) >= REPLAY_START]
    if not held or len(kept) - REPLAY_START * len({e.reason for e in kept}) < REPLAY_BATCH:
        fail(
            f"the newest snapshot has {len(kept)} tickets of reasons with {REPLAY_START} and more: too few to replay "
            f"{REPLAY_BATCH} labels; leave --measure out"
        )
    encoder = _encoder(settings)
    with progress_bar() as step:
        vectors, held_vectors = (
            encode_cached(encoder, [example.text for example in part], _cache(settings), step) for part in (kept, held)
        )
        locales = [example.locale for example in kept]
        return replay(
            as_labelled(kept), vectors, locales, as_labelled(held), held_vectors, encoder,
            start=REPLAY_START, batch=REPLAY_BATCH, rounds=REPLAY_ROUNDS, progress=step,
        )  # fmt: skip


def _only(found: LabelAudit, examples: list[Example]) -> LabelAudit:
    ids = {example.id for example in examples}
    return LabelAudit(
        len(ids),
        tuple(suspicion for suspicion in found.suspicious if suspicion.id in ids),
        tuple(pair for pair in found.contradictions if {pair.first, pair.second} & ids),
    )


def _show_audit(found: LabelAudit, examples: dict[str, Example]) -> None:
    table = Table("ticket", "given", "suggested", "score", "begins")
    for suspicion in found.suspicious[:SHOWN]:
        words = " ".join(examples[suspicion.id].text.split())[:60]
        table.add_row(suspicion.id, suspicion.given, suspicion.suggested, f"{suspicion.score:.3f}", words)
    out.print(table)
    for pair in found.contradictions[:SHOWN]:
        pairing = f"{pair.first} ({pair.first_reason}) and {pair.second} ({pair.second_reason})"
        out.print(f"{pairing} are {pair.similarity:.0%} equal", markup=False, highlight=False, soft_wrap=True)
    count = f"{len(found.suspicious)} of {found.n} labels are suspicious, {len(found.contradictions)} pairs contradict"
    note(f"{count}; read them and correct in the console, nothing is deleted (--json lists all)")


def _show_influence(found: LabellerCheck) -> None:
    table = Table("labeller", "labels", "share", "contradicted", "usual", "decision", "put aside", "why")
    for line in found.findings:
        rate = f"{line.disagreed} of {line.judged}"
        table.add_row(line.labeller, str(line.n), f"{line.share:.1%}", rate, f"{line.expected:.1%}", line.decision,
                      str(line.aside), line.because)  # fmt: skip
    out.print(table)
    if found.put_aside:
        note(f"{len(found.put_aside)} labels do not teach until a person has read them (--json lists all)")


def _far(distance: float) -> str:
    return "unlike those before it" if distance >= 0.5 else "like one before it"


def _snapshot(settings: Settings, name: str | None) -> Snapshot:
    store = store_of(settings)
    if name is None:
        ids = store.ids()
        if not ids:
            fail(f"there is no snapshot in {store.folder}; freeze one with 'paretodesk snapshot'")
        name = ids[-1]
    return store.read(name)


def _encoder(settings: Settings) -> Encoder:
    key = SigningKey.read_or_create(settings.signing_key)
    return encoder_by_name(champion_encoder(registry_of(settings), key) or UNIVERSAL, settings.threads or None)


def _cache(settings: Settings) -> Path:
    return settings.home / ENCODINGS
