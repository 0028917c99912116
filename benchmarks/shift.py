"""How well shares of reasons are estimated when they shift: BANKING77 with prior shift imposed on its test split.

Run ``python -m benchmarks.shift FOLDER`` where FOLDER holds ``banking77_train.csv`` and ``banking77_test.csv``
(https://github.com/PolyAI-LDN/task-specific-datasets). A model is fitted on the training split. Then periods are drawn
from the test split: shares of the 77 labels from a Dirichlet distribution (the lower its parameter, the stronger the
shift), tickets of each label with replacement. Counting the best labels is compared with the corrected estimate, both
against the shares of the drawn tickets; intervals against the imposed shares. The method was chosen on out-of-fold
scores of the training split; the test split only confirms. ``floor`` is what nobody can beat with these posteriors:
the error of one who knows the true shares and only has to attribute the tickets. BANKING77 has disputed labels, and 6
of its test texts also stand in its training split.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine, refuse_slow_blas
from classifier.encoders import UniversalEncoder
from training.corpus import as_labelled, load_labelled
from training.encoding_cache import encode_cached
from training.fitting import Labelled, fit, silent
from training.shift.accuracy import estimate_accuracy
from training.shift.drift import measure_drift
from training.shift.evidence import Evidence
from training.shift.prevalence import (
    Scales,
    Shares,
    Tickets,
    draw_scales,
    draw_shares,
    emq,
    interval,
    learned_shares,
    turned,
)
from training.shift.significance import real_changes

RESULTS = Path(__file__).parent / "results" / "shift.json"
SEVERITIES = {"0.1 (strong)": 0.1, "0.3": 0.3, "1 (any shares alike)": 1.0, "10 (slight)": 10.0}
SIZES = (500, 2000, 5000)
REPLICATES = 200
SEED = 20_261_122


@dataclass(frozen=True)
class Pool:
    """Test tickets to draw from: what the model says of each, its vector and its true column."""

    posteriors: Any
    vectors: Any
    truth: Any

    def draw(self, shares: Shares, n: int, random: np.random.Generator) -> Any:
        """Rows of ``n`` tickets with labels of these shares."""
        labels = random.choice(len(shares), n, p=shares)
        rows = np.empty(n, dtype=np.int64)
        for label in np.unique(labels):
            rows[labels == label] = random.choice(np.flatnonzero(self.truth == label), (labels == label).sum())
        return rows


def main() -> None:
    """Measure and write the figures."""
    refuse_slow_blas()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--draws", type=int, default=20, help="periods for each severity and size")
    parser.add_argument("--cache", type=Path, help="folder that keeps encodings")
    arguments = parser.parse_args()
    evidence, pool = _fitted(arguments.folder, arguments.cache)
    scales = draw_scales(evidence, REPLICATES)
    random = np.random.default_rng(SEED)
    cells = {
        f"Dirichlet {name}, {n} tickets": _cell(evidence, pool, scales, severity, n, arguments.draws, random)
        for name, severity in SEVERITIES.items()
        for n in SIZES
    }
    figures = {
        "machine": machine(),
        "draws": arguments.draws,
        "accuracy_test": round(float((pool.posteriors.argmax(axis=1) == pool.truth).mean()), 4),
        "cells": cells,
        "pooled": {
            name: _pooled(cells, name) for name in ("Dirichlet", *(f"Dirichlet {name}," for name in SEVERITIES))
        },
        "no_shift": _no_shift(evidence, pool, scales, arguments.draws, random),
    }
    print(json.dumps(figures, indent=2))
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _fitted(folder: Path, cache: Path | None) -> tuple[Evidence, Pool]:
    encoder = UniversalEncoder()
    train, test = (_read(folder / f"banking77_{split}.csv") for split in ("train", "test"))
    fitted = fit(train, encoder, vectors=encode_cached(encoder, train.texts, cache, silent))
    vectors = encode_cached(encoder, test.texts, cache, silent)
    posteriors = fitted.model.scores_of(test.texts, vectors).probabilities.astype(np.float32)
    evidence = Evidence(fitted.model.labels, fitted.out_of_fold.probabilities.astype(np.float32), fitted.truth)
    return evidence, Pool(posteriors, vectors, np.searchsorted(np.array(fitted.model.labels), test.labels))


def _read(path: Path) -> Labelled:
    return as_labelled(load_labelled(path, "text", "category"))


def _cell(
    evidence: Evidence, pool: Pool, scales: Scales, severity: float, n: int, draws: int, random: np.random.Generator
) -> dict[str, float]:
    rows = [_period(evidence, pool, scales, severity, n, random) for _ in range(draws)]
    mean = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    return {name: round(value, 5) for name, value in (mean | _ratios(mean)).items()}


def _ratios(mean: Mapping[str, float]) -> dict[str, float]:
    return {
        "mae_ratio": mean["mae_estimated"] / mean["mae_counted"],
        "largest_ratio": mean["largest_estimated"] / mean["largest_counted"],
        "mae_ratio_floor": mean["mae_floor"] / mean["mae_counted"],
        "largest_ratio_floor": mean["largest_floor"] / mean["largest_counted"],
    }


def _pooled(cells: Mapping[str, Mapping[str, float]], start: str) -> dict[str, float]:
    chosen = [cell for name, cell in cells.items() if name.startswith(start)]
    mean = {name: float(np.mean([cell[name] for cell in chosen])) for name in chosen[0]}
    return {name: round(value, 5) for name, value in (mean | _ratios(mean)).items()}


def _period(
    evidence: Evidence, pool: Pool, scales: Scales, severity: float, n: int, random: np.random.Generator
) -> dict[str, float]:
    k, learned = len(evidence.labels), learned_shares(evidence)
    imposed = random.dirichlet(np.full(k, severity))
    rows = pool.draw(imposed, n, random)
    tickets = _tickets(pool, rows)
    drawn_shares = np.bincount(pool.truth[rows], minlength=k) / n
    counted = np.bincount(tickets.posteriors.argmax(axis=1), minlength=k) / n
    estimated = emq(tickets.posteriors, learned)
    floor = turned(tickets.posteriors, learned, drawn_shares).mean(axis=0)
    low, high = interval(estimated, draw_shares(tickets, estimated, scales, seed=int(random.integers(2**31))), n)
    errors = {
        name: np.abs(shares - drawn_shares)
        for name, shares in (("counted", counted), ("estimated", estimated), ("floor", floor))
    }
    covered = (low <= imposed) & (imposed <= high)
    accuracy = estimate_accuracy(evidence, tickets.posteriors, estimated, tickets.groups)
    right = float((tickets.posteriors.argmax(axis=1) == pool.truth[rows]).mean())
    return {
        **{f"mae_{name}": float(error.mean()) for name, error in errors.items()},
        **{f"largest_{name}": float(error.max()) for name, error in errors.items()},
        "coverage_imposed": float(covered.mean()),
        "coverage_imposed_above_1_percent": float(covered[imposed >= 0.01].mean()) if (imposed >= 0.01).any() else 1.0,
        "coverage_drawn": float(((low <= drawn_shares) & (drawn_shares <= high)).mean()),
        "interval_width": float((high - low).mean()),
        "accuracy_error": abs(accuracy.value - right),
        "accuracy_error_by_threshold": abs(accuracy.by_threshold - right),
        "accuracy_covered": float(accuracy.low <= right <= accuracy.high),
    }


def _tickets(pool: Pool, rows: Any) -> Tickets:
    return Tickets(pool.posteriors[rows], np.unique(rows, return_inverse=True)[1])


def _no_shift(
    evidence: Evidence, pool: Pool, scales: Scales, draws: int, random: np.random.Generator
) -> dict[str, float]:
    """Two periods of equal shares: what is called real is false; and drift within reasons where only shares differ."""
    k, learned, n = len(evidence.labels), learned_shares(evidence), 1000
    real, false, changes_covered, p_equal, p_shifted = [], [], [], [], []
    for _ in range(draws):
        shares = random.dirichlet(np.full(k, 1.0))
        other = random.dirichlet(np.full(k, 1.0))
        rows = [pool.draw(of, n, random) for of in (shares, shares, other)]
        found = []
        for turn, chosen in enumerate(rows):
            tickets = _tickets(pool, chosen)
            estimated = emq(tickets.posteriors, learned)
            found.append((estimated, draw_shares(tickets, estimated, scales, seed=turn)))
        null, shifted = (real_changes(*found[0], *found[i]) for i in (1, 2))
        false.append(float(null.real.any()))
        truth = other - shares
        changes_covered.append(float(((shifted.low <= truth) & (truth <= shifted.high)).mean()))
        wrong = shifted.real & (np.sign(shifted.change) != np.sign(truth))
        real.append((int(shifted.real.sum()), int(wrong.sum())))
        for values, i in ((p_equal, 1), (p_shifted, 2)):
            once = [np.unique(chosen) for chosen in (rows[0], rows[i])]
            shared = np.intersect1d(*once)
            once = [np.setdiff1d(chosen, half) for chosen, half in zip(once, (shared[::2], shared[1::2]), strict=True)]
            guesses = [pool.posteriors[chosen].argmax(axis=1) for chosen in once]
            values.append(measure_drift(*(pool.vectors[chosen] for chosen in once), *guesses).p_within)
    return {
        "periods_with_a_false_alarm": round(float(np.mean(false)), 4),
        "changes_called_real_of_77": round(float(np.mean([found for found, _ in real])), 2),
        "of_which_of_the_wrong_sign": round(sum(wrong for _, wrong in real) / max(sum(n for n, _ in real), 1), 4),
        "coverage_of_changes": round(float(np.mean(changes_covered)), 4),
        "drift_within_reasons_below_0.05_equal_shares": round(float(np.mean(np.array(p_equal) < 0.05)), 3),
        "drift_within_reasons_below_0.05_other_shares": round(float(np.mean(np.array(p_shifted) < 0.05)), 3),
    }


if __name__ == "__main__":
    main()
