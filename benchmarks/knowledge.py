"""How fast a large knowledge base is: suggestions beside a ticket, and filling the index from nothing.

Run ``python -m benchmarks.knowledge`` with OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE unset. The articles are the shipped
ones, multiplied: sections and sentences are drawn anew from those of the same article and language, so that words and
lengths are real and no two passages are alike. Suggestions are asked as the console does, with order facts, for tickets
of the sample export and each locked macro's reason and language in turn.
"""

from __future__ import annotations

import csv
import json
import random
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from benchmarks import arguments, machine, refuse_slow_blas
from classifier.encoders import UniversalEncoder, limit_blas
from classifier.features import feature_text
from kb.content import STARTER_CONTENT
from kb.index import KnowledgeIndex
from kb.knowledge import KnowledgeBase
from service.wiring import SERVING_THREADS

RESULTS = Path(__file__).parent / "results" / "knowledge.json"
SAMPLE = Path(__file__).parent.parent / "desk" / "sample" / "tickets.csv"
SUGGESTING, SYNCING = 2_000, 10_000
TICKETS = 400
SEED = 20_261_122
FACTS = {"agent.name": "Anna", "shop.name": "Our shop", "order.id": "403-1234567-1234567", "buyer.name": "Ada Berg"}


def main() -> None:
    """Measure, print and write the figures."""
    refuse_slow_blas()
    parser = arguments("suggestions beside a ticket, and filling the index", RESULTS)
    parser.add_argument("--suggesting", type=int, default=SUGGESTING, help="articles while suggesting")
    parser.add_argument("--syncing", type=int, default=SYNCING, help="articles to fill the index with")
    asked = parser.parse_args()
    encoder = UniversalEncoder()
    figures: dict[str, object] = {"machine": machine()}
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        multiply(root / "suggesting", asked.suggesting)
        knowledge = KnowledgeBase.load(root / "suggesting")
        with KnowledgeIndex.open(root / "index", encoder) as index:
            knowledge.sync(index)
            with limit_blas(SERVING_THREADS):
                figures["suggestions"] = {"articles": asked.suggesting, **_suggestions(knowledge)}
        multiply(root / "syncing", asked.syncing)
        start = time.perf_counter()
        knowledge = KnowledgeBase.load(root / "syncing")
        loaded = time.perf_counter()
        with KnowledgeIndex.open(root / "other", encoder) as index:
            knowledge.sync(index)
            synced = time.perf_counter()
            knowledge.sync(index)
            again = time.perf_counter()
        figures["sync"] = {
            "articles": asked.syncing,
            "passages": len(knowledge.passages),
            "load_seconds": round(loaded - start, 1),
            "index_seconds": round(synced - loaded, 1),
            "unchanged_seconds": round(again - synced, 1),
        }
    asked.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=2))


def multiply(root: Path, count: int) -> None:
    """Write ``count`` articles under ``root``, and the shipped macros and questions."""
    draw = random.Random(SEED)
    sections: dict[tuple[str, str], list[str]] = defaultdict(list)
    heads: dict[tuple[str, str], str] = {}
    for path in sorted((STARTER_CONTENT / "articles").glob("*/*.md")):
        _, head, body = path.read_text(encoding="utf-8").split("---\n", 2)
        key = (path.parent.name, path.stem)
        heads[key] = head
        sections[key] += body.split("\n## ")[1:]
    keys = sorted(heads)
    for number in range(count):
        locale, article = key = keys[number % len(keys)]
        own = [
            _shuffled(draw, section)
            for section in draw.sample(sections[key], draw.randint(3, min(6, len(sections[key]))))
        ]
        name = f"{article}-{number}"
        text = f"---\n{heads[key].replace(f'id: {article}', f'id: {name}')}---\nNo. {number}.\n\n"
        folder = root / "articles" / locale
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.md").write_text(text + "".join(f"\n## {section}\n" for section in own), encoding="utf-8")
    (root / "macros").symlink_to(STARTER_CONTENT / "macros")


def _shuffled(draw: random.Random, section: str) -> str:
    heading, _, body = section.strip().partition("\n")
    sentences = [part for part in body.replace("\n", " ").split(". ") if part.strip()]
    draw.shuffle(sentences)
    return f"{heading} ({draw.randint(2, 999)})\n{'. '.join(sentences)}"


def _suggestions(knowledge: KnowledgeBase) -> dict[str, object]:
    with SAMPLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[: TICKETS + 20]
    macros = [macro for macro in knowledge.macros if macro.locked]
    times, empty = [], 0
    for number, row in enumerate(rows):
        macro = macros[number % len(macros)]
        text = feature_text(row["Subject"], row["Message"])
        start = time.perf_counter()
        found = knowledge.suggest(text, macro.reason, FACTS, macro.locale, "amazon")
        times.append(1000 * (time.perf_counter() - start))
        empty += not found.passages
    cuts = statistics.quantiles(times[20:], n=100)
    return {
        "passages": len(knowledge.passages),
        "p50_ms": round(cuts[49], 2),
        "p99_ms": round(cuts[98], 2),
        "n": len(times) - 20,
        "without_passages": empty,
    }


if __name__ == "__main__":
    main()
