"""Scripted conversations: what a customer says, turn by turn, and what a good person would accept as the reply.

A folder of YAML files, in subfolders too; see docs/conversations.md. `orders` of any file are known in all of them.

ScriptError is a DataFileError (classifier.datafile): its message reads ``path:line: what is wrong and what to do``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from bot.turn import Act
from classifier.datafile import DataFileError, parse_yaml, read_text, regular_expression
from classifier.taxonomy import starter_taxonomy
from desk.order_table import EMAIL, FACT_NAME, POSTCODE
from kb.knowledge import KnowledgeBase

STARTER_SCRIPTS = Path(__file__).parent / "scripts"
MACRO = "macro:"
_RELATIVE_DAY = re.compile(r"today(?:([+-]\d{1,4}))?")


class ScriptError(DataFileError):
    """Scripts that do not fit together or name what does not exist."""


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
    ``right``: articles by id and macros as ``macro:id`` that may be said here; without it, the conversation's.
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
            raise ValueError("write what the customer says ('customer') or the value of a button ('press'), one of both")
        return self


class Script(_Strict):
    """One conversation. ``wants`` is the reason whose button this customer presses when it is offered, and
    ``in_other_words`` what they write, once, when they are asked without it.
    """

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    locale: str
    purpose: str = Field(min_length=1)
    tags: tuple[Topic, ...] = Field(min_length=1)
    turns: tuple[ScriptTurn, ...] = Field(min_length=1)
    final: Annotated[tuple[Ending, ...], BeforeValidator(_listed)] = ()
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
            str(order): {str(name): str(value) for name, value in facts.items()} if isinstance(facts, Mapping) else facts
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


@dataclass(frozen=True)
class Placed:
    """A conversation with where it stands: ``lines`` are those of its turns, from 1."""

    script: Script
    path: Path
    line: int
    lines: tuple[int, ...]

    def at(self, turn: int | None = None) -> str:
        """``path:line`` of the conversation, or of one of its turns (from 0)."""
        return f"{self.path}:{self.line if turn is None else self.lines[turn]}"


@dataclass(frozen=True)
class Scripts:
    """All conversations of a folder, and all orders: facts by order id, days as ISO dates."""

    conversations: tuple[Placed, ...]
    orders: Mapping[str, Mapping[str, str]]


def load_scripts(folder: Path, knowledge: KnowledgeBase, today: date | None = None) -> Scripts:
    """Every conversation below ``folder``; ``today+3`` and the like in orders count from ``today``.

    Raises `DataFileError` (a file) and `ScriptError` (files together, or a name that ``knowledge`` does not have).
    """
    paths = sorted([*folder.rglob("*.yaml"), *folder.rglob("*.yml")]) if folder.is_dir() else []
    if not paths:
        missing = "there is no such folder" if not folder.is_dir() else "holds no .yaml file"
        raise ScriptError(f"{folder}: {missing}; name a folder with scripted conversations")
    placed: list[Placed] = []
    orders: dict[str, Mapping[str, str]] = {}
    for path in paths:
        text = read_text(path)
        file = parse_yaml(text, ScriptFile, path)
        if again := sorted(orders.keys() & file.orders.keys()):
            raise ScriptError(f"{path}:1: orders: {', '.join(again)}: another file has this order too; rename one")
        orders |= {order: _on_days(facts, today or date.today()) for order, facts in file.orders.items()}
        placed += [Placed(script, path, *where) for script, where in zip(file.conversations, _lines(text), strict=True)]
    if mistakes := [*_twice(placed), *_unknown(placed, orders, knowledge)]:
        raise ScriptError("\n".join(mistakes))
    if not placed:
        raise ScriptError(f"{folder}: its files hold no conversation")
    return Scripts(tuple(placed), orders)


def _on_days(facts: Mapping[str, str], today: date) -> dict[str, str]:
    def day(value: str) -> str:
        found = _RELATIVE_DAY.fullmatch(value)
        return (today + timedelta(days=int(found[1] or 0))).isoformat() if found else value

    return {name: day(value) for name, value in facts.items()}


def _lines(text: str) -> list[tuple[int, tuple[int, ...]]]:
    """Where each conversation and each of its turns begins, from 1."""
    root: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    listed = _child(root, "conversations")
    found = []
    for node in listed.value if listed else []:
        turns = _child(node, "turns")
        found.append((node.start_mark.line + 1, tuple(turn.start_mark.line + 1 for turn in turns.value)))
    return found


def _child(node: Any, name: str) -> Any:
    return next((value for key, value in node.value if key.value == name), None)


def _twice(placed: Sequence[Placed]) -> Iterator[str]:
    seen: dict[str, Placed] = {}
    for one in placed:
        first = seen.setdefault(one.script.id, one)
        if first is not one:
            yield f"{one.at()}: id: {one.script.id!r} is already in {first.at()}; give this one another id"


def _unknown(
    placed: Sequence[Placed], orders: Mapping[str, Mapping[str, str]], knowledge: KnowledgeBase
) -> Iterator[str]:
    articles = {(article.id, article.locale) for article in knowledge.articles}
    macros = {(f"{MACRO}{macro.id}", macro.locale) for macro in knowledge.macros}
    names = {name for name, _ in articles | macros}
    for one in placed:
        rights = [(None, one.script.right), *((i, turn.expect.right or ()) for i, turn in enumerate(one.script.turns))]
        for turn, right in rights:
            for name in right:
                if name not in names:
                    yield f"{one.at(turn)}: right: no article or macro {name!r}{nearest(name, names)}"
        for number, step in enumerate(one.script.turns):
            if step.proves is not None and step.proves not in orders:
                yield f"{one.at(number)}: proves: no order {step.proves!r}{nearest(step.proves, orders)}"
