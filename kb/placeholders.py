"""The placeholder vocabulary: which facts a macro may name, their types, sources and wording."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from classifier.datafile import load_yaml

STARTER_VOCABULARY = Path(__file__).parent / "placeholders.yaml"

_PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_][\w.]*)\s*(?:\|\s*(\w+)\s*)?\}\}")


class FactType(StrEnum):
    """How a fact becomes words; see the head of ``placeholders.yaml``."""

    ID = "id"
    TEXT = "text"
    LIST = "list"
    INT = "int"
    DATE = "date"
    MONEY = "money"
    COUNTRY = "country"
    ENUM = "enum"


class Derivation(BaseModel):
    """A fact that follows from another one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fact: str
    values: dict[str, str]


class Placeholder(BaseModel):
    """One fact that a macro may name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: FactType
    source: str
    example: Any
    max_length: int = Field(default=200, ge=1)
    open: bool = False
    words: dict[str, dict[str, str]] = Field(default_factory=dict)
    derived_from: Derivation | None = None

    @model_validator(mode="after")
    def _worded_like_its_type(self) -> Self:
        if (self.type is FactType.ENUM) != bool(self.words):
            raise ValueError("an enum lists its `words`, and only an enum does")
        locales = {frozenset(wording) for wording in self.words.values()}
        if len(locales) > 1:
            raise ValueError("every word needs the same locales")
        return self


class Vocabulary(BaseModel):
    """All placeholders by fact name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    placeholders: dict[str, Placeholder]

    @model_validator(mode="after")
    def _derivations_exist(self) -> Self:
        for name, placeholder in self.placeholders.items():
            rule = placeholder.derived_from
            if rule and (rule.fact not in self.placeholders or not set(rule.values.values()) <= set(placeholder.words)):
                raise ValueError(f"{name}: derived_from names an unknown fact or word")
        return self

    def __contains__(self, name: object) -> bool:
        return name in self.placeholders

    def __getitem__(self, name: str) -> Placeholder:
        return self.placeholders[name]

    def with_derived(self, facts: Mapping[str, object]) -> dict[str, object]:
        """``facts`` and what follows from them; a stated fact wins over a derived one."""
        known = {name: value for name, value in facts.items() if value is not None}
        for name, placeholder in self.placeholders.items():
            rule = placeholder.derived_from
            if rule and name not in known and (value := rule.values.get(fact_key(known.get(rule.fact)))):
                known[name] = value
        return known


@cache
def starter_vocabulary() -> Vocabulary:
    """The shipped vocabulary."""
    return load_yaml(STARTER_VOCABULARY, Vocabulary)


def fact_key(value: object) -> str:
    """How a fact's value compares: `True` and "true" are one, case and outer blanks do not count."""
    return str(getattr(value, "value", value)).strip().lower()


@dataclass(frozen=True)
class Slot:
    """A placeholder inside a body: the fact's name, the format asked for, and where it stands."""

    name: str
    format: str | None
    start: int
    end: int


def slots(body: str) -> Iterator[Slot]:
    """The placeholders of a body in order."""
    for match in _PLACEHOLDER.finditer(body):
        yield Slot(match[1], match[2], match.start(), match.end())


def body_mistakes(body: str, vocabulary: Vocabulary) -> Iterator[tuple[int, str]]:
    """(offset, mistake) of every unknown placeholder, wrong format and stray brace in a body."""
    position = 0
    for slot in slots(body):
        yield from _stray_braces(body, position, slot.start)
        position = slot.end
        if slot.name not in vocabulary:
            yield slot.start, f"unknown placeholder '{slot.name}'; the list is in {STARTER_VOCABULARY.name}"
        elif slot.format and slot.format != vocabulary[slot.name].type.value:
            kind = vocabulary[slot.name].type.value
            yield slot.start, f"'{slot.name}' is of type {kind}, not '{slot.format}'"
    yield from _stray_braces(body, position, len(body))


def _stray_braces(body: str, start: int, end: int) -> Iterator[tuple[int, str]]:
    if found := re.search(r"[{}]", body[start:end]):
        yield (
            start + found.start(),
            "a brace outside of a placeholder; write {{ name }} or {{ name | format }}",
        )
