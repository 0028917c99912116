"""The port through which the desk asks for contact reasons; the classifier fits it without knowing it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from classifier.tagger import Alternative
from desk import DeskError


class TaggerUnavailableError(DeskError):
    """The tagger cannot answer now (no model, no guard, ...).

    Tickets wait as `undecided`; nothing is lost.
    """


class TagLike(Protocol):
    """A contact reason as a model sees it. ``confidence`` is a probability in 0..1."""

    @property
    def reason(self) -> str:
        """The best guess, always."""

    @property
    def confidence(self) -> float:
        """Calibrated probability of ``reason``."""

    @property
    def decision(self) -> str:
        """``tagged`` when the reason may be used unattended, ``undecided`` otherwise."""

    @property
    def autonomy(self) -> str:
        """Who may act: self_service, assisted, human_only or auto_close."""

    @property
    def language(self) -> str | None:
        """Language of the text, None when unknown."""

    @property
    def guard(self) -> tuple[str, ...]:
        """Ids of the human-only guard's rules that fired."""

    @property
    def model(self) -> str:
        """Which model said so."""

    @property
    def secondary(self) -> Sequence[Alternative]:
        """Reasons that the ticket asks for beside ``reason``."""

    @property
    def sentiment(self) -> str:
        """How the writer feels, a level of `classifier.sentiment.Sentiment`."""

    @property
    def urgency(self) -> str:
        """How soon an answer is needed, a level of `classifier.urgency.Urgency`."""


class Tagger(Protocol):
    """Gives contact reasons to texts."""

    def tag_many(self, texts: Sequence[tuple[str, str]]) -> Sequence[TagLike]:
        """One tag per (subject, body), in order. Raises `TaggerUnavailableError` when it cannot answer."""


def tag_data(tag: TagLike) -> Mapping[str, Any]:
    """The data of a `tagged` event."""
    return {
        "reason": str(tag.reason),
        "confidence": float(tag.confidence),
        "decision": str(tag.decision),
        "autonomy": str(tag.autonomy),
        "language": tag.language,
        "guard": [str(rule) for rule in tag.guard],
        "model": str(tag.model),
        "secondary": [[also.id, also.probability] for also in tag.secondary],
        "sentiment": str(tag.sentiment),
        "urgency": str(tag.urgency),
    }
