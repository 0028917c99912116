"""Scripted conversations: what a customer says, turn by turn, and what a good person would accept as the reply.

The format of one YAML file; `bot.script_files` reads a folder of them. For writers: docs/conversations.md.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from bot.turn import Act
from classifier.datafile import regular_expression
from classifier.taxonomy import starter_taxonomy
from desk.order_table import EMAIL, FACT_NAME, POSTCODE

MACRO = "macro:"


class Topic(StrEnum):
    """What a conversation tries; the report has a line for each."""

    SELF_SERVICE = "self_service"
    ASSISTED = "assisted"
    HUMAN_ONLY = "human_only"
    DISCLOSURE = "disclosure"
    INJECTION = "injection"
    LOOP = "loop"
    SEVERAL = "several"
    SWITCH = "switch"
    SMALLTALK = "smalltalk"
    SPAM = "spam"


class Ending(StrEnum):
    """How a conversation ended.

    ``resolved``: the last answer was right and the customer said so. ``closed``: ended without an answer, after thanks
    or an offer. ``open``: the bot still waits for the customer.
    """

    RESOLVED = "resolved"
    HANDED_OFF = "handed_off"
    CLOSED = "closed"
    OPEN = "open"


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _words(pattern: str) -> str:
    if not pattern.strip():
        raise ValueError("is empty; write words, or a regular expression between slashes")
    if _is_expression(pattern):
        regular_expression(pattern[1:-1])
    return pattern


def _reason(reason: str) -> str:
    known = starter_taxonomy().ids
    if reason not in known:
        raise ValueError(f"{reason!r} is no contact reason{nearest(reason, known)}")
    return reason


def _is_expression(pattern: str) -> bool:
    return len(pattern) > 2 and pattern[0] == pattern[-1] == "/"


def says(text: str, pattern: str) -> bool:
    """Whether ``pattern`` occurs in ``text``: words, or a regular expression between slashes; case does not count."""
    if _is_expression(pattern):
        return re.search(pattern[1:-1], text, re.IGNORECASE) is not None
    return pattern.casefold() in text.casefold()


def nearest(word: str, known: Iterable[str]) -> str:
    """``; did you mean ...?`` for a word that is not among ``known``, empty where nothing is near."""
    near = difflib.get_close_matches(word, sorted(known), n=3)
    return f"; did you mean {' or '.join(near)}?" if near else ""


Words = Annotated[str, AfterValidator(_words)]
Reason = Annotated[str, AfterValidator(_reason)]
Patterns = Annotated[tuple[Words, ...], BeforeValidator(_listed)]
Acts = Annotated[tuple[Act, ...], BeforeValidator(_listed)]
Reasons = Annotated[tuple[Reason, ...], BeforeValidator(_listed)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Never(_Strict):
    """What must not happen in a turn."""

    act: Acts = ()
    says: Patterns = ()
    offers: Texts = ()


class Expect(_Strict):
    """What is acceptable as the reply to one turn; every field that is given has to hold.

    One of ``act``, one of ``reason``, all of ``says`` and ``offers`` (values of buttons), ``language`` of the reply.
    ``right``: articles (``id``), sections of one (``id#3``; its opening is 1) and macros (``macro:id``) that may be
    said here; without it, the conversation's.
    """

    act: Acts = ()
    reason: Reasons = ()
    says: Patterns = ()
    offers: Texts = ()
    language: str | None = None
    right: Texts | None = None
    never: Never = Field(default_factory=Never, alias="not")


class ScriptTurn(_Strict):
    """One thing that the customer writes or presses. ``proves`` is the order whose facts may be told from here on."""

    customer: str | None = None
    press: str | None = None
    proves: str | None = None
    expect: Expect = Field(default_factory=Expect)

    @model_validator(mode="after")
    def _says_or_presses(self) -> Self:
        if (self.customer is None) == (self.press is None):
            raise ValueError(
                "write what the customer says ('customer') or the value of a button ('press'), one of both"
            )
        return self


class Script(_Strict):
    """One conversation. ``wants`` is the reason whose button this customer presses when it is offered, and
    ``in_other_words`` what they write, once, when they are asked without it. ``ticket`` says whether a person must have
    a ticket at the end.
    """

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    locale: str
    purpose: str = Field(min_length=1)
    tags: tuple[Topic, ...] = Field(min_length=1)
    turns: tuple[ScriptTurn, ...] = Field(min_length=1)
    final: Annotated[tuple[Ending, ...], BeforeValidator(_listed)] = ()
    ticket: bool | None = None
    right: Texts = ()
    wants: Reason | None = None
    in_other_words: str | None = None
    known_gap: str | None = Field(None, min_length=10)

    @field_validator("locale")
    @classmethod
    def _supported(cls, locale: str) -> str:
        if locale not in (known := starter_taxonomy().locales):
            raise ValueError(f"{locale!r} is not a language of the bot; one of: {', '.join(known)}")
        return locale

    @model_validator(mode="after")
    def _fits(self) -> Self:
        told = [*self.right, *(name for turn in self.turns for name in turn.expect.right or ())]
        if Topic.SELF_SERVICE in self.tags and not told:
            raise ValueError("a self_service conversation says which article or macro is right: add 'right'")
        if Ending.RESOLVED in self.final and not told:
            raise ValueError("'final: resolved' needs 'right': only a right answer resolves")
        return self


class ScriptFile(_Strict):
    """One YAML file: conversations, and orders that every file of the folder knows."""

    version: int
    orders: dict[str, dict[str, str]] = {}
    conversations: tuple[Script, ...] = ()

    @field_validator("orders", mode="before")
    @classmethod
    def _as_text(cls, orders: object) -> object:
        """Facts as text: YAML reads a postcode as a number and a day as a date."""
        if not isinstance(orders, Mapping):
            return orders
        return {
            str(order): {str(name): str(value) for name, value in facts.items()}
            if isinstance(facts, Mapping)
            else facts
            for order, facts in orders.items()
        }

    @field_validator("orders")
    @classmethod
    def _facts(cls, orders: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
        for order, facts in orders.items():
            if odd := [name for name in facts if not FACT_NAME.fullmatch(name)]:
                raise ValueError(f"{order}: {', '.join(odd)}: use dotted fact names such as shipment.carrier")
            if not {EMAIL, POSTCODE} & set(facts):
                raise ValueError(f"{order}: needs {EMAIL} or {POSTCODE}, else nobody can prove that it is theirs")
        return orders
