"""Macros filled with order facts: complete text, or the list of what is missing; never a blank."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from babel import Locale
from babel.dates import format_date
from babel.lists import format_list
from babel.numbers import format_currency, format_decimal, is_currency

from kb.placeholders import FactType, Placeholder, Slot, Vocabulary, as_day, fact_key, slots, starter_vocabulary

if TYPE_CHECKING:
    from kb.macros import Macro

# Letters, digits and the marks that occur in order ids, tracking numbers, SKUs and VAT ids.
_IDENTIFIER = re.compile(r"[^\W_](?:[\w./#-]| (?! )){0,63}")
# What would be markup to a browser or to Markdown, and what stands for it: a fact is words, never markup.
_INERT = str.maketrans({"{": "(", "}": ")", "[": "(", "]": ")", "<": "\u2039", ">": "\u203a", "`": "'"})
# Letters without ink: Hangul fillers and the empty Braille cell (Unicode, Default_Ignorable_Code_Point and U+2800).
_INKLESS = frozenset("\u115f\u1160\u3164\uffa0\u2800")
_AMOUNT = re.compile(r"(?P<before>[A-Za-z]{3})?\s*(?P<number>-?\d+(?:\.\d+)?)\s*(?P<after>[A-Za-z]{3})?")


@dataclass(frozen=True)
class Inserted:
    """Where a slot's value stands in the rendered text."""

    slot: Slot
    start: int
    end: int


@dataclass(frozen=True)
class Rendered:
    """A macro's text with every fact in place."""

    text: str
    inserted: tuple[Inserted, ...] = ()

    def in_body(self, position: int) -> int:
        """The offset in the macro's body that ``position`` of the text came from."""
        shift = 0
        for piece in self.inserted:
            if position < piece.start:
                break
            if position < piece.end:
                return piece.slot.start
            shift = piece.slot.end - piece.end
        return position + shift


@dataclass(frozen=True)
class Missing:
    """Why a macro cannot be sent: fact names that are absent, and those whose value cannot be used with the reason."""

    facts: tuple[str, ...]
    unusable: Mapping[str, str]


class UnusableFactError(ValueError):
    """A fact's value does not fit its type; the message says how, without the value."""


def render(
    macro: Macro,
    facts: Mapping[str, object],
    locale: str | None = None,
    vocabulary: Vocabulary | None = None,
) -> Rendered | Missing:
    """Fill ``macro`` with ``facts`` (by dotted name) as ``locale`` (the macro's own by default) writes them."""
    return render_body(macro.body, facts, locale or macro.locale, vocabulary or starter_vocabulary())


def render_body(body: str, facts: Mapping[str, object], locale: str, vocabulary: Vocabulary) -> Rendered | Missing:
    """Fill a body whose placeholders are all in ``vocabulary``. Values are inserted as text, never expanded again."""
    known = vocabulary.with_derived(facts)
    pieces: list[str] = []
    inserted: list[Inserted] = []
    absent: list[str] = []
    unusable: dict[str, str] = {}
    position = length = 0
    for slot in slots(body):
        pieces.append(body[position : slot.start])
        length += slot.start - position
        position = slot.end
        try:
            words = _slot_words(slot, known.get(slot.name), vocabulary[slot.name], locale)
        except UnusableFactError as error:
            unusable[slot.name] = str(error)
            words = ""
        if words:
            pieces.append(words)
            inserted.append(Inserted(slot, length, length + len(words)))
            length += len(words)
        elif slot.name not in absent:
            absent.append(slot.name)
    if absent:
        return Missing(tuple(absent), unusable)
    pieces.append(body[position:])
    return Rendered("".join(pieces), tuple(inserted))


def render_example(macro: Macro, vocabulary: Vocabulary | None = None) -> Rendered:
    """The macro filled with the vocabulary's example facts, for checks that have no order at hand."""
    vocabulary = vocabulary or starter_vocabulary()
    examples = {name: placeholder.example for name, placeholder in vocabulary.placeholders.items()}
    # What the macro's conditions promise is what its text is about.
    examples |= {name: values[0] for name, values in macro.fields.when.items()}
    result = render(macro, examples, vocabulary=vocabulary)
    if isinstance(result, Missing):
        raise UnusableFactError(f"no example fact for {', '.join(result.facts)} in {macro.path}")
    return result


def render_examples(macro: Macro, vocabulary: Vocabulary | None = None) -> list[Rendered]:
    """The macro filled with example facts in every way that chooses other words of its own: all plural forms."""
    vocabulary = vocabulary or starter_vocabulary()
    ways = [macro.body]
    for slot in slots(macro.body):
        ways += [body for category, _ in slot.forms if (body := _in_form(macro.body, slot, category)) not in ways]
    return [render_example(replace(macro, body=body), vocabulary) for body in ways]


def _in_form(body: str, slot: Slot, category: str) -> str:
    """The body with every form of ``slot`` replaced by one of them, so that any example number shows its words."""
    name = f"{{{{ {slot.name} | other: {slot.form(category)} }}}}"
    return body[: slot.start] + name + body[slot.end :]


