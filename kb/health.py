"""`kb check`: what the knowledge base lacks or will soon lack."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from classifier.taxonomy import OTHER, Autonomy, Taxonomy
from kb.articles import Article, ArticleStatus, Audience
from kb.content import field_line
from kb.macros import Macro, MacroStatus
from kb.policy import check, check_macro
from kb.policy.rules import STRICTEST

_EXTERNAL = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


class Level(StrEnum):
    """An error must be mended before the content serves; a warning soon."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """One thing to mend; ``line`` is 1-based, 1 where the finding is about a whole file or folder."""

    level: Level
    check: str
    file: Path
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.check}: {self.message}"

    def to_json(self) -> dict[str, Any]:
        """Plain data with stable keys."""
        return {
            "level": self.level.value,
            "check": self.check,
            "file": str(self.file),
            "line": self.line,
            "message": self.message,
        }


def check_health(
    articles: Sequence[Article],
    macros: Sequence[Macro],
    taxonomy: Taxonomy,
    today: dt.date,
    content_dir: Path,
) -> list[Finding]:
    """All findings, errors first. Retired content counts as absent and is not looked at."""
    live_articles = [article for article in articles if article.fields.status is not ArticleStatus.RETIRED]
    live_macros = [macro for macro in macros if macro.fields.status is not MacroStatus.RETIRED]
    findings = [
        *_reasons_without_article(live_articles, taxonomy, content_dir),
        *_reasons_without_macro(live_macros, taxonomy, content_dir),
        *_missing_locales(live_articles, taxonomy),
        *_missing_locales(live_macros, taxonomy),
        *_broken_links(live_articles),
        *_stale_reviews(live_articles, today),
        *_duplicate_titles(live_articles),
        *_duplicate_titles(live_macros),
        *_articles_against_policy(live_articles),
        *_macros_against_policy(live_macros),
    ]
    return in_order(findings)


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Errors first, then by check and place."""
    return sorted(findings, key=lambda f: (f.level is Level.WARNING, f.check, str(f.file), f.line))


def _reasons_without_article(articles: Sequence[Article], taxonomy: Taxonomy, content_dir: Path) -> Iterator[Finding]:
    covered = {(a.reason, a.locale) for a in articles if a.approved and a.fields.audience is Audience.CUSTOMER}
    for autonomy, name, level in (
        (Autonomy.SELF_SERVICE, "self-service", Level.ERROR),
        (Autonomy.ASSISTED, "assisted", Level.WARNING),
    ):
        for reason in sorted(taxonomy.with_autonomy(autonomy) - {OTHER}):
            for locale in taxonomy.locales:
                if (reason, locale) not in covered:
                    folder = content_dir / "articles" / locale
                    message = f"no approved customer article for the {name} reason {reason} in {locale}"
                    yield Finding(level, "no-article", folder, 1, message)


def _reasons_without_macro(macros: Sequence[Macro], taxonomy: Taxonomy, content_dir: Path) -> Iterator[Finding]:
    covered = {(macro.reason, macro.locale) for macro in macros if macro.usable}
    for reason in taxonomy.ids:
        for locale in taxonomy.locales:
            if reason != OTHER and (reason, locale) not in covered:
                folder = content_dir / "macros" / locale
                message = f"no approved macro for the reason {reason} in {locale}"
                yield Finding(Level.ERROR, "no-macro", folder, 1, message)


def _missing_locales(documents: Sequence[Article] | Sequence[Macro], taxonomy: Taxonomy) -> Iterator[Finding]:
    locales: dict[str, set[str]] = {}
    first: dict[str, Path] = {}
    for document in documents:
        locales.setdefault(document.id, set()).add(document.locale)
        first.setdefault(document.id, document.path)
    for document_id, present in locales.items():
        if missing := [locale for locale in taxonomy.locales if locale not in present]:
            message = f"{document_id} is not there in {', '.join(missing)}"
            yield Finding(Level.WARNING, "missing-locale", first[document_id], 1, message)


def _broken_links(articles: Sequence[Article]) -> Iterator[Finding]:
    by_path = {article.path.resolve(): article for article in articles}
    for article in articles:
        for target, line in article.links:
            if problem := _link_problem(target, article, by_path):
                yield Finding(Level.ERROR, "broken-link", article.path, line, problem)


def _link_problem(target: str, article: Article, by_path: dict[Path, Article]) -> str | None:
    if _EXTERNAL.match(target):
        return None
    file, _, anchor = target.partition("#")
    path = (article.path.parent / unquote(file)).resolve() if file else article.path.resolve()
    if path.suffix == "":
        path = path.with_suffix(".md")
    if path.suffix != ".md":
        return None if path.is_file() else f"'{target}' is no file"
    linked = by_path.get(path)
    if linked is None:
        return f"'{target}' leads to no article that is in use"
    if anchor and unquote(anchor) not in {_anchor(passage.heading) for passage in linked.passages}:
        return f"'{target}' names no heading of {linked.path.name}"
    return None


def _anchor(heading: str) -> str:
    """A heading as GitHub and most viewers name it in a link."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def _stale_reviews(articles: Sequence[Article], today: dt.date) -> Iterator[Finding]:
    for article in articles:
        if article.fields.review_by < today:
            line = field_line(article.path, "review_by")
            message = f"was to be reviewed by {article.fields.review_by}; owner: {article.fields.owner}"
            yield Finding(Level.WARNING, "stale-review", article.path, line, message)


def _duplicate_titles(documents: Sequence[Article] | Sequence[Macro]) -> Iterator[Finding]:
    seen: dict[tuple[str, str], Path] = {}
    for document in documents:
        key = (document.locale, document.fields.title.strip().casefold())
        if (first := seen.setdefault(key, document.path)) != document.path:
            line = field_line(document.path, "title")
            message = f"'{document.fields.title}' is also the title of {first.name}"
            yield Finding(Level.WARNING, "duplicate-title", document.path, line, message)


def _articles_against_policy(articles: Sequence[Article]) -> Iterator[Finding]:
    """A passage is said word for word, so the rules for replies hold for it."""
    for article in articles:
        if article.fields.audience is not Audience.CUSTOMER:
            continue
        for passage in article.passages:
            for violation in check(passage.text, marketplace=STRICTEST, kind="reply", locale=article.locale):
                said = passage.text[slice(*violation.span)][:60]
                message = f"{violation.rule} in '{passage.heading}': {violation.message} ({said!r}) {violation.remedy}"
                level = Level.ERROR if violation.blocks else Level.WARNING
                yield Finding(level, "policy", article.path, passage.line, message)


def _macros_against_policy(macros: Sequence[Macro]) -> Iterator[Finding]:
    for macro in macros:
        for violation in check_macro(macro):
            line = macro.body_line + macro.body.count("\n", 0, violation.span[0])
            said = macro.body[slice(*violation.span)][:60]
            message = f"{violation.rule}: {violation.message} ({said!r}) {violation.remedy}"
            level = Level.ERROR if violation.blocks and macro.usable else Level.WARNING
            yield Finding(level, "policy", macro.path, line, message)
