"""The knowledge base: articles and macros of a content folder, searchable and ready to suggest.

KnowledgeNotSyncedError   search was asked before `KnowledgeBase.sync`
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from classifier.taxonomy import Taxonomy, starter_taxonomy
from kb.articles import Article, Audience, Passage, load_articles
from kb.content import STARTER_CONTENT, ContentError
from kb.health import Finding, check_health
from kb.index import KnowledgeIndex, Progress, Rebuilt
from kb.macros import Macro, load_macros
from kb.policy import PolicyContext
from kb.search import HybridSearch, SearchResult
from kb.search_settings import SearchSettings
from kb.suggestions import Suggester, Suggestions


class KnowledgeNotSyncedError(RuntimeError):
    """Search was asked before the passages were indexed."""


class KnowledgeBase:
    """What may be said. `load` reads it, `sync` makes it searchable."""

    def __init__(
        self,
        content_dir: Path,
        articles: list[Article],
        macros: list[Macro],
        taxonomy: Taxonomy | None = None,
    ) -> None:
        self.content_dir = content_dir
        self.articles = articles
        self.macros = macros
        self._taxonomy = taxonomy or starter_taxonomy()
        self._search: HybridSearch | None = None
        self._suggester = Suggester(macros)

    @classmethod
    def load(cls, content_dir: Path = STARTER_CONTENT, taxonomy: Taxonomy | None = None) -> Self:
        """Read ``content_dir/articles`` and ``content_dir/macros``.

        Raises `ContentError` with the mistakes of all files of both.
        """
        mistakes: list[str] = []
        articles: list[Article] = []
        macros: list[Macro] = []
        try:
            articles = load_articles(content_dir / "articles", taxonomy)
        except ContentError as error:
            mistakes += error.mistakes
        try:
            macros = load_macros(content_dir / "macros", taxonomy)
        except ContentError as error:
            mistakes += error.mistakes
        if mistakes:
            raise ContentError(mistakes)
        return cls(content_dir, articles, macros, taxonomy)

    @property
    def passages(self) -> list[Passage]:
        """The passages of approved articles: what is indexed and may be said."""
        return [passage for article in self.articles if article.approved for passage in article.passages]

    def article(self, article_id: str, locale: str) -> Article | None:
        """One article in one language, whatever its status."""
        return next((a for a in self.articles if a.id == article_id and a.locale == locale), None)

    def macro(self, macro_id: str, locale: str) -> Macro | None:
        """One macro in one language, whatever its status."""
        return next((m for m in self.macros if m.id == macro_id and m.locale == locale), None)

    def sync(
        self,
        index: KnowledgeIndex,
        progress: Progress | None = None,
        settings: SearchSettings | None = None,
    ) -> Rebuilt:
        """Bring ``index`` up to date with the approved passages and search them from now on.

        Raises `KnowledgeIndexError`; a search that was there before goes on.
        """
        passages = self.passages
        rebuilt = index.rebuild(passages, progress)
        ids, vectors = index.vectors()
        self._search = HybridSearch(passages, dict(zip(ids, vectors, strict=True)), index.encoder, settings)
        self._suggester = Suggester(self.macros, self._search)
        return rebuilt

    @property
    def hybrid(self) -> HybridSearch:
        """The search itself, for evaluation and calibration. Raises `KnowledgeNotSyncedError`."""
        if self._search is None:
            raise KnowledgeNotSyncedError("the knowledge base is not indexed; run `paretodesk kb sync` first")
        return self._search

    def search(
        self,
        question: str,
        locale: str,
        *,
        audience: Audience = Audience.CUSTOMER,
        marketplace: str | None = None,
        k: int = 3,
    ) -> list[SearchResult]:
        """See `HybridSearch.search`. Raises `KnowledgeNotSyncedError`."""
        return self.hybrid.search(question, locale, audience=audience, marketplace=marketplace, k=k)

    def suggest(
        self,
        ticket_text: str,
        tag_reason: str | None,
        facts: Mapping[str, object],
        locale: str,
        marketplace: str | None = None,
        k: int = 3,
        *,
        context: PolicyContext | None = None,
    ) -> Suggestions:
        """See `Suggester.suggest`; before `sync` there are macros but no passages."""
        return self._suggester.suggest(ticket_text, tag_reason, facts, locale, marketplace, k, context=context)

    def check(self, today: dt.date) -> list[Finding]:
        """What is missing or will soon be; see `kb.health`."""
        return check_health(self.articles, self.macros, self._taxonomy, today, self.content_dir)
