"""The placeholder vocabulary: which facts a macro may name, their types, sources and wording."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Self

from babel import Locale, UnknownLocaleError
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from classifier.datafile import load_yaml

STARTER_VOCABULARY = Path(__file__).parent / "placeholders.yaml"

_PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_][\w.]*)\s*((?:\|[^{}|]*)*)\}\}")
_FORM = re.compile(r"(\w+)\s*:\s*(.*)", re.DOTALL)
_OTHER = "other"


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
    """A fact that follows from another one: from its value, from whether its day is over, or a day counted from it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fact: str
    values: dict[str, str] = Field(default_factory=dict)
    until: str | None = None
    """The word that holds up to and on the day that ``fact`` names."""
    after: str | None = None
    """The word that holds when that day is over."""
    plus_days: int | None = None
    """The fact is the day so many days after the one that ``fact`` names."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = (bool(self.values), bool(self.until and self.after), self.plus_days is not None)
        if sum(ways) != 1 or bool(self.until) != bool(self.after):
            raise ValueError("a derivation has either `values`, or `until` and `after`, or `plus_days`")
        return self

    @property
    def results(self) -> frozenset[str]:
        """Every word that it may give."""
        return frozenset(self.values.values()) | {word for word in (self.until, self.after) if word}

    def of(self, value: object, today: dt.date) -> str | None:
        """The word or day (ISO 8601) that follows from ``value``; None where nothing does."""
        if value is None or self.values:
            return self.values.get(fact_key(value))
        day = as_day(value)
        if self.plus_days is not None:
            try:
                return None if day is None else (day + dt.timedelta(days=self.plus_days)).isoformat()
            except OverflowError:  # beyond the calendar: no day that anybody means
                return None
        return None if day is None else self.until if today <= day else self.after


class Placeholder(BaseModel):
    """One fact that a macro may name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: FactType
    source: str
    example: Any
    max_length: int = Field(default=200, ge=1)
    open: bool = False
    words: dict[str, dict[str, str]] = Field(default_factory=dict)
    synonyms: dict[str, str] = Field(default_factory=dict)
    """Other systems' words for ours; compared by `fact_key`."""
    derived_from: Derivation | None = None

    @model_validator(mode="after")
    def _worded_like_its_type(self) -> Self:
        if (self.type is FactType.ENUM) != bool(self.words):
            raise ValueError("an enum lists its `words`, and only an enum does")
        if odd := set(self.synonyms.values()) - set(self.words):
            raise ValueError(f"synonyms stand for {', '.join(sorted(odd))}, which is none of the `words`")
        locales = {frozenset(wording) for wording in self.words.values()}
        if len(locales) > 1:
            raise ValueError("every word needs the same locales")
        return self


class Vocabulary(BaseModel):
    """All placeholders by fact name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    absent: frozenset[str] = frozenset()
    """How exports write that there is no value; compared by `fact_key`."""
    placeholders: dict[str, Placeholder]

    @field_validator("absent")
    @classmethod
    def _as_compared(cls, absent: frozenset[str]) -> frozenset[str]:
        return frozenset(map(fact_key, absent))

    @model_validator(mode="after")
    def _derivations_exist(self) -> Self:
        for name, placeholder in self.placeholders.items():
            rule = placeholder.derived_from
            if rule and (rule.fact not in self.placeholders or not rule.results <= set(placeholder.words)):
                raise ValueError(f"{name}: derived_from names an unknown fact or word")
            if absent := sorted(self.absent & set(placeholder.words)):
                raise ValueError(f"{name}: {', '.join(absent)} cannot be a word and mean that there is none")
        return self

    def __contains__(self, name: object) -> bool:
        return name in self.placeholders

    def __getitem__(self, name: str) -> Placeholder:
        return self.placeholders[name]

    def is_absent(self, value: object) -> bool:
        """Whether ``value`` says that there is none: None, not a number, or a word for it such as "n/a"."""
        return value is None or value != value or (isinstance(value, str) and fact_key(value) in self.absent)

    def with_derived(self, facts: Mapping[str, object], today: dt.date | None = None) -> dict[str, object]:
        """``facts`` without absent ones, and what follows from them on ``today`` (the present day in UTC).

        A stated fact wins over a derived one.
        """
        today = today or dt.datetime.now(dt.UTC).date()
        known = {name: value for name, value in facts.items() if not self.is_absent(value)}
        for name, placeholder in self.placeholders.items():
            if placeholder.synonyms and name in known:
                known[name] = placeholder.synonyms.get(fact_key(known[name]), known[name])
            rule = placeholder.derived_from
            if rule and name not in known and (value := rule.of(known.get(rule.fact), today)):
                known[name] = value
        return known


@cache
def starter_vocabulary() -> Vocabulary:
    """The shipped vocabulary."""
    return load_yaml(STARTER_VOCABULARY, Vocabulary)


def fact_key(value: object) -> str:
    """How a fact's value compares: `True` and "true" are one, case and outer blanks do not count."""
    return str(getattr(value, "value", value)).strip().lower()


