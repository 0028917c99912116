"""One ticket in, one tag out: reason, calibrated confidence, the decision whether to believe it, and what was read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from classifier.danger import may_be_overruled
from classifier.encoders import Vectors
from classifier.entities import by_kind, find_entities
from classifier.features import features_of
from classifier.guard import MODEL_RULE, UNAVAILABLE_RULE, GuardHit, RuleGuard
from classifier.language import LanguageIdentifier
from classifier.model import ReasonModel
from classifier.moods import moods_of
from classifier.reading import Reading, read
from classifier.sentiment import Sentiment, sentiment
from classifier.taxonomy import OTHER, Autonomy, Taxonomy
from classifier.urgency import Urgency, urgency

Decision = Literal["tagged", "undecided"]

UNHAPPY = frozenset({Sentiment.NEGATIVE, Sentiment.VERY_NEGATIVE})
ALTERNATIVES = 5
"""Reasons listed in a tag, most probable first."""
FURTHER = 3
"""Further reasons named at most."""


@dataclass(frozen=True)
class Alternative:
    """A reason and its calibrated probability, 0..1."""

    id: str
    probability: float


@dataclass(frozen=True)
class Tag:
    """What a ticket is about.

    ``reason`` is always the best guess; ``decision`` says whether it may be used unattended. ``guard`` holds the ids
    of the human-only rules that were raised, ``reasons`` the alternatives, ``model`` the version that judged,
    ``urgency`` how soon an answer is needed (`classifier.moods`). ``secondary`` are reasons that the customer asks
    for beside ``reason``, each with its own probability, safety, law and claims first.
    """

    reason: str
    confidence: float
    decision: Decision
    autonomy: str
    reasons: tuple[Alternative, ...]
    guard: tuple[str, ...]
    language: str
    sentiment: str
    entities: dict[str, list[str]] = field(default_factory=dict)
    model: str = ""
    urgency: str = "normal"
    secondary: tuple[Alternative, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The public form of `paretodesk tag` and `POST /v1/tag`, without the id."""
        return asdict(self)


