"""What the bot may say about a reason: the best passage of its approved articles, or its locked macro with facts."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping

from bot.turn import Said
from kb.knowledge import KnowledgeBase, KnowledgeNotSyncedError

log = logging.getLogger("paretodesk.bot")

ARTICLE_PREFIX = "article:"
MACRO_PREFIX = "macro:"
_RANKED = 50


class Answers:
    """Approved words of the knowledge base, never another language's and never of another reason."""

    def __init__(self, knowledge: KnowledgeBase) -> None:
        self._knowledge = knowledge

    def passage(
        self, question: str, reason: str, locale: str, threshold: float, said: Collection[str] = ()
    ) -> Said | None:
        """The passage of ``reason`` that most probably answers, from ``threshold`` on and not yet ``said``."""
        try:
            ranked = self._knowledge.hybrid.ranked(question, locale, k=_RANKED)
        except KnowledgeNotSyncedError as error:
            log.warning("nothing can be answered: %s", error)
            return None
        best = max(
            (
                result
                for result in ranked
                if result.passage.reason == reason
                and result.passage.locale == locale
                and f"{ARTICLE_PREFIX}{result.passage.id}" not in said
            ),
            key=lambda result: result.probability,
            default=None,
        )
        if best is None or best.probability < threshold:
            return None
        return Said(best.passage.markdown, f"{ARTICLE_PREFIX}{best.passage.id}")

    def macro(self, question: str, reason: str, facts: Mapping[str, object], locale: str) -> Said | None:
        """The first locked macro of ``reason`` that ``facts`` fill completely and that passes the policy check."""
        for suggestion in self._knowledge.suggest(question, reason, facts, locale).macros:
            macro = self._knowledge.macro(suggestion.macro_id, locale)
            if suggestion.text is not None and macro is not None and macro.locked:
                return Said(suggestion.text, f"{MACRO_PREFIX}{locale}/{suggestion.macro_id}")
        return None
