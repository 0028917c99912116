"""Order number and proof as customers type them: an id, an e-mail address, a postcode."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from classifier.datafile import PatternText, load_yaml
from classifier.entities import find_entities

STARTER_DETAILS = Path(__file__).parent / "data" / "order_details.yaml"
_READ_CHARACTERS = 1_000


class DetailPatterns(BaseModel):
    """The data file ``order_details.yaml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    order_ids: tuple[PatternText, ...]
    postcodes: tuple[PatternText, ...]


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
def _patterns() -> tuple[tuple[re.Pattern[str], ...], tuple[re.Pattern[str], ...]]:
    data = load_yaml(STARTER_DETAILS, DetailPatterns)
    order_ids, postcodes = (tuple(map(re.compile, listed)) for listed in (data.order_ids, data.postcodes))
    return order_ids, postcodes


def stated_order(text: str) -> str | None:
    """A marketplace order id in any message: formats that are nothing else."""
    found = next((entity for entity in find_entities(text[:_READ_CHARACTERS]) if entity.kind == "order_id"), None)
    return found.value if found else None


def read_details(text: str, known_order: str | None = None) -> OrderDetails:
    """Order id and proof in an answer to the question for them.

    With ``known_order`` given earlier, a lone number is its postcode; else a lone number is the order id.
    """
    text = text[:_READ_CHARACTERS]
    proof: str | None = None
    order_id: str | None = None
    for entity in reversed(find_entities(text)):
        if entity.kind in {"email", "order_id"}:
            if entity.kind == "email":
                proof = entity.value
            else:
                order_id = entity.value
            text = f"{text[: entity.start]} \n {text[entity.end :]}"
    order_patterns, postcode_patterns = _patterns()
    if order_id is None and known_order is None:
        order_id, text = _take(order_patterns, text)
    if proof is None:
        proof, text = _take(postcode_patterns, text)
    if order_id is None and known_order is not None:
        order_id, text = _take(order_patterns, text)
    elif order_id is None and proof and proof.isdigit():
        order_id, proof = proof, None
    return OrderDetails(order_id, proof, " ".join(text.split()))


def _take(patterns: tuple[re.Pattern[str], ...], text: str) -> tuple[str | None, str]:
    for pattern in patterns:
        if match := pattern.search(text):
            return match[0], f"{text[: match.start()]} \n {text[match.end() :]}"
    return None, text
