"""One classifier under the clock, in a process of its own; needs numpy at most, so that any environment runs it."""

from __future__ import annotations

import csv
import json
import random
import resource
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

SINGLES, RUNS = 200, 5
Rows = tuple[list[str], list[str]]
Predict = Callable[[list[str]], Sequence[Any]]
STARTED = time.perf_counter()


def read(folder: Path, part: str) -> Rows:
    """Texts and labels of BANKING77's ``part``."""
    with (folder / f"banking77_{part}.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["category"]) for row in csv.DictReader(file)]
    return [text for text, _ in rows], [label for _, label in rows]


def few(rows: Rows, shots: int, seed: int = 1) -> Rows:
    """``shots`` examples of each label."""
    by_label: dict[str, list[str]] = defaultdict(list)
    for text, label in zip(*rows, strict=True):
        by_label[label].append(text)
    draw = random.Random(seed)
    chosen = [(text, label) for label in sorted(by_label) for text in draw.sample(by_label[label], shots)]
    return [text for text, _ in chosen], [label for _, label in chosen]


def measure(opened: Callable[[], Callable[[Rows], Predict]], folder: Path, shots: int) -> None:
    """Print the figures of one system as JSON.

    ``opened`` imports and opens what the system needs and gives its training; ``shots`` of 0 means the whole training
    split. The start is from the process's first line to the first vector, without training.
    """
    train, test = read(folder, "train"), read(folder, "test")
    if shots:
        train = few(train, shots)
    build = opened()
    start_seconds = time.perf_counter() - STARTED
    start = time.perf_counter()
    predict = build(train)
    seconds = time.perf_counter() - start
    texts, labels = test
    predict(texts[:64])
    rates, best = [], list[Any]()
    for _ in range(RUNS):
        start = time.perf_counter()
        best = list(predict(texts))
        rates.append(len(texts) / (time.perf_counter() - start))
    singles = []
    for text in texts[:SINGLES]:
        start = time.perf_counter()
        predict([text])
        singles.append(1000 * (time.perf_counter() - start))
    cuts = statistics.quantiles(singles, n=100)
    figures = {
        "accuracy": round(sum(str(a) == b for a, b in zip(best, labels, strict=True)) / len(labels), 4),
        "train_seconds": round(seconds, 1),
        "texts_per_s_median": round(statistics.median(rates)),
        "one_text_p50_ms": round(cuts[49], 2),
        "one_text_p99_ms": round(cuts[98], 2),
        "start_seconds": round(start_seconds, 1),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    print(json.dumps(figures))
    sys.stdout.flush()
