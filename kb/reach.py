"""Whether customers' questions lead to every article, and known questions to articles that are there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from kb.articles import Article
from kb.content import field_line
from kb.health import Finding, Level
from kb.questions import Part, Question, of_part, unknown_articles
from kb.search import HybridSearch

_SHOWN = 3
"""Results that somebody who asks will look at."""


def unreached_articles(
    articles: Sequence[Article], questions: Sequence[Question], search: HybridSearch
) -> Iterator[Finding]:
    """Approved articles that neither their own title nor a question of the development part finds among the first."""
    asked: dict[tuple[str, str], list[Question]] = defaultdict(list)
    for question in of_part(questions, Part.DEVELOPMENT):
        for answer in question.answers:
            asked[answer, question.locale].append(question)
    for article in articles:
        if not article.approved:
            continue
        mine = asked[article.id, article.locale]
        queries = [(article.fields.title, None), *((question.question, question.id) for question in mine)]
        if not any(_finds(search, article, text, without) for text, without in queries):
            message = f"neither its title nor {len(mine)} known questions find it; say in it what customers ask"
            line = field_line(article.path, "title")
            yield Finding(Level.WARNING, "unreached", article.path, line, message)


def questions_without_article(
    questions: Sequence[Question], articles: Sequence[Article], content_dir: Path
) -> Iterator[Finding]:
    """Questions that name an article which is not there or not approved."""
    approved = [article.id for article in articles if article.approved]
    for question_id, missing in unknown_articles(questions, approved).items():
        locale = next(question.locale for question in questions if question.id == question_id)
        file = content_dir / "questions" / f"{locale}.jsonl"
        message = f"question {question_id} names {', '.join(sorted(missing))}, which is no approved article"
        yield Finding(Level.WARNING, "unknown-article", file, 1, message)


def _finds(search: HybridSearch, article: Article, text: str, without: str | None) -> bool:
    ranked = search.ranked(text, article.locale, audience=article.fields.audience, k=50, without=without)
    found = list(dict.fromkeys(result.passage.article for result in ranked))
    return article.id in found[:_SHOWN]
