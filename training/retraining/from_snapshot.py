"""`paretodesk retrain`: a snapshot in, a version that serves or is refused with its reasons out."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from classifier.guard import starter_guard
from classifier.language import language_identifier
from classifier.tagger import Tagger
from classifier.taxonomy import starter_taxonomy
from models.bundle import BundleError
from models.registry import Registry
from models.signing import SigningKey
from training.encoding_cache import CachedEncoder
from training.fitting import FitError, Progress, silent
from training.guard_evaluation import evaluate_guard, load_guard_set
from training.promotion import Verdict
from training.retraining.champion import AGAINST, LEARNED_UNTIL, NOBODY, RUN, Champion, champion_of
from training.retraining.encoding import OneByOne
from training.retraining.parts import NEWEST_DAYS, Parts, parts_of
from training.retraining.run import FIT, Judged, Plan, Run
from training.retraining.stages import Stages
from training.retraining.versions import data_hash, described, write_version
from training.snapshots import Snapshot

ENCODINGS = "encodings"
LOCK = "retraining.lock"
KEEP_RUNS = 4
"""Runs whose stages stay on disk, the newest."""


class RetrainingBusyError(FitError):
    """Another retraining of this desk runs."""


@dataclass(frozen=True)
class Retrained:
    """What a run came to. ``version`` is None where nothing was written: a dry run.

    ``serves`` says whether the version serves now. ``audit`` and ``labellers`` are for people to read; ``fit`` says
    whether the version learned from the newest quarter too. ``notes`` are remarks on the way.
    """

    run: str
    snapshot: str
    version: str | None
    against: str
    verdict: Verdict
    serves: bool
    fit: str
    tickets: Mapping[str, int]
    audit: Mapping[str, Any]
    labellers: Mapping[str, Any]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The public form of `paretodesk retrain --json`, without name and version."""
        values = {name: getattr(self, name) for name in ("run", "snapshot", "against", "serves", "fit")}
        lists = {"tickets": dict(self.tickets), "audit": dict(self.audit), "labellers": dict(self.labellers)}
        return {**values, **lists, "notes": list(self.notes), **self.verdict.to_json()}


