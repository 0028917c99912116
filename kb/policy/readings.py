"""What the sentence model reads of a message: which pieces, and which ideas of the word lists each one names."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from kb.policy.lexicon import starter_lexicons
from kb.policy.message import Message
from kb.policy.wording import denied

Span = tuple[int, int]

WINDOW = 2
"""Sentences that are read together: a rule is often broken by what one says about the other, and the examples have one
or two sentences."""


@cache
def idea_names() -> tuple[str, ...]:
    """The lists of all lexicons, sorted; a message's ideas are told by them, said and denied ones apart."""
    return tuple(sorted({name for lexicon in starter_lexicons() for name in lexicon.lists}))


@cache
def lexicons_hash() -> str:
    """SHA-256 over all word lists: a model that learned with other lists does not know what these mean."""
    stated = "\n".join(lexicon.model_dump_json() for lexicon in starter_lexicons())
    return hashlib.sha256(stated.encode()).hexdigest()


@dataclass(frozen=True)
class Piece:
    """Some sentences of a message. ``span`` counts in the text as written, ``folded`` in the folded text."""

    span: Span
    folded: Span
    text: str


def whole(message: Message) -> Piece:
    """The body in one piece, for rules about what a message is as a whole."""
    inside = [span for span in _sentences(message) if message.folded.span(*span)[0] >= message.body_start]
    return _piece(message, (inside[0][0], inside[-1][1])) if inside else _piece(message, (0, len(message.folded.text)))


def windows(message: Message) -> list[Piece]:
    """Every two neighbouring sentences, subject included; one piece where there are fewer."""
    sentences = _sentences(message)
    last = max(1, len(sentences) - WINDOW + 1)
    rows = [sentences[start : start + WINDOW] for start in range(last)]
    return [_piece(message, (row[0][0], row[-1][1])) for row in rows if row]


def parts(message: Message) -> list[Piece]:
    """The `windows` and every sentence alone: between two harmless neighbours a bad sentence is lost."""
    sentences = _sentences(message)
    return [*windows(message), *(_piece(message, sentence) for sentence in sentences if len(sentences) > 1)]


def ideas(message: Message, pieces: list[Piece]) -> NDArray[np.bool_]:
    """``bool (n, 2 k)``: which of the k `idea_names` each piece names, then which of them it denies."""
    names = idea_names()
    told = np.zeros((len(pieces), 2 * len(names)), dtype=np.bool_)
    for lexicon in message.own_lexicons:
        for column, name in enumerate(names):
            for span in message.find(lexicon, name):
                inside = [row for row, piece in enumerate(pieces) if piece.folded[0] <= span[0] < piece.folded[1]]
                if inside:
                    told[inside, column + len(names) * denied(lexicon, span, message)] = True
    return told


_SHORTEST = 3


def _sentences(message: Message) -> list[Span]:
    """The message's sentences; one of less than three words ("Hello Anna,") belongs to the one after it."""
    joined: list[Span] = []
    held: int | None = None
    for start, end in message.sentences:
        start = start if held is None else held
        if len(message.folded.text[start:end].split()) < _SHORTEST:
            held = start
            continue
        joined.append((start, end))
        held = None
    if held is not None:
        end = message.sentences[-1][1]
        joined = [*joined[:-1], (joined[-1][0], end)] if joined else [(held, end)]
    return joined


def _piece(message: Message, folded: Span) -> Piece:
    span = message.folded.span(*folded)
    return Piece(span, folded, message.text[slice(*span)])