def as_day(value: object) -> dt.date | None:
    """The day that a date, a moment or an ISO 8601 text names; None where it names none."""
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    if isinstance(value, dt.datetime):
        return value.date()
    return value if isinstance(value, dt.date) else None


def plural_categories(locale: str) -> frozenset[str]:
    """The plural categories of a language that a macro must word (CLDR), `other` among them.

    `many` is for millions in French, Italian and Spanish; where a macro does not word it, `other` serves.
    """
    try:
        return frozenset(Locale.parse(locale).plural_form.tags) - {"many"} | {_OTHER}
    except UnknownLocaleError:
        return frozenset({_OTHER})


@dataclass(frozen=True)
class Slot:
    """A placeholder inside a body: the fact's name, the format asked for, and where it stands.

    ``forms`` words a number per plural category, `#` being the number: (("one", "# photo"), ("other", "# photos")).
    """

    name: str
    format: str | None
    start: int
    end: int
    forms: tuple[tuple[str, str], ...] = ()

    def form(self, category: str) -> str:
        """The wording for a plural category; that of `other` where it has none of its own."""
        worded = dict(self.forms)
        return worded.get(category) or worded[_OTHER]


def slots(body: str) -> Iterator[Slot]:
    """The placeholders of a body in order."""
    for match in _PLACEHOLDER.finditer(body):
        parts = [part.strip() for part in match[2].split("|")[1:]]
        forms = [_FORM.fullmatch(part) for part in parts]
        worded = tuple((form[1], form[2]) for form in forms if form)
        if parts and len(worded) == len(parts):
            yield Slot(match[1], None, match.start(), match.end(), worded)
        else:
            yield Slot(match[1], " | ".join(parts) if parts else None, match.start(), match.end())


def body_mistakes(body: str, vocabulary: Vocabulary, locale: str) -> Iterator[tuple[int, str]]:
    """(offset, mistake) of every unknown placeholder, wrong format, missing plural form and stray brace in a body."""
    position = 0
    for slot in slots(body):
        yield from _stray_braces(body, position, slot.start)
        position = slot.end
        if slot.name not in vocabulary:
            yield slot.start, f"unknown placeholder '{slot.name}'; the list is in {STARTER_VOCABULARY.name}"
        elif slot.forms:
            yield from ((slot.start, mistake) for mistake in _form_mistakes(slot, vocabulary[slot.name], locale))
        elif slot.format is not None and slot.format != vocabulary[slot.name].type.value:
            kind = vocabulary[slot.name].type.value
            yield slot.start, f"'{slot.name}' is of type {kind}, not '{slot.format}'"
    yield from _stray_braces(body, position, len(body))


def _stray_braces(body: str, start: int, end: int) -> Iterator[tuple[int, str]]:
    if found := re.search(r"[{}]", body[start:end]):
        yield (
            start + found.start(),
            "a brace outside of a placeholder; write {{ name }} or {{ name | format }}",
        )


def _form_mistakes(slot: Slot, placeholder: Placeholder, locale: str) -> Iterator[str]:
    if placeholder.type is not FactType.INT:
        yield f"'{slot.name}' is of type {placeholder.type.value}; only a number (int) has plural forms"
        return
    worded = [category for category, text in slot.forms if text]
    needed = plural_categories(locale)
    if missing := sorted(needed - set(worded)):
        yield f"'{slot.name}' has no words for {', '.join(missing)}; '{locale}' needs {', '.join(sorted(needed))}"
    if odd := sorted(set(dict(slot.forms)) - needed - {"many"}):
        yield f"'{slot.name}' has plural forms that '{locale}' does not know: {', '.join(odd)}"
    if len(slot.forms) != len(dict(slot.forms)):
        yield f"'{slot.name}' words a plural form twice"
