"""What the bot may say about a reason: the best passage of its approved articles, or its locked macro with facts."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping

from bot.decision import DecisionSettings, starter_decision
from bot.turn import Said
from kb.content import ANY_MARKETPLACE
from kb.knowledge import KnowledgeBase, KnowledgeNotSyncedError

log = logging.getLogger("paretodesk.bot")

ARTICLE_PREFIX = "article:"
MACRO_PREFIX = "macro:"
_RANKED = 50


class Answers:
    """Approved words of the knowledge base, never another language's and never of another reason.

    A conversation has no marketplace, so that only what holds in any may be said in it, unless its reason has one.
    """

    def __init__(self, knowledge: KnowledgeBase, settings: DecisionSettings | None = None) -> None:
        self._knowledge = knowledge
        self._settings = settings or starter_decision()

    def passage(
        self, question: str, reason: str, locale: str, threshold: float, said: Collection[str] = ()
    ) -> Said | None:
        """The passage of ``reason`` that most probably answers, from ``threshold`` on and not yet ``said``."""
        try:
            ranked = self._knowledge.hybrid.ranked(question, locale, marketplace=self._marketplace(reason), k=_RANKED)
        except KnowledgeNotSyncedError as error:
            log.warning("nothing can be answered: %s", error)
            return None
        candidates = [
            result
            for result in ranked
            if result.passage.reason == reason
            and result.passage.locale == locale
            and f"{ARTICLE_PREFIX}{result.passage.id}" not in said
        ]
        best = max(candidates, key=lambda result: result.probability, default=None)
        if best is None or best.probability < threshold:
            return None
        # An article opens with the answer to the commonest form of its question: a section must be clearly nearer.
        opening = next((r for r in candidates if r.passage.id == f"{locale}/{best.passage.article}#1"), None)
        if opening and opening.passage_score > best.passage_score - self._settings.opening_lead:
            return Said(opening.passage.markdown, f"{ARTICLE_PREFIX}{opening.passage.id}")
        # Its heading is the question that a section answers; without it a short answer hangs in the air.
        return Said(f"**{best.passage.heading}**\n\n{best.passage.markdown}", f"{ARTICLE_PREFIX}{best.passage.id}")

    def macro(self, question: str, reason: str, facts: Mapping[str, object], locale: str) -> Said | None:
        """The first locked macro of ``reason`` that ``facts`` fill completely and that passes the policy check."""
        for suggestion in self._knowledge.suggest(question, reason, facts, locale, self._marketplace(reason)).macros:
            macro = self._knowledge.macro(suggestion.macro_id, locale)
            if suggestion.macro_id in self._settings.macros_for_people:
                continue
            if suggestion.text is not None and macro is not None and macro.locked:
                return Said(suggestion.text, f"{MACRO_PREFIX}{locale}/{suggestion.macro_id}")
        return None

    def _marketplace(self, reason: str) -> str:
        return self._settings.marketplace_of_reason.get(reason, ANY_MARKETPLACE)
