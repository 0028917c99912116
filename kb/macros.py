"""Macros: replies and notices that fill themselves with order facts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from classifier.datafile import DataFileError
from classifier.taxonomy import Taxonomy
from kb.content import Document, FrontMatter, field_line, load_folder, read_document
from kb.placeholders import FactType, Vocabulary, body_mistakes, fact_key, slots, starter_vocabulary


class MacroKind(StrEnum):
    """A reply answers a customer; a proactive message starts the conversation and has stricter rules."""

    REPLY = "reply"
    PROACTIVE = "proactive"


class MacroStatus(StrEnum):
    """A macro's life. Approved ones are offered to agents; only locked ones are said without a person."""

    DRAFT = "draft"
    APPROVED = "approved"
    LOCKED = "locked"
    RETIRED = "retired"


def _as_values(value: object) -> object:
    """One value or a list of values, as comparable words."""
    return tuple(fact_key(item) for item in (value if isinstance(value, list | tuple) else [value]))


FactValues = Annotated[tuple[str, ...], BeforeValidator(_as_values), Field(min_length=1)]


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
        if approver.strip().casefold() == str(info.data.get("author", "")).strip().casefold():
            raise ValueError("must be another person than the author")
        return approver


@dataclass(frozen=True)
class Macro(Document[MacroFields]):
    """One macro in one language; `body` still has its placeholders."""

    @property
    def usable(self) -> bool:
        """Whether an agent may send it (approved or locked)."""
        return self.fields.status in {MacroStatus.APPROVED, MacroStatus.LOCKED}

    @property
    def locked(self) -> bool:
        """Whether the bot may send it."""
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


def _mistakes(macro: Macro, vocabulary: Vocabulary) -> Iterator[str]:
    if not macro.body.strip():
        yield f"{macro.path}:{macro.body_line}: body: the macro says nothing"
    for offset, mistake in body_mistakes(macro.body, vocabulary):
        yield f"{macro.path}:{macro.body_line + macro.body.count(chr(10), 0, offset)}: body: {mistake}"
    line = field_line(macro.path, "when")
    for name, values in macro.fields.when.items():
        if name not in vocabulary:
            yield f"{macro.path}:{line}: when.{name}: unknown fact; the list is in placeholders.yaml"
            continue
        placeholder = vocabulary[name]
        if placeholder.type is FactType.ENUM and not placeholder.open and (odd := set(values) - set(placeholder.words)):
            known = ", ".join(placeholder.words)
            yield f"{macro.path}:{line}: when.{name}: unknown {', '.join(sorted(odd))}; known: {known}"


def _builder(vocabulary: Vocabulary) -> Callable[[MacroFields, str, Path, int], Macro]:
    def build(fields: MacroFields, body: str, path: Path, line: int) -> Macro:
        macro = Macro(fields, body, path, line)
        if mistakes := list(_mistakes(macro, vocabulary)):
            raise DataFileError("\n".join(mistakes))
        return macro

    return build


def load_macros(directory: Path, taxonomy: Taxonomy | None = None, vocabulary: Vocabulary | None = None) -> list[Macro]:
    """All macros of ``directory/<locale>/<id>.md``. Raises `ContentError` with the mistakes of all files."""
    return load_folder(directory, MacroFields, _builder(vocabulary or starter_vocabulary()), taxonomy)


def load_macro(path: Path, vocabulary: Vocabulary | None = None) -> Macro:
    """One macro file, wherever it lies. Raises `DataFileError`."""
    fields, body, line = read_document(path, MacroFields)
    return _builder(vocabulary or starter_vocabulary())(fields, body, path, line)