class Tagger:
    """Reads, guards and classifies tickets. Works without a model too: then every ticket is `undecided`."""

    def __init__(
        self,
        taxonomy: Taxonomy,
        guard: RuleGuard,
        languages: LanguageIdentifier,
        model: ReasonModel | None,
        model_id: str = "",
    ) -> None:
        self.taxonomy = taxonomy
        self.guard = guard
        self.languages = languages
        self.model = model
        self.model_id = model_id
        self._human_only = taxonomy.with_autonomy(Autonomy.HUMAN_ONLY)
        self._auto_close = taxonomy.with_autonomy(Autonomy.AUTO_CLOSE)

    def tag(self, subject: str, body: str) -> Tag:
        """Tag one ticket."""
        return self.tag_many([(subject, body)])[0]

    def tag_many(self, tickets: Sequence[tuple[str, str]]) -> list[Tag]:
        """Tag tickets given as (subject, body), in order."""
        return self.tag_with_vectors(tickets)[0]

    def tag_with_vectors(self, tickets: Sequence[tuple[str, str]]) -> tuple[list[Tag], Vectors | None]:
        """Tags, and the embedding of each ticket ``float32 (n, d)`` for a search that follows (None: no model)."""
        readings = [read(subject, body) for subject, body in tickets]
        if self.model is None:
            return [self._unjudged(reading) for reading in readings], None
        texts = [features_of(reading) for reading in readings]
        vectors = self.model.encoder.encode(texts)
        scores = self.model.scores_of(texts, vectors)
        parts = self.model.parts(texts)
        further = self.model.further(texts, scores.probabilities, parts)
        dangers = self.model.dangers(scores.probabilities, parts, self._human_only)
        moods = moods_of(self.model.encoder.name, vectors, [reading.text for reading in readings])
        tags = [
            self._judged(reading, text, probabilities, float(known), more, float(danger), mood)
            for reading, text, probabilities, known, more, danger, mood in zip(
                readings, texts, scores.probabilities, scores.familiarity, further, dangers, moods, strict=True
            )
        ]
        return tags, vectors

    def _judged(
        self,
        reading: Reading,
        text: str,
        probabilities: Any,
        known: float,
        further: Any,
        danger: float,
        mood: tuple[Sentiment, Urgency],
    ) -> Tag:
        assert self.model is not None  # noqa: S101  # only called with a model
        labels, thresholds = self.model.labels, self.model.thresholds
        ranked = sorted(range(len(labels)), key=lambda column: -probabilities[column])
        alternatives = tuple(
            Alternative(labels[column], round(float(probabilities[column]), 4)) for column in ranked[:ALTERNATIVES]
        )
        best = alternatives[0]
        language = self.languages.identify(reading.text)
        hits = self._rule_hits(reading)
        guard = [hit.rule for hit in hits]
        judgeable = self.languages.supported(language) and known >= thresholds.familiarity
        if judgeable and danger < self.model.overruled_below and may_be_overruled(hits, reading):
            # 'It sparked, by the way' after an ordinary question: each sentence is judged by itself before what a rule
            # heard counts for nothing. Few tickets come here, so that encoding their sentences costs little.
            guard = guard if self.model.dangerous_sentence(text, self._human_only) else []
        if danger >= self.model.raised_from:
            guard.append(MODEL_RULE)
        confident = (
            judgeable
            # Not the rounded one that is shown: a threshold may lie on a plateau of the confidence map.
            and float(probabilities[ranked[0]]) >= thresholds.guarantee.threshold
            and best.id != OTHER
            # A raised guard contradicts an ordinary tag: a person decides.
            and (not guard or best.id in self._human_only)
            # 'Thank you for ruining my day' must not be closed unread, whichever of the two hears it.
            and (best.id not in self._auto_close or not UNHAPPY & {mood[0], sentiment(reading.text)})
        )
        return self._tag(reading, best, alternatives, confident, guard, language, mood, self._secondary(further))

    def _secondary(self, further: Any) -> tuple[Alternative, ...]:
        assert self.model is not None  # noqa: S101  # only called with a model
        if self.model.secondary is None:
            return ()
        found = [
            Alternative(label, round(float(probability), 4))
            for label, probability in zip(self.model.labels, further, strict=True)
            # 'Thank you' beside a request is no request.
            if probability >= self.model.secondary.threshold and label != OTHER and label not in self._auto_close
        ]
        return tuple(sorted(found, key=lambda also: (-self._precedence(also.id), -also.probability))[:FURTHER])

    def _precedence(self, reason: str) -> int:
        return self.taxonomy[reason].precedence if reason in self.taxonomy else 0

    def _unjudged(self, reading: Reading) -> Tag:
        hits = self._rule_hits(reading)
        best = Alternative(self.taxonomy.primary(hit.reason for hit in hits) if hits else OTHER, 0.0)
        guard = [*(hit.rule for hit in hits), UNAVAILABLE_RULE]
        mood = (sentiment(reading.text), urgency(reading.text))
        return self._tag(reading, best, (), False, guard, self.languages.identify(reading.text), mood)

    def _rule_hits(self, reading: Reading) -> list[GuardHit]:
        # The rules read what features do not: a threat in quoted history still needs a person.
        return self.guard.hits(reading.everything)

    def _tag(
        self,
        reading: Reading,
        best: Alternative,
        alternatives: tuple[Alternative, ...],
        confident: bool,
        guard: Sequence[str],
        language: str,
        mood: tuple[Sentiment, Urgency],
        secondary: tuple[Alternative, ...] = (),
    ) -> Tag:
        return Tag(
            reason=best.id,
            confidence=best.probability,
            decision="tagged" if confident else "undecided",
            autonomy=str(self.taxonomy[best.id].autonomy) if best.id in self.taxonomy else Autonomy.ASSISTED,
            reasons=alternatives,
            guard=tuple(guard),
            language=language,
            sentiment=str(mood[0]),
            entities=by_kind(find_entities(reading.everything, language)),
            model=self.model_id,
            urgency=str(mood[1]),
            secondary=secondary,
        )
