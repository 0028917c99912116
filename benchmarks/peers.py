"""Accuracy against speed on BANKING77, beside what else one would use on a CPU, measured in one run.

Run ``python -m benchmarks.peers FOLDER`` (`benchmarks.quality` says where the set is had). Peers: TF-IDF with a linear
SVC, and MiniLM with a logistic regression, as scikit-learn and sentence-transformers give them. Ours is timed with
calibration and thresholds, peers without, for they have none.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from benchmarks import machine, refuse_slow_blas
from benchmarks.quality import Rows, banking, labelled
from classifier.encoders import MINILM, Encoder, encoder_by_name
from service.commands.learning import PROFILES
from training.fitting import fit

RESULTS = Path(__file__).parent / "results" / "peers.json"
SINGLES, RUNS = 200, 5
Predict = Callable[[list[str]], Any]


def main() -> None:
    """Train and time each, print and write the figures."""
    refuse_slow_blas()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    train, test = banking(folder / "banking77_train.csv"), banking(folder / "banking77_test.csv")
    minilm = encoder_by_name(MINILM)
    encoders = {profile: encoder_by_name(name) for profile, name in PROFILES.items()}
    for encoder in (minilm, *encoders.values()):
        encoder.encode(["opens its weights before the clock starts"])
    systems: dict[str, Callable[[Rows], Predict]] = {
        "TF-IDF + linear SVC": _tfidf_svc,
        "MiniLM + logistic regression": lambda rows: _logistic(rows, minilm),
        **{
            f"paretodesk {profile}": lambda rows, encoder=encoder: _ours(rows, encoder)
            for profile, encoder in encoders.items()
        },
    }
    figures: dict[str, Any] = {"machine": machine()}
    for name, build in systems.items():
        figures[name] = _measure(build, train, test)
        print(name, json.dumps(figures[name]), flush=True)
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _measure(build: Callable[[Rows], Predict], train: Rows, test: Rows) -> dict[str, float]:
    start = time.perf_counter()
    predict = build(train)
    seconds = time.perf_counter() - start
    texts = list(test[0])
    predict(texts[:64])
    rates, best = [], None
    for _ in range(RUNS):
        start = time.perf_counter()
        best = predict(texts)
        rates.append(len(texts) / (time.perf_counter() - start))
    singles = []
    for text in texts[:SINGLES]:
        start = time.perf_counter()
        predict([text])
        singles.append(1000 * (time.perf_counter() - start))
    cuts = statistics.quantiles(singles, n=100)
    return {
        "accuracy": round(float(np.mean(np.asarray(best) == np.asarray(test[1]))), 4),
        "train_seconds": round(seconds, 1),
        "texts_per_s_median": round(statistics.median(rates)),
        "one_text_p50_ms": round(cuts[49], 2),
        "one_text_p99_ms": round(cuts[98], 2),
    }


def _tfidf_svc(rows: Rows) -> Predict:
    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2), LinearSVC())
    fitted: Predict = model.fit(list(rows[0]), list(rows[1])).predict
    return fitted


def _logistic(rows: Rows, encoder: Encoder) -> Predict:
    model = LogisticRegression(max_iter=1000).fit(encoder.encode(rows[0]), list(rows[1]))
    return lambda texts: model.predict(encoder.encode(texts))


def _ours(rows: Rows, encoder: Encoder) -> Predict:
    model = fit(labelled(rows), encoder).model
    names = np.array(model.labels)
    return lambda texts: names[model.scores(texts).probabilities.argmax(axis=1)]


if __name__ == "__main__":
    main()
