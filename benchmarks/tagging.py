"""How fast tickets are tagged: one at a time in process, and in bulk.

Run ``python -m benchmarks.tagging`` after ``paretodesk train``, with OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE unset.
Texts are those of the sample export, which the model has not learned from.
"""

from __future__ import annotations

import csv
import json
import statistics
import sys
import time
from pathlib import Path

from benchmarks import arguments, machine, refuse_slow_blas
from classifier.encoders import UniversalEncoder, cores_at_hand
from classifier.taxonomy import starter_taxonomy
from models.registry import Registry
from service.bulk import tag_in_bulk
from service.current_model import CurrentTagger
from service.settings import load_settings

SAMPLE = Path(__file__).parent.parent / "desk" / "sample" / "tickets.csv"
RESULTS = Path(__file__).parent / "results" / "tagging.json"
RUNS = 6
"""The first starts the workers and does not count."""
BATCH, REPEAT = 128, 2
SINGLES = 400
"""Timed one by one; the others come before, as a desk that serves has met words and patterns before."""
FIGURES = {"median": statistics.median, "min": min, "max": max}


def main() -> None:
    """Measure, print and write the figures."""
    refuse_slow_blas()
    asked = arguments("one ticket, and tickets in bulk", RESULTS).parse_args()
    settings = load_settings()
    tagger = CurrentTagger(
        Registry(settings.models_store), settings.signing_key, UniversalEncoder(), starter_taxonomy()
    )
    if tagger.problem:
        sys.exit(tagger.problem)
    with SAMPLE.open(encoding="utf-8", newline="") as file:
        tickets = [(row["Subject"], row["Message"]) for row in csv.DictReader(file)]
    tagger.tag_many(tickets[SINGLES:])
    singles, rates = [], {1: [], cores_at_hand(): []}
    for subject, body in tickets[:SINGLES]:
        start = time.perf_counter()
        tagger.tag(subject, body)
        singles.append(1000 * (time.perf_counter() - start))
    batches = [tickets[start : start + BATCH] for start in range(0, len(tickets), BATCH)] * REPEAT
    for _ in range(RUNS):
        for jobs, measured in rates.items():
            start = time.perf_counter()
            done = sum(map(len, tag_in_bulk(settings.models_store, settings.signing_key, batches, jobs)))
            measured.append(done / (time.perf_counter() - start))
    cuts = statistics.quantiles(singles, n=100)
    figures = {
        "machine": machine(),
        "characters_median": statistics.median(len(subject) + len(body) for subject, body in tickets),
        "one_ticket_ms": {"p50": round(cuts[49], 2), "p99": round(cuts[98], 2), "n": SINGLES},
        "bulk_tickets_per_s": {
            f"{jobs} cores": {name: round(figure(r[1:])) for name, figure in FIGURES.items()}
            for jobs, r in rates.items()
        },
    }  # fmt: skip
    asked.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
