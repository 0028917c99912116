"""How good any labelled set is learned: BANKING77 and CLINC150, both profiles, on their given splits.

Run ``python -m benchmarks.quality FOLDER`` where FOLDER holds ``banking77_train.csv``, ``banking77_test.csv``
(https://github.com/PolyAI-LDN/task-specific-datasets) and ``clinc150_full.json`` (``data_full.json`` of
https://github.com/clinc/oos-eval). Everything that is chosen is chosen by cross-validation on the training split; test
splits are only measured on. BANKING77 has disputed labels, and 6 of its test texts also stand in its training split.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks import machine, refuse_slow_blas
from classifier.abstention import control_risk
from classifier.calibration import expected_calibration_error
from classifier.encoders import Encoder, encoder_by_name
from service.commands.learning import PROFILES
from training.corpus import text_group
from training.fitting import Fitted, Labelled, Settings, encode_all, fit

RESULTS = Path(__file__).parent / "results" / "quality.json"
SEEDS = (1, 2, 3, 4, 5)
SHOTS = 10
TARGETS = (0.05, 0.03, 0.02)

Rows = tuple[tuple[str, ...], tuple[str, ...]]


def main() -> None:
    """Measure both sets with both profiles and write the figures."""
    refuse_slow_blas()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--profile", choices=list(PROFILES), help="one profile only; the other's figures stay")
    arguments = parser.parse_args()
    folder = arguments.folder
    train, test = banking(folder / "banking77_train.csv"), banking(folder / "banking77_test.csv")
    clinc = json.loads((folder / "clinc150_full.json").read_text(encoding="utf-8"))
    figures: dict[str, Any] = {"machine": machine()}
    if arguments.profile and RESULTS.exists():
        figures = json.loads(RESULTS.read_text(encoding="utf-8")) | figures
    for profile, name in PROFILES.items():
        if arguments.profile not in (None, profile):
            continue
        encoder = encoder_by_name(name)
        encoder.encode(["warm up"])
        figures[profile] = {
            "encoder": name,
            "banking77": _full(encoder, train, test),
            "banking77_10_per_class": _few(encoder, train, test),
            "clinc150": _full(encoder, _clinc(clinc["train"]), _clinc(clinc["test"]), _clinc(clinc["oos_test"])[0]),
        }
        print(json.dumps({profile: figures[profile]}, indent=2), flush=True)
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _full(encoder: Encoder, train: Rows, test: Rows, unknown: Sequence[str] = ()) -> dict[str, Any]:
    start = time.perf_counter()
    vectors = encode_all(encoder, train[0])
    encoded = time.perf_counter()
    fitted = fit(labelled(train), encoder, vectors=vectors)
    seconds = time.perf_counter() - start
    scores = fitted.model.scores_of(test[0], encode_all(encoder, test[0]))
    confidence = scores.probabilities.max(axis=1)
    correct = np.array(fitted.model.labels)[scores.probabilities.argmax(axis=1)] == np.array(test[1])
    figures = {
        "accuracy": round(float(correct.mean()), 4),
        "ece": round(expected_calibration_error(confidence, correct), 4),
        "train_seconds": round(seconds, 1),
        "of_which_encoding": round(encoded - start, 1),
        "calibrated_by": fitted.model.confidence_map.method,
        "guarantees": [_guarantee(fitted, target, confidence, correct) for target in TARGETS],
    }
    if unknown:
        strange = fitted.model.scores_of(unknown, encode_all(encoder, unknown))
        truth = np.r_[np.zeros(len(test[0])), np.ones(len(unknown))]
        figures["out_of_scope_auroc"] = {
            name: round(float(roc_auc_score(truth, -np.concatenate(pair))), 4)
            for name, pair in {
                "familiarity": (scores.familiarity, strange.familiarity),
                "confidence": (confidence, strange.probabilities.max(axis=1)),
            }.items()
        }
    return figures


def _guarantee(fitted: Fitted, target: float, confidence: Any, correct: Any) -> dict[str, Any]:
    """What cross-validation promises at ``target`` and what the test split then shows."""
    held_out = fitted.out_of_fold.probabilities
    promise = control_risk(held_out.max(axis=1), held_out.argmax(axis=1) == fitted.truth, target)
    tagged = confidence >= promise.threshold
    return {
        "target": target,
        "certified_coverage": round(promise.coverage, 4),
        "test_coverage": round(float(tagged.mean()), 4),
        "test_error": round(float((~correct[tagged]).mean()), 4) if tagged.any() else None,
    }


def _few(encoder: Encoder, train: Rows, test: Rows) -> dict[str, Any]:
    texts, labels = np.array(train[0], dtype=object), np.array(train[1])
    vectors, test_vectors = encode_all(encoder, train[0]), encode_all(encoder, test[0])
    accuracies = []
    for seed in SEEDS:
        order = np.random.default_rng(seed).permutation(len(labels))
        rows = np.concatenate([order[labels[order] == label][:SHOTS] for label in np.unique(labels)])
        model = fit(
            labelled((tuple(texts[rows]), tuple(labels[rows]))), encoder, Settings(seed=seed), vectors=vectors[rows]
        ).model
        best = np.array(model.labels)[model.scores_of(test[0], test_vectors).probabilities.argmax(axis=1)]
        accuracies.append(float((best == np.array(test[1])).mean()))
    return {
        "accuracy_mean": round(statistics.mean(accuracies), 4),
        "accuracy_by_seed": [round(accuracy, 4) for accuracy in accuracies],
    }


def labelled(rows: Rows) -> Labelled:
    """Training input; equal texts share a group."""
    return Labelled(rows[0], rows[1], tuple(text_group(text) for text in rows[0]))


def banking(path: Path) -> Rows:
    """Texts and labels of one split of BANKING77."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return tuple(row["text"] for row in rows), tuple(row["category"] for row in rows)


def _clinc(rows: list[list[str]]) -> Rows:
    return tuple(text for text, _ in rows), tuple(label for _, label in rows)


if __name__ == "__main__":
    main()
