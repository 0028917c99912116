"""Order number and proof as customers type them: an id, an e-mail address, a postcode."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from classifier.datafile import PatternText, load_yaml
from classifier.entities import find_entities
from classifier.folding import fold

STARTER_DETAILS = Path(__file__).parent / "data" / "order_details.yaml"
_READ_CHARACTERS = 1_000
_WORDS = re.compile(r"[^\W\d_]+")
_AFTER_LABEL = 20
"""Characters after a label such as 'postcode' in which its number stands."""


class DetailPatterns(BaseModel):
    """The data file ``order_details.yaml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    order_ids: tuple[PatternText, ...]
    coded_order_ids: tuple[PatternText, ...]
    postcodes: tuple[PatternText, ...]
    postcode_labels: tuple[PatternText, ...]
    presenting: dict[str, frozenset[str]]


@dataclass(frozen=True)
class _Patterns:
    order_ids: tuple[re.Pattern[str], ...]
    coded: tuple[re.Pattern[str], ...]
    postcodes: tuple[re.Pattern[str], ...]
    label: re.Pattern[str]
    presenting: frozenset[str]


@dataclass(frozen=True)
class OrderDetails:
    """What a message says about an order; None where it does not."""

    order_id: str | None = None
    proof: str | None = None
    rest: str = ""
    """The message without them."""

    @property
    def email(self) -> str | None:
        """The proof where it is an e-mail address."""
        return self.proof if self.proof and "@" in self.proof else None

    @property
    def any(self) -> bool:
        """Whether the message gave either."""
        return bool(self.order_id or self.proof)


@cache
def _patterns() -> _Patterns:
    data = load_yaml(STARTER_DETAILS, DetailPatterns)
    return _Patterns(
        tuple(map(re.compile, data.order_ids)),
        tuple(map(re.compile, data.coded_order_ids)),
        tuple(map(re.compile, data.postcodes)),
        re.compile(rf"\b(?:{'|'.join(data.postcode_labels)})(?!\w)", re.IGNORECASE),
        frozenset(word for words in data.presenting.values() for word in words),
    )


def stated_order(text: str) -> str | None:
    """A marketplace order id in any message: formats that are nothing else."""
    found = next((entity for entity in find_entities(text[:_READ_CHARACTERS]) if entity.kind == "order_id"), None)
    return found.normal if found else None


def first_details(text: str, *, coded: bool) -> OrderDetails:
    """Details in a message that was not asked for them: only what cannot be anything else.

    With ``coded`` a shop's own numbers such as PD-10234 count too. A proof is an e-mail address, a number that is
    called a postcode, or a postcode right after the order id.
    """
    text = text[:_READ_CHARACTERS]
    found = _order_in(text, coded=coded)
    if found is None:
        return OrderDetails()
    order_id, _, end = found
    proof = read_details(text, order_id).email or _labelled(text)[0] or _next_to(text[end:])
    return OrderDetails(order_id, proof)


def without_details(text: str) -> str:
    """``text`` without the numbers and addresses that only say whose order it is; all of it where nothing else is left.

    A postcode in a question about a parcel makes no question about an address.
    """
    left = text[:_READ_CHARACTERS]
    for entity in reversed(find_entities(left)):
        if entity.kind == "email":
            left = f"{left[: entity.start]}{left[entity.end :]}"
    if found := _order_in(left, coded=True):
        left = f"{left[: found[1]]}{left[found[2] :]}"
        for label in _patterns().label.finditer(left):
            proof, rest = _take(_patterns().postcodes, left[label.end() : label.end() + _AFTER_LABEL])
            if proof:
                left = f"{left[: label.start()]}{rest}{left[label.end() + _AFTER_LABEL :]}"
                break
    left += text[_READ_CHARACTERS:]
    return text if _only_presents(left) else left.strip()


def is_lone_postcode(text: str) -> bool:
    """Whether ``text`` is a number that may as well be a postcode."""
    return text.isdigit() and any(pattern.fullmatch(text) for pattern in _patterns().postcodes)


def read_details(text: str, known_order: str | None = None) -> OrderDetails:
    """Order id and proof in an answer to the question for them.

    With ``known_order`` given earlier, a lone number is its postcode; else a lone number is the order id, unless the
    customer calls it a postcode.
    """
    text = text[:_READ_CHARACTERS]
    proof: str | None = None
    order_id: str | None = None
    for entity in reversed(find_entities(text)):
        if entity.kind == "email":
            proof = entity.value
            text = f"{text[: entity.start]} \n {text[entity.end :]}"
    if found := _order_in(text, coded=False):
        order_id, begin, end = found
        text = f"{text[:begin]} \n {text[end:]}"
    patterns, called = _patterns(), False
    if proof is None:
        proof, text = _labelled(text)
        called = proof is not None
    if order_id is None:
        # Where the order is known, a number of its own kind corrects it; any other number is its postcode.
        order_id, text = _take(patterns.order_ids if known_order is None else patterns.coded, text)
    if proof is None:
        proof, text = _take(patterns.postcodes, text)
    if order_id is None and known_order is not None:
        order_id, text = _take(patterns.order_ids, text)
    elif order_id is None and proof and proof.isdigit() and not called:
        order_id, proof = proof, None
    return OrderDetails(order_id, proof, "" if _only_presents(text) else " ".join(text.split()))


def _order_in(text: str, *, coded: bool) -> tuple[str, int, int] | None:
    """An order id that is nothing else, with where it begins and ends; with ``coded`` a shop's own number too."""
    own = next((match for pattern in _patterns().coded if (match := pattern.search(text))), None)
    entity = next((one for one in find_entities(text) if one.kind == "order_id"), None)
    # A part of a shop's own number may look like an order id by itself.
    if entity and not (own and own.start() <= entity.start < own.end()):
        return entity.normal, entity.start, entity.end
    return (own[0], own.start(), own.end()) if own and (coded or entity) else None


def _labelled(text: str) -> tuple[str | None, str]:
    """A number that the customer calls a postcode, and the text without it."""
    for label in _patterns().label.finditer(text):
        begin = label.end()
        after = text[begin : begin + _AFTER_LABEL]
        found, left = _take(_patterns().postcodes, after)
        if found:
            return found, f"{text[:begin]}{left}{text[begin + _AFTER_LABEL :]}"
    return None, text


def _next_to(text: str) -> str | None:
    """A postcode with which ``text`` begins."""
    begin = text.lstrip(" ,;:/-\n")
    found = (pattern.match(begin) for pattern in _patterns().postcodes)
    return next((match[0] for match in found if match), None)


def _only_presents(text: str) -> bool:
    words = _WORDS.findall(fold(text))
    return all(word in _patterns().presenting for word in words)


def _take(patterns: tuple[re.Pattern[str], ...], text: str) -> tuple[str | None, str]:
    for pattern in patterns:
        if match := pattern.search(text):
            return match[0], f"{text[: match.start()]} \n {text[match.end() :]}"
    return None, text
