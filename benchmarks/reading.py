"""How well tickets are read: entities, redaction, mood, urgency, language of short messages.

``python -m benchmarks.reading`` prints the figures and writes them to ``benchmarks/results/reading.json``.
The labelled messages stand in ``tests/classifier/data``. Those with an odd number were looked at while the rules were
written (``development``), those with an even number were only counted (``test``). ``personal_more.jsonl`` was written
without sight of the rules that it measures, as was ``entities.jsonl``.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from sklearn.metrics import cohen_kappa_score

from benchmarks import arguments
from classifier.encoders import Encoder, UniversalEncoder
from classifier.entities import find_entities
from classifier.features import features_of
from classifier.language import language_identifier
from classifier.moods import moods_of
from classifier.reading import read
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


def agreement(labelled: Sequence[StrEnum], said: Sequence[StrEnum], levels: Sequence[StrEnum]) -> Agreement:
    """How far what was said agrees with the labels."""
    truth, judged = ([levels.index(level) for level in column] for column in (labelled, said))
    off = [abs(a - b) for a, b in zip(truth, judged, strict=True)]
    return Agreement(
        sum(distance == 0 for distance in off) / len(off),
        sum(distance < 2 for distance in off) / len(off),
        float(cohen_kappa_score(truth, judged, weights="quadratic")),
    )


def mood_agreement(half: str, encoder: Encoder) -> dict[str, Agreement]:
    """Sentiment and urgency as the tagger says them, and by lexicon and cues alone (``_by_words``)."""
    labelled = rows("moods.jsonl", half)
    readings = [read(row["subject"], row["body"]) for row in labelled]
    texts = [reading.text for reading in readings]
    vectors = encoder.encode([features_of(reading) for reading in readings])
    moods, hurries = zip(*moods_of(encoder.name, vectors, texts), strict=True)
    felt = [Sentiment(row["sentiment"]) for row in labelled]
    hurry = [Urgency(row["urgency"]) for row in labelled]
    return {
        "sentiment": agreement(felt, moods, list(Sentiment)),
        "sentiment_by_words": agreement(felt, [sentiment(text) for text in texts], list(Sentiment)),
        "urgency": agreement(hurry, hurries, list(Urgency)),
        "urgency_by_words": agreement(hurry, [urgency(text) for text in texts], list(Urgency)),
    }


@dataclass(frozen=True)
class EntityScores:
    """Entities found, found wrongly and missed, by kind and by language; a value counts as it stands in the text."""

    found: Counter[str]
    wrong: Counter[str]
    missed: Counter[str]

    def precision(self, key: str = "all") -> float:
        """Share of what was found that is right; 1 where nothing was found."""
        return self.found[key] / ((self.found[key] + self.wrong[key]) or 1)

    def recall(self, key: str = "all") -> float:
        """Share of the entities that were found."""
        return self.found[key] / ((self.found[key] + self.missed[key]) or 1)


def entity_scores(half: str) -> EntityScores:
    """Find the entities of each message in its language and compare kind and value, ends that are punctuation apart."""
    scores = EntityScores(Counter(), Counter(), Counter())
    for row in rows("entities.jsonl", half):
        got = Counter((entity.kind, _trimmed(entity.value)) for entity in find_entities(row["text"], row["locale"]))
        wanted = Counter((entity["kind"], _trimmed(entity["value"])) for entity in row["entities"])
        outcomes = ((scores.found, got & wanted), (scores.wrong, got - wanted), (scores.missed, wanted - got))
        for counts, entities in outcomes:
            for (kind, _), times in entities.items():
                counts.update(dict.fromkeys(("all", kind, row["locale"]), times))
    return scores


def _trimmed(value: str) -> str:
    return value.strip(" .,;:()")


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
    encoder = UniversalEncoder()
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
        entities = entity_scores(half)
        result[half]["entities"] = {
            key: {"precision": round(entities.precision(key), 3), "recall": round(entities.recall(key), 3)}
            for key in sorted(entities.found | entities.missed)
        }
        result[half] |= {name: _rounded(levels) for name, levels in mood_agreement(half, encoder).items()}
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
