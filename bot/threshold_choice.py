"""From which probability a passage may be said: chosen by risk control on questions whose answers are known.

The questions' development half chooses, the test half tells what to expect. A question counts as answered when the tag
is sure, or search by itself agrees with its best guess, its reason is answered by the bot, the guard is silent and a
passage is found; it is answered wrong when that passage is of an article that does not answer it. Method:
`classifier.abstention.control_risk`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bot.answers import ARTICLE_PREFIX, Answers
from bot.decision import Certificate, Decision, DecisionSettings, Way
from bot.session_store import BotError
from classifier.abstention import Guarantee, control_risk, error_upper_bound
from classifier.datafile import parse_yaml
from classifier.tagger import Tag
from kb.questions import Part, Question

TARGETS = (0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2)
"""Shares of wrong answers that are tried from the wanted one on, until one can be certified."""


class ThresholdError(BotError):
    """No threshold can be chosen or stored; the message says why."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One question: whether the bot would answer at all, how sure of the passage, and whether that is right."""

    question: str
    locale: str
    answers: bool
    probability: float = 0.0
    right: bool = False


@dataclass(frozen=True)
class Measured:
    """Questions of the test half at a threshold. ``wrong_at_most`` is the exact upper bound at the confidence."""

    questions: int
    answered: int
    wrong: int
    wrong_at_most: float

    @property
    def coverage(self) -> float:
        """The share of questions that are answered."""
        return self.answered / self.questions if self.questions else 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        share = self.wrong / self.answered if self.answered else None
        return {
            "questions": self.questions,
            "answered": self.answered,
            "coverage": round(self.coverage, 4),
            "wrong": self.wrong,
            "wrong_share": None if share is None else round(share, 4),
            "wrong_at_most": round(self.wrong_at_most, 4),
        }


@dataclass(frozen=True)
class Choice:
    """What can be certified: ``guarantees`` from the wanted target up to the first that holds.

    ``threshold`` is the one certified for the aim; where the aim cannot be certified, the one in force is kept, for a
    threshold that is certified for more wrong answers would only give more of them. ``test`` is measured at it.
    """

    guarantees: tuple[Guarantee, ...]
    threshold: float
    test: Measured
    model: str

    @property
    def met(self) -> bool:
        """Whether the aim is certified."""
        return self.guarantees[0].met

    @property
    def aim(self) -> float:
        """The share of wrong answers aimed at."""
        return self.guarantees[0].target

    @property
    def delta(self) -> float:
        """One minus the confidence."""
        return self.guarantees[0].delta

    @property
    def certificate(self) -> Certificate:
        """What is written beside the threshold."""
        return Certificate(
            aim=self.aim,
            met=self.met,
            confidence=round(1 - self.delta, 6),
            answered=round(self.test.coverage, 4),
            n=self.test.answered,
            wrong=self.test.wrong,
            wrong_at_most=round(self.test.wrong_at_most, 4),
            model=self.model,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data with stable keys."""
        return {
            "aim": self.aim,
            "confidence": round(1 - self.delta, 6),
            "met": self.met,
            "passage_threshold": self.threshold,
            "tried": [
                {
                    "target": one.target,
                    "met": one.met,
                    "threshold": one.threshold if one.met else None,
                    "n": one.n,
                    "coverage": round(one.coverage, 4) if one.met else None,
                    "wrong_share": round(one.error, 4) if one.met else None,
                }
                for one in self.guarantees
            ],
            "test": self.test.to_json(),
            "model": self.model,
        }


def judge(
    questions: Sequence[Question],
    tags: Sequence[Tag],
    answers: Answers,
    decision: Decision,
    step: Callable[[int, int], None] = lambda done, total: None,
) -> list[Judged]:
    """What the bot would do with each question, and whether it would be right. ``tags`` are of the same questions."""
    found = []
    for number, (question, tag) in enumerate(zip(questions, tags, strict=True), start=1):
        found.append(_judged(question, tag, answers, decision))
        step(number, len(questions))
    return found


def choose(
    questions: Sequence[Question], judged: Sequence[Judged], aim: float, delta: float, in_force: float, model: str
) -> Choice:
    """The lowest threshold that is certified for ``aim``, else the one ``in_force`` and what could be certified.

    Raises `ThresholdError`.
    """
    parts = {part: [row for row, q in zip(judged, questions, strict=True) if q.part is part] for part in Part}
    able = [row for row in parts[Part.DEVELOPMENT] if row.answers]
    if not able:
        raise ThresholdError("the bot answers no question of the development half: sync the articles, train a model")
    probability = np.array([row.probability for row in able])
    right = np.array([row.right for row in able])
    guarantees = []
    for target in (aim, *(wider for wider in TARGETS if wider > aim)):
        guarantees.append(control_risk(probability, right, target, delta))
        if guarantees[-1].met:
            break
    threshold = guarantees[0].threshold if guarantees[0].met else in_force
    told = [row for row in parts[Part.TEST] if row.answers and row.probability >= threshold]
    wrong = sum(not row.right for row in told)
    test = Measured(len(parts[Part.TEST]), len(told), wrong, error_upper_bound(wrong, len(told), delta))
    return Choice(tuple(guarantees), threshold, test, model)


def store(choice: Choice, path: Path) -> None:
    """Write threshold and certificate into a decision file, its other lines as they are.

    Raises `ThresholdError` where the file has no line for it.
    """
    text = path.read_text(encoding="utf-8")
    shown = ", ".join(f"{name}: {_shown(value)}" for name, value in choice.certificate.model_dump().items())
    text = re.sub(r"(?m)^certificate: .*\n", "", text)
    line = re.compile(r"(?m)^(passage_threshold: *)[\d.]+(.*\n)")
    if not line.search(text):
        raise ThresholdError(f"{path}: has no line passage_threshold; add one")
    threshold = f"{choice.threshold:.4f}".rstrip("0")
    text = line.sub(lambda match: f"{match[1]}{threshold}{match[2]}certificate: {{{shown}}}\n", text, count=1)
    parse_yaml(text, DecisionSettings, path)
    path.write_text(text, encoding="utf-8")


def _judged(question: Question, tag: Tag, answers: Answers, decision: Decision) -> Judged:
    silent = Judged(question.id, question.locale, answers=False)
    if decision.danger([tag]) or decision.way(tag.reason)[0] is not Way.SELF_SERVICE:
        return silent
    if tag.decision != "tagged":
        agreement = answers.agreement(question.question, tag.reason, question.locale, without=question.id)
        if not decision.agrees(tag, agreement):
            return silent
    found = answers.nearest(question.question, tag.reason, question.locale, without=question.id)
    if found is None:
        return silent
    said, probability = found
    article = said.source.removeprefix(ARTICLE_PREFIX).split("/", 1)[1].split("#", 1)[0]
    return Judged(question.id, question.locale, True, probability, article in question.answers)


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
