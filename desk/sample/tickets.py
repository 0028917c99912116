"""The tickets of the sample: which message arrives when, from whom, and what the agents did with it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from desk.sample.catalogue import Catalogue, Message, Volume
from desk.sample.orders import Customer, Order, OrderDesk
from desk.sample.slots import fill

EXPORTED_AT = datetime(2026, 10, 1, tzinfo=UTC)  # what would have happened later is not in the export
MAX_USES = 3  # of one message
PRIME_DAY = date(2026, 7, 14)  # assumed; two days, and tickets lag orders by a day or two
PRIME_BUMP = {2: 1.6, 3: 2.6, 4: 2.6, 5: 2.2, 6: 1.9, 7: 1.6, 8: 1.4, 9: 1.2}  # days after it: tickets against usual
WEEKDAYS = (1.35, 1.2, 1.1, 1.05, 0.95, 0.65, 0.7)  # Monday first
HOURS = (1, 1, 1, 1, 1, 2, 4, 7, 9, 10, 10, 9, 9, 9, 9, 9, 9, 10, 11, 12, 11, 9, 5, 2)
AGENTS = ("Maya", "Tom", "Aïcha", "Lukas", "Elena")
RETURNING = {"thanks": 0.9, "a_to_z_claim": 0.7, "negative_feedback": 0.6, "tracking_update": 0.25}
RETURN_DAYS = 9  # after the earlier ticket
MACRO_SHARE = 0.46  # of answered tickets with a fitting macro; about 40% of all resolved ones
CSAT_SHARE = 0.27
LINKED = {"amazon": 0.96, "ebay": 0.95, "cdiscount": 0.97, "kaufland": 0.97, "shopify": 0.75, "email": 0.7}
LATEST_REPLY_HOURS = 48.0


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket of the export, with the message's reason, which the export does not show."""

    reason: str
    message: Message
    created: datetime
    customer: Customer
    order: Order | None
    row: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Arrival:
    message: Message
    at: datetime
    slow_carrier: str