def retrain_from(
    plan: Plan,
    registry: Registry,
    key: SigningKey,
    folder: Path,
    *,
    progress: Progress = silent,
    dry_run: bool = False,
    afresh: bool = False,
) -> Retrained:
    """Do what is left of the plan's stages under ``folder`` and let the challenger serve if it is better.

    A plan that came to its end against the same champion says the same again and changes nothing. ``afresh`` does all
    stages again. Raises `RetrainingBusyError` while another retraining runs, `FitError` on data that cannot be learned.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(folder):
        run_folder = folder / plan.id
        if afresh:
            shutil.rmtree(run_folder, ignore_errors=True)
        run_folder.mkdir(exist_ok=True, mode=0o700)
        stages = Stages(run_folder, key)
        champion = _met(champion_of(registry, key, plan.name), plan, registry, key)
        encoder = CachedEncoder(OneByOne(plan.encoder), folder / ENCODINGS)
        run = Run(plan, stages, champion, encoder, progress)
        done = _judge_and_serve(run, registry, key, dry_run)
        if not dry_run:
            _tidy(folder, run_folder)
        return done


def _judge_and_serve(run: Run, registry: Registry, key: SigningKey, dry_run: bool) -> Retrained:
    plan, champion = run.plan, run.champion
    parts = parts_of(plan.corpus, plan.snapshot)
    if not parts.frozen:
        raise FitError(
            f"none of {sum(parts.counts().values())} tickets falls into the frozen set; add more labelled tickets"
        )
    labellers = run.labellers(parts)
    parts = parts.without(labellers["aside"], labellers["refused"], plan.snapshot)
    judged = run.judged(parts)
    audit = run.audit(judged.fitted, judged.learned)
    version = None
    if not dry_run:
        version = _written(run, registry, key, parts, judged, labellers, audit)
        if judged.verdict.promote:
            registry.promote(plan.name, version)
            registry.prune(plan.name)
    serving = registry.champion(plan.name) if not champion.problem or judged.verdict.promote else None
    notes = [f"done again: {what}" for what in run.stages.repeated] + run.notes
    return Retrained(
        run=plan.id,
        snapshot=plan.snapshot.id,
        version=version,
        against=champion.label,
        verdict=judged.verdict,
        serves=serving is not None and serving.version == version,
        fit=judged.stage,
        tickets=parts.counts() | {"put_aside": len(labellers["aside"])},
        audit=audit,
        labellers=labellers,
        notes=tuple(notes),
    )


def _met(serving: Champion, plan: Plan, registry: Registry, key: SigningKey) -> Champion:
    """The champion that the challenger meets: its predecessor, where the serving version came of this very plan."""
    if serving.certificates.get(RUN) != plan.id:
        return serving
    against = serving.certificates.get(AGAINST, NOBODY)
    if against == NOBODY:
        return Champion()
    # it may be deleted by now; the stages in which it was met are still there
    met = champion_of(registry, key, plan.name, str(against))
    return met if met.version else Champion(version=str(against))


def _written(
    run: Run,
    registry: Registry,
    key: SigningKey,
    parts: Parts,
    judged: Judged,
    labellers: Mapping[str, Any],
    audit: Mapping[str, Any],
) -> str:
    """The version of this run against this champion: the one that is there, or a new one."""
    plan, origin = run.plan, {RUN: run.plan.id, AGAINST: run.champion.label}
    for version in reversed(registry.versions(plan.name)):
        try:
            made_by = registry.read(plan.name, key, version).manifest.certificates
        except BundleError:
            continue
        if all(made_by.get(name) == value for name, value in origin.items()):
            return version
    human_only = plan.settings.human_only
    guard = None
    if human_only:
        run.progress("human-only guard", 0, 1)
        tagger = Tagger(starter_taxonomy(), starter_guard(), language_identifier(), judged.fitted.model)
        guard = evaluate_guard(tagger, [message for message in load_guard_set() if message.part == "test"])
        run.progress("human-only guard", 1, 1)
    until = judged.last_day.isoformat() if judged.last_day else None
    return write_version(
        registry, key, plan.name, judged.fitted, judged.verdict.challenger,
        data=_told(plan.snapshot, parts, judged, labellers, audit),
        fingerprint=data_hash([*judged.learned, *parts.frozen]), seed=plan.settings.seed, verdict=judged.verdict,
        guard=guard, origin={**origin, LEARNED_UNTIL: until, "snapshot": plan.snapshot.id},
    )  # fmt: skip


def _told(
    snapshot: Snapshot, parts: Parts, judged: Judged, labellers: Mapping[str, Any], audit: Mapping[str, Any]
) -> dict[str, str]:
    """What the card says of the data."""
    with_newest = "learned from as well, once the model without it was found better"
    measured = "only measured on" if judged.stage == FIT else with_newest
    return {
        **described(judged.learned),
        "snapshot": f"{snapshot.id}, tickets opened {snapshot.first_day} to {snapshot.last_day}",
        "frozen, only measured on": f"{len(parts.frozen)} tickets; scenario, customer or order never on both sides",
        f"newest quarter (last {NEWEST_DAYS} days), {measured}": f"{len(parts.newest)} tickets labelled by people",
        "put aside because of their labeller": f"{len(labellers['aside'])} tickets",
        "label audit": f"{len(audit['suspicious'])} likely wrong labels, {len(audit['contradictions'])} contradictions "
        "between nearly equal texts; nothing was left out for it",
    }


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise RetrainingBusyError(
            f"another retraining holds {folder / LOCK}; wait until it has ended, or stop it and call again"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _tidy(folder: Path, current: Path) -> None:
    runs = [path for path in folder.iterdir() if path.is_dir() and path not in (current, folder / ENCODINGS)]
    runs.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in runs[KEEP_RUNS - 1 :]:
        shutil.rmtree(path, ignore_errors=True)
