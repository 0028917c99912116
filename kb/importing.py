"""Articles of another help centre (its export as HTML or Markdown files) as drafts of ours.

HelpCentreError   the import cannot begin; what is wrong with single files is reported instead
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from bs4 import BeautifulSoup, Tag
from markdownify import ATX, markdownify
from pydantic import BaseModel, ConfigDict, ValidationError

from classifier.datafile import FRONT_MATTER_FENCE, DataFileError, load_front_matter, read_text
from classifier.taxonomy import Taxonomy
from kb.articles import ArticleFields, ArticleStatus, build_article
from kb.content import place_mistakes
from kb.export_map import ExportMap, FieldMap, Source

_HTML = frozenset({".html", ".htm", ".xhtml"})
_MARKDOWN = frozenset({".md", ".markdown"})
_NOT_SAID = ("script", "style", "noscript", "template", "iframe", "form", "nav", "svg")
_REVIEW_DAYS = 180
_SECTION_LEVEL = 2
_HEADING = re.compile(r"^(#{1,6})[ \t]+(.*?)[ \t]*#*$")
_FENCE = re.compile(r"^ {0,3}(```|~~~)")
_PICTURE = re.compile(r"!\[([^\]]*)\]\([^)]*\)")


class HelpCentreError(ValueError):
    """The import cannot begin; the message says what to do."""


@dataclass(frozen=True)
class Imported:
    """What became of one exported file: where it was written, or why it was not."""

    source: Path
    target: Path | None
    problems: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data with stable keys."""
        target = str(self.target) if self.target else None
        return {"source": str(self.source), "target": target, "problems": list(self.problems)}


@dataclass(frozen=True)
class _Page:
    """One exported file as far as it is understood: its body as Markdown, and where to look a source up."""

    markdown: str
    look_up: Callable[[Source], str | None]


class _AnyMeta(BaseModel):
    model_config = ConfigDict(extra="allow")


def import_articles(
    source: Path, mapping: ExportMap, out: Path, taxonomy: Taxonomy, *, today: dt.date, force: bool = False
) -> list[Imported]:
    """Write ``out/<locale>/<id>.md`` as a draft for every HTML or Markdown file of ``source`` (a file or a folder).

    Headings, lists, tables and links stay; of a picture its alternative text stays. An article that is there already
    is written over only with ``force``. A file that makes no valid article is not written, and says why.
    Raises `HelpCentreError` where there is nothing to read.
    """
    files = [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file())
    files = [path for path in files if path.suffix.lower() in _HTML | _MARKDOWN]
    if not files:
        raise HelpCentreError(f"{source}: no HTML or Markdown file there; give the unpacked export")
    root = source if source.is_dir() else source.parent
    imported: list[Imported] = []
    written: dict[Path, Path] = {}
    for path in files:
        result = _import_one(path, path.relative_to(root), mapping, out, taxonomy, today, force, written)
        imported.append(result)
        if result.target:
            written[result.target] = path
    return imported


def _import_one(
    path: Path,
    name: Path,
    mapping: ExportMap,
    out: Path,
    taxonomy: Taxonomy,
    today: dt.date,
    force: bool,
    written: dict[Path, Path],
) -> Imported:
    try:
        page = _html_page(path, name, mapping) if path.suffix.lower() in _HTML else _markdown_page(path, name)
    except DataFileError as error:
        return Imported(path, None, tuple(str(error).splitlines()))
    found, problems = {}, []
    for field, field_map in (("title", mapping.title), ("locale", mapping.locale), ("reason", mapping.reason)):
        value = _value(field_map, page)
        if value is None:
            problems.append(f"{path}: {field}: no source of the mapping has it; add one or a default")
        found[field] = value
    if problems:
        return Imported(path, None, tuple(problems))
    article_id = _slug(_value(mapping.id, page) or name.stem)
    title = str(found["title"])
    body = _sections(page.markdown, title)
    target = out / str(found["locale"]) / f"{article_id}.md"
    front = {
        "id": article_id,
        "reason": found["reason"],
        "locale": found["locale"],
        "title": title,
        "audience": mapping.audience.value,
        "marketplace": list(mapping.marketplace),
        "status": ArticleStatus.DRAFT.value,
        "version": 1,
        "reviewed": today,
        "review_by": today + dt.timedelta(days=_REVIEW_DAYS),
        "owner": mapping.owner,
    }
    problems = list(_unusable(front, body, path, taxonomy))
    if (twin := written.get(target)) is not None:
        problems.append(f"{path}: id: {article_id} in {found['locale']} was made of {twin.name} already; map the id")
    elif target.exists() and not force:
        problems.append(f"{path}: {target} is there already; --force writes over it")
    if problems:
        return Imported(path, None, tuple(problems))
    head = yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=10_000)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(f"{FRONT_MATTER_FENCE}\n{head}{FRONT_MATTER_FENCE}\n{body}\n", encoding="utf-8")
    return Imported(path, target, ())


