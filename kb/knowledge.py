"""The knowledge base: articles and macros of a content folder, searchable and ready to suggest.

KnowledgeNotSyncedError   search was asked before `KnowledgeBase.sync`
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from classifier.datafile import DataFileError, load_yaml
from classifier.taxonomy import Taxonomy, starter_taxonomy
from kb.articles import Article, Audience, Passage, load_articles
from kb.content import STARTER_CONTENT, ContentError
from kb.health import Finding, check_health, in_order
from kb.index import KnowledgeIndex, Progress, Rebuilt
from kb.macros import Macro, load_macros
from kb.policy import PolicyContext
from kb.questions import Part, Question, load_questions, of_part, unknown_articles
from kb.reach import questions_without_article, unreached_articles
from kb.search import HybridSearch
from kb.search_result import SearchResult
from kb.search_settings import SearchSettings, starter_search_settings
from kb.suggestions import MacroSource, Suggester, Suggestions


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
        questions: Sequence[Question] = (),
        search_settings: SearchSettings | None = None,
    ) -> None:
        self.content_dir = content_dir
        self.articles = articles
        self.macros = macros
        self.questions = list(questions)
        self.search_settings = search_settings or starter_search_settings()
        self._taxonomy = taxonomy or starter_taxonomy()
        self._search: HybridSearch | None = None
        self._source: MacroSource | None = None
        self._serving: Sequence[Macro] = macros
        self._suggester = Suggester(macros)
        # An index that is filled beside the service and macros that change meet in the suggester.
        self._changing = threading.Lock()

    @classmethod
    def load(cls, content_dir: Path = STARTER_CONTENT, taxonomy: Taxonomy | None = None) -> Self:
        """Read ``content_dir/articles`` and ``macros``, and where they are there ``questions`` and ``search.yaml``.

        Raises `ContentError` with the mistakes of all files.
        """
        mistakes: list[str] = []
        articles: list[Article] = []
        macros: list[Macro] = []
        questions: list[Question] = []
        settings: SearchSettings | None = None
        try:
            articles = load_articles(content_dir / "articles", taxonomy)
        except ContentError as error:
            mistakes += error.mistakes
        try:
            macros = load_macros(content_dir / "macros", taxonomy)
        except ContentError as error:
            mistakes += error.mistakes
        try:
            questions = load_questions(content_dir / "questions")
            if (own := content_dir / "search.yaml").exists():
                settings = load_yaml(own, SearchSettings)
        except DataFileError as error:
            mistakes += str(error).splitlines()
        if mistakes:
            raise ContentError(mistakes)
        return cls(content_dir, articles, macros, taxonomy, questions, settings)

    @property
    def passages(self) -> list[Passage]:
        """The passages of approved articles: what is indexed and may be said."""
        return [passage for article in self.articles if article.approved for passage in article.passages]

    @property
    def known_questions(self) -> list[Question]:
        """The questions that search knows: those of the development part that name no missing article."""
        development = of_part(self.questions, Part.DEVELOPMENT)
        gone = unknown_articles(development, (article.id for article in self.articles if article.approved))
        return [question for question in development if question.id not in gone]

    def article(self, article_id: str, locale: str) -> Article | None:
        """One article in one language, whatever its status."""
        return next((a for a in self.articles if a.id == article_id and a.locale == locale), None)

    def macro(self, macro_id: str, locale: str) -> Macro | None:
        """One macro in one language, whatever its status; a locked one where a library serves."""
        self._follow()
        return next((m for m in self._serving if m.id == macro_id and m.locale == locale), None)

    def serve_macros(self, source: MacroSource) -> None:
        """Suggest the macros of ``source`` from now on, as they change, instead of those of the files."""
        self._source = source

    def _follow(self) -> Suggester:
        """The suggester over the macros that serve at this moment."""
        with self._changing:
            if self._source is not None and (serving := self._source.locked()) is not self._serving:
                self._serving, self._suggester = serving, Suggester(serving, self._search)
            return self._suggester

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
        by_id = dict(zip(ids, vectors, strict=True))
        settings = settings or self.search_settings
        self._use(HybridSearch(passages, by_id, index.encoder, settings, self.known_questions))
        return rebuilt

    def search_by_words(self) -> None:
        """Search the approved passages by their words alone from now on, while there is no index."""
        self._use(HybridSearch(self.passages, None, None, self.search_settings))

    def _use(self, search: HybridSearch) -> None:
        search.prepare()
        with self._changing:
            self._search = search
            self._suggester = Suggester(self._serving, search)

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
        measured = self._source.usefulness() if self._source else None
        return self._follow().suggest(
            ticket_text, tag_reason, facts, locale, marketplace, k, context=context, measured=measured
        )

    def check(self, today: dt.date) -> list[Finding]:
        """What is missing or will soon be; see `kb.health`. Articles that no query reaches are found after `sync`."""
        findings = check_health(self.articles, self.macros, self._taxonomy, today, self.content_dir)
        findings += questions_without_article(self.questions, self.articles, self.content_dir)
        if self._search is not None:
            findings += unreached_articles(self.articles, self.questions, self._search)
        return in_order(findings)
