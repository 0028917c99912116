"""The orders of the sample: who bought what, how it travels, and as which row of facts it is exported."""

from __future__ import annotations

import random
import string
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from desk.sample.catalogue import Catalogue, Market, Message, Product

AGES = {"early": (0, 1), "transit": (5, 10), "payment": (3, 8), "refund": (15, 28), "used": (35, 150)}  # days
CARRIED_LATE = 0.75  # of the parcels with the slow carrier
PROOFS = ("photo", "neighbour", "safe_place", "mailbox", "scan", "signature")
S10_WEIGHTS = (8, 6, 4, 2, 3, 5, 9, 7)  # Universal Postal Union, standard S10
AMAZON_PREFIXES = {
    "en": "026 202 203 204 205 206",
    "fr": "171 402 403",
    "de": "028 302 303",
    "es": "404 405",
    "it": "404 408",
}


@dataclass(frozen=True, slots=True)
class Customer:
    """Who writes."""

    first_name: str
    last_name: str
    email: str
    postcode: str

    @property
    def name(self) -> str:
        """The full name."""
        return f"{self.first_name} {self.last_name}"


@dataclass(frozen=True, slots=True)
class Order:
    """An order and what is known about it when its last ticket came.

    ``stage`` is a word that chooses macros: not_shipped, transit, delayed, delivered, pending or issued (refund).
    ``facts`` are beyond those of buyer, item and date, in the vocabulary of `kb/placeholders.yaml`.
    """

    id: str
    customer: Customer
    market: Market
    product: Product
    title: str
    ordered: date
    as_of: datetime
    stage: str = ""
    carrier: str = ""
    tracking: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def delivered(self) -> date | None:
        """The day of delivery."""
        day = self.facts.get("shipment.delivered_at")
        return date.fromisoformat(day) if day else None

    def arrived(self, at: datetime) -> Order:
        """The order after the parcel came on the day of ``at``; as it is, if it had come or has not left."""
        if self.stage not in ("transit", "delayed"):
            return replace(self, as_of=at)
        day = at.date()
        facts = dict(self.facts) | delivery_facts(day, "scan")
        return replace(self, as_of=at, stage="delivered", facts=facts)

    def row(self) -> dict[str, str]:
        """Fact names to text, as `desk.order_table.load_orders` reads them."""
        known = {
            "order.id": self.id,
            "buyer.name": self.customer.name,
            "buyer.email": self.customer.email,
            "buyer.postcode": self.customer.postcode,
            "order.date": self.ordered.isoformat(),
            "order.fulfilment": "merchant",
            "order.country": self.market.country,
            "item.title": self.title,
            "item.asin": self.product.asin,
            "item.sku": self.product.sku,
            "item.price": f"{self.product.price:.2f} {self.market.currency}",
            "shipment.carrier": self.carrier,
            "shipment.tracking": self.tracking,
            "payment.status": "captured",
        }
        return known | dict(self.facts) | {"as_of": f"{self.as_of:%Y-%m-%dT%H:%M:%SZ}"}


def delivery_facts(day: date, proof: str) -> dict[str, str]:
    """A parcel that was delivered on ``day``, and the 30 days to return it."""
    return {
        "shipment.status": "delivered",
        "shipment.state": "delivered",
        "shipment.delivered_at": day.isoformat(),
        "shipment.proof": proof,
        "return.window_end": (day + timedelta(days=30)).isoformat(),
    }


