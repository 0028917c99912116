"""Ours and what scikit-learn and sentence-transformers give, under the same clock; run by `benchmarks.peers`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.clocked import Predict, Rows, measure


def tfidf_svc() -> Callable[[Rows], Predict]:
    """TF-IDF of words and pairs, linear SVC."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    def build(rows: Rows) -> Predict:
        model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=1), LinearSVC())
        predict: Predict = model.fit(*rows).predict
        return predict

    return build


def logistic() -> Callable[[Rows], Predict]:
    """Frozen MiniLM, logistic regression."""
    from sklearn.linear_model import LogisticRegression

    from classifier.encoders import MINILM, encoder_by_name

    encoder = encoder_by_name(MINILM)
    encoder.encode(["opens its weights"])

    def build(rows: Rows) -> Predict:
        model = LogisticRegression(max_iter=1000).fit(encoder.encode(rows[0]), rows[1])
        return lambda texts: list(model.predict(encoder.encode(texts)))

    return build


def ours(profile: str) -> Callable[[], Callable[[Rows], Predict]]:
    """Our model, calibrated and with its thresholds."""

    def opened() -> Callable[[Rows], Predict]:
        from benchmarks.quality import labelled
        from classifier.encoders import encoder_by_name
        from service.commands.learning import PROFILES
        from training.fitting import fit

        encoder = encoder_by_name(PROFILES[profile])
        encoder.encode(["opens its weights"])

        def build(rows: Rows) -> Predict:
            model = fit(labelled((tuple(rows[0]), tuple(rows[1]))), encoder).model
            return lambda texts: [model.labels[i] for i in model.scores(texts).probabilities.argmax(axis=1)]

        return build

    return opened


SYSTEMS = {"tfidf_svc": tfidf_svc, "logistic": logistic, "fast": ours("fast"), "accurate": ours("accurate")}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=list(SYSTEMS))
    parser.add_argument("folder", type=Path)
    parser.add_argument("shots", type=int)
    chosen = parser.parse_args()
    measure(SYSTEMS[chosen.name], chosen.folder, chosen.shots)
