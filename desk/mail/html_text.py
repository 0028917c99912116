"""The text of an HTML mail: what a person sees, with quotes marked by ``>``."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bs4 import BeautifulSoup
from bs4.element import NavigableString, PageElement, PreformattedString, Tag

MAX_HTML = 500_000
"""Characters of HTML that are read; what people write by hand stays far below."""
MAX_QUOTE_DEPTH = 5

_UNSEEN = frozenset({"style", "script", "head", "title", "template", "noscript"})
_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "dd",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tr",
        "ul",
    ]
)
_NO_TAG = re.compile(r"<(?![a-z/])|</(?![a-z])", re.I)
_SPACE = re.compile(r"\s+")
_MANY_LINES = re.compile(r"\n{3,}")


def html_text(html: str) -> str:
    """Visible text with a line per block; unseen parts, scripts and markup are gone."""
    html = _without_declarations(html[:MAX_HTML])
    if "<" not in html:
        html = f"<p>{html}</p>"  # a parser warns of text that has no markup
    lines = [""]
    line: list[str] = []
    for depth, piece in _pieces(BeautifulSoup(html, "html.parser")):
        if piece is not None:
            if line or piece.strip():
                line.append(piece if line else "> " * min(depth, MAX_QUOTE_DEPTH) + piece.lstrip())
            continue
        if line or lines[-1]:
            lines.append(_SPACE.sub(" ", "".join(line)).strip())
        line = []
    lines.append(_SPACE.sub(" ", "".join(line)).strip())
    return _MANY_LINES.sub("\n\n", "\n".join(lines)).strip()


def _without_declarations(html: str) -> str:
    """Without comments, conditions and processing instructions; unclosed ones by the thousand cost a parser minutes."""
    for start, end in (("<!--", "-->"), ("<!", ">"), ("<?", ">")):
        first, *others = html.split(start)
        html = first + "".join(
            after if closed else before for before, closed, after in (o.partition(end) for o in others)
        )
    return _NO_TAG.sub("&lt;", html)


def _pieces(soup: BeautifulSoup) -> Iterator[tuple[int, str | None]]:
    """Quote depth and text of each piece; None for a line break. Without recursion: mail nests as deep as it likes."""
    quotes = 0
    open_tags: list[tuple[Tag, Iterator[PageElement]]] = [(soup, iter(soup.contents))]
    while open_tags:
        tag, rest = open_tags[-1]
        element = next(rest, None)
        if element is None:
            open_tags.pop()
            if tag.name in _BLOCKS:
                yield quotes, None
                quotes -= tag.name == "blockquote"
        elif isinstance(element, Tag):
            if element.name in _UNSEEN:
                continue
            if element.name in _BLOCKS or element.name == "br":
                yield quotes, None
                quotes += element.name == "blockquote"
            open_tags.append((element, iter(element.contents)))
        elif isinstance(element, NavigableString) and not isinstance(element, PreformattedString):  # comments and such
            yield quotes, str(element)