def _unusable(front: dict[str, Any], body: str, path: Path, taxonomy: Taxonomy) -> Iterator[str]:
    try:
        fields = ArticleFields.model_validate(front)
    except ValidationError as error:
        for wrong in error.errors():
            yield f"{path}: {'.'.join(map(str, wrong['loc']))}: {wrong['msg']}"
        return
    for field, mistake in place_mistakes(fields, taxonomy):
        yield f"{path}: {field}: {mistake}"
    try:
        build_article(fields, body, path, 1)
    except DataFileError as error:
        yield from str(error).splitlines()


def _html_page(path: Path, name: Path, mapping: ExportMap) -> _Page:
    soup = BeautifulSoup(path.read_bytes(), "html.parser")

    def look_up(source: Source) -> str | None:
        if source.css:
            element = soup.select_one(source.css)
            if element is None:
                return None
            said = element.get(source.attribute) if source.attribute else element.get_text(" ")
            return " ".join(said) if isinstance(said, list) else said
        if source.meta:
            meta = soup.find("meta", attrs={"name": source.meta}) or soup.find("meta", attrs={"property": source.meta})
            return str(meta.get("content") or "") if isinstance(meta, Tag) else None
        if source.heading:
            heading = soup.find(["h1", "h2", "h3"])
            return heading.get_text(" ") if heading else None
        return _in_path(source, name)

    body = next((found for css in mapping.body.css if (found := soup.select_one(css))), None)
    if body is None:
        raise DataFileError(f"{path}: body: no element for {', '.join(mapping.body.css)}; mend body.css of the mapping")
    # Values are looked up in the whole page, so the body is a copy before anything is taken out of it.
    inner = BeautifulSoup(str(body), "html.parser")
    for css in (*_NOT_SAID, *mapping.body.drop):
        for element in inner.select(css):
            element.decompose()
    for picture in inner.find_all("img"):
        picture.replace_with(str(picture.get("alt") or ""))
    markdown = markdownify(str(inner), heading_style=ATX, bullets="-", table_infer_header=True, autolinks=False)
    return _Page(markdown, look_up)


def _markdown_page(path: Path, name: Path) -> _Page:
    text = read_text(path)
    meta: dict[str, Any] = {}
    if text.splitlines()[:1] == [FRONT_MATTER_FENCE]:
        front, text, _ = load_front_matter(path, _AnyMeta)
        meta = dict(front.model_extra or {})

    def look_up(source: Source) -> str | None:
        if source.meta:
            value = meta.get(source.meta)
            return None if value is None else str(value)
        if source.heading:
            return next((heading[2] for heading in _headings(text)), None)
        return _in_path(source, name)

    return _Page(text, look_up)


def _value(field: FieldMap, page: _Page) -> str | None:
    for source in field.sources:
        if found := " ".join((page.look_up(source) or "").split()):
            return field.values.get(found, found)
    return field.default


def _in_path(source: Source, name: Path) -> str | None:
    found = re.search(source.path, name.as_posix()) if source.path else None
    return found[1] if found else None


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9_]+", "-", plain).strip("-_")


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    """Each line, and whether it is prose and not part of fenced code."""
    fence = None
    for line in text.splitlines():
        mark = _FENCE.match(line)
        if mark and fence in {None, mark[1]}:
            fence = None if fence else mark[1]
            yield line, False
        else:
            yield line, fence is None


def _headings(text: str) -> Iterator[re.Match[str]]:
    return (found for line, prose in _lines(text) if prose and (found := _HEADING.match(line)))


def _sections(markdown: str, title: str) -> str:
    """``markdown`` without the heading that repeats the title; its highest headings become sections, pictures words."""
    levels = [len(heading[1]) for heading in _headings(markdown) if heading[2] != title]
    shift = _SECTION_LEVEL - min(levels, default=_SECTION_LEVEL)
    lines = []
    for line, prose in _lines(markdown):
        if not prose:
            lines.append(line)
        elif heading := _HEADING.match(line):
            if heading[2] != title:
                lines.append(f"{'#' * min(6, len(heading[1]) + shift)} {heading[2]}")
        else:
            lines.append(_PICTURE.sub(r"\1", line).rstrip())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
