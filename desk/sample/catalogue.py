"""What the sample is composed from, read from `messages.jsonl` and the tables in `parts/`."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
PARTS = FOLDER / "parts"


@dataclass(frozen=True, slots=True)
class Message:
    """A customer's message with slots in braces. ``product`` is empty where it fits any; so are the other limits.

    ``not_before``: the ISO date of a change that the message speaks of.
    """

    reason: str
    language: str
    channel: str
    product: str
    subject: str
    body: str
    carrier: str = ""
    country: str = ""
    not_before: str = ""

    def needs(self, *slots: str) -> bool:
        """Whether any of ``slots`` has to be filled."""
        return any(f"{{{slot}}}" in self.subject + self.body for slot in slots)


@dataclass(frozen=True, slots=True)
class Product:
    """An article of the seller; ``titles`` per language, ``price`` in the market's currency."""

    key: str
    asin: str
    sku: str
    price: float
    titles: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Market:
    """A country: how often its language's customers live there, its marketplaces, carriers and postcodes."""

    country: str
    language: str
    share: int
    currency: str
    sites: Mapping[str, str]
    postcode: str
    carriers: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class People:
    """First and last names of one language; the two are combined at random."""

    first_names: tuple[str, ...]
    last_names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Volume:
    """How many tickets of a reason arrive between two days, both included.

    ``product`` limits the messages to one product, with a leading ``-`` to all others; ``languages`` to some
    languages; ``carrier`` puts every parcel with that one, which runs late.
    """

    reason: str
    product: str
    languages: tuple[str, ...]
    carrier: str
    first_day: date
    last_day: date
    tickets: int

    def accepts(self, message: Message) -> bool:
        """Whether ``message`` may be one of these tickets."""
        product_fits = (
            message.product != self.product[1:]
            if self.product.startswith("-")
            else self.product in ("", message.product)
        )
        return (
            message.reason == self.reason
            and message.not_before <= self.first_day.isoformat()
            and product_fits
            and (not self.languages or message.language in self.languages)
            and (not self.carrier or message.carrier in ("", self.carrier))
        )


@dataclass(frozen=True, slots=True)
class Handling:
    """How agents treat a reason.

    ``order``: which order belongs to it (`desk.sample.orders`). ``macros``: macro per order state, the one
    under the empty state for all.
    """

    order: str
    seconds: tuple[float, float]
    reply_share: float
    csat_mean: float
    macros: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything that the sample is composed from."""

    messages: tuple[Message, ...]
    products: Mapping[str, Product]
    markets: Mapping[str, Market]
    people: Mapping[str, People]
    tracking: Mapping[str, str]
    volumes: tuple[Volume, ...]
    handling: Mapping[str, Handling]


@cache
def load_catalogue() -> Catalogue:
    """The shipped parts. Raises OSError, ValueError, KeyError or TypeError where one of them is broken."""
    lines = (FOLDER / "messages.jsonl").read_text(encoding="utf-8").splitlines()
    return Catalogue(
        messages=tuple(Message(**json.loads(line)) for line in lines),
        products={row["key"]: _product(row) for row in _rows("products")},
        markets={row["country"]: _market(row) for row in _rows("markets")},
        people={
            row["language"]: People(tuple(row["first_names"].split()), tuple(row["last_names"].split()))
            for row in _rows("people")
        },
        tracking={row["carrier"]: row["shape"] for row in _rows("tracking")},
        volumes=tuple(_volume(row) for row in _rows("volumes")),
        handling={row["reason"]: _handling(row) for row in _rows("handling")},
    )


def _rows(name: str) -> list[dict[str, str]]:
    with (PARTS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _product(row: Mapping[str, str]) -> Product:
    titles = {language: row[language] for language in ("en", "fr", "de", "es", "it")}
    return Product(row["key"], row["asin"], row["sku"], float(row["price"]), titles)


def _market(row: Mapping[str, str]) -> Market:
    carriers = {}
    for part in row["carriers"].split():
        carrier, weight = part.split(":")
        carriers[carrier.replace("_", " ")] = int(weight)
    return Market(
        country=row["country"],
        language=row["language"],
        share=int(row["share"]),
        currency=row["currency"],
        sites={"amazon": row["amazon"], "ebay": row["ebay"]},
        postcode=row["postcode"],
        carriers=carriers,
    )


def _volume(row: Mapping[str, str]) -> Volume:
    return Volume(
        reason=row["reason"],
        product=row["product"],
        languages=tuple(row["languages"].split()),
        carrier=row["carrier"],
        first_day=date.fromisoformat(row["first_day"]),
        last_day=date.fromisoformat(row["last_day"]),
        tickets=int(row["tickets"]),
    )


def _handling(row: Mapping[str, str]) -> Handling:
    macros = {}
    for part in row["macros"].split():
        state, _, macro = part.rpartition(":")
        macros[state] = macro
    return Handling(
        order=row["order"],
        seconds=(60 * float(row["minutes_low"]), 60 * float(row["minutes_high"])),
        reply_share=float(row["reply_share"]),
        csat_mean=float(row["csat_mean"]),
        macros=macros,
    )
