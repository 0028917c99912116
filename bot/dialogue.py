"""The bot's side of a conversation: a state and one customer message in, the next state and a reply out.

Nothing here writes to the database but the count of proofs; what a reply asks for (a ticket) is done by
`bot.conversations`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from bot.decision import Why
from bot.exchange import Exchange
from bot.order_details import OrderDetails, read_details, without_details
from bot.phrases import Intent, Phrases
from bot.reply import Reply, Resources
from bot.requests import Request, Splitter, starter_splitter
from bot.spoken_language import SpokenLanguage
from bot.spoken_words import count_words
from bot.state import Phase, State
from bot.turn import PERSON
from bot.verification import Prover
from classifier.tagger import Tag

_SMALL_TALK = frozenset(Intent) - {Intent.PERSON}
_CONTINUED = frozenset({Phase.CLARIFY, Phase.VERIFY})
"""Phases in which a message belongs to the open question; in the others it is a new one."""


class Tagger(Protocol):
    """What judges a customer's words."""

    def tag_many(self, tickets: Sequence[tuple[str, str]]) -> Sequence[Tag]:
        """One tag per (subject, body), in order."""
        ...


@dataclass(frozen=True)
class Heard:
    """One customer message.

    ``words`` are the customer's own, empty where a button was pressed; ``choice`` is the value of that button;
    ``earlier`` the customer's own words before, oldest first, without asides. ``prove`` judges proofs in it.
    """

    prove: Prover
    words: str
    choice: str | None = None
    earlier: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Judgement:
    """Tags of the message alone, of the open question with it and of its parts, and all that the guard has to be
    silent in.
    """

    message: Tag
    question: Tag
    requests: tuple[Request, ...]
    guarded: tuple[Tag, ...]


class Dialogue:
    """The rules of every conversation. Holds no conversation itself; safe between threads."""

    def __init__(
        self,
        resources: Resources,
        tagger: Tagger,
        language: SpokenLanguage,
        phrases: Phrases,
        splitter: Splitter | None = None,
    ) -> None:
        self._resources = resources
        self._tagger = tagger
        self._language = language
        self._phrases = phrases
        self._splitter = splitter or starter_splitter()

    def respond(self, state: State, locale: str, heard: Heard) -> Reply:
        """The reply to one message of a conversation that no person has taken over yet."""
        intents = self._phrases.heard(heard.words) if heard.words else frozenset()
        small_talk = bool(intents & _SMALL_TALK)
        details = OrderDetails()
        if state.phase is Phase.VERIFY and heard.words and not small_talk:
            details = read_details(heard.words, None if state.verified else state.order_id)
        # Whatever stands beside order details is judged like any other message.
        spoken = "" if small_talk else details.rest if details.any else heard.words
        aside = small_talk or (details.any and not count_words(spoken))
        reply = self._reply(state, locale, heard, "" if aside else spoken, intents, details)
        return replace(reply, aside=aside)

    def _reply(
        self,
        state: State,
        locale: str,
        heard: Heard,
        spoken: str,
        intents: frozenset[Intent],
        details: OrderDetails,
    ) -> Reply:
        judgement = self._judge(state, heard.earlier, spoken, continues=bool(intents))
        danger = self._resources.decision.danger(judgement.guarded)
        language = judgement.message.language
        foreign = self._language.unsupported(spoken, language)
        locale = self._language.after(spoken, language, locale)
        tags = (judgement.message, judgement.question, judgement.requests)
        exchange = Exchange(self._resources, state, locale, *tags, heard.prove)
        asked = heard.choice == PERSON or Intent.PERSON in intents
        if danger:
            return exchange.endangered(danger, asked=asked)
        if asked:
            return exchange.hand_off(Why.ASKED)
        if foreign:
            return exchange.foreign(language)
        if len(heard.earlier) >= self._resources.decision.settings.max_messages:
            return exchange.hand_off(Why.TOO_LONG)
        if heard.choice is not None:
            return exchange.press(heard.choice)
        return exchange.understand(heard.words, intents, details)

    def _judge(self, state: State, earlier: Sequence[str], spoken: str, *, continues: bool) -> _Judgement:
        """Tag what is ``spoken`` now, the open question with it, and the whole conversation of the customer.

        Nothing spoken is not judged: a best guess about nothing would be arbitrary.
        """
        continues = continues or not spoken or state.phase in _CONTINUED
        conversation = "\n".join(part for part in (*earlier, spoken) if part)
        # The guard hears every word; what a question is about does not depend on whose order it is.
        heard, spoken = spoken, without_details(spoken)
        asked = without_details(state.question) if continues else ""
        question = "\n".join(part for part in (asked, spoken) if part)
        pieces = self._splitter.pieces(question)
        whole = list(dict.fromkeys((spoken, question, conversation, heard)))
        texts = list(dict.fromkeys((*whole, *(piece.text for piece in pieces))))
        tags = dict(zip(texts, self._tagger.tag_many([("", text) for text in texts]), strict=True))
        requests = tuple(Request(piece.text, tags[piece.text], piece.joined, piece.context) for piece in pieces)
        # What is sure of a part counts for the guard too; a guess at half a sentence would only raise it for nothing.
        guarded = [tags[text] for text in whole if text.strip()] + [one.tag for one in requests if one.sure]
        return _Judgement(tags[spoken] if spoken else tags[question], tags[question], requests, tuple(guarded))
