"""What a message says in words: phrases alone, close together, or as ideas of neighbouring sentences."""

from __future__ import annotations

from collections.abc import Iterator

from kb.policy.kinds import Ideas, Misspelled, Near, Phrases
from kb.policy.lexicon import Lexicon
from kb.policy.message import Message

Span = tuple[int, int]

_PHRASES_TRIED = 6
"""Of each idea; enough to find a combination, and a message that repeats itself costs no more than its length."""


def denied(lexicon: Lexicon, span: Span, message: Message) -> bool:
    """Whether the phrase at ``span`` is denied in its language or the message's: a brand is in several lexicons."""
    own = (lexicon, *(other for other in message.lexicons if other.language == message.locale))
    return any(candidate.negated(span, message.folded) for candidate in own)


def excused(
    lists: tuple[str, ...], message: Message, start: int, end: int, lexicons: tuple[Lexicon, ...] | None = None
) -> bool:
    """Whether a phrase of one of the ``lists`` of any of ``lexicons`` stands in ``[start, end)`` of the folded text."""
    return any(
        start <= found[0] < end
        for lexicon in lexicons or message.lexicons
        for name in lists
        for found in message.find(lexicon, name)
    )


def find_phrases(detector: Phrases, message: Message) -> Iterator[Span]:
    """Phrases of a list that nothing denies or excuses."""
    if detector.fulfilment and message.context.fulfilment != detector.fulfilment:
        return
    for lexicon in message.lexicons:
        for span in message.find(lexicon, detector.list):
            if detector.negatable and denied(lexicon, span, message):
                continue
            if not excused(detector.unless, message, 0, len(message.folded.text)):
                yield message.folded.span(*span)


def find_misspelled(detector: Misspelled, message: Message) -> Iterator[Span]:
    """Phrases of a list as they are written, in the message's language."""
    for lexicon in message.lexicons:
        if lexicon.language == message.locale:
            for span in lexicon.find_as_written(detector.list, message.lowered):
                yield message.lowered.span(*span)


def _said(detector: Near | Ideas, lexicon: Lexicon, name: str, message: Message) -> list[Span]:
    found = message.find(lexicon, name)
    return found if name not in detector.negatable else [s for s in found if not denied(lexicon, s, message)]


def find_near(detector: Near, message: Message) -> Iterator[Span]:
    """Phrases of two lists that stand close together."""
    folded = message.folded
    whole = (0, len(folded.text))
    for lexicon in message.lexicons:
        # Most messages have nothing of one of the two lists: the second is searched only where the first is there.
        firsts = _said(detector, lexicon, detector.list, message)
        seconds = _said(detector, lexicon, detector.other, message) if firsts else []
        for first in firsts if seconds else []:
            sentence = message.sentence_around(first[0])
            start, end = sentence if detector.same_sentence else whole
            for second in seconds:
                if start <= second[0] < end and folded.words_between(first, second) <= detector.within:
                    if not excused(
                        detector.unless, message, *(sentence if detector.unless_in == "sentence" else whole)
                    ):
                        yield folded.span(min(first[0], second[0]), max(first[1], second[1]))
                    break


def find_ideas(detector: Ideas, message: Message) -> Iterator[Span]:
    """Sentences in a row that name every idea, in the language of the message."""
    for lexicon in message.own_lexicons:
        said: list[list[Span]] = []
        for idea in detector.all_of:
            said.append(sorted(span for name in idea for span in _said(detector, lexicon, name, message)))
            if not said[-1]:
                break
        else:
            for start, end in message.windows(detector.sentences):
                inside = [[span for span in spans if start <= span[0] < end] for spans in said]
                chosen = _apart(inside) if all(inside) else None
                around = (0, len(message.folded.text)) if detector.unless_in == "message" else (start, end)
                if chosen and not excused(detector.unless, message, *around, (lexicon,)):
                    yield message.folded.span(min(s for s, _ in chosen), max(e for _, e in chosen))


def _apart(ideas: list[list[Span]]) -> list[Span] | None:
    """One span of each idea such that none shares its first or last word with another: a word says one thing."""
    if not ideas:
        return []
    for first in ideas[0][:_PHRASES_TRIED]:
        rest = [[span for span in spans if _distinct(first, span)] for spans in ideas[1:]]
        if all(rest) and (others := _apart(rest)) is not None:
            return [first, *others]
    return None


def _distinct(one: Span, other: Span) -> bool:
    beside = one[1] <= other[0] or other[1] <= one[0]
    # "bring your rating up to date" asks for a change and names, in its gap, what of.
    return beside or one[0] < other[0] <= other[1] < one[1] or other[0] < one[0] <= one[1] < other[1]
