"""Whether a contact reason that the model never saw comes up: each of ten BANKING77 classes held out, one at a time.

Run ``python -m benchmarks.emerging FOLDER [--keep FOLDER]`` (`benchmarks.quality` says where the set is had). Our model
is fitted on the rest of the training split; the whole test split is the period, in which 40 of 3,080 tickets are of the
class held out. Surfaced: among the first ten groups shown one has a purity of 0.7 and a recall of 0.4 at least. The ten
were drawn by seed before anything was tried; the method was chosen on other classes, within the training split
(docs/adr/0016). ``--keep`` keeps the fitted models, so that another run reads them. Writes results/emerging.json.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine, refuse_slow_blas
from benchmarks.quality import Rows, banking, labelled
from classifier.encoders import UNIVERSAL, Encoder, Vectors, encoder_by_name
from classifier.model import SETTINGS, ReasonModel
from training.emerging.discovery import SHOWN, discover
from training.emerging.naming import name_terms
from training.emerging.space import KnownSpace
from training.fitting import encode_all, fit

RESULTS = Path(__file__).parent / "results" / "emerging.json"
SEED, CLASSES = 20_261_122, 10
PURITY, RECALL = 0.7, 0.4


def main() -> None:
    """Measure each class held out, print and write the figures."""
    refuse_slow_blas()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--keep", type=Path, help="folder of fitted models, one per class held out")
    arguments = parser.parse_args()
    train, test = (banking(arguments.folder / f"banking77_{part}.csv") for part in ("train", "test"))
    encoder = encoder_by_name(UNIVERSAL)
    test_vectors = encode_all(encoder, test[0])
    classes = sorted(str(c) for c in np.random.default_rng(SEED).choice(np.unique(train[1]), CLASSES, replace=False))
    held_out, vectors = {}, None
    for name in classes:
        model = _kept(arguments.keep, name, encoder)
        if model is None:
            vectors = encode_all(encoder, train[0]) if vectors is None else vectors
            model = _fitted(train, vectors, name, encoder, arguments.keep)
        held_out[name] = _measure(model, test, test_vectors, name)
        print(name, json.dumps(held_out[name]), flush=True)
    surfaced = sum(figures["surfaced"] for figures in held_out.values())
    figures = {
        "machine": machine(),
        "needed": {"purity": PURITY, "recall": RECALL, "among_the_first": SHOWN},
        "surfaced": surfaced,
        "of": len(classes),
        "held_out": held_out,
    }
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(f"{surfaced} of {len(classes)} surfaced")


def _kept(keep: Path | None, name: str, encoder: Encoder) -> ReasonModel | None:
    folder = keep / name.lower() if keep else None
    if folder is None or not (folder / SETTINGS).is_file():
        return None
    return ReasonModel.from_files({path.name: path.read_bytes() for path in folder.iterdir()}, encoder)


def _fitted(train: Rows, vectors: Vectors, name: str, encoder: Encoder, keep: Path | None) -> ReasonModel:
    rows = [row for row, label in enumerate(train[1]) if label != name]
    rest = tuple(tuple(column[row] for row in rows) for column in train)
    model = fit(labelled((rest[0], rest[1])), encoder, vectors=vectors[rows]).model
    if keep:
        folder = keep / name.lower()
        folder.mkdir(parents=True, exist_ok=True)
        for file, data in model.to_files().items():
            (folder / file).write_bytes(data)
    return model


def _measure(model: ReasonModel, test: Rows, vectors: Vectors, name: str) -> dict[str, Any]:
    scores = model.scores_of(test[0], vectors)
    thresholds = model.thresholds
    undecided = scores.probabilities.max(axis=1) < thresholds.guarantee.threshold
    undecided |= scores.familiarity < thresholds.familiarity
    groups = discover(KnownSpace.of_model(model), vectors, scores, undecided.astype(np.int64))
    mine = np.array(test[1]) == name
    shown = [
        {
            "size": len(group.members),
            "expected": round(group.expected, 1),
            "score": round(group.score, 1),
            "purity": round(float(mine[group.members].mean()), 3),
            "recall": round(float(mine[group.members].sum() / mine.sum()), 3),
        }
        for group in groups
    ]
    hits = [place for place, g in enumerate(shown, start=1) if g["purity"] >= PURITY and g["recall"] >= RECALL]
    best = max(range(len(shown)), key=lambda i: min(shown[i]["purity"] / PURITY, shown[i]["recall"] / RECALL))
    return {
        "surfaced": bool(hits),
        "place": hits[0] if hits else None,
        "undecided": int(undecided.sum()),
        "undecided_of_class": round(float(undecided[mine].mean()), 3),
        "best": shown[best],
        "terms": list(name_terms([test[0][row] for row in groups[best].members], test[0])),
        "scores_of_others": [group["score"] for i, group in enumerate(shown) if i != best],
    }


if __name__ == "__main__":
    main()
