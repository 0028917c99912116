"""When the bot may answer: the settings, and the judgement of one message in its conversation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from bot.autonomy import Level, starting_level
from bot.requests import Request
from classifier.datafile import load_yaml
from classifier.guard import UNAVAILABLE_RULE
from classifier.tagger import Tag
from classifier.taxonomy import OTHER, Autonomy, Taxonomy

STARTER_DECISION = Path(__file__).parent / "data" / "decision.yaml"


class Certificate(BaseModel):
    """What is known about ``passage_threshold``; written by `paretodesk autonomy thresholds --write`.

    ``met``: of the answers that the bot gives by itself at most ``aim`` are wrong, at this ``confidence``, shown on the
    development half of the questions. The rest is measured on the test half: the share of its questions ``answered``,
    ``wrong`` of these ``n`` answers, and the exact bound ``wrong_at_most`` at the same confidence.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    aim: float = Field(gt=0, lt=1)
    met: bool
    confidence: float = Field(gt=0, lt=1)
    answered: float = Field(ge=0, le=1)
    n: int = Field(ge=0)
    wrong: int = Field(ge=0)
    wrong_at_most: float = Field(ge=0, le=1)
    model: str


class DecisionSettings(BaseModel):
    """The data file ``decision.yaml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    passage_threshold: float = Field(ge=0, le=1)
    passage_threshold_chosen: float = Field(ge=0, le=1)
    certificate: Certificate | None = None
    agreed_threshold: float = Field(ge=0, le=1)
    agreed_tag: float = Field(ge=0, le=1)
    opening_lead: float = Field(ge=0, le=1)
    min_section_words: int = Field(ge=0)
    max_sections: int = Field(ge=0, le=6)
    macros_for_people: frozenset[str]
    marketplace_of_reason: dict[str, str] = {}
    amazon_reasons: frozenset[str] = frozenset()
    max_clarifications: int = Field(ge=0)
    max_options: int = Field(ge=0, le=5)
    min_option_probability: float = Field(ge=0, le=1)
    min_further_probability: float = Field(ge=0, le=1)
    min_joined_probability: float = Field(ge=0, le=1)
    order_reasons: frozenset[str]
    order_reasons_if_named: frozenset[str] = frozenset()
    max_order_prompts: int = Field(ge=1)
    max_proof_failures: int = Field(ge=1)
    max_proofs_per_order: int = Field(ge=1)
    max_proofs_per_email: int = Field(ge=1)
    max_proofs_per_address: int = Field(ge=1)
    proof_lock_minutes: int = Field(ge=1)
    max_messages: int = Field(ge=1)
    fallback_locale: str
    min_words_to_switch: int = Field(ge=1)
    sure_words: int = Field(ge=1)
    min_words_unsupported: int = Field(ge=1)
    close_reasons: frozenset[str]
    thanks_reasons: frozenset[str]


@cache
def starter_decision() -> DecisionSettings:
    """The shipped settings."""
    return load_yaml(STARTER_DECISION, DecisionSettings)


class Why(StrEnum):
    """Why a person takes over; recorded with the hand-off."""

    ASKED = "asked_for_a_person"
    GUARD = "guard_raised"
    UNAVAILABLE = "guard_unavailable"
    HUMAN_ONLY = "human_only_reason"
    ASSISTED = "assisted_reason"
    AUTO_CLOSE = "auto_close_reason"
    LANGUAGE = "language_not_supported"
    UNCLEAR = "still_unclear"
    NO_ANSWER = "no_article_answers"
    NOT_SOLVED = "answer_did_not_help"
    NOT_VERIFIED = "order_not_verified"
    NO_FACTS = "order_facts_missing"
    ACTS = "only_a_person_can_act"
    SEVERAL = "further_requests"
    TOO_LONG = "conversation_too_long"


class Way(StrEnum):
    """How a reason that is known goes on."""

    SELF_SERVICE = "self_service"
    PERSON = "person"
    THANKS = "thanks"
    CLOSE = "close"


@dataclass(frozen=True)
class Danger:
    """Nothing may be answered: why, and the tag that says so."""

    why: Why
    tag: Tag


class Decision:
    """The rules by which the bot answers or does not.

    ``level`` tells how far a reason is trusted at this moment; by default as far as the taxonomy says.
    """

    def __init__(
        self, settings: DecisionSettings, taxonomy: Taxonomy, level: Callable[[str], Level | None] | None = None
    ) -> None:
        self.settings = settings
        self._taxonomy = taxonomy
        self._level = level or self._starting_level

    def danger(self, tags: Sequence[Tag]) -> Danger | None:
        """The first tag after which only a person may answer: a raised guard, no guard at all, a human-only reason.

        A human-only reason counts as best guess too, however unsure, and as one of several things asked for.
        """
        for tag in tags:
            if UNAVAILABLE_RULE in tag.guard:
                return Danger(Why.UNAVAILABLE if len(tag.guard) == 1 else Why.GUARD, tag)
            if tag.guard:
                return Danger(Why.GUARD, tag)
        for tag in tags:
            asked_for = (tag.reason, *(also.id for also in tag.secondary))
            if any(self._autonomy(reason) is Autonomy.HUMAN_ONLY for reason in asked_for):
                return Danger(Why.HUMAN_ONLY, tag)
        return None

    def way(self, reason: str) -> tuple[Way, Why | None]:
        """How ``reason`` goes on, and why a person takes over where one does. Unknown reasons go to a person."""
        if reason in self.settings.thanks_reasons:
            return Way.THANKS, None
        if reason in self.settings.close_reasons:
            return Way.CLOSE, None
        match self._autonomy(reason):
            case Autonomy.HUMAN_ONLY:
                return Way.PERSON, Why.HUMAN_ONLY
            case Autonomy.AUTO_CLOSE:
                return Way.PERSON, Why.AUTO_CLOSE
            case _ if self._level(reason) is Level.AUTO:
                return Way.SELF_SERVICE, None
            case _:
                return Way.PERSON, Why.ASSISTED

    def drafts(self, reason: str) -> bool:
        """Whether a person who takes over gets the answer that the bot would have given."""
        return self._level(reason) is Level.DRAFT

    def further(self, tag: Tag, reason: str) -> tuple[str, ...]:
        """What the customer asks for beside ``reason`` that a person can do something about."""
        silent = self.settings.thanks_reasons | self.settings.close_reasons | {OTHER, reason}
        return tuple(also.id for also in tag.secondary if also.id not in silent and also.id in self._taxonomy)

    def options(self, tag: Tag, offered: Sequence[str]) -> tuple[str, ...]:
        """Reasons worth a button: probable, not offered before, and a customer's concern."""
        silent = self.settings.thanks_reasons | self.settings.close_reasons | {OTHER}
        return tuple(
            alternative.id
            for alternative in tag.reasons
            if alternative.probability >= self.settings.min_option_probability
            and alternative.id not in silent
            and alternative.id not in offered
            and alternative.id in self._taxonomy
        )[: self.settings.max_options]

    def may_be_danger(self, tag: Tag) -> bool:
        """Whether a human-only reason is among those worth a button: asking could lead past a person."""
        return any(
            alternative.probability >= self.settings.min_option_probability
            and self._autonomy(alternative.id) is Autonomy.HUMAN_ONLY
            for alternative in tag.reasons
        )

    def passed_on(self, tag: Tag, reason: str) -> tuple[str, ...]:
        """What else is probable enough to be named to the customer and to make a ticket of its own.

        Beside a reason that the tag did not find, the others are guesses at the same concern.
        """
        if tag.reason != reason:
            return ()
        probable = {also.id for also in tag.secondary if also.probability >= self.settings.min_further_probability}
        return tuple(also for also in self.further(tag, reason) if also in probable)

    def asked(self, requests: Sequence[Request], reason: str) -> tuple[str, ...]:
        """What else the parts of a message ask for: surely, or as something further by their first word.

        Beside a reason that no part asks for, the others are pieces of the same concern.
        """
        silent = self.settings.thanks_reasons | self.settings.close_reasons | {OTHER}
        least = self.settings.min_joined_probability
        found = [
            request.tag.reason
            for request in requests
            if not request.context and (request.sure or (request.joined and request.tag.confidence >= least))
        ]
        if reason not in found:
            return ()
        silent |= {reason}
        return tuple(also for also in dict.fromkeys(found) if also not in silent and also in self._taxonomy)

    def sure_request(self, tag: Tag, requests: Sequence[Request]) -> Request | None:
        """The first part that surely asks for what the bot answers, where the whole ``tag`` is unsure of it.

        What only a person answers is not taken from a part: 'one of three is here' tells of a missing item, and asks
        where the rest is.
        """
        least = self.settings.min_option_probability
        in_mind = {also.id for also in tag.reasons if also.probability >= least}
        asking_first = sorted(requests, key=lambda one: one.context)
        answered = (one for one in asking_first if one.sure and self.way(one.tag.reason)[0] is Way.SELF_SERVICE)
        return next((one for one in answered if one.tag.reason in in_mind), None)

    def agrees(self, tag: Tag, agreement: float) -> bool:
        """Whether the best guess of a ``tag`` that is not sure may be answered, because search by itself finds it.

        ``agreement`` is `bot.answers.Answers.agreement` of it.
        """
        return tag.confidence >= self.settings.agreed_tag and agreement >= self.settings.agreed_threshold

    def needs_order(self, reason: str) -> bool:
        """Whether the answer depends on the order."""
        return reason in self.settings.order_reasons

    def needs_order_if_named(self, reason: str) -> bool:
        """Whether the answer is a better one with the order, where the customer names it."""
        return reason in self.settings.order_reasons_if_named

    def _starting_level(self, reason: str) -> Level | None:
        return starting_level(self._taxonomy[reason]) if reason in self._taxonomy else None

    def _autonomy(self, reason: str) -> Autonomy:
        return self._taxonomy[reason].autonomy if reason in self._taxonomy else Autonomy.ASSISTED
