"""What the human-only guard hears against what it raises for nothing, over all thresholds of its model half.

Run ``python -m benchmarks.guard`` after ``paretodesk train``. Measured on the corpus' frozen tickets, which the model
never saw (rules were written with the corpus in sight), and on the development half of `training/guard_set`, from which
rules were written, so that there the model is measured alone. The test half is `benchmarks.tickets`' business.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import arguments, machine
from classifier.encoders import UniversalEncoder
from classifier.features import feature_text
from classifier.model import ReasonModel
from classifier.taxonomy import Autonomy, starter_taxonomy
from models.registry import Registry
from service.current_model import CurrentTagger
from service.settings import load_settings
from training.corpus import STARTER_CORPUS, load_corpus
from training.evaluation import alarms, standing_alarms
from training.guard_evaluation import load_guard_set

RESULTS = Path(__file__).parent / "results" / "guard.json"
RECALLS = (0.90, 0.95, 0.97, 0.98, 0.99, 0.995)

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]


def main() -> None:
    """Measure, print and write the figures."""
    asked = arguments("recall and false alarms of the human-only guard", RESULTS).parse_args()
    settings, taxonomy = load_settings(), starter_taxonomy()
    current = CurrentTagger(Registry(settings.models_store), settings.signing_key, UniversalEncoder(), taxonomy)
    model = current.tagger.model
    if current.problem or model is None:
        sys.exit(current.problem)
    human_only = taxonomy.with_autonomy(Autonomy.HUMAN_ONLY)
    messages = [message for message in load_guard_set() if message.part == "development"]
    frozen = [example for example in load_corpus(STARTER_CORPUS, taxonomy) if example.frozen]
    heard = _dangers(model, [feature_text("", message.body) for message in messages], human_only)
    texts = [example.text for example in frozen]
    scores = model.scores(texts)
    danger = model.dangers(scores.probabilities, model.parts(texts), human_only)
    asks = np.array([bool(human_only & {e.reason, *(e.secondary or ())}) for e in frozen])
    raised, _ = alarms(frozen)
    standing = standing_alarms(model, frozen, danger, scores.familiarity, human_only)
    dangerous = np.array([message.human_only for message in messages])
    look_alike = np.array([not message.direct for message in messages])
    figures = {
        "machine": machine(),
        "model": current.tagger.model_id,
        "raised_from": round(model.raised_from, 4),
        "overruled_below": round(model.overruled_below, 4),
        "frozen": {
            "n": len(frozen),
            "human_only": int(asks.sum()),
            "as_served": _shares(standing | (danger >= model.raised_from), asks),
            "no_rule_overruled": _shares(raised | (danger >= model.raised_from), asks),
            "rules_alone": _shares(raised, asks),
            "model_alone": _shares(danger >= model.raised_from, asks),
            "curve": _curve(danger, asks, standing),
        },
        "guard_set_development_half_model_alone": {
            "n": len(messages),
            "human_only": int(dangerous.sum()),
            "as_served": _shares(heard >= model.raised_from, dangerous),
            "look_alikes_raised": round(float((heard >= model.raised_from)[~dangerous & look_alike].mean()), 4),
            "plain_raised": round(float((heard >= model.raised_from)[~dangerous & ~look_alike].mean()), 4),
            "curve": _curve(heard, dangerous, np.zeros(len(messages), dtype=bool)),
        },
    }
    asked.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=2))


def _dangers(model: ReasonModel, texts: Sequence[str], human_only: frozenset[str]) -> Floats:
    return model.dangers(model.scores(texts).probabilities, model.parts(texts), human_only)


def _shares(raised: Mask, dangerous: Mask) -> dict[str, float]:
    recall, alarmed = raised[dangerous].mean(), raised[~dangerous].mean()
    return {"recall": round(float(recall), 4), "false_alarms": round(float(alarmed), 4)}


def _curve(danger: Floats, dangerous: Mask, standing: Mask) -> list[dict[str, Any]]:
    """The highest threshold that hears each of `RECALLS`, and what it raises for nothing."""
    points = []
    left = np.sort(np.where(standing, np.inf, danger)[dangerous])[::-1]
    for recall in RECALLS:
        threshold = float(left[int(np.ceil(recall * len(left))) - 1])
        raised = standing | (danger >= threshold)
        points.append({"threshold": round(min(threshold, 1.0), 4), **_shares(raised, dangerous)})
    return points


if __name__ == "__main__":
    main()
