"""Order ids, ASINs, tracking numbers and the other things a ticket names, with checksums and context.

Formats and their sources: docs/domain.md section 5.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import phonenumbers
from pydantic import BaseModel, ConfigDict
from stdnum import isbn
from stdnum.ch import vat as ch_vat
from stdnum.eu import vat
from stdnum.gb import vat as gb_vat

from classifier.addresses import find_address_parts
from classifier.checksums import CHECKS
from classifier.datafile import PatternText, load_yaml
from classifier.patterns import PatternFile, found_span

MAX_CHARACTERS = 20_000
"""Entities are searched in so much of a message; customers name their order early."""
_CONTEXT = 60
"""Characters on each side in which a carrier's name makes a bare number a tracking number."""

_MANY_DIGITS = re.compile(r"\d(?:[\s()./-]{0,3}\d){6}")
_ISBN = re.compile(r"\b\d{9}[\dX]\b")
_BEFORE_TRACKING = ("url", "email", "order_id", "asin", "vat_id")
"""Kinds that keep their span against a tracking number; the rest of the data file comes after tracking numbers."""


class EntityPatterns(PatternFile):
    """The data file ``entities.yaml``."""

    book: PatternText
    phone_regions: dict[str, str]
    dialled_without_zero: dict[str, frozenset[Literal["mobile", "fixed_line"]]]
    american_phone: PatternText


@dataclass(frozen=True)
class _Compiled:
    by_kind: dict[str, list[re.Pattern[str]]]
    book: re.Pattern[str]
    american_phone: re.Pattern[str]
    phone_regions: dict[str, str]
    without_zero: dict[str, frozenset[int]]


@cache
def _patterns() -> _Compiled:
    data = load_yaml(Path(__file__).parent / "data" / "entities.yaml", EntityPatterns)
    by_kind: dict[str, list[re.Pattern[str]]] = {}
    for kind, pattern in data.compiled():
        by_kind.setdefault(kind, []).append(pattern)
    numbers = phonenumbers.PhoneNumberType
    types = {"mobile": numbers.MOBILE, "fixed_line": numbers.FIXED_LINE}
    return _Compiled(
        by_kind,
        re.compile(data.book),
        re.compile(data.american_phone),
        data.phone_regions,
        {region: frozenset(types[kind] for kind in kinds) for region, kinds in data.dialled_without_zero.items()},
    )


class CarrierFormat(BaseModel):
    """One tracking number format of one carrier."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    names: tuple[str, ...]
    pattern: PatternText
    check: str
    needs_context: bool = False


class CarrierFormats(BaseModel):
    """The data file ``carriers.yaml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    carriers: tuple[CarrierFormat, ...]


@dataclass(frozen=True)
class Entity:
    """A span of the text: ``kind`` and its value.

    Kinds: order_id, asin, tracking, email, phone, url, vat_id, money, date, postcode.
    """

    kind: str
    value: str
    start: int
    end: int
    carrier: str | None = None


@cache
def _carriers() -> tuple[tuple[CarrierFormat, re.Pattern[str], re.Pattern[str]], ...]:
    formats = load_yaml(Path(__file__).parent / "data" / "carriers.yaml", CarrierFormats).carriers
    return tuple(
        (
            carrier,
            re.compile(rf"(?<![\w-])(?:{carrier.pattern})(?![\w-])"),
            re.compile(r"\b(?:" + "|".join(map(re.escape, carrier.names)) + r")\b", re.I),
        )
        for carrier in formats
    )


def _tracking(text: str) -> Iterator[Entity]:
    for carrier, pattern, names in _carriers():
        for match in pattern.finditer(text):
            if not any(character.isdigit() for character in match[0]):
                continue
            around = text[max(0, match.start() - _CONTEXT) : match.end() + _CONTEXT]
            if carrier.needs_context and not names.search(around):
                continue
            if CHECKS[carrier.check](match[0]):
                yield Entity("tracking", match[0], *match.span(), carrier=carrier.id)


def _phones(text: str, language: str) -> Iterator[Entity]:
    if not _MANY_DIGITS.search(text):
        return
    patterns = _patterns()
    region = patterns.phone_regions.get(language)
    matcher = phonenumbers.PhoneNumberMatcher(text, region, leniency=phonenumbers.Leniency.POSSIBLE)
    for found in matcher:
        digits = re.sub(r"\D", "", found.raw_string)
        # A run of digits that starts with 0 is as often a serial number.
        grouped = digits != found.raw_string or phonenumbers.is_valid_number(found.number)
        written_as_phone = found.raw_string.startswith(("+", "00")) or (
            grouped and (found.raw_string.startswith(("0", "(")) or region is None)
        )
        if len(digits) >= 8 and (written_as_phone or _dialled_without_zero(found.number, region)):
            yield Entity("phone", found.raw_string, found.start, found.end)
    for match in patterns.american_phone.finditer(text):
        if phonenumbers.is_valid_number(phonenumbers.parse(match[0], "US")):
            yield Entity("phone", match[0], *match.span())


def _dialled_without_zero(number: phonenumbers.PhoneNumber, region: str | None) -> bool:
    kinds = _patterns().without_zero.get(region or "", frozenset())
    return phonenumbers.is_valid_number(number) and phonenumbers.number_type(number) in kinds


def _books(text: str) -> Iterator[Entity]:
    for match in _ISBN.finditer(text):
        if isbn.is_valid(match[0]):
            yield Entity("asin", match[0], *match.span())


def _formats(text: str, kinds: Iterable[str]) -> Iterator[Entity]:
    by_kind = _patterns().by_kind
    for kind in kinds:
        for pattern in by_kind[kind]:
            for match in pattern.finditer(text):
                start, end = found_span(match)
                value = text[start:end].strip()
                if kind != "vat_id" or vat.is_valid(value) or gb_vat.is_valid(value) or ch_vat.is_valid(value):
                    yield Entity(kind, value, start, end)


def _candidates(text: str, language: str) -> Iterator[Entity]:
    """All candidates, the most specific kinds first: an earlier kind keeps its span."""
    patterns = _patterns()
    yield from _formats(text, _BEFORE_TRACKING)
    yield from _tracking(text)
    # One telephone number in eleven passes as an ISBN: unless the text says so or an X ends it, phones come first.
    named = bool(patterns.book.search(text))
    yield from (book for book in _books(text) if named or book.value.endswith("X"))
    yield from _formats(text, [kind for kind in patterns.by_kind if kind not in _BEFORE_TRACKING])
    yield from _phones(text, language)
    yield from _books(text)
    for start, end in find_address_parts(text, "postcode"):
        yield Entity("postcode", text[start:end], start, end)


def find_entities(text: str, language: str = "en") -> list[Entity]:
    """Entities in order of appearance; spans never overlap. ``language`` decides how local phone numbers read."""
    text = text[:MAX_CHARACTERS]
    if not any(character.isdigit() or character in "@/" for character in text):
        return []
    taken: list[Entity] = []
    for entity in _candidates(text, language):
        if all(entity.end <= other.start or entity.start >= other.end for other in taken):
            taken.append(entity)
    return sorted(taken, key=lambda entity: entity.start)


def by_kind(entities: list[Entity]) -> dict[str, list[str]]:
    """Values per kind, each once, in order of appearance."""
    values: dict[str, list[str]] = {}
    for entity in entities:
        found = values.setdefault(entity.kind, [])
        if entity.value not in found:
            found.append(entity.value)
    return values
