"""What rules look at in a ticket, and whether a rule's conditions hold for it, each with its reason in words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, NamedTuple, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from classifier.sentiment import Sentiment
from classifier.taxonomy import Autonomy
from classifier.urgency import Urgency
from desk.sla.durations import Duration, duration, in_words
from desk.ticket_state import Decision

_MONEY = re.compile(r"(\d{1,12}(?:\.\d{1,4})?) ?([A-Z]{3})")
HOW_MONEY = "write it like '150 EUR'"

Values = Annotated[tuple[str, ...], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in a currency (ISO 4217). Amounts of different currencies are not compared."""

    amount: Decimal
    currency: str

    @classmethod
    def parse(cls, text: object) -> Money:
        """Read ``39.90 EUR``. Raises ValueError."""
        found = _MONEY.fullmatch(str(text).strip().upper())
        if found is None:
            raise ValueError(f"{text!r} is no amount with its currency; {HOW_MONEY}")
        return cls(Decimal(found[1]), found[2])

    def __str__(self) -> str:
        return f"{self.amount:f} {self.currency}"


@dataclass(frozen=True, slots=True)
class Subject:
    """A ticket as rules see it; None is not known.

    ``reason`` is the best guess even while undecided (``decision``). ``order_value`` is of the ticket's order,
    ``sla_left`` until its first clock runs out (negative: overdue, None: no clock runs), ``earlier_contacts`` how many
    earlier tickets of the same customer or order.
    """

    reason: str | None = None
    further_reason: tuple[str, ...] = ()
    autonomy: str | None = None
    decision: str = Decision.UNDECIDED
    confidence: float | None = None
    language: str | None = None
    marketplace: str | None = None
    channel: str = ""
    sentiment: str | None = None
    urgency: str | None = None
    guard: tuple[str, ...] = ()
    order_value: Money | None = None
    sla_left: timedelta | None = None
    earlier_contacts: int = 0


class Entry(BaseModel):
    """Base of everything in the file: unknown fields are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Share(Entry):
    """Bounds of a probability, 0..1."""

    at_least: float | None = Field(None, ge=0, le=1)
    below: float | None = Field(None, ge=0, le=1)

    @model_validator(mode="after")
    def _bounded(self) -> Share:
        return _bounded(self)


class Count(Entry):
    """Bounds of a number of tickets."""

    at_least: int | None = Field(None, ge=0, le=1_000)
    below: int | None = Field(None, ge=0, le=1_000)

    @model_validator(mode="after")
    def _bounded(self) -> Count:
        return _bounded(self)


class Amount(Entry):
    """Bounds of an order's value, in one currency."""

    at_least: Annotated[Money, BeforeValidator(Money.parse)] | None = None
    below: Annotated[Money, BeforeValidator(Money.parse)] | None = None

    @model_validator(mode="after")
    def _one_currency(self) -> Amount:
        bounds = [bound for bound in (self.at_least, self.below) if bound is not None]
        if not bounds:
            raise ValueError("state at_least, below or both")
        if len({bound.currency for bound in bounds}) > 1:
            raise ValueError("at_least and below are in different currencies")
        if len(bounds) == 2 and bounds[0].amount >= bounds[1].amount:
            raise ValueError("no order has such a value: at_least must be less than below")
        return self

    @property
    def currency(self) -> str:
        """Of the orders that it can hold for."""
        bound = self.at_least or self.below
        assert bound is not None  # noqa: S101  # one of both is there
        return bound.currency


Bounds = TypeVar("Bounds", Share, Count)


class TimeLeft(Entry):
    """Bound of the time until the first clock runs out; an overdue one has less than any."""

    below: Annotated[Duration, BeforeValidator(duration)]


def _bounded(range_: Bounds) -> Bounds:
    low, high = range_.at_least, range_.below
    if low is None and high is None:
        raise ValueError("state at_least, below or both")
    if low is not None and high is not None and low >= high:
        raise ValueError("nothing lies between: at_least must be less than below")
    return range_


class Verdict(NamedTuple):
    """Whether a condition holds, and what was found, in words."""

    holds: bool
    why: str


ONE_OF = (
    "reason",
    "further_reason",
    "autonomy",
    "decision",
    "language",
    "marketplace",
    "channel",
    "sentiment",
    "urgency",
)
"""Conditions that list values of which one must fit."""


