"""Pictures in a message: which are logos, and what the others are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser

from kb.policy.kinds import Pictures
from kb.policy.lexicon import fold_with_origin
from kb.policy.message import Message

Span = tuple[int, int]

_MARKDOWN = re.compile(r"!\[(?P<alt>[^\]]*)\]\((?P<src>[^)\s]*)[^)]*\)")
_PRODUCT_HOST = re.compile(r"(?i)(?:https?://)?\S*(?:m\.)?media-amazon\.com/images/[^\s\"')]+")
_ADDRESS = re.compile(r"(?i)https?://|www\.|\b[a-z0-9-]+\.(?:com|net|org|shop|store|eu|de|fr|es|it|co\.uk|example)\b")
_INVISIBLE = re.compile(r"(?i)display\s*:\s*none|(?:width|height)\s*:\s*[01](?:px)?\s*(?:;|$)")
_PIXEL_SIZES = {"0", "1", "0px", "1px"}


@dataclass(frozen=True)
class _Picture:
    span: Span
    src: str
    alt: str
    linked: bool
    hidden: bool


class _Reader(HTMLParser):
    """Collects the pictures of an HTML text and whether each stands inside of a link."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.pictures: list[_Picture] = []
        self._links = 0
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", text))]
        # HTMLParser raises on a marked section that it does not know (`<![foo[`); no picture stands in its tag.
        self.feed(text.replace("<![", "   "))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Count links, keep pictures."""
        given = {name: (value or "").strip() for name, value in attrs}
        if tag == "a" and given.get("href"):
            self._links += 1
        elif tag == "img":
            line, column = self.getpos()
            start = self._line_starts[line - 1] + column
            self.pictures.append(
                _Picture(
                    (start, start + len(self.get_starttag_text() or "")),
                    given.get("src", ""),
                    " ".join((given.get("alt", ""), given.get("title", ""), given.get("class", ""))).strip(),
                    self._links > 0,
                    bool(_PIXEL_SIZES & {given.get("width", ""), given.get("height", "")})
                    or bool(_INVISIBLE.search(given.get("style", ""))),
                )
            )

    def handle_endtag(self, tag: str) -> None:
        """Leave a link."""
        if tag == "a" and self._links:
            self._links -= 1


def find_pictures(detector: Pictures, message: Message) -> Iterator[Span]:
    """The pictures that are of one of the detector's kinds."""
    for picture in _pictures(message.text):
        if _kind(picture, detector, message) in detector.of:
            yield picture.span
    if "product" in detector.of:
        for match in _PRODUCT_HOST.finditer(message.text):
            yield match.span()


def _pictures(text: str) -> Iterator[_Picture]:
    if "<img" in text.lower():
        yield from _Reader(text).pictures
    for match in _MARKDOWN.finditer(text):
        linked = text[: match.start()].endswith("[") and text[match.end() :].startswith("](")
        yield _Picture(match.span(), match["src"], match["alt"], linked, hidden=False)


def _kind(picture: _Picture, detector: Pictures, message: Message) -> str | None:
    """What a picture is; None for a logo without a link, the only one that is allowed."""
    if picture.hidden:
        return "pixel"
    if picture.src.lower().startswith("http:"):
        return "insecure"
    if "logo" in f"{picture.src} {picture.alt}".lower():
        remote = picture.src.lower().startswith("https:")
        return "linked_logo" if picture.linked or remote or _ADDRESS.search(picture.alt) else None
    shown = fold_with_origin(picture.alt)
    about = any(True for lexicon in message.lexicons for _ in lexicon.find(detector.decoration, shown))
    if about or _ADDRESS.search(picture.alt):
        return "decoration"
    return "product"
