"""Fit and judge at once, in memory: the starter corpus, or any labelled text set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from classifier.encoders import Encoder
from classifier.guard import starter_guard
from classifier.language import language_identifier
from classifier.tagger import Tagger
from classifier.taxonomy import starter_taxonomy
from models.registry import Registry
from models.signing import SigningKey
from training.corpus import Example, as_labelled
from training.encoding_cache import encode_cached
from training.evaluation import alarms, evaluate, predictions_of
from training.fitting import FitError, Progress, Settings, fit, silent
from training.guard_evaluation import evaluate_guard, load_guard_set
from training.promotion import Verdict, judge
from training.retraining.champion import LEARNED_UNTIL
from training.retraining.versions import (
    REASONS_MODEL,
    Outcome,
    data_hash,
    described,
    open_champion,
    write_version,
)


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
    """Fit on the corpus' tickets outside the frozen set and let the result serve if it beats the champion.

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
    fitted = fit(data, encoder, settings, progress, vectors, *alarms(learned))
    champion, note = open_champion(registry, key, name)
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
            **described(learned),
            "frozen, only measured on": f"{len(frozen)} tickets; scenario, customer or order never on both sides",
        },
        fingerprint=data_hash([*learned, *frozen]), seed=settings.seed, verdict=verdict, guard=guard,
        origin={LEARNED_UNTIL: None},
    )  # fmt: skip
    if verdict.promote:
        registry.promote(name, version)
        registry.prune(name)
    return Outcome(name, version, fitted, verdict, note)


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
        data=described(examples), fingerprint=data_hash(examples), seed=settings.seed, verdict=verdict,
    )  # fmt: skip
    registry.promote(name, version)
    registry.prune(name)
    return Outcome(name, version, fitted, verdict)
