"""Fit mood and urgency on tickets of the starter corpus that people judged: ``python -m training.moods``.

The judgements stand in ``training/moods/<locale>.jsonl`` (id of the ticket, sentiment, urgency). Figures are those of
folds that keep a scenario together; `benchmarks.reading` measures on other tickets.

MoodLabelError
    └── a judgement cannot be used; the message names file and line
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import cohen_kappa_score
from sklearn.model_selection import GroupKFold

from classifier.datafile import read_text
from classifier.encoders import Encoder, UniversalEncoder
from classifier.features import feature_text
from classifier.moods import PACKAGED, Floats, MoodModel, evidence
from classifier.reading import read
from classifier.sentiment import Sentiment
from classifier.taxonomy import starter_taxonomy
from classifier.urgency import Urgency
from training.corpus import STARTER_CORPUS, Example, load_corpus

LABELS = Path(__file__).parent / "moods"
STRENGTH = 1.0
"""Inverse regularisation of both scales; 1, 3 and 10 fare alike in folds."""
FOLDS = 5

Levels = NDArray[np.int64]


class MoodLabelError(ValueError):
    """Judged tickets cannot be used."""


class Judgement(BaseModel):
    """What a person thought of one ticket."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    sentiment: Sentiment
    urgency: Urgency


@dataclass(frozen=True)
class JudgedTickets:
    """Evidence ``(n, features)`` of each ticket, its levels, and the groups that must not be split."""

    features: Floats
    sentiment: Levels
    urgency: Levels
    groups: tuple[str, ...]


def load_judgements(folder: Path, tickets: Mapping[str, Example]) -> list[Judgement]:
    """All judgements of ``folder/<locale>.jsonl``. Raises `MoodLabelError` with every mistake."""
    found: list[Judgement] = []
    mistakes: list[str] = []
    seen: dict[str, str] = {}
    for path in sorted(folder.glob("*.jsonl")):
        for number, line in enumerate(read_text(path).split("\n"), start=1):
            if not line.strip():
                continue
            place = f"{path}:{number}"
            try:
                judgement = Judgement.model_validate_json(line)
            except ValidationError as error:
                first = error.errors()[0]
                mistakes.append(f"{place}: {'.'.join(map(str, first['loc'])) or 'line'}: {first['msg']}")
                continue
            if judgement.id not in tickets:
                mistakes.append(f"{place}: id: the corpus has no ticket '{judgement.id}'")
            elif (twin := seen.setdefault(judgement.id, place)) != place:
                mistakes.append(f"{place}: id: '{judgement.id}' was judged already, at {twin}")
            else:
                found.append(judgement)
    if mistakes or not found:
        raise MoodLabelError("\n".join(mistakes) or f"{folder} has no judgements")
    return found


def judged_tickets(judgements: Sequence[Judgement], tickets: Mapping[str, Example], encoder: Encoder) -> JudgedTickets:
    """The tickets as the tagger would see them, with what people said of them."""
    judged = [tickets[judgement.id] for judgement in judgements]
    vectors = encoder.encode([feature_text(ticket.subject, ticket.body) for ticket in judged])
    sentiments, urgencies = list(Sentiment), list(Urgency)
    return JudgedTickets(
        evidence(vectors, [read(ticket.subject, ticket.body).text for ticket in judged]),
        np.array([sentiments.index(judgement.sentiment) for judgement in judgements]),
        np.array([urgencies.index(judgement.urgency) for judgement in judgements]),
        tuple(ticket.group for ticket in judged),
    )


def fit_moods(data: JudgedTickets) -> MoodModel:
    """Both scales, each a multinomial logistic regression."""
    return MoodModel(
        *_weights(data.features, data.sentiment, len(Sentiment)), *_weights(data.features, data.urgency, len(Urgency))
    )


def held_out(data: JudgedTickets) -> dict[str, dict[str, float]]:
    """Exact agreement, agreement within one level, and quadratically weighted kappa in folds."""
    figures = {}
    for name, levels, count in (
        ("sentiment", data.sentiment, len(Sentiment)),
        ("urgency", data.urgency, len(Urgency)),
    ):
        said = np.empty_like(levels)
        for known, new in GroupKFold(FOLDS).split(data.features, groups=data.groups):
            weights, intercept = _weights(data.features[known], levels[known], count)
            said[new] = (data.features[new] @ weights + intercept).argmax(axis=1)
        off = np.abs(said - levels)
        figures[name] = {
            "exact": round(float(np.mean(off == 0)), 3),
            "within_one": round(float(np.mean(off < 2)), 3),
            "kappa": round(float(cohen_kappa_score(levels, said, weights="quadratic")), 3),
        }
    return figures


def _weights(features: Floats, levels: Levels, count: int) -> tuple[Floats, Floats]:
    fitted: Any = LogisticRegression(C=STRENGTH, max_iter=2_000).fit(features, levels)
    if fitted.classes_.tolist() != list(range(count)):
        raise MoodLabelError(f"of {count} levels only {len(fitted.classes_)} were judged; judge tickets of every level")
    return fitted.coef_.T.astype(np.float32), fitted.intercept_.astype(np.float32)


def main() -> None:
    """Fit, print the figures of the folds and write the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=PACKAGED)
    out: Path = parser.parse_args().out
    tickets = {ticket.id: ticket for ticket in load_corpus(STARTER_CORPUS, starter_taxonomy())}
    data = judged_tickets(load_judgements(LABELS, tickets), tickets, UniversalEncoder())
    print(f"{len(data.groups)} tickets, in folds: {held_out(data)}")
    out.write_bytes(fit_moods(data).to_bytes())


if __name__ == "__main__":
    main()