class When(Entry):
    """Conditions that must all hold; without any the rule holds for every ticket. Of several values one must fit.

    ``guard`` lists rule ids of the human-only guard or how they begin: ``safety`` is every ``safety.*``.
    """

    reason: Values = ()
    further_reason: Values = ()
    autonomy: Annotated[tuple[Autonomy, ...], Field(min_length=1)] = ()
    decision: Annotated[tuple[Decision, ...], Field(min_length=1)] = ()
    language: Annotated[tuple[Annotated[str, Field(pattern="^[a-z]{2,3}$")], ...], Field(min_length=1)] = ()
    marketplace: Values = ()
    channel: Values = ()
    sentiment: Annotated[tuple[Sentiment, ...], Field(min_length=1)] = ()
    urgency: Annotated[tuple[Urgency, ...], Field(min_length=1)] = ()
    guard: Annotated[tuple[Annotated[str, Field(pattern=r"^[a-z_]+(\.[a-z_]+)*$")], ...], Field(min_length=1)] = ()
    confidence: Share | None = None
    order_value: Annotated[tuple[Amount, ...], Field(min_length=1)] = ()
    sla_left: TimeLeft | None = None
    earlier_contacts: Count | None = None

    @field_validator("marketplace", "channel", mode="before")
    @classmethod
    def _in_lower_case(cls, values: Any) -> Any:
        return (
            [v.strip().casefold() if isinstance(v, str) else v for v in values] if isinstance(values, list) else values
        )

    @property
    def stated(self) -> tuple[str, ...]:
        """The names of the conditions."""
        return tuple(name for name in type(self).model_fields if getattr(self, name) not in ((), None))

    def verdicts(self, subject: Subject) -> Iterator[Verdict]:
        """What each condition says about a ticket, in the order of the schema."""
        for name in ONE_OF:
            if wanted := getattr(self, name):
                yield _one_of(name.replace("_", " "), getattr(subject, name), tuple(map(str, wanted)))
        if self.guard:
            yield _guard(subject.guard, self.guard)
        if self.confidence is not None:
            found = subject.confidence
            yield _between("confidence", found, self.confidence, "not known" if found is None else f"{found:.0%}")
        if self.order_value:
            yield _value(subject.order_value, self.order_value)
        if self.sla_left is not None:
            yield _left(subject.sla_left, self.sla_left.below)
        if self.earlier_contacts is not None:
            count = subject.earlier_contacts
            yield _between("earlier contacts", count, self.earlier_contacts, str(count))


def _one_of(name: str, found: object, wanted: tuple[str, ...]) -> Verdict:
    values = tuple(map(str, found)) if isinstance(found, tuple) else (str(found),) if found else ()
    met = [value for value in values if value in wanted]
    if met:
        return Verdict(True, f"{name} is {' and '.join(met)}")
    return Verdict(False, f"{name} is {' and '.join(values) or 'not known'}, not {' or '.join(wanted)}")


def _guard(found: tuple[str, ...], wanted: tuple[str, ...]) -> Verdict:
    met = [rule for rule in found if any(rule == start or rule.startswith(f"{start}.") for start in wanted)]
    if met:
        return Verdict(True, f"the guard raised {', '.join(met)}")
    raised = f"the guard raised {', '.join(found)}" if found else "the guard raised nothing"
    return Verdict(False, f"{raised}, not {' or '.join(wanted)}")


def _between(name: str, found: float | None, range_: Share | Count, shown: str) -> Verdict:
    low, high = range_.at_least, range_.below
    wanted = " and ".join(
        [*([f"at least {low}"] if low is not None else []), *([f"below {high}"] if high is not None else [])]
    )
    holds = found is not None and (low is None or found >= low) and (high is None or found < high)
    return Verdict(holds, f"{name}: {shown}, {'which is' if holds else 'not'} {wanted}")


def _value(found: Money | None, wanted: tuple[Amount, ...]) -> Verdict:
    if found is None:
        return Verdict(False, "the order's value is not known")
    for amount in wanted:
        low, high = amount.at_least, amount.below
        above = low is None or found.amount >= low.amount
        if found.currency == amount.currency and above and (high is None or found.amount < high.amount):
            return Verdict(True, f"the order's value is {found}")
    bounds = " or ".join(
        " and ".join(f"{word} {bound}" for word, bound in (("at least", one.at_least), ("below", one.below)) if bound)
        for one in wanted
    )
    return Verdict(False, f"the order's value is {found}, not {bounds}")


def _left(found: timedelta | None, wanted: Duration) -> Verdict:
    if found is None:
        return Verdict(False, "no clock runs")
    words = f"{in_words(found.total_seconds())} {'left' if found >= timedelta(0) else 'over'}"
    holds = found < wanted.length
    return Verdict(holds, f"the first clock has {words}" + ("" if holds else f", not below {wanted.written}"))
