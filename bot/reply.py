"""What an exchange works with and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass

from bot.answers import Answers
from bot.decision import Decision, Why
from bot.order_lookup import OrderLookup
from bot.state import State
from bot.turn import Act, Said
from bot.wording import Wording
from classifier.tagger import Tag
from classifier.taxonomy import Taxonomy
from desk.order_table import OrderFacts

PASSED_ON = "passed_on"
"""Wording of what is passed on beside an answer."""


@dataclass(frozen=True)
class HandOff:
    """What a person needs to know when taking over.

    ``further`` are reasons asked for beside ``reason``. ``order`` has the facts of an order that was proven.
    ``meanwhile`` is what may help the customer until then; ``draft`` what the bot would have answered.
    """

    why: Why
    tag: Tag
    reason: str
    language: str
    wording: str
    chosen_reason: str | None = None
    further: tuple[str, ...] = ()
    order_id: str | None = None
    verified: bool = False
    order: OrderFacts | None = None
    email: str | None = None
    failures: int = 0
    meanwhile: Said | None = None
    draft: Said | None = None


@dataclass(frozen=True)
class Reply:
    """The next state and what to say.

    With a ``hand_off`` a ticket has to be made first, its words follow from it. With ``passes_on`` one is made too, for
    what the answer leaves open, and the customer is told before the last of ``messages``.
    """

    state: State
    locale: str
    act: Act
    reason: str | None
    messages: tuple[Said, ...] = ()
    hand_off: HandOff | None = None
    passes_on: HandOff | None = None
    aside: bool = False
    """The message had nothing that could ever be judged: small talk, or order details alone."""


@dataclass(frozen=True)
class Resources:
    """What every exchange draws on."""

    taxonomy: Taxonomy
    decision: Decision
    answers: Answers
    orders: OrderLookup
    wording: Wording


@dataclass(frozen=True)
class Topic:
    """The open question in the customer's words, the reason it is taken for, and whether the customer named it."""

    question: str
    reason: str
    chosen: bool = False