class TicketDesk:
    """Composes the tickets with one random generator; ``orders`` are those that the tickets name, by id."""

    def __init__(self, catalogue: Catalogue, rng: random.Random) -> None:
        self._catalogue = catalogue
        self._rng = rng
        self._invent = OrderDesk(catalogue, rng)
        self.orders: dict[str, Order] = {}

    def compose(self) -> list[Ticket]:
        """All tickets, oldest first. Raises ValueError when the messages do not suffice for the volumes."""
        tickets: list[Ticket] = []
        for number, arrival in enumerate(sorted(self._arrivals(), key=lambda a: a.at), start=48201):
            tickets.append(self._ticket(number, arrival, tickets))
        return tickets

    def _arrivals(self) -> list[_Arrival]:
        uses: Counter[Message] = Counter()
        arrivals = []
        # limited volumes choose first, so that the wide ones leave them enough messages
        for volume in sorted(self._catalogue.volumes, key=lambda v: not (v.carrier or v.product)):
            for message, at in zip(self._messages(volume, uses), self._moments(volume), strict=True):
                arrivals.append(_Arrival(message, at, volume.carrier))
        return arrivals

    def _messages(self, volume: Volume, uses: Counter[Message]) -> list[Message]:
        fitting = [message for message in self._catalogue.messages if volume.accepts(message)]
        chosen: Counter[Message] = Counter()
        messages = []
        for _ in range(volume.tickets):
            free = [message for message in fitting if uses[message] < MAX_USES]
            if not free:
                raise ValueError(f"{volume.reason} {volume.product}: {volume.tickets} tickets need more messages")
            least = min(chosen[message] for message in free)
            message = self._rng.choice([message for message in free if chosen[message] == least])
            uses[message] += 1
            chosen[message] += 1
            messages.append(message)
        return messages

    def _moments(self, volume: Volume) -> list[datetime]:
        days = [volume.first_day + timedelta(days=n) for n in range((volume.last_day - volume.first_day).days + 1)]
        weights = [WEEKDAYS[day.weekday()] * PRIME_BUMP.get((day - PRIME_DAY).days, 1.0) for day in days]
        return [
            datetime.combine(day, time(hour, self._rng.randint(0, 59), self._rng.randint(0, 59)), UTC)
            for day, hour in zip(
                self._rng.choices(days, weights, k=volume.tickets),
                self._rng.choices(range(24), HOURS, k=volume.tickets),
                strict=True,
            )
        ]

    def _ticket(self, number: int, arrival: _Arrival, earlier: Sequence[Ticket]) -> Ticket:
        message, at = arrival.message, arrival.at
        previous = None if arrival.slow_carrier else self._previous(message, at, earlier)
        order: Order | None
        if previous is not None and previous.order is not None:
            customer, order = previous.customer, self.orders[previous.order.id]
            order = order.arrived(at) if message.reason == "thanks" else replace(order, as_of=at)
        else:
            order = self._order(arrival)
            customer = order.customer if order else self._invent.customer(message, self._invent.market(message))
        if order is not None:
            self.orders[order.id] = order
        row = self._row(message, at, customer, order) | {"Ticket ID": str(number)}
        return Ticket(message.reason, message, at, customer, order, row)

    def _previous(self, message: Message, at: datetime, earlier: Sequence[Ticket]) -> Ticket | None:
        """An earlier ticket of the customer who writes again, if there is a fitting one."""
        if self._rng.random() >= RETURNING.get(message.reason, 0.0):
            return None
        fitting = [
            ticket
            for ticket in earlier
            if timedelta(days=1) <= at - ticket.created <= timedelta(days=RETURN_DAYS)
            and ticket.order is not None
            and (ticket.message.language, ticket.message.channel) == (message.language, message.channel)
            and message.product in ("", ticket.order.product.key)
            and message.carrier in ("", ticket.order.carrier)
            and (message.reason != "tracking_update" or self._still_travels(ticket))
            and ticket.message is not message
            and ticket.reason not in ("thanks", "cancel_order")
        ]
        return self._rng.choice(fitting) if fitting else None

    def _still_travels(self, ticket: Ticket) -> bool:
        return ticket.order is not None and self.orders[ticket.order.id].stage in ("transit", "delayed")

    def _order(self, arrival: _Arrival) -> Order | None:
        message = arrival.message
        handling = self._catalogue.handling[message.reason]
        needed = arrival.slow_carrier or message.needs("order", "tracking", "amount", "ordered")
        story = handling.order if handling.order != "none" else "delivered"
        linked = handling.order != "none" and self._rng.random() < LINKED[message.channel]
        if not needed and not linked:
            return None
        product = self._catalogue.products[message.product or self._rng.choice(list(self._catalogue.products))]
        return self._invent.order(message, product, story, arrival.at, arrival.slow_carrier)

    def _row(self, message: Message, at: datetime, customer: Customer, order: Order | None) -> dict[str, str]:
        market = order.market if order else self._invent.market(message)
        product = order.product if order else self._catalogue.products.get(message.product)
        delivered, story = order.delivered if order else None, self._catalogue.handling[message.reason].order
        recent = at.date() - timedelta(days=self._rng.randint(2, 5))
        nearby = delivered if delivered and story == "delivered" else max(recent, order.ordered if order else recent)
        words = (message.language, customer, order, nearby)
        sites = {"cdiscount": "cdiscount.com", "kaufland": "kaufland.de", "shopify": "nordhaus.example", **market.sites}
        return {
            "Created At": _stamp(at),
            "Channel": message.channel,
            "Marketplace": sites.get(message.channel, ""),
            "Customer Name": customer.name,
            "Customer Email": customer.email,
            "Order ID": order.id if order else "",
            "ASIN": product.asin if product else "",
            "Product": product.titles[message.language] if product else "",
            "Carrier": order.carrier if order else "",
            "Subject": fill(message.subject, *words),
            "Message": fill(message.body, *words),
        } | self._handled(message, at, order)

    def _handled(self, message: Message, at: datetime, order: Order | None) -> dict[str, str]:
        handling = self._catalogue.handling[message.reason]
        answered = self._rng.random() < handling.reply_share
        wait = min(LATEST_REPLY_HOURS, self._rng.lognormvariate(1.7, 0.9))  # median 5.5 hours
        replied = at + timedelta(hours=max(0.1, wait))
        resolved = replied + timedelta(hours=self._rng.choice((0, 0, self._rng.uniform(4, 120))))
        low, high = handling.seconds
        seconds = round(self._rng.triangular(low, high))
        rated = self._rng.random() < CSAT_SHARE
        score = min(5, max(1, round(self._rng.gauss(handling.csat_mean - (0.7 if _late(order) else 0), 0.9))))
        macro = handling.macros.get("") or handling.macros.get(order.stage if order else "", "")
        used = self._rng.random() < MACRO_SHARE
        agent = self._rng.choice(AGENTS)
        if replied >= EXPORTED_AT:
            return {}
        done = resolved < EXPORTED_AT
        return {
            "First Response At": _stamp(replied) if answered else "",
            "Resolved At": _stamp(resolved) if done else "",
            "Agent": agent,
            "CSAT": str(score) if rated and answered and done and handling.csat_mean else "",
            "Handle Time (s)": str(seconds),
            "Macro": macro if used and answered and done else "",
        }


def _late(order: Order | None) -> bool:
    return order is not None and order.stage == "delayed"


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
