"""Questions as customers ask them, with the article that answers: what search learns from and is measured on.

A content folder keeps them in `questions/<locale>.jsonl`, one JSON object a line. Those of the development part
belong to the knowledge base: search knows them, and weights are fitted on them. Those of the test part are only
measured on, so that `paretodesk kb evaluate` tells what a question nobody has asked before will meet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from classifier.datafile import DataFileError, read_text
from classifier.folding import fold
from kb.content import ContentError


class Part(StrEnum):
    """What a question may be used for."""

    DEVELOPMENT = "development"
    TEST = "test"


class Question(BaseModel):
    """One customer's question; ``article`` None says that no article answers it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1)
    locale: str = Field(pattern=r"^[a-z]{2}$")
    part: Part = Part.DEVELOPMENT
    question: str = Field(min_length=1)
    article: str | None
    also: tuple[str, ...] = ()
    """Further articles that answer it."""

    @property
    def answers(self) -> frozenset[str]:
        """Ids of all articles that answer it; empty where none does."""
        return frozenset((*([self.article] if self.article else []), *self.also))


def load_questions(directory: Path) -> list[Question]:
    """All questions of ``directory/<locale>.jsonl``; none where there is no such folder.

    Raises `ContentError` with the mistakes of all files: broken lines, an id twice, a question in both parts.
    """
    mistakes: list[str] = []
    questions: list[Question] = []
    ids: dict[str, str] = {}
    parts: dict[str, tuple[Part, str]] = {}
    for path in sorted(directory.glob("*.jsonl")):
        try:
            lines = read_text(path).split("\n")
        except DataFileError as error:
            mistakes.append(str(error))
            continue
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            where = f"{path}:{number}"
            try:
                question = Question.model_validate_json(line)
            except ValidationError as error:
                mistakes += [
                    f"{where}: {'.'.join(map(str, mistake['loc'])) or 'line'}: {mistake['msg']}"
                    for mistake in error.errors()
                ]
                continue
            mistakes += _misplaced(question, path, where)
            if (twin := ids.setdefault(question.id, where)) != where:
                mistakes.append(f"{where}: id: {question.id} is also in {twin}")
            part, twin = parts.setdefault(fold(question.question), (question.part, where))
            if part is not question.part:
                mistakes.append(f"{where}: question: stands in the {part} part too ({twin}); keep one of the two")
            questions.append(question)
    if mistakes:
        raise ContentError(mistakes)
    return questions


def _misplaced(question: Question, path: Path, where: str) -> Iterator[str]:
    if question.locale != path.stem:
        yield f"{where}: locale: '{question.locale}' lies in {path.name}"
    if question.also and question.article is None:
        yield f"{where}: also: names articles although 'article' says that none answers"


def of_part(questions: Iterable[Question], part: Part) -> list[Question]:
    """The questions of one part."""
    return [question for question in questions if question.part is part]


def unknown_articles(questions: Sequence[Question], articles: Iterable[str]) -> dict[str, set[str]]:
    """Article ids that questions name and that are not among ``articles``, by question id."""
    known = set(articles)
    return {question.id: missing for question in questions if (missing := set(question.answers - known))}
