"""Macros: replies and notices that fill themselves with order facts."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from babel import UnknownLocaleError
from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from classifier.datafile import DataFileError
from classifier.taxonomy import Taxonomy
from kb.content import Document, FrontMatter, field_line, load_folder, read_document
from kb.placeholders import FactType, Vocabulary, body_mistakes, fact_key, slots, starter_vocabulary
from kb.rendering import UnusableFactError, fact_words


class MacroKind(StrEnum):
    """A reply answers a customer; a proactive message starts the conversation and has stricter rules."""

    REPLY = "reply"
    PROACTIVE = "proactive"


class MacroStatus(StrEnum):
    """Where a macro is in its life; only a locked one is offered or said. See `kb.macro_life`."""

    DRAFT = "draft"
    CHECKED = "checked"
    APPROVED = "approved"
    LOCKED = "locked"
    RETIRED = "retired"


def _as_values(value: object) -> object:
    """One value or a list of values, as comparable words."""
    return tuple(fact_key(item) for item in (value if isinstance(value, list | tuple) else [value]))


FactValues = Annotated[tuple[str, ...], BeforeValidator(_as_values), Field(min_length=1)]


def same_person(one: str, other: str) -> bool:
    """Whether two names are one person's: case, blanks and the form of the letters do not count."""
    names = (" ".join(unicodedata.normalize("NFKC", name).casefold().split()) for name in (one, other))
    return next(names) == next(names)


class MacroFields(FrontMatter):
    """The front matter of a macro."""

    kind: MacroKind
    status: MacroStatus
    author: str = Field(min_length=1)
    approver: str | None = Field(default=None, validate_default=True)
    when: dict[str, FactValues] = Field(default_factory=dict)

    @field_validator("approver")
    @classmethod
    def _four_eyes(cls, approver: str | None, info: ValidationInfo) -> str | None:
        if info.data.get("status") not in {MacroStatus.APPROVED, MacroStatus.LOCKED}:
            return approver
        if not approver:
            raise ValueError(f"a macro that is {info.data['status']} names who approved it")
        if same_person(approver, str(info.data.get("author", ""))):
            raise ValueError("must be another person than the author")
        return approver


@dataclass(frozen=True)
class Macro(Document[MacroFields]):
    """One macro in one language; `body` still has its placeholders."""

    @property
    def usable(self) -> bool:
        """Whether a second person has approved it (approved or locked)."""
        return self.fields.status in {MacroStatus.APPROVED, MacroStatus.LOCKED}

    @property
    def locked(self) -> bool:
        """Whether it may be offered to agents and said by the bot."""
        return self.fields.status is MacroStatus.LOCKED

    @property
    def facts(self) -> tuple[str, ...]:
        """Names of the facts that the body needs, each once, in order."""
        return tuple(dict.fromkeys(slot.name for slot in slots(self.body)))

    def unmet(self, facts: Mapping[str, object]) -> tuple[str, ...]:
        """Names of the conditions that ``facts`` do not meet; a missing fact meets none."""
        return tuple(
            name
            for name, wanted in self.fields.when.items()
            if facts.get(name) is None or fact_key(facts[name]) not in wanted
        )


@dataclass(frozen=True)
class Mistake:
    """Why a macro cannot be used: the field (`body`, `when.<fact>`) and, for the body, its 1-based line."""

    field: str
    text: str
    line: int | None = None


def macro_mistakes(fields: MacroFields, body: str, vocabulary: Vocabulary | None = None) -> Iterator[Mistake]:
    """What is wrong with a macro's words and conditions, wherever they are kept."""
    vocabulary = vocabulary or starter_vocabulary()
    if not body.strip():
        yield Mistake("body", "the macro says nothing", 1)
    for offset, mistake in body_mistakes(body, vocabulary, fields.locale):
        yield Mistake("body", mistake, body.count("\n", 0, offset) + 1)
    said = {slot.name for slot in slots(body)}
    for name, values in fields.when.items():
        if name not in vocabulary:
            yield Mistake(f"when.{name}", "unknown fact; the list is in placeholders.yaml")
            continue
        placeholder = vocabulary[name]
        if placeholder.type is FactType.ENUM and not placeholder.open and (odd := set(values) - set(placeholder.words)):
            known = ", ".join(placeholder.words)
            yield Mistake(f"when.{name}", f"unknown {', '.join(sorted(odd))}; known: {known}")
        elif name in said:
            found = (_unsayable(value, name, fields.locale, vocabulary) for value in values)
            yield from (Mistake(f"when.{name}", mistake) for mistake in found if mistake)


def _unsayable(value: str, name: str, locale: str, vocabulary: Vocabulary) -> str | None:
    """Why the text cannot say the fact ``name`` where it has ``value``; None where it can."""
    try:
        worded = not vocabulary.is_absent(value) and fact_words(value, vocabulary[name], locale)
    except UnusableFactError as error:
        return f"the text says it, and '{value}' {error}"
    except UnknownLocaleError:
        return None  # a mistake of its own, see `kb.content.place_mistakes`
    return None if worded else f"the text says it, and '{value}' stands for no value"


def _builder(vocabulary: Vocabulary) -> Callable[[MacroFields, str, Path, int], Macro]:
    def build(fields: MacroFields, body: str, path: Path, line: int) -> Macro:
        mistakes = [
            f"{path}:{line + found.line - 1 if found.line else field_line(path, 'when')}: {found.field}: {found.text}"
            for found in macro_mistakes(fields, body, vocabulary)
        ]
        if mistakes:
            raise DataFileError("\n".join(mistakes))
        return Macro(fields, body, path, line)

    return build


def load_macros(directory: Path, taxonomy: Taxonomy | None = None, vocabulary: Vocabulary | None = None) -> list[Macro]:
    """All macros of ``directory/<locale>/<id>.md``. Raises `ContentError` with the mistakes of all files."""
    return load_folder(directory, MacroFields, _builder(vocabulary or starter_vocabulary()), taxonomy)


def load_macro(path: Path, vocabulary: Vocabulary | None = None) -> Macro:
    """One macro file, wherever it lies. Raises `DataFileError`."""
    fields, body, line = read_document(path, MacroFields)
    return _builder(vocabulary or starter_vocabulary())(fields, body, path, line)
