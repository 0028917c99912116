"""Label health on BANKING77: planted label errors, one labeller who flips, the queue's gain, and eight examples.

Run ``python -m benchmarks.labels FOLDER [--part audit|influence|queue|few_shot]`` (`benchmarks.quality` says where the
set is had). So that it takes minutes, 40 tickets of each class of the training split are learned from; the whole test
split is measured on. Errors are planted by seed. Writes results/labels.json, a part at a time.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score, precision_recall_fscore_support

from benchmarks import machine, refuse_slow_blas
from benchmarks.quality import banking, labelled
from classifier.encoders import UNIVERSAL, Encoder, Vectors, encoder_by_name
from training.corpus import Example, text_group
from training.fitting import Settings, encode_all, fit
from training.labels.audit import audit_labels
from training.labels.influence import weigh_labellers
from training.labels.replay import replay
from training.labels.taught import Taught

RESULTS = Path(__file__).parent / "results" / "labels.json"
SEED = 20_261_122
EACH = 40
PEOPLE = ("ana", "ben", "cem", "dora", "eli")
FLIPPED = 0.10
PLANTED = 0.05
EXAMPLES, NEW_REASONS = 8, 10
START, BATCH, ROUNDS = 10, 100, 4


@dataclass(frozen=True)
class Data:
    """Texts, labels and vectors to learn from and to measure on."""

    texts: tuple[str, ...]
    labels: tuple[str, ...]
    vectors: Vectors
    test_texts: tuple[str, ...]
    test_labels: tuple[str, ...]
    test_vectors: Vectors
    encoder: Encoder


def main() -> None:
    """Measure, print and write the figures."""
    refuse_slow_blas()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--part", choices=list(PARTS))
    arguments = parser.parse_args()
    data = _read(arguments.folder)
    for name, part in PARTS.items():
        if arguments.part in (None, name):
            found = part(data)
            print(name, json.dumps(found, indent=1), flush=True)
            figures = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
            RESULTS.write_text(json.dumps({**figures, "machine": machine(), name: found}, indent=2) + "\n", "utf-8")


def _read(folder: Path) -> Data:
    train, test = (banking(folder / f"banking77_{part}.csv") for part in ("train", "test"))
    names = np.array(train[1])
    order = np.random.default_rng(SEED).permutation(len(names))
    rows = np.sort(np.concatenate([order[names[order] == name][:EACH] for name in np.unique(names)]))
    encoder = encoder_by_name(UNIVERSAL)
    texts = tuple(train[0][row] for row in rows)
    return Data(texts, tuple(train[1][row] for row in rows), encode_all(encoder, texts),
                test[0], test[1], encode_all(encoder, test[0]), encoder)  # fmt: skip


def _predicted(data: Data, labels: NDArray[np.str_], rows: NDArray[np.int64]) -> list[str]:
    taught = labelled((tuple(data.texts[i] for i in rows), tuple(str(labels[i]) for i in rows)))
    model = fit(taught, data.encoder, Settings(seed=SEED), vectors=data.vectors[rows]).model
    return [model.labels[i] for i in model.scores_of(data.test_texts, data.test_vectors).probabilities.argmax(axis=1)]


def _macro_f1(data: Data, labels: NDArray[np.str_], rows: NDArray[np.int64]) -> float:
    return round(float(f1_score(data.test_labels, _predicted(data, labels, rows), average="macro")), 4)


def _another(labels: NDArray[np.str_], rows: NDArray[np.int64], draw: np.random.Generator) -> NDArray[np.str_]:
    """A copy with another label, at random, in each of ``rows``."""
    changed, names = labels.copy(), np.unique(labels)
    for row in rows:
        changed[row] = draw.choice(names[names != labels[row]])
    return changed


def audit(data: Data) -> dict[str, Any]:
    """How many of the planted errors the audit lists, and how high."""
    draw, truth = np.random.default_rng(SEED), np.array(data.labels)
    planted = draw.choice(len(truth), round(PLANTED * len(truth)), replace=False)
    labels = _another(truth, planted, draw)
    fitted = fit(labelled((data.texts, tuple(map(str, labels)))), data.encoder, vectors=data.vectors)
    examples = [
        Example(str(i), str(labels[i]), "en", "", "", text, text_group(text)) for i, text in enumerate(data.texts)
    ]
    found = audit_labels(examples, fitted.out_of_fold.probabilities, fitted.model.labels)
    wrong = {str(row) for row in planted}
    listed = [suspicion.id in wrong for suspicion in found.suspicious]
    hits = [suspicion for suspicion in found.suspicious if suspicion.id in wrong]
    return {
        "tickets": len(truth),
        "planted": len(planted),
        "listed": len(listed),
        "planted_listed": sum(listed),
        "planted_among_as_many_first": sum(listed[: len(planted)]),
        "suggested_the_true_label": sum(truth[int(hit.id)] == hit.suggested for hit in hits),
    }


def influence(data: Data) -> dict[str, Any]:
    """Five people label a fifth each; one of them flips a tenth of all labels, at random or each class to one other."""
    truth, everything = np.array(data.labels), np.arange(len(data.labels))
    draw = np.random.default_rng(SEED)
    who = np.array(PEOPLE, dtype=object)[draw.permutation(len(truth)) % len(PEOPLE)]
    mine = draw.choice(np.flatnonzero(who == "cem"), round(FLIPPED * len(truth)), replace=False)
    names = np.unique(truth)
    following = dict(zip(names, np.roll(names, 1), strict=True))
    on_purpose = truth.copy()
    on_purpose[mine] = [following[label] for label in truth[mine]]
    # All that the labeller has of a few classes, and nothing else.
    few = truth.copy()
    of_few = [row for row in np.flatnonzero(who == "cem") if truth[row] in set(names[:8])]
    few[of_few] = [following[label] for label in truth[of_few]]
    found: dict[str, Any] = {"tickets": len(truth), "clean_macro_f1": _macro_f1(data, truth, everything)}
    cases = {
        "honest": truth,
        "a_tenth_of_all_at_random": _another(truth, mine, draw),
        "a_tenth_of_all_each_class_to_one_other": on_purpose,
        "all_theirs_of_eight_classes": few,
    }
    for name, labels in cases.items():
        taught = [
            Taught(str(i), str(labels[i]), text_group(text), str(who[i]), text) for i, text in enumerate(data.texts)
        ]
        check = weigh_labellers(taught, data.vectors)
        kept = np.array([i for i in everything if str(i) not in check.aside_ids])
        figures = {
            "flipped": int((labels != truth).sum()),
            "refused": list(check.refused),
            "capped": list(check.capped),
            "put_aside": len(check.put_aside),
        }
        if name != "honest":
            figures["macro_f1_unprotected"] = _macro_f1(data, labels, everything)
        if len(kept) < len(truth):
            figures["macro_f1"] = _macro_f1(data, labels, kept)
        found[name] = figures
        print(name, json.dumps(figures), flush=True)
    return found


def queue(data: Data) -> dict[str, Any]:
    """Ten labels of each class, then a hundred at a time: by the queue and at random."""
    pool, held = labelled((data.texts, data.labels)), labelled((data.test_texts, data.test_labels))
    found = replay(
        pool, data.vectors, ["en"] * len(pool), held, data.test_vectors, data.encoder,
        start=START, batch=BATCH, rounds=ROUNDS, seed=SEED,
        progress=lambda what, done, total: print(what, done, total, flush=True),
    )  # fmt: skip
    return found.to_json()


def few_shot(data: Data) -> dict[str, Any]:
    """Ten reasons, drawn by seed, with eight examples each beside the others with forty; all ten at once."""
    truth = np.array(data.labels)
    new = sorted(np.random.default_rng(SEED).choice(np.unique(truth), NEW_REASONS, replace=False))
    rows = np.concatenate(
        [np.flatnonzero(truth == name)[: EXAMPLES if name in new else None] for name in np.unique(truth)]
    )
    said = _predicted(data, truth, rows)
    precision, recall, f1, _ = precision_recall_fscore_support(data.test_labels, said, labels=new, zero_division=0)
    return {
        "reasons": [str(name) for name in new],
        "precision": round(float(precision.mean()), 4),
        "recall": round(float(recall.mean()), 4),
        "f1": round(float(f1.mean()), 4),
        "f1_by_reason": {str(name): round(float(value), 4) for name, value in zip(new, f1, strict=True)},
        "macro_f1_of_all": round(float(f1_score(data.test_labels, said, average="macro")), 4),
    }


PARTS = {"few_shot": few_shot, "audit": audit, "influence": influence, "queue": queue}

if __name__ == "__main__":
    main()
