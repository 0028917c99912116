"""Order ids, ASINs, tracking numbers and the other things a ticket names, with checksums and context.

Formats and their sources: docs/domain.md section 5.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import phonenumbers
from pydantic import BaseModel, ConfigDict
from stdnum import isbn
from stdnum.eu import vat

from classifier.datafile import PatternText, load_yaml

MAX_CHARACTERS = 20_000
"""Entities are searched in so much of a message; customers name their order early."""
_CONTEXT = 60
"""Characters on each side in which a carrier's name makes a bare number a tracking number."""

_AMAZON_ORDER = re.compile(r"(?<!\d)(?<!\d-)\d{3}-\d{7}-\d{7}(?!-?\d)")
_EBAY_ORDER = re.compile(r"(?<!\d)(?<!\d-)\d{2}-\d{5}-\d{5}(?!-?\d)")
_SHOP_ORDER = re.compile(r"(?<!\w)#\d{3,10}\b")
_ASIN = re.compile(r"\bB0[0-9A-Z]{8}\b")
_ISBN = re.compile(r"\b\d{9}[\dX]\b")
_BOOK = re.compile(r"\b(?:isbn|asin)\b", re.I)
_EMAIL = re.compile(r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}")
_URL = re.compile(r"\b(?:https?://|www\.)[^\s<>\"')\]]{3,500}", re.I)
_MONEY = re.compile(
    r"(?<![\w.,])(?:(?:[€$£]|EUR|USD|GBP|CHF)\s?\d{1,7}(?:[.,' ]\d{3}){0,4}(?:[.,]\d{1,2})?"
    r"|\d{1,7}(?:[.,' ]\d{3}){0,4}(?:[.,]\d{1,2})?\s?"
    r"(?:€|\$|£|EUR\b|USD\b|GBP\b|CHF\b|euros?\b|pounds?\b|dollars?\b|livres?\b))",
    re.I,
)
_DATE = re.compile(r"(?<![\w./])(?:\d{4}-\d{2}-\d{2}|\d{1,2}[./]\d{1,2}[./](?:\d{4}|\d{2}))(?!\w|[./-]\d)")
_VAT = re.compile(r"\b(?:AT|BE|DE|ES|FR|IT|NL|PL|PT|LU|IE)\s?[0-9A-Z](?:[ .]?[0-9A-Z]){7,11}\b")
_PHONE_REGION = {"en": "GB", "fr": "FR", "de": "DE", "es": "ES", "it": "IT"}
_AMERICAN_PHONE = re.compile(r"(?<![\w+-])(?:\(\d{3}\) ?|\d{3}[-. ])\d{3}[-. ]\d{4}(?![\w-])")
_WITHOUT_ZERO = {
    "ES": frozenset({phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE}),
    "IT": frozenset({phonenumbers.PhoneNumberType.MOBILE}),
}
"""Kinds of numbers that a region dials without a leading 0."""
_MANY_DIGITS = re.compile(r"\d(?:[\s()./-]{0,3}\d){6}")


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
    """A span of the text: ``kind`` (order_id, asin, tracking, email, phone, url, vat_id, money, date) and its value."""

    kind: str
    value: str
    start: int
    end: int
    carrier: str | None = None


def _ups(number: str) -> bool:
    total = 0
    for index, character in enumerate(number[2:-1]):
        value = int(character) if character.isdigit() else (ord(character) - 3) % 10
        total += value * 2 if index % 2 else value
    return number[-1].isdigit() and (10 - total % 10) % 10 == int(number[-1])


def _s10(number: str) -> bool:
    digits = [int(character) for character in number[2:11]]
    remainder = 11 - sum(w * d for w, d in zip((8, 6, 4, 2, 3, 5, 9, 7), digits, strict=False)) % 11
    return digits[8] == {10: 0, 11: 5}.get(remainder, remainder)


def _usps(number: str) -> bool:
    digits = [int(character) for character in re.sub(r"^420\d{5}(?=9)", "", number)]
    total = sum(d * (3 if i % 2 == 0 else 1) for i, d in enumerate(reversed(digits[:-1])))
    return (10 - total % 10) % 10 == digits[-1]


def _fedex(number: str) -> bool:
    digits = [int(character) for character in number]
    if len(digits) == 12:
        return (
            sum(w * d for w, d in zip((3, 1, 7, 3, 1, 7, 3, 1, 7, 3, 1), digits, strict=False)) % 11 % 10 == digits[-1]
        )
    total = sum(d * (3 if i % 2 == 0 else 1) for i, d in enumerate(reversed(digits[:-1])))
    return (10 - total % 10) % 10 == digits[-1]


def _dhl(number: str) -> bool:
    return int(number[:-1]) % 7 == int(number[-1])


_CHECKS: dict[str, Callable[[str], bool]] = {
    "ups": _ups,
    "s10": _s10,
    "usps": _usps,
    "fedex": _fedex,
    "dhl": _dhl,
    "none": lambda number: True,
}


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
            if _CHECKS[carrier.check](match[0]):
                yield Entity("tracking", match[0], *match.span(), carrier=carrier.id)


def _phones(text: str, language: str) -> Iterator[Entity]:
    if not _MANY_DIGITS.search(text):
        return
    region = _PHONE_REGION.get(language)
    matcher = phonenumbers.PhoneNumberMatcher(text, region, leniency=phonenumbers.Leniency.POSSIBLE)
    for found in matcher:
        digits = re.sub(r"\D", "", found.raw_string)
        written_as_phone = found.raw_string.startswith(("+", "0", "(")) or region is None
        if len(digits) >= 8 and (written_as_phone or _dialled_without_zero(found.number, region)):
            yield Entity("phone", found.raw_string, found.start, found.end)
    for match in _AMERICAN_PHONE.finditer(text):
        if phonenumbers.is_valid_number(phonenumbers.parse(match[0], "US")):
            yield Entity("phone", match[0], *match.span())


def _dialled_without_zero(number: phonenumbers.PhoneNumber, region: str | None) -> bool:
    kinds = _WITHOUT_ZERO.get(region or "", frozenset())
    return phonenumbers.is_valid_number(number) and phonenumbers.number_type(number) in kinds


def _books(text: str) -> Iterator[Entity]:
    for match in _ISBN.finditer(text):
        if isbn.is_valid(match[0]):
            yield Entity("asin", match[0], *match.span())


def _candidates(text: str, language: str) -> Iterator[Entity]:
    """All candidates, the most specific kinds first: an earlier kind keeps its span."""
    for kind, pattern in (
        ("url", _URL),
        ("email", _EMAIL),
        ("order_id", _AMAZON_ORDER),
        ("order_id", _EBAY_ORDER),
    ):
        for match in pattern.finditer(text):
            yield Entity(kind, match[0], *match.span())
    for match in _ASIN.finditer(text):
        yield Entity("asin", match[0], *match.span())
    for match in _VAT.finditer(text):
        if vat.is_valid(match[0]):
            yield Entity("vat_id", match[0], *match.span())
    yield from _tracking(text)
    # One telephone number in eleven passes as an ISBN: unless the text says so or an X ends it, phones come first.
    named = bool(_BOOK.search(text))
    yield from (book for book in _books(text) if named or book.value.endswith("X"))
    for kind, pattern in (("order_id", _SHOP_ORDER), ("money", _MONEY), ("date", _DATE)):
        for match in pattern.finditer(text):
            yield Entity(kind, match[0].strip(), *match.span())
    yield from _phones(text, language)
    yield from _books(text)


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
