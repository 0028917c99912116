"""Order ids, ASINs, tracking numbers and the other things a ticket names, with checksums and context.

Formats and their sources: docs/domain.md section 5.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import phonenumbers
from pydantic import BaseModel, ConfigDict
from stdnum import isbn
from stdnum.ch import vat as ch_vat
from stdnum.eu import vat
from stdnum.gb import vat as gb_vat

from classifier.addresses import find_address_parts
from classifier.checksums import CHECKS
from classifier.datafile import PatternText, load_yaml
from classifier.entity_patterns import Cued, entity_patterns
from classifier.patterns import found_span

MAX_CHARACTERS = 20_000
"""Entities are searched in so much of a message; customers name their order early."""
_CONTEXT = 60
"""Characters on each side in which a carrier's name makes a bare number a tracking number."""

# Every real number of a carrier has this somewhere; most tickets have not.
_LONG_NUMBER = re.compile(r"[0-9](?:(?:[ -]?[0-9A-Z]){8}|[0-9a-z]{8})")
_GROUPING = re.compile(r"[\s-]")
_DASHED = re.compile(r"\s*[-‐‑‒–—−/.]\s*|\s")
_AMAZON_ORDER = re.compile(r"(\d{3})-?(\d{7})-?(\d{7})")
_MANY_DIGITS = re.compile(r"\d(?:[\s()./-]{0,3}\d){6}")
_ISBN = re.compile(r"\b\d{9}[\dX]\b")
_BEFORE_TRACKING = ("url", "email", "order_id", "asin", "vat_id")
"""Kinds that keep their span against a tracking number; the rest of the data file comes after tracking numbers."""


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
    """A span of the text: ``kind`` and its value as it stands there.

    Kinds: order_id, asin, tracking, email, phone, url, vat_id, money, date, postcode.
    """

    kind: str
    value: str
    start: int
    end: int
    carrier: str | None = None

    @property
    def normal(self) -> str:
        """The value as marketplaces and carriers write it, so that their systems find it.

        ``303 7452514 9929303`` is 303-7452514-9929303, a tracking number has no blanks, an ASIN is upper case.
        """
        if self.kind == "order_id":
            joined = _DASHED.sub("-", self.value)
            parts = _AMAZON_ORDER.fullmatch(joined)
            return "-".join(parts.groups()) if parts else joined
        if self.kind == "tracking":
            return _GROUPING.sub("", self.value).upper()
        if self.kind == "asin":
            compact = _GROUPING.sub("", self.value).upper()
            return f"B0{compact[2:]}" if compact.startswith("BO") else compact
        return self.value


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
    if not _LONG_NUMBER.search(text):
        return
    for carrier, pattern, names in _carriers():
        for match in pattern.finditer(text):
            if not any(character.isdigit() for character in match[0]):
                continue
            around = max(0, match.start() - _CONTEXT), match.end() + _CONTEXT
            if carrier.needs_context and not names.search(text, *around):
                continue
            if CHECKS[carrier.check](_GROUPING.sub("", match[0]).upper()):
                yield Entity("tracking", match[0], *match.span(), carrier=carrier.id)


def _phones(text: str, language: str) -> Iterator[Entity]:
    if not _MANY_DIGITS.search(text):
        return
    patterns = entity_patterns()
    region = patterns.phone_regions.get(language)
    known: dict[str, bool] = {}
    matcher = phonenumbers.PhoneNumberMatcher(text, region, leniency=phonenumbers.Leniency.POSSIBLE)
    for found in matcher:
        digits = re.sub(r"\D", "", found.raw_string)
        # A run of digits that starts with 0 is as often a serial number.
        grouped = digits != found.raw_string or phonenumbers.is_valid_number(found.number)
        written_as_phone = found.raw_string.startswith(("+", "00")) or (
            grouped and (found.raw_string.startswith(("0", "(")) or region is None)
        )
        if len(digits) >= 8 and (written_as_phone or _dialled_without_zero(found.number, region)):
            international = found.raw_string.startswith(("+", "00"))
            if not international and patterns.no_phone.holds(text, found.start, known):
                continue
            value = found.raw_string
            if extension := found.number.extension:
                # Nobody can call the extension from outside.
                value = re.sub(rf"\D+{extension}\Z", "", value)
            yield Entity("phone", value, found.start, found.start + len(value))
    for match in patterns.american_phone.finditer(text):
        if phonenumbers.is_valid_number(phonenumbers.parse(match[0], "US")):
            yield Entity("phone", match[0], *match.span())


