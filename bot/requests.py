"""What one message asks for, request by request: its sentences and joined clauses, each with a tag of its own.

A tag of a whole message with two questions is unsure, or sure of one of them; each question by itself is plain.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from bot.spoken_words import count_words
from classifier.datafile import load_yaml
from classifier.tagger import Tag

STARTER_REQUESTS = Path(__file__).parent / "data" / "requests.yaml"
Words = dict[str, tuple[str, ...]]
_ENDS = (".", "!", ";")
"""Ends of a sentence that asks for nothing; a clause cut off inside a sentence has none."""


class RequestData(BaseModel):
    """The data file ``requests.yaml``: words that join, per language."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    max_requests: int = Field(ge=2)
    min_words: int = Field(ge=1)
    joining: Words
    joining_alone: Words


@dataclass(frozen=True)
class Piece:
    """A part of a message.

    ``joined``: it begins with a word that adds something, such as 'and also'. ``context``: it only tells something,
    beside another part that asks.
    """

    text: str
    joined: bool
    context: bool


@dataclass(frozen=True)
class Request:
    """A part of a message and what it is about by itself."""

    text: str
    tag: Tag
    joined: bool = False
    context: bool = False

    @property
    def sure(self) -> bool:
        """Whether its tag may be used unattended."""
        return self.tag.decision == "tagged"


class Splitter:
    """Cuts messages into parts, in every language at once."""

    def __init__(self, data: RequestData) -> None:
        self._data = data
        joining, alone = _any_of(data.joining), _any_of(data.joining_alone)
        self._cuts = re.compile(rf"(?<=[.!?;\n])\s+|,\s+(?=(?:{joining})\b)|\s+(?=(?:{alone})\b)", re.IGNORECASE)
        self._joined = re.compile(rf"\W*(?:{joining}|{alone})\b", re.IGNORECASE)

    def pieces(self, text: str) -> tuple[Piece, ...]:
        """The parts of ``text`` that may ask for something; empty where it is all one."""
        parts = [part.strip() for part in self._cuts.split(text) if count_words(part) >= self._data.min_words]
        if len(parts) < 2:  # one part is the message itself
            return ()
        asks = any(map(_asks, parts))
        joined = [number > 0 and self._joined.match(part) is not None for number, part in enumerate(parts)]
        pieces = [
            Piece(part, adds, context=asks and not adds and _tells(part))
            for part, adds in zip(parts, joined, strict=True)
        ]
        return tuple(pieces[: self._data.max_requests])


def request_for(requests: Sequence[Request], reason: str) -> Request | None:
    """The first of ``requests`` that is about ``reason``, sure or not."""
    return next((request for request in requests if request.tag.reason == reason), None)


def _asks(part: str) -> bool:
    return "?" in part


def _tells(part: str) -> bool:
    return not _asks(part) and part.endswith(_ENDS)


def _any_of(words: Words) -> str:
    return "|".join(re.escape(word) for listed in words.values() for word in listed)


@cache
def starter_splitter() -> Splitter:
    """The shipped words."""
    return Splitter(load_yaml(STARTER_REQUESTS, RequestData))
