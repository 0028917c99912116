"""The data file ``entities.yaml``: what a ticket names, by patterns and by the words in front."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import phonenumbers
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo
from stdnum import get_cc_module

from classifier.datafile import PatternText, load_yaml, regular_expression
from classifier.patterns import BuiltPattern, PatternFile, expand

_NO_PHONE_REACH = 40
"""Characters in front of a number in which the words stand that make it no telephone number."""


class CuedFormat(BaseModel):
    """A format that counts by the words in front of it.

    ``before`` is what ends right where it starts and ``unless`` what must stand nowhere in front, both within ``reach``
    characters; ``check`` is what a number of this format passes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pattern: str
    before: str = ""
    unless: str = ""
    reach: int = 24
    check: Literal["none", "bare_vat", "isbn"] = "none"


class CuedFormats(BaseModel):
    """The formats of one kind; only a text that holds the ``hint`` is searched for them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hint: PatternText
    formats: tuple[CuedFormat, ...]


def _built(cued: Mapping[str, CuedFormats], info: ValidationInfo) -> Mapping[str, CuedFormats]:
    # Without parts the mistake was in them, and is reported there.
    if (parts := info.data.get("parts")) is None:
        return cued

    def expanded(one: CuedFormat) -> CuedFormat:
        texts = {name: expand(getattr(one, name), parts) for name in ("pattern", "before", "unless")}
        return one.model_copy(update={name: regular_expression(text).pattern for name, text in texts.items()})

    return {
        kind: kept.model_copy(update={"formats": tuple(map(expanded, kept.formats))}) for kind, kept in cued.items()
    }


def _vat_countries(countries: dict[str, str]) -> dict[str, str]:
    if unknown := [country for country in countries if get_cc_module(country, "vat") is None]:
        raise ValueError(f"no check of VAT numbers is known for {', '.join(unknown)}")
    return countries


class EntityPatterns(PatternFile):
    """The data file ``entities.yaml``."""

    cued: Annotated[dict[str, CuedFormats], AfterValidator(_built)]
    hints: dict[str, PatternText]
    book: PatternText
    product_link: PatternText
    bare_vat: Annotated[dict[str, PatternText], AfterValidator(_vat_countries)]
    phone_regions: dict[str, str]
    dialled_without_zero: dict[str, frozenset[Literal["mobile", "fixed_line"]]]
    american_phone: PatternText
    no_phone: BuiltPattern


@dataclass(frozen=True)
class Cue:
    """What the words in front of a find must be and must not be."""

    before: re.Pattern[str] | None
    unless: re.Pattern[str] | None
    reach: int

    def holds(self, text: str, start: int, known: dict[str, bool]) -> bool:
        """Whether a find at ``start`` counts. ``known`` keeps answers: a hostile text is one thing over and over."""
        if not (self.before or self.unless):
            return True
        # One character more than is read says whether the first word is a whole one.
        front = text[max(0, start - self.reach - 1) : start]
        if front not in known:
            first = int(start > self.reach)
            known[front] = bool(not self.before or self.before.search(front, first)) and not (
                self.unless and self.unless.search(front, first)
            )
        return known[front]


@dataclass(frozen=True)
class Cued:
    """A format that counts by its `Cue`; ``check`` is what a number of it passes."""

    pattern: re.Pattern[str]
    cue: Cue
    check: str


@dataclass(frozen=True)
class Compiled:
    """The file's patterns, ready to search."""

    by_kind: dict[str, list[re.Pattern[str]]]
    hints: dict[str, re.Pattern[str]]
    cued: dict[str, tuple[re.Pattern[str], list[Cued]]]
    book: re.Pattern[str]
    product_link: re.Pattern[str]
    no_phone: Cue
    bare_vat: tuple[tuple[re.Pattern[str], Any], ...]
    american_phone: re.Pattern[str]
    phone_regions: dict[str, str]
    without_zero: dict[str, frozenset[int]]


@cache
def entity_patterns() -> Compiled:
    """The file that comes with the program, read once. Raises `DataFileError`."""
    data = load_yaml(Path(__file__).parent / "data" / "entities.yaml", EntityPatterns)
    by_kind: dict[str, list[re.Pattern[str]]] = {}
    for kind, pattern in data.compiled():
        by_kind.setdefault(kind, []).append(pattern)
    numbers = phonenumbers.PhoneNumberType
    types = {"mobile": numbers.MOBILE, "fixed_line": numbers.FIXED_LINE}
    cued = {
        kind: (
            re.compile(kept.hint),
            [
                Cued(
                    re.compile(one.pattern),
                    Cue(
                        re.compile(rf"(?:{one.before})\Z") if one.before else None,
                        re.compile(one.unless) if one.unless else None,
                        one.reach,
                    ),
                    one.check,
                )
                for one in kept.formats
            ],
        )
        for kind, kept in data.cued.items()
    }
    return Compiled(
        by_kind,
        {kind: re.compile(hint) for kind, hint in data.hints.items()},
        cued,
        re.compile(data.book),
        re.compile(data.product_link),
        Cue(re.compile(rf"(?:{data.no_phone})\Z"), None, _NO_PHONE_REACH),
        tuple((re.compile(pattern), get_cc_module(country, "vat")) for country, pattern in data.bare_vat.items()),
        re.compile(data.american_phone),
        data.phone_regions,
        {region: frozenset(types[kind] for kind in kinds) for region, kinds in data.dialled_without_zero.items()},
    )