def _dialled_without_zero(number: phonenumbers.PhoneNumber, region: str | None) -> bool:
    kinds = entity_patterns().without_zero.get(region or "", frozenset())
    return phonenumbers.is_valid_number(number) and phonenumbers.number_type(number) in kinds


def _books(text: str) -> Iterator[Entity]:
    for match in _ISBN.finditer(text):
        if isbn.is_valid(match[0]):
            yield Entity("asin", match[0], *match.span())


def _formats(text: str, kinds: Iterable[str]) -> Iterator[Entity]:
    patterns = entity_patterns()
    for kind in kinds:
        if kind in patterns.hints and not patterns.hints[kind].search(text):
            continue
        for pattern in patterns.by_kind[kind]:
            for match in pattern.finditer(text):
                start, end = found_span(match)
                value = text[start:end].strip()
                if kind != "vat_id" or vat.is_valid(value) or gb_vat.is_valid(value) or ch_vat.is_valid(value):
                    yield Entity(kind, value, start, end)
        hint, formats = patterns.cued.get(kind, (None, []))
        if hint and hint.search(text):
            for cued in formats:
                for start, end in _cued(text, cued):
                    yield Entity(kind, text[start:end], start, end)


def _cued(text: str, cued: Cued) -> Iterator[tuple[int, int]]:
    known: dict[str, bool] = {}
    for match in cued.pattern.finditer(text):
        if not cued.cue.holds(text, match.start(), known):
            continue
        if cued.check == "isbn" and not isbn.is_valid(match[0]):
            continue
        if cued.check == "bare_vat" and not _is_bare_vat(match[0]):
            continue
        yield match.span()


@lru_cache(maxsize=32)
def _is_bare_vat(value: str) -> bool:
    number = re.sub(r"[ .-]", "", value).upper()
    return any(pattern.fullmatch(number) and module.is_valid(number) for pattern, module in entity_patterns().bare_vat)


def _products(link: Entity) -> Iterator[Entity]:
    """The ASIN in the address of an Amazon product."""
    if found := entity_patterns().product_link.search(link.value):
        kind = "asin" if found["asin"] else "book"
        if kind == "asin" or isbn.is_valid(found["book"]):
            start, end = found.span(kind)
            yield Entity("asin", found[kind], link.start + start, link.start + end)


def _candidates(text: str, language: str) -> Iterator[Entity]:
    """All candidates, the most specific kinds first: an earlier kind keeps its span."""
    patterns = entity_patterns()
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
    """Entities in order of appearance. ``language`` decides how local phone numbers read.

    Spans never overlap, but for one case: the ASIN of a product's address lies inside the ``url`` and follows it.
    """
    text = text[:MAX_CHARACTERS]
    if not any(character.isdigit() or character in "@/" for character in text):
        return []
    found: list[Entity] = []
    taken = bytearray(len(text))
    for entity in _candidates(text, language):
        if taken.find(1, entity.start, entity.end) < 0:
            taken[entity.start : entity.end] = b"\1" * (entity.end - entity.start)
            found.append(entity)
            if entity.kind == "url":
                found.extend(_products(entity))
    return sorted(found, key=lambda entity: entity.start)


def by_kind(entities: list[Entity]) -> dict[str, list[str]]:
    """Values per kind in their normal form, each once, in order of appearance."""
    values: dict[str, list[str]] = {}
    for entity in entities:
        found = values.setdefault(entity.kind, [])
        if entity.normal not in found:
            found.append(entity.normal)
    return values
