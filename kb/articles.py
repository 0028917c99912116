"""Articles: what the desk knows, in passages that can each be said on their own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token
from pydantic import Field, ValidationInfo, field_validator

from classifier.datafile import DataFileError
from classifier.taxonomy import Taxonomy
from kb.content import Document, FrontMatter, load_folder


class Audience(StrEnum):
    """Who may read an article; agents also read what customers read."""

    CUSTOMER = "customer"
    AGENT = "agent"


class ArticleStatus(StrEnum):
    """Only approved articles are indexed and said."""

    DRAFT = "draft"
    APPROVED = "approved"
    RETIRED = "retired"


class ArticleFields(FrontMatter):
    """The front matter of an article."""

    audience: Audience
    status: ArticleStatus
    reviewed: dt.date
    review_by: dt.date
    owner: str = Field(min_length=1)

    @field_validator("review_by")
    @classmethod
    def _lies_ahead(cls, review_by: dt.date, info: ValidationInfo) -> dt.date:
        if (reviewed := info.data.get("reviewed")) and review_by <= reviewed:
            raise ValueError(f"{review_by} must be after reviewed: {reviewed}")
        return review_by


@dataclass(frozen=True)
class Passage:
    """One section of an article: the unit that is indexed, found and said."""

    id: str
    """`<locale>/<article>#<number>`, stable while the article's headings keep their order."""
    article: str
    reason: str
    locale: str
    audience: Audience
    marketplace: tuple[str, ...]
    title: str
    heading: str
    markdown: str
    text: str
    """The markdown as plain text: links by their words, one paragraph or list item per line."""
    line: int
    """1-based line of the section in its file."""

    @property
    def views(self) -> tuple[str, str, str]:
        """Title, heading and text: what the dense index sees, each with the same weight."""
        return self.title, self.heading, self.text

    @property
    def searchable(self) -> str:
        """The words that the lexical index sees."""
        return "\n".join(dict.fromkeys(self.views))


@dataclass(frozen=True)
class Article(Document[ArticleFields]):
    """One article in one language."""

    @property
    def approved(self) -> bool:
        """Whether it may be said."""
        return self.fields.status is ArticleStatus.APPROVED

    @cached_property
    def passages(self) -> tuple[Passage, ...]:
        """The sections below each heading, in order; text above the first heading is a passage by itself."""
        return tuple(self._sections())

    @property
    def links(self) -> Iterable[tuple[str, int]]:
        """Where links and pictures lead, each with its 1-based line in the file."""
        for token in _markdown().parse(self.body):
            line = self.body_line + (token.map[0] if token.map else 0)
            for child in token.children or ():
                if child.type in {"softbreak", "hardbreak"}:
                    line += 1
                elif target := child.attrs.get("href") or child.attrs.get("src"):
                    yield str(target), line

    def _sections(self) -> Iterable[Passage]:
        lines = self.body.splitlines()
        starts: list[tuple[int, int, str]] = [(0, 0, self.fields.title)]
        tokens = _markdown().parse(self.body)
        for opening, inline in pairwise(tokens):
            if opening.type == "heading_open" and opening.tag in {"h1", "h2"} and opening.map:
                starts.append((opening.map[0], opening.map[1], plain_text([inline])))
        ends = [start for start, _, _ in starts[1:]] + [len(lines)]
        number = 0
        for (start, text_from, heading), end in zip(starts, ends, strict=True):
            markdown = "\n".join(lines[text_from:end]).strip()
            if not markdown:
                continue
            number += 1
            yield Passage(
                id=f"{self.locale}/{self.id}#{number}",
                article=self.id,
                reason=self.reason,
                locale=self.locale,
                audience=self.fields.audience,
                marketplace=self.fields.marketplace,
                title=self.fields.title,
                heading=heading,
                markdown=markdown,
                text=plain_text(_markdown().parse(markdown)),
                line=self.body_line + start,
            )


def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark").enable("table")


def plain_text(tokens: list[Token]) -> str:
    """The words of parsed Markdown: no marks, links by their text, pictures by their alternative text."""
    lines = []
    for token in tokens:
        if token.type in {"fence", "code_block"}:
            lines.append(token.content.strip())
        elif token.type == "inline":
            words = [
                " " if child.type in {"softbreak", "hardbreak"} else child.content
                for child in token.children or []
                if child.type in {"text", "code_inline", "softbreak", "hardbreak", "image"}
            ]
            lines.append("".join(words).strip())
    return "\n".join(line for line in lines if line)


def build_article(fields: ArticleFields, body: str, path: Path, line: int) -> Article:
    """One article of its parts; ``line`` is where the body starts in ``path``. Raises `DataFileError`."""
    article = Article(fields, body, path, line)
    mistakes = []
    if not article.passages:
        mistakes.append(f"{path}:{line}: body: the article says nothing; write at least one '## ' section")
    for number, text in enumerate(body.splitlines(), start=line):
        if "{{" in text:
            mistakes.append(f"{path}:{number}: body: an article takes no placeholders; they belong in a macro")
    if mistakes:
        raise DataFileError("\n".join(mistakes))
    return article


def load_articles(directory: Path, taxonomy: Taxonomy | None = None) -> list[Article]:
    """All articles of ``directory/<locale>/<id>.md``. Raises `ContentError` with the mistakes of all files."""
    return load_folder(directory, ArticleFields, build_article, taxonomy)
