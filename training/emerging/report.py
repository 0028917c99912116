"""The emerging reasons of a period: groups with their words, typical tickets and what is known of them."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

import numpy as np

from classifier.encoders import Vectors
from classifier.model import ReasonModel
from classifier.taxonomy import OTHER
from training.emerging.boundary import Group
from training.emerging.discovery import discover
from training.emerging.naming import name_terms, spoken, typical
from training.emerging.period import AskedTicket
from training.emerging.space import KnownSpace
from training.fitting import Progress, silent

EVIDENT = 30.0
"""Score from which a group is called evident. On 15 classes held out of BANKING77's training split groups of known
classes stayed below 26, those of held-out classes had 23 to 138 (docs/adr/0016)."""
EXCERPT = 300
"""Characters of a typical ticket that are shown."""


@dataclass(frozen=True)
class TypicalTicket:
    """One ticket of a group, redacted and cut."""

    id: str
    locale: str
    text: str


@dataclass(frozen=True)
class EmergingReason:
    """One group of tickets. ``expected`` so many like these were to come, ``score`` is the evidence that more came.

    ``familiarity`` and ``confidence`` are the model's means; ``nearest`` are the reasons that it gave them, ``said``
    what people chose. ``first_seen`` and the fields below it compare with earlier periods, see
    `training.emerging.tracking`. ``centre`` is the direction of its tickets' vectors; it holds no words.
    """

    id: str
    terms: tuple[str, ...]
    language: str
    size: int
    expected: float
    score: float
    evident: bool
    undecided: int
    corrected: int
    familiarity: float
    confidence: float
    nearest: dict[str, int]
    said: dict[str, int]
    languages: dict[str, int]
    typical: tuple[TypicalTicket, ...]
    tickets: tuple[str, ...]
    centre: tuple[float, ...]
    first_seen: str = ""
    seen_before: int | None = None
    growth: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data with stable keys; the centre, which nobody reads, is left out."""
        return {name: value for name, value in asdict(self).items() if name != "centre"}


@dataclass(frozen=True)
class EmergingReport:
    """What emerged from ``first`` to ``last``, both included: among ``n`` tickets these groups, the newest first."""

    first: date
    last: date
    n: int
    undecided: int
    model: str
    reasons: tuple[EmergingReason, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data with stable keys."""
        return {
            "from": self.first.isoformat(),
            "to": self.last.isoformat(),
            "tickets": self.n,
            "undecided": self.undecided,
            "model": self.model,
            "reasons": [reason.to_json() for reason in self.reasons],
        }


def emerging_reasons(
    model: ReasonModel,
    asked: Sequence[AskedTicket],
    vectors: Vectors,
    earlier: Sequence[AskedTicket] = (),
    earlier_vectors: Vectors | None = None,
    *,
    language: str = "en",
    progress: Progress = silent,
) -> tuple[EmergingReason, ...]:
    """Groups among ``asked`` that ``model`` and ``earlier`` tickets do not cover, with words in ``language`` if any.

    Raises `EmergingError`.
    """
    space = KnownSpace.of_model(model)
    columns = {label: column for column, label in enumerate(model.labels)}
    known = [i for i, ticket in enumerate(earlier) if ticket.tagged in columns]
    if earlier_vectors is not None and known:
        reasons = np.array([columns[str(earlier[i].tagged)] for i in known], dtype=np.int64)
        space = space.joined_by(earlier_vectors[known], reasons)
    scores = model.scores_of([ticket.words for ticket in asked], vectors)
    standing = np.array([_standing(ticket) for ticket in asked], dtype=np.int64)
    groups = discover(space, vectors, scores, standing, progress)
    best = scores.probabilities.argmax(axis=1)
    by_language: dict[str, list[str]] = defaultdict(list)
    for ticket in asked:
        by_language[ticket.locale].append(ticket.text)
    found = []
    for group in groups:
        rows = [int(row) for row in group.members]
        described = _described(group, [asked[row] for row in rows], vectors[rows], by_language, language)
        found.append(
            replace(
                described,
                nearest=_counts(model.labels[best[row]] for row in rows),
                familiarity=round(float(scores.familiarity[rows].mean()), 3),
                confidence=round(float(scores.probabilities[rows].max(axis=1).mean()), 3),
            )
        )
    return tuple(found)


def _standing(ticket: AskedTicket) -> int:
    if ticket.undecided or ticket.corrected or ticket.said == OTHER:
        return 1
    return -1 if ticket.said else 0


def _described(
    group: Group,
    members: Sequence[AskedTicket],
    vectors: Vectors,
    by_language: dict[str, list[str]],
    language: str,
) -> EmergingReason:
    texts, locales = [ticket.text for ticket in members], [ticket.locale for ticket in members]
    spoken_in = spoken(locales, language)
    same = [text for text, locale in zip(texts, locales, strict=True) if locale == spoken_in]
    shown = typical(texts, locales, language)
    centre = vectors.mean(axis=0)
    centre = centre / max(float(np.linalg.norm(centre)), 1e-6)
    return EmergingReason(
        id=group_id([ticket.id for ticket in members]),
        terms=name_terms(same, by_language[spoken_in]),
        language=spoken_in,
        size=len(members),
        expected=round(group.expected, 1),
        score=round(group.score, 1),
        evident=group.score >= EVIDENT,
        undecided=sum(ticket.undecided for ticket in members),
        corrected=sum(ticket.corrected for ticket in members),
        familiarity=0.0,
        confidence=0.0,
        nearest={},
        said=_counts(ticket.said for ticket in members if ticket.said),
        languages=_counts(locales),
        typical=tuple(TypicalTicket(members[i].id, locales[i], _excerpt(members[i])) for i in shown),
        tickets=tuple(ticket.id for ticket in members),
        centre=tuple(round(float(value), 4) for value in centre),
    )


def group_id(ticket_ids: Sequence[str]) -> str:
    """``C-`` and six digits, the same for the same tickets."""
    return "C-" + hashlib.sha256("\n".join(sorted(ticket_ids)).encode()).hexdigest()[:6]


def _counts(values: Any) -> dict[str, int]:
    return dict(sorted(Counter(values).items(), key=lambda item: (-item[1], item[0])))


def _excerpt(ticket: AskedTicket) -> str:
    text = " ".join(" - ".join(part for part in (ticket.subject, ticket.body) if part).split())
    return text if len(text) <= EXCERPT else text[: EXCERPT - 1].rstrip() + "…"