def fact_words(value: object, placeholder: Placeholder, locale: str) -> str:
    """One fact as ``locale`` writes it; empty where there is none. Raises `UnusableFactError`."""
    if value is None or (isinstance(value, str) and not _clean(value)):
        return ""
    return _clean(_WRITERS[placeholder.type](value, placeholder, Locale.parse(locale)))


def _slot_words(slot: Slot, value: object, placeholder: Placeholder, locale: str) -> str:
    words = fact_words(value, placeholder, locale)
    if not words or not slot.forms:
        return words
    category = Locale.parse(locale).plural_form(abs(_whole_number(value)))
    return _clean(slot.form(category).replace("#", words))


def _clean(text: str) -> str:
    """One line of visible characters that neither template, browser nor Markdown takes for its own; or nothing."""
    kept = (" " if unicodedata.category(c) in {"Cc", "Zl", "Zp"} or c in _INKLESS else c for c in text)
    text = "".join(c for c in kept if unicodedata.category(c) not in {"Cf", "Co", "Cs", "Cn"})
    text = " ".join(text.translate(_INERT).split())
    return text if any(unicodedata.category(c)[0] in "LNS" for c in text) else ""


def _write_id(value: object, placeholder: Placeholder, locale: Locale) -> str:
    text = str(value).strip()
    if len(text) > placeholder.max_length or not _IDENTIFIER.fullmatch(text):
        raise UnusableFactError("is not an identifier (letters, digits, . / # - and at most 64 characters)")
    return text


def _write_text(value: object, placeholder: Placeholder, locale: Locale) -> str:
    if isinstance(value, Mapping) or (isinstance(value, Sequence) and not isinstance(value, str)):
        raise UnusableFactError("is not a text")
    if isinstance(value, bool):
        raise UnusableFactError("is yes or no, not a text")
    text = _clean(str(value))
    if len(text) <= placeholder.max_length:
        return text
    return text[: placeholder.max_length - 1].rsplit(" ", 1)[0].rstrip(" ,;") + "…"


def _write_list(value: object, placeholder: Placeholder, locale: Locale) -> str:
    if isinstance(value, Mapping):
        value = [f"{key}: {item}" for key, item in value.items()]
    if isinstance(value, Sequence) and not isinstance(value, str):
        items = [_clean(str(item)) for item in value if item is not None]
        value = format_list([item for item in items if item], locale=locale)
    return _write_text(value, placeholder, locale)


def _whole_number(value: object) -> int:
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation as error:
        raise UnusableFactError("is not a whole number") from error
    # The size first: the whole number of 1e999999999 has a billion digits. `copy_abs`, because `abs` overflows there.
    if isinstance(value, bool) or not number.is_finite() or number.copy_abs() >= 10**12 or number != int(number):
        raise UnusableFactError("is not a whole number")
    return int(number)


def _write_int(value: object, placeholder: Placeholder, locale: Locale) -> str:
    return str(format_decimal(_whole_number(value), locale=locale))


def _write_date(value: object, placeholder: Placeholder, locale: Locale) -> str:
    day = as_day(value)
    if day is None:
        raise UnusableFactError("is not a date; write it as 2025-03-31")
    return str(format_date(day, format="long", locale=locale))


def _write_money(value: object, placeholder: Placeholder, locale: Locale) -> str:
    if isinstance(value, Mapping):
        value = f"{value.get('amount', '')} {value.get('currency', '')}"
    match = _AMOUNT.fullmatch(str(value).strip())
    currency = ((match["before"] or match["after"] or "") if match else "").upper()
    if match is None or (match["before"] and match["after"]) or not is_currency(currency):
        raise UnusableFactError("is not an amount with its currency; write it as 49.50 EUR")
    return str(format_currency(Decimal(match["number"]), currency, locale=locale))


def _write_country(value: object, placeholder: Placeholder, locale: Locale) -> str:
    text = str(value).strip()
    if not re.fullmatch(r"[A-Za-z]{2}", text):
        return _write_text(value, placeholder, locale)
    name = locale.territories.get(text.upper())
    if not name:
        raise UnusableFactError("is not a two-letter country code")
    return str(name)


def _write_enum(value: object, placeholder: Placeholder, locale: Locale) -> str:
    wording = placeholder.words.get(fact_key(value))
    if wording and locale.language in wording:
        return wording[locale.language]
    if wording:
        raise UnusableFactError(f"has no wording in '{locale.language}'")
    if placeholder.open:
        return _write_text(value, placeholder, locale)
    raise UnusableFactError(f"is none of {', '.join(placeholder.words)}")


_WRITERS = {
    FactType.ID: _write_id,
    FactType.TEXT: _write_text,
    FactType.LIST: _write_list,
    FactType.INT: _write_int,
    FactType.DATE: _write_date,
    FactType.MONEY: _write_money,
    FactType.COUNTRY: _write_country,
    FactType.ENUM: _write_enum,
}