class OrderDesk:
    """Invents customers and orders with one random generator; no id is given twice."""

    def __init__(self, catalogue: Catalogue, rng: random.Random) -> None:
        self._catalogue = catalogue
        self._rng = rng
        self._taken: set[str] = set()

    def market(self, message: Message) -> Market:
        """Where the customer lives: the message's country, else one of its language by share."""
        if message.country:
            return self._catalogue.markets[message.country]
        fitting = [m for m in self._catalogue.markets.values() if m.language == message.language]
        return self._rng.choices(fitting, [m.share for m in fitting])[0]

    def customer(self, message: Message, market: Market) -> Customer:
        """A name of the message's language with an address that fits the channel."""
        people = self._catalogue.people[message.language]
        first, last = self._rng.choice(people.first_names), self._rng.choice(people.last_names)
        if message.channel == "amazon":
            email = self._filled("x" * 14) + "@marketplace.amazon.example"
        else:
            domain = self._rng.choice(("example.com", "example.org"))
            email = f"{_plain(first)}.{_plain(last)}{self._rng.randint(1, 99)}@{domain}"
        return Customer(first, last, email, self._filled(market.postcode))

    def order(self, message: Message, product: Product, story: str, at: datetime, slow_carrier: str = "") -> Order:
        """A new order that makes sense of ``message``, written at ``at``. ``story`` is a word of `Handling.order`."""
        market = self.market(message)
        shipped_after = self._rng.randint(0, 2)
        days = self._rng.randint(*AGES.get(story, (6, 20)))
        ordered = at.date() - timedelta(days=days)
        carrier = slow_carrier or message.carrier or self._rng.choices(*_weighted(market.carriers))[0]
        order = Order(
            id=self._id(message, ordered),
            customer=self.customer(message, market),
            market=market,
            product=product,
            title=product.titles[message.language],
            ordered=ordered,
            as_of=at,
        )
        shipped = min(at.date(), ordered + timedelta(days=shipped_after))
        if story == "early" and (days == 0 or self._rng.random() < 0.4):
            return replace(
                order, stage="not_shipped", facts={"shipment.status": "label_created", "shipment.state": "not_shipped"}
            )
        sent = {"shipment.shipped_at": shipped.isoformat()}
        order = replace(order, carrier=carrier, tracking=self._tracking(carrier), facts=sent)
        if story in ("transit", "early"):
            return self._travelling(order, at, bool(slow_carrier))
        return self._finished(order, story, at)

    def _travelling(self, order: Order, at: datetime, slow: bool) -> Order:
        late = self._rng.random() < (CARRIED_LATE if slow else 0.2)
        status = "delayed" if late else self._rng.choice(("in_transit", "in_transit", "in_transit", "out_for_delivery"))
        wait = 0 if status == "out_for_delivery" else self._rng.randint(2, 6) if late else self._rng.randint(1, 3)
        eta = (at + timedelta(days=wait)).date().isoformat()
        facts = {"shipment.status": status, "shipment.state": "shipped", "shipment.eta": eta}
        return replace(order, stage="delayed" if late else "transit", facts={**order.facts, **facts})

    def _finished(self, order: Order, story: str, at: datetime) -> Order:
        latest = max(1, (at.date() - order.ordered).days - 2)
        day = order.ordered + timedelta(days=min(latest, self._rng.randint(3, 6)))
        facts = {**order.facts, **delivery_facts(day, self._rng.choice(PROOFS))}
        facts["shipment.shipped_at"] = min(date.fromisoformat(facts["shipment.shipped_at"]), day).isoformat()
        facts["return.rma"] = f"RMA-{self._rng.randint(10000, 99999)}"
        facts["item.warranty_end"] = order.ordered.replace(year=order.ordered.year + 2).isoformat()
        facts["invoice.number"] = f"INV-{order.ordered.year}-{self._rng.randint(1, 99999):05d}"
        facts["order.fulfilment"] = "amazon" if story == "amazon" else "merchant"
        stage = "delivered"
        if story == "refund":
            stage = self._rng.choice(("pending", "issued"))
            facts |= {"refund.status": stage, "refund.amount": f"{order.product.price:.2f} {order.market.currency}"}
            if stage == "issued":
                facts["refund.date"] = (at.date() - timedelta(days=1)).isoformat()
        if story == "payment":
            facts["payment.status"] = self._rng.choice(("duplicate", "authorised", "captured"))
        return replace(order, stage=stage, facts=facts)

    def _id(self, message: Message, ordered: date) -> str:
        shapes = {
            "amazon": self._rng.choice(AMAZON_PREFIXES[message.language].split()) + "-#######-#######",
            "ebay": f"{ordered:%m}-#####-#####",
            "cdiscount": f"{ordered:%y%m%d}#####AAAA",
            "kaufland": "M######",
        }
        # the shop numbers its orders one after the other
        shop = f"#{10482 + 25 * (ordered - date(2026, 4, 1)).days + self._rng.randint(0, 24)}"
        for _ in range(1000):
            made = self._filled(shapes[message.channel]) if message.channel in shapes else shop
            if made not in self._taken:
                self._taken.add(made)
                return made
            shop = f"#{int(shop[1:]) + 1}"
        raise ValueError(f"no free order id on {message.channel}")

    def _tracking(self, carrier: str) -> str:
        shape = self._catalogue.tracking[carrier]
        if shape.startswith("s10:"):
            digits = self._filled("########")
            rest = 11 - sum(int(d) * w for d, w in zip(digits, S10_WEIGHTS, strict=True)) % 11
            check = {10: 0, 11: 5}.get(rest, rest)
            return f"R{self._filled('A')}{digits}{check}{shape[4:]}"
        # only the hashes are open: letters of a shape are the carrier's own
        return "".join(self._rng.choice(string.digits) if ch == "#" else ch for ch in shape)

    def _filled(self, shape: str) -> str:
        """``#`` becomes a digit, ``A`` a capital that cannot be misread, ``x`` a lower-case letter or digit."""
        sets = {"#": string.digits, "A": "ABCDEFGHJKLMNPRSTUWXYZ", "x": string.ascii_lowercase + string.digits}
        return "".join(self._rng.choice(sets[ch]) if ch in sets else ch for ch in shape)


def _plain(name: str) -> str:
    return unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()


def _weighted(weights: Mapping[str, int]) -> tuple[Sequence[str], Sequence[int]]:
    return list(weights), list(weights.values())
