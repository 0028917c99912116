"""How good the serving model is, from the signed figures of its version, and what became of the last retraining."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from classifier.taxonomy import Taxonomy
from desk.intervals import wilson
from desk.metrics.figures import Estimate
from models.bundle import BundleError, Manifest, read_bundle
from models.registry import Registry
from models.signing import SigningError, SigningKey
from training.quarterly.contents import ModelQuality, Weak

SHOWN_WEAKEST = 5
FEWEST = 10
"""Tickets of a reason below which its F1 is mostly chance and is not shown among the weakest."""


@dataclass(frozen=True)
class ModelStore:
    """Where the model's versions are; ``key`` opens them."""

    registry: Registry
    key: SigningKey
    name: str


def model_quality(store: ModelStore, taxonomy: Taxonomy, human_only: Collection[str]) -> ModelQuality | None:
    """The champion's figures; None where no version serves or the serving one has no figures.

    Raises `BundleError` for a version that is not what was signed.
    """
    champion = store.registry.champion(store.name)
    if champion is None:
        return None
    manifest = _manifest(store, champion.version)
    metrics = manifest.metrics
    if not metrics or "accuracy" not in metrics:
        return None
    versions = store.registry.versions(store.name)
    last = versions[-1] if versions else champion.version
    try:
        newest = manifest if last == champion.version else _manifest(store, last)
    except (BundleError, SigningError):
        newest = manifest
    promoted = newest.certificates.get("promoted")
    because: Any = newest.certificates.get("because") or ()
    return _quality(manifest, metrics, taxonomy, human_only, newest.version, promoted, because)


def _manifest(store: ModelStore, version: str) -> Manifest:
    return read_bundle(store.registry.folder(store.name, version), store.key).manifest


def _quality(
    manifest: Manifest,
    metrics: Mapping[str, Any],
    taxonomy: Taxonomy,
    human_only: Collection[str],
    last: str,
    promoted: Any,
    because: Any,
) -> ModelQuality:
    labels: Mapping[str, Mapping[str, Any]] = metrics["per_label"]
    n, accuracy = int(metrics["n"]), float(metrics["accuracy"])
    dangerous = sum(int(figures["n"]) for label, figures in labels.items() if label in human_only)
    recall = metrics.get("guard_recall")
    weak = [
        Weak(label, taxonomy[label].name("en") if label in taxonomy else label, float(f["f1"]), int(f["n"]))
        for label, f in labels.items()
        if f["n"] >= FEWEST
    ]
    wrong = metrics["selective_error"]
    return ModelQuality(
        version=manifest.version,
        created_at=manifest.created_at,
        n=n,
        accuracy=Estimate(accuracy, *wilson(round(accuracy * n), n)),
        macro_f1=float(metrics["macro_f1"]),
        calibration_error=float(metrics["ece"]),
        tagged=float(metrics["coverage"]),
        wrong_when_tagged=None if wrong is None else float(wrong),
        guard=Estimate(float(recall), *wilson(round(recall * dangerous), dangerous))
        if recall is not None and dangerous
        else None,
        guard_n=dangerous,
        weakest=tuple(sorted(weak, key=lambda one: one.f1)[:SHOWN_WEAKEST]),
        last_version=last,
        last_promoted=bool(promoted) if promoted is not None else None,
        last_because=tuple(map(str, because)),
    )
