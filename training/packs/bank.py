"""The written part of a training pack, as data: what to look for, policy points, advice, mistakes and quiz questions.

``bank/<locale>/<reason>.yaml`` is written for one contact reason, ``bank/<locale>/generic.yaml`` by autonomy for all
others. Every policy point and every answer names what it rests on; see `SOURCE`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from classifier.datafile import load_yaml
from classifier.taxonomy import Autonomy

HERE = Path(__file__).parent
LANGUAGES = ("en", "fr")
QUESTIONS = 10
"""Questions of a quiz."""

SOURCE = r"^(article:[a-z0-9-]+|macro:[a-z0-9-]+|rule:R\d\d|domain:[a-z0-9_]+|taxonomy)$"
"""An article or macro by id, a rule of the marketplaces' rule sets, a row of docs/domain.md, or the taxonomy."""

Source = Annotated[str, StringConstraints(pattern=SOURCE)]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


class _Written(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Point(_Written):
    """One thing that the desk does or does not do, and what that rests on."""

    text: Text
    source: tuple[Source, ...] = Field(min_length=1)


class Mistake(_Written):
    """What goes wrong often, and what to do instead."""

    wrong: Text
    right: Text


class Question(_Written):
    """A question of the quiz with its answer and why the answer is right."""

    question: Text
    answer: Text
    why: Text
    source: tuple[Source, ...] = Field(min_length=1)


class Lesson(_Written):
    """What is written for a contact reason, or for all reasons of one autonomy.

    ``rules`` are ids of the rule sets that replies about the reason break most easily.
    """

    recognise: tuple[Text, ...] = Field(min_length=2)
    policy: tuple[Point, ...] = Field(min_length=2)
    personalise: tuple[Text, ...] = Field(min_length=2)
    mistakes: tuple[Mistake, ...] = Field(min_length=2)
    rules: tuple[str, ...] = Field(min_length=1)
    quiz: tuple[Question, ...] = Field(min_length=3)

    @model_validator(mode="after")
    def _asks_once(self) -> Lesson:
        asked = [question.question for question in self.quiz]
        if twice := {question for question in asked if asked.count(question) > 1}:
            raise ValueError(f"asked twice: {sorted(twice)}")
        return self


class ReasonLesson(Lesson):
    """The file of one contact reason in one language."""

    reason: str
    locale: str


class GenericLessons(_Written):
    """The file ``generic.yaml``: a lesson for every autonomy, the answered ones sharing theirs."""

    locale: str
    answered: Lesson
    human_only: Lesson
    auto_close: Lesson

    @model_validator(mode="after")
    def _enough(self) -> GenericLessons:
        for name in ("answered", "human_only", "auto_close"):
            if len(getattr(self, name).quiz) < QUESTIONS:
                raise ValueError(f"{name}: a quiz needs {QUESTIONS} questions for reasons without a file of their own")
        return self

    def of(self, autonomy: Autonomy) -> Lesson:
        """The lesson for reasons of this autonomy."""
        match autonomy:
            case Autonomy.HUMAN_ONLY:
                return self.human_only
            case Autonomy.AUTO_CLOSE:
                return self.auto_close
            case _:
                return self.answered


class Wording(_Written):
    """The words around the pack in one language, and of what it takes from elsewhere."""

    locale: str
    words: dict[str, Text]
    autonomy: dict[Autonomy, Text]
    metrics: dict[str, Text]
    """What a seller metric is, by its code in the taxonomy."""
    domain: dict[str, Text]
    """What a row of docs/domain.md says, by the key that sources use."""
    marketplaces: dict[str, Text]
    """What a rule set is called."""
    placeholders: dict[str, Text]
    """How redacted values read, such as NAME."""
    meanings: dict[str, Text] = Field(default_factory=dict)
    """What each contact reason means; the taxonomy's own words where left out."""
    rules: dict[str, Text] = Field(default_factory=dict)
    """The statements of the rules; the rule set's own words where left out."""

    def __getitem__(self, key: str) -> str:
        return self.words[key]

    @property
    def colon(self) -> str:
        """A colon, with the blank that French puts before it."""
        return " :" if self.locale == "fr" else ":"

    @property
    def semicolon(self) -> str:
        """A semicolon between parts of a list."""
        return " ; " if self.locale == "fr" else "; "


@cache
def wording(locale: str) -> Wording:
    """The words of a language. Raises `DataFileError`."""
    return load_yaml(HERE / "wording" / f"{locale}.yaml", Wording)


@cache
def generic_lessons(locale: str) -> GenericLessons:
    """The lessons by autonomy. Raises `DataFileError`."""
    return load_yaml(HERE / "bank" / locale / "generic.yaml", GenericLessons)


@cache
def reason_lesson(reason: str, locale: str) -> ReasonLesson | None:
    """The lesson written for this reason; None where there is none. Raises `DataFileError`."""
    path = HERE / "bank" / locale / f"{reason}.yaml"
    return load_yaml(path, ReasonLesson) if path.exists() else None


def lesson_of(reason: str, autonomy: Autonomy, locale: str) -> tuple[Lesson, bool]:
    """The lesson for a reason, and whether it was written for it."""
    own = reason_lesson(reason, locale)
    return (own, True) if own else (generic_lessons(locale).of(autonomy), False)


def quiz_of(reason: str, autonomy: Autonomy, locale: str) -> tuple[Question, ...]:
    """Ten questions: the reason's own first, then general ones, other ones for other reasons."""
    lesson, own = lesson_of(reason, autonomy, locale)
    general = generic_lessons(locale).of(autonomy).quiz if own else ()
    turn = sum(map(ord, reason)) % len(general) if general else 0
    return (*lesson.quiz, *general[turn:], *general[:turn])[:QUESTIONS]
