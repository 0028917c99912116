"""Where a conversation stands, as plain data that survives restarts."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, Self

from bot.turn import Choice


class Phase(StrEnum):
    """What the bot expects next.

    Every message is first understood. From greet: clarify (at most twice), verify (an order), confirm (after an
    answer) and closed; a person may take over at any point (handed_off), which is final. A closed conversation opens
    again with the next question.
    """

    GREET = "greet"
    CLARIFY = "clarify"
    VERIFY = "verify"
    CONFIRM = "confirm"
    HANDED_OFF = "handed_off"
    CLOSED = "closed"


@dataclass(frozen=True)
class State:
    """The conversation's memory. ``version`` counts the turns and detects a second writer.

    ``question`` is the open question in the customer's words, ``reason`` what it is about once that is known,
    ``offered`` the reasons of the buttons shown for it. ``order_id`` is the order talked about, ``verified`` whether
    its proof was given, ``proof`` a proof that still lacks its order id, ``failures`` the wrong proofs so far.
    ``email`` is the address that proved it, where one did. ``said`` are the passages and macros already said. ``also``
    are reasons asked for beside the open one and not passed on yet, ``passed`` those that were. ``no_order``: the
    customer has no order number at hand, and is not asked for one again. ``number`` was given alone and may be the
    order id or the postcode; it is taken for the order id until one comes.
    """

    phase: Phase = Phase.GREET
    version: int = 0
    question: str = ""
    reason: str | None = None
    offered: tuple[str, ...] = ()
    clarifications: int = 0
    order_prompts: int = 0
    order_id: str | None = None
    proof: str | None = None
    verified: bool = False
    failures: int = 0
    greeted: bool = False
    acknowledged: bool = False
    said: tuple[str, ...] = ()
    email: str | None = None
    also: tuple[str, ...] = ()
    passed: tuple[str, ...] = ()
    no_order: bool = False
    number: str | None = None
    choices: tuple[Choice, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain data for the session's row."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The inverse of `to_json`; fields of another version are ignored."""
        known = {field.name for field in fields(cls)}
        values = {name: value for name, value in data.items() if name in known}
        values["phase"] = Phase(values.get("phase", Phase.GREET))
        values["choices"] = tuple(Choice(**choice) for choice in values.get("choices", ()))
        for name in ("offered", "said", "also", "passed"):
            values[name] = tuple(values.get(name, ()))
        return cls(**values)
