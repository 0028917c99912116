"""Retraining from a snapshot: what it learns, what it measures on, and that a crash or a repetition changes nothing."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from filelock import FileLock

from classifier.encoders import Encoder
from models.bundle import CARD, read_bundle
from models.registry import Registry
from models.signing import SigningKey
from training.corpus import Example
from training.retraining import REASONS_MODEL, Plan, RetrainingBusyError, retrain_from
from training.retraining.from_snapshot import LOCK
from training.snapshots import SnapshotTicket

PROCESS = Path(__file__).with_name("retraining_process.py")
SAFETY = "safety_or_counterfeit"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("retraining_process", PROCESS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


process = _load()


@pytest.fixture(scope="module")
def plan(encoder: Encoder, corpus: list[Example]) -> Plan:
    return process.plan(encoder, corpus)


@pytest.fixture(scope="module")
def whole(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the plan was run without interruption, its encodings made one by one."""
    folder = tmp_path_factory.mktemp("whole")
    process.run(folder, plan)
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A new folder that knows the encodings already."""
    (tmp_path / "retraining").mkdir()
    (tmp_path / "retraining" / "encodings").symlink_to(whole / "retraining" / "encodings")
    (tmp_path / "signing.key").write_bytes((whole / "signing.key").read_bytes())
    return tmp_path


def bundle_of(folder: Path, version: str | None = None):
    return Registry(folder / "store").read(REASONS_MODEL, SigningKey.read(folder / "signing.key"), version)


def same_model(one: Path, other: Path) -> None:
    """The versions that serve in two folders are equal but for their names and times."""
    a, b = bundle_of(one), bundle_of(other)
    assert a.manifest.data_hash == b.manifest.data_hash
    assert a.manifest.metrics == b.manifest.metrics
    assert {n: f for n, f in a.files.items() if n != CARD} == {n: f for n, f in b.files.items() if n != CARD}


def with_labels(plan: Plan, change: Callable[[SnapshotTicket], SnapshotTicket]) -> Plan:
    return replace(plan, snapshot=process.snapshot_of([change(ticket) for ticket in plan.snapshot.tickets]))


def test_the_first_challenger_serves_and_learned_the_newest_quarter_once_judged_without_it(
    whole: Path, plan: Plan
) -> None:
    bundle = bundle_of(whole)
    told = bundle.manifest.certificates
    assert (told["run"], told["against"], told["snapshot"]) == (plan.id, "nobody", plan.snapshot.id)
    assert told["desk_tickets_until"] == "2026-09-15"
    card = bundle.files[CARD].decode()
    assert f"- snapshot: {plan.snapshot.id}" in card
    assert "- newest quarter (last 92 days), learned from as well" in card
    assert "- label audit: " in card


def test_the_same_plan_again_says_the_same_and_writes_nothing(whole: Path, plan: Plan) -> None:
    versions = Registry(whole / "store").versions(REASONS_MODEL)
    again = process.run(whole, plan)
    assert Registry(whole / "store").versions(REASONS_MODEL) == versions == (again.version,)
    assert (again.serves, again.against) == (True, "nobody")


def test_the_same_snapshot_and_seed_give_the_same_arrays_metrics_and_data_hash(
    whole: Path, plan: Plan, tmp_path: Path
) -> None:
    (tmp_path / "signing.key").write_bytes((whole / "signing.key").read_bytes())
    shuffled = replace(plan, corpus=plan.corpus[:])
    process.run(tmp_path, shuffled)
    same_model(whole, tmp_path)
    assert replace(plan, settings=replace(plan.settings, seed=1)).id != plan.id


@pytest.mark.parametrize("where", ["encoding tickets 128/", "fitting 2/7", "champion and challenger 0/2"])
def test_a_killed_run_goes_on_and_ends_as_if_nothing_had_happened(
    whole: Path, plan: Plan, tmp_path: Path, where: str
) -> None:
    (tmp_path / "signing.key").write_bytes((whole / "signing.key").read_bytes())
    if "encoding" not in where:
        (tmp_path / "retraining").mkdir()
        (tmp_path / "retraining" / "encodings").symlink_to(whole / "retraining" / "encodings")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, str(PROCESS), str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environment
    ) as running:
        seen = []
        for line in running.stdout:
            seen.append(line)
            if line.startswith(where):
                running.send_signal(signal.SIGKILL)
                break
        assert running.wait(60) == -signal.SIGKILL, seen[-3:]
    finished = {path.name for path in (tmp_path / "retraining" / plan.id).iterdir() if not path.name.startswith(".")}
    assert (
        finished
        == {"encoding": set(), "fitting": {"labellers"}, "champion": {"labellers", "fit", "audit"}}[where.split()[0]]
    )
    assert not (tmp_path / "store").exists()
    steps = []
    process.run(tmp_path, plan, lambda what, done, total: steps.append(what))
    same_model(whole, tmp_path)
    assert ("judging labellers" in steps) == (where.startswith("encoding"))


def test_a_challenger_that_learned_wrong_labels_is_refused_by_name_and_goes_on_record(
    whole: Path, plan: Plan, folder: Path
) -> None:
    process.run(folder, plan)
    serving = bundle_of(folder).manifest.version
    spoilt = replace(
        plan,
        corpus=[
            replace(e, reason="thanks") if e.reason == SAFETY and not e.frozen and i % 5 else e
            for i, e in enumerate(plan.corpus)
        ],
    )
    refused = process.run(folder, spoilt)
    assert (refused.serves, refused.fit, refused.against) == (False, "fit", serving)
    assert any(SAFETY in line and "recall falls" in line for line in refused.verdict.because)
    assert refused.verdict.latency is not None
    assert bundle_of(folder).manifest.version == serving
    card = bundle_of(folder, refused.version).files[CARD].decode()
    assert "Refused." in card
    versions = Registry(folder / "store").versions(REASONS_MODEL)
    assert process.run(folder, spoilt).to_json() == refused.to_json()
    assert Registry(folder / "store").versions(REASONS_MODEL) == versions


def test_a_champion_is_met_only_on_tickets_that_it_has_not_learned_from(plan: Plan, folder: Path) -> None:
    process.run(folder, plan)
    of_newest = [ticket for ticket in plan.snapshot.tickets if ticket.opened_at >= process.NEWEST]
    fresh = [replace(t, id=f"{t.id}-b", body=f"{t.body} Please.", group=f"{t.group}-b",
                     opened_at=t.opened_at.replace(month=10)) for t in of_newest]  # fmt: skip
    later = replace(plan, snapshot=process.snapshot_of([*plan.snapshot.tickets, *fresh]))
    found = process.run(folder, later)
    assert found.verdict.newest is not None
    assert found.verdict.newest.challenger.n == len(fresh)
    assert found.tickets["newest"] == len(of_newest) + len(fresh)
    assert {line.value for line in found.verdict.slices if line.kind == "language"} == {"en"}
    assert {line.kind for line in found.verdict.newest.slices} == {"language", "channel"}
    json.dumps(found.to_json())


def test_a_dry_run_judges_and_changes_nothing(plan: Plan, folder: Path) -> None:
    registry, key = Registry(folder / "store"), SigningKey.read(folder / "signing.key")
    found = retrain_from(plan, registry, key, folder / "retraining", dry_run=True)
    assert (found.version, found.serves, found.verdict.promote) == (None, False, True)
    assert registry.names() == ()


def test_a_stage_that_was_changed_on_disk_is_not_believed(plan: Plan, folder: Path, whole: Path) -> None:
    registry, key = Registry(folder / "store"), SigningKey.read(folder / "signing.key")
    retrain_from(plan, registry, key, folder / "retraining", dry_run=True)
    path = folder / "retraining" / plan.id / "fit" / "model.json"
    path.write_bytes(path.read_bytes().replace(b"thanks", b"thinks"))
    found = retrain_from(plan, registry, key, folder / "retraining")
    (note,) = found.notes
    assert note.startswith("done again: fit: ")
    assert read_bundle(path.parent, key).files["model.json"] == path.read_bytes()
    same_model(whole, folder)


def test_two_retrainings_do_not_run_at_once(plan: Plan, folder: Path) -> None:
    with FileLock(folder / "retraining" / LOCK), pytest.raises(RetrainingBusyError, match="another retraining holds"):
        process.run(folder, plan)


def test_a_newest_quarter_that_teaches_wrong_things_is_not_learned_from(
    plan: Plan, folder: Path, corpus: list[Example]
) -> None:
    other = {"invoice_request": "payment_issue", "payment_issue": "invoice_request"}
    confused = [e if e.frozen else replace(e, reason=other.get(e.reason, e.reason)) for e in plan.corpus]
    older = [replace(t, labelled_by=None) for t in plan.snapshot.tickets if t.opened_at < process.NEWEST]
    neither = [ticket for ticket in older if ticket.reason not in other]
    process.run(folder, replace(plan, corpus=confused, snapshot=process.snapshot_of(neither)))
    dangerous = [e for e in corpus if e.reason == SAFETY and e.locale == "en" and not e.frozen][:120]
    wrong = [
        replace(older[0], id=e.id, subject=e.subject, body=e.body, group=e.group, reason="thanks",
                opened_at=process.NEWEST)
        for e in dangerous
    ]  # fmt: skip
    found = process.run(folder, replace(plan, snapshot=process.snapshot_of([*older, *wrong])))
    assert (found.tickets["later"], found.fit, found.serves) == (len(wrong), "fit", True), found.verdict.because
    (note,) = found.notes
    assert note.startswith("learning from the newest quarter too was refused: ")
    assert f"{SAFETY} (human-only) recall falls" in note
    assert bundle_of(folder).manifest.certificates["desk_tickets_until"] == "2026-03-15"
