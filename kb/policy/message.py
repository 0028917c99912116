"""A message as the detectors see it, and the context that only the desk knows."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from kb.policy.lexicon import Folded, Lexicon, fold_with_origin, lowered_with_origin, starter_lexicons

ORDER_ID = re.compile(r"(?<![\w-])\d{3}-\d{7}-\d{7}(?![\w-])")
_SHORTEST_VALUE = 4
SENTENCE_END = re.compile(r"[.!?;]+(?=\s|$)|\n\s*\n|\n")


@dataclass(frozen=True)
class Attachment:
    """A file that goes with a message; ``kind`` is instructions, invoice, warranty or anything else."""

    name: str
    kind: str
    size: int
    """Bytes."""


@dataclass(frozen=True)
class PolicyContext:
    """What the desk knows about order, buyer and ticket; None means not known, and rules stay silent on it."""

    order_id: str | None = None
    fulfilment: str | None = None
    """`amazon` or `merchant`."""
    feedback_requests: int | None = None
    """How many review or feedback requests this order already had."""
    opted_out: bool | None = None
    channel: str | None = None
    """`email` where the message goes out as an e-mail, which may have HTML in it; anything else is plain text."""
    critical: bool = False
    """The order cannot be completed without this message."""
    completed_at: dt.datetime | None = None
    sent_at: dt.datetime | None = None
    attachments: tuple[Attachment, ...] | None = None
    not_phones: tuple[str, ...] = ()
    """Identifiers of this order that only look like phone numbers (tracking, RMA, SKU ...)."""
    other_language: tuple[str, ...] = ()
    """Inserted values whose language says nothing about the message (titles, names)."""


def without_values(text: str, values: Iterable[str], filler: str) -> str:
    """``text`` at its length, with the character ``filler`` in the place of every inserted value.

    A value counts where it stands as a whole; one of under 4 characters is too common to tell anything.
    """
    known = sorted((value for value in values if len(value) >= _SHORTEST_VALUE), key=len, reverse=True)
    if not known:
        return text
    standing = rf"(?<![\w+-])(?:{'|'.join(map(re.escape, known))})(?![\w-])"
    return re.sub(standing, lambda match: filler * len(match[0]), text)


@dataclass(frozen=True)
class Message:
    """A text about to be sent. ``body_start`` is where the body begins when a subject stands before it."""

    text: str
    marketplace: str
    kind: str
    locale: str
    context: PolicyContext
    body_start: int = 0

    @property
    def body(self) -> str:
        """The text without the subject."""
        return self.text[self.body_start :]

    @cached_property
    def folded(self) -> Folded:
        """The text folded for the lexicons."""
        return fold_with_origin(self.text)

    @cached_property
    def lowered(self) -> Folded:
        """The text in lower case with its accents."""
        return lowered_with_origin(self.text)

    @property
    def lexicons(self) -> tuple[Lexicon, ...]:
        """Those of all languages."""
        return starter_lexicons()

    @property
    def own_lexicons(self) -> tuple[Lexicon, ...]:
        """That of the buyer's language: a harmless word of one language may be an insult in another."""
        return tuple(known for known in self.lexicons if known.language == self.locale) or self.lexicons

    def find(self, lexicon: Lexicon, name: str) -> list[tuple[int, int]]:
        """Spans in the folded text of the phrases of a lexicon's list; looked for once however many rules ask."""
        key = (lexicon.language, name)
        if key not in self._found:
            self._found[key] = list(lexicon.find(name, self.folded))
        return self._found[key]

    @cached_property
    def _found(self) -> dict[tuple[str, str], list[tuple[int, int]]]:
        return {}

    @cached_property
    def sentences(self) -> list[tuple[int, int]]:
        """Spans of the sentences of the folded text, without the blanks around them."""
        text = self.folded.text
        cuts = [0, *(match.end() for match in SENTENCE_END.finditer(text)), len(text)]
        spans = []
        for start, end in pairwise(cuts):
            piece = text[start:end]
            if piece.strip():
                spans.append((start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())))
        return spans

    def windows(self, length: int) -> list[tuple[int, int]]:
        """Spans of ``length`` sentences in a row; one of all where there are fewer."""
        last = max(1, len(self.sentences) - length + 1)
        rows = [self.sentences[start : start + length] for start in range(last)]
        return [(row[0][0], row[-1][1]) for row in rows if row]

    def sentence_around(self, position: int) -> tuple[int, int]:
        """The sentence of the folded text that holds ``position``."""
        return next((span for span in self.sentences if span[0] <= position < span[1]), (0, len(self.folded.text)))
