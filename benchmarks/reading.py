"""How well tickets are read: redaction, mood, urgency, language of short messages.

``python -m benchmarks.reading`` prints the figures and writes them to ``benchmarks/results/reading.json``.
The labelled messages stand in ``tests/classifier/data``. Those with an odd number were looked at while the rules were
written (``development``), those with an even number were only counted (``test``). ``personal_more.jsonl`` was written
without sight of the rules that it measures.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from sklearn.metrics import cohen_kappa_score

from benchmarks import arguments
from classifier.language import language_identifier
from classifier.redaction import redact
from classifier.sentiment import Sentiment, sentiment
from classifier.urgency import Urgency, urgency

DATA = Path(__file__).parent.parent / "tests" / "classifier" / "data"
RESULTS = Path(__file__).parent / "results" / "reading.json"
HALVES = {"development": 1, "test": 0}
PERSONAL_SETS = {"redaction": "personal.jsonl", "redaction_more": "personal_more.jsonl"}
_MARK = re.compile(r"\[\[([A-Z_]+)\|(.*?)\]\]", re.S)
_WORD = re.compile(r"\w{2,}")


def rows(name: str, half: str | None = None) -> list[dict[str, Any]]:
    """Labelled messages of one file, all or one of `HALVES`."""
    with (DATA / name).open(encoding="utf-8") as file:
        every = [json.loads(line) for line in file]
    return [row for row in every if half is None or int(row["id"].rsplit("-", 1)[1]) % 2 == HALVES[half]]


@dataclass(frozen=True)
class RedactionScores:
    """Marked pieces found and marked, by kind and by language; share of messages without marks that were changed."""

    found: Counter[str]
    whole: Counter[str]
    marked: Counter[str]
    clean: int
    changed: int

    def recall(self, key: str = "all") -> float:
        """Share of the marked pieces that no longer stand in the redacted text."""
        return self.found[key] / self.marked[key]

    def whole_recall(self, key: str = "all") -> float:
        """Share of the marked pieces of which no word of two or more characters stands in the redacted text."""
        return self.whole[key] / self.marked[key]

    @property
    def false_positives(self) -> float:
        """Share of the messages without anything personal that were changed."""
        return self.changed / self.clean


def redaction_scores(half: str, name: str = PERSONAL_SETS["redaction"]) -> RedactionScores:
    """Strip the marks, redact, and count a mark as found when its text stands less often than before."""
    found, whole, marked = Counter[str](), Counter[str](), Counter[str]()
    clean = changed = 0
    for row in rows(name, half):
        plain = _MARK.sub(r"\2", row["body"])
        redacted = redact(plain, row["locale"])
        marks = _MARK.findall(row["body"])
        if not marks:
            clean += 1
            changed += redacted != plain
        before, after = Counter(_WORD.findall(plain)), Counter(_WORD.findall(redacted))
        for kind, piece in marks:
            for key in ("all", kind, row["locale"]):
                marked[key] += 1
                found[key] += redacted.count(piece) < plain.count(piece)
                whole[key] += all(after[word] < before[word] for word in _WORD.findall(piece))
    return RedactionScores(found, whole, marked, clean, changed)


@dataclass(frozen=True)
class Agreement:
    """Agreement of levels with the labels; ``kappa`` is quadratically weighted (Cohen 1968)."""

    exact: float
    within_one: float
    kappa: float


def agreement(half: str, field: str, levels: Sequence[StrEnum], judge: Callable[[str], StrEnum]) -> Agreement:
    """How far ``judge`` agrees with the label ``field`` of the tickets."""
    labelled = rows("moods.jsonl", half)
    order = {str(level): rank for rank, level in enumerate(levels)}
    truth = [order[row[field]] for row in labelled]
    said = [order[judge(f"{row['subject']}\n{row['body']}")] for row in labelled]
    off = [abs(a - b) for a, b in zip(truth, said, strict=True)]
    return Agreement(
        sum(distance == 0 for distance in off) / len(off),
        sum(distance < 2 for distance in off) / len(off),
        float(cohen_kappa_score(truth, said, weights="quadratic")),
    )


def language_accuracy() -> dict[str, float]:
    """Share of the short messages whose language is recognised, by language."""
    right, seen = Counter[str](), Counter[str]()
    identify = language_identifier().identify
    for row in rows("short.jsonl"):
        seen[row["locale"]] += 1
        right[row["locale"]] += identify(row["body"]) == row["locale"]
    return {locale: right[locale] / seen[locale] for locale in seen}


def scores() -> dict[str, Any]:
    """All figures, rounded."""
    result: dict[str, Any] = {"language": language_accuracy()}
    for half in HALVES:
        result[half] = {}
        for title, name in PERSONAL_SETS.items():
            redaction = redaction_scores(half, name)
            result[half] |= {
                title: {key: round(redaction.recall(key), 3) for key in sorted(redaction.marked)},
                f"{title}_whole": round(redaction.whole_recall(), 3),
                f"{title}_false_positives": round(redaction.false_positives, 3),
            }
        result[half] |= {
            "sentiment": _rounded(agreement(half, "sentiment", list(Sentiment), sentiment)),
            "urgency": _rounded(agreement(half, "urgency", list(Urgency), urgency)),
        }
    return result


def _rounded(levels: Agreement) -> dict[str, float]:
    return {name: round(value, 3) for name, value in vars(levels).items()}


def main() -> None:
    """Measure, print and write the figures."""
    asked = arguments("how well tickets are read", RESULTS).parse_args()
    figures = json.dumps(scores(), indent=2)
    asked.out.write_text(figures + "\n", encoding="utf-8")
    print(figures)


if __name__ == "__main__":
    main()
