"""What the bot may say about a reason: the best passage of its approved articles, or its locked macro with facts."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

from bot.decision import DecisionSettings, starter_decision
from bot.order_details import stated_order
from bot.spoken_words import count_words
from bot.turn import Said
from kb.articles import Audience, Passage
from kb.content import ANY_MARKETPLACE
from kb.knowledge import KnowledgeBase, KnowledgeNotSyncedError
from kb.placeholders import fact_key
from kb.search_result import SearchResult

log = logging.getLogger("paretodesk.bot")

ARTICLE_PREFIX = "article:"
MACRO_PREFIX = "macro:"
AMAZON = "amazon"
FULFILMENT = "order.fulfilment"
_RANKED = 50


@dataclass(frozen=True)
class Filled:
    """What the macros of a reason come to for an order.

    ``said`` is None where none fits; ``for_people``: one fits, but promises what only a person can do.
    """

    said: Said | None = None
    for_people: bool = False


class Answers:
    """Approved words of the knowledge base, never another language's and never of another reason.

    A conversation has no marketplace, so that only what holds in any may be said in it, unless its reason has one.
    """

    def __init__(self, knowledge: KnowledgeBase, settings: DecisionSettings | None = None) -> None:
        self._knowledge = knowledge
        self._settings = settings or starter_decision()

    def passage(self, question: str, reason: str, locale: str, threshold: float) -> Said | None:
        """The passage of ``reason`` that most probably answers, from ``threshold`` on."""
        found = self.nearest(question, reason, locale)
        return found[0] if found and found[1] >= threshold else None

    def nearest(
        self, question: str, reason: str, locale: str, *, without: str | None = None
    ) -> tuple[Said, float] | None:
        """What would be said, and the probability that it answers; ``without`` a question that search knows."""
        candidates = [one for one in self._ranked(question, reason, locale, without) if one.passage.reason == reason]
        best = max(candidates, key=lambda result: result.probability, default=None)
        if best is None:
            return None
        # An article opens with the answer to the commonest form of its question: a section must be clearly nearer.
        opening = next((r for r in candidates if r.passage.id == f"{locale}/{best.passage.article}#1"), None)
        short = count_words(question) < self._settings.min_section_words
        if opening and (short or opening.passage_score > best.passage_score - self._settings.opening_lead):
            return _said(opening.passage), best.probability
        return _said(best.passage), best.probability

    def agreement(self, question: str, reason: str, locale: str, *, without: str | None = None) -> float:
        """How probably ``reason`` is what ``question`` is about, judged by search alone: the probability of the best
        passage of all, where it is one of this reason, else 0.
        """
        ranked = self._ranked(question, reason, locale, without)
        best = max(ranked, key=lambda result: result.probability, default=None)
        return best.probability if best and best.passage.reason == reason else 0.0

    def sections(self, question: str, reason: str, locale: str, k: int) -> tuple[Passage, ...]:
        """The ``k`` passages of ``reason`` that are nearest to the question, nearest first, however far they are."""
        try:
            found = self._knowledge.hybrid.of_reason(
                question, reason, locale, marketplace=self._marketplace(reason), k=_RANKED
            )
        except KnowledgeNotSyncedError as error:
            log.warning("nothing can be answered: %s", error)
            return ()
        own = [result for result in found if result.passage.locale == locale]
        return tuple(result.passage for result in sorted(own, key=lambda result: -result.passage_score)[:k])

    def section(self, name: str, reason: str, locale: str) -> Said | None:
        """The section ``article#number`` of ``reason``; None where there is none that may be said."""
        wanted = f"{locale}/{name}"
        found = (one for one in self._knowledge.passages if one.id == wanted and one.reason == reason)
        passage = next(found, None)
        return _said(passage) if passage and passage.audience is Audience.CUSTOMER else None

    def _ranked(self, question: str, reason: str, locale: str, without: str | None) -> list[SearchResult]:
        marketplace = self._marketplace(reason)
        try:
            ranked = self._knowledge.hybrid.ranked(
                question, locale, marketplace=marketplace, k=_RANKED, without=without
            )
        except KnowledgeNotSyncedError as error:
            log.warning("nothing can be answered: %s", error)
            return []
        return [result for result in ranked if result.passage.locale == locale]

    def macro(self, question: str, reason: str, facts: Mapping[str, object], locale: str) -> Filled:
        """The first locked macro of ``reason`` that ``facts`` fill completely and that passes the policy check.

        What Amazon does for an order is only said by a macro made for such orders.
        """
        amazons, for_people = self.is_amazons(reason, facts), False
        marketplace = AMAZON if amazons else self._marketplace(reason)
        for suggestion in self._knowledge.suggest(question, reason, facts, locale, marketplace).macros:
            macro = self._knowledge.macro(suggestion.macro_id, locale)
            if suggestion.text is None or macro is None or not macro.locked:
                continue
            if amazons and macro.fields.when.get(FULFILMENT) != (AMAZON,):
                continue
            if suggestion.macro_id in self._settings.macros_for_people:
                for_people = True
                continue
            return Filled(Said(suggestion.text, f"{MACRO_PREFIX}{locale}/{suggestion.macro_id}"), for_people)
        return Filled(None, for_people)

    def is_amazons(self, reason: str, facts: Mapping[str, object]) -> bool:
        """Whether Amazon sees to this, and the customer has to be sent there.

        Amazon ships orders of other shops too; their customers have nothing to look up at Amazon. Its own are known by
        their number.
        """
        order_id = str(facts.get("order.id", ""))
        return (
            reason in self._settings.amazon_reasons
            and fact_key(facts.get(FULFILMENT)) == AMAZON
            and stated_order(order_id) == order_id
        )

    def _marketplace(self, reason: str) -> str:
        return self._settings.marketplace_of_reason.get(reason, ANY_MARKETPLACE)


def is_opening(said: Said) -> bool:
    """Whether an article's first passage is said, which answers the commonest form of its question."""
    return said.source.startswith(ARTICLE_PREFIX) and said.source.endswith("#1")


def _said(passage: Passage) -> Said:
    source = f"{ARTICLE_PREFIX}{passage.id}"
    opening = Said(passage.markdown, source)
    # Its heading is the question that a section answers; without it a short answer hangs in the air.
    return opening if is_opening(opening) else replace(opening, text=f"**{passage.heading}**\n\n{passage.markdown}")
