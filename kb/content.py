"""A folder of `<locale>/<id>.md` files with front matter, read so that all mistakes show at once.

DataFileError (classifier.datafile)
    └── ContentError   one or more files of a content folder cannot be used; one line per mistake
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from classifier.datafile import DataFileError, load_front_matter, load_yaml, read_text
from classifier.taxonomy import Taxonomy, starter_taxonomy

ANY_MARKETPLACE = "any"
STARTER_CONTENT = Path(__file__).parent / "starter"
MARKETPLACES = Path(__file__).parent / "data" / "marketplaces.yaml"


class ContentError(DataFileError):
    """Files of a content folder cannot be used; the message has one ``path:line: field: mistake`` per line."""

    def __init__(self, mistakes: list[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(mistakes))


class Marketplaces(BaseModel):
    """The data file ``marketplaces.yaml``: which marketplaces content may name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    marketplaces: frozenset[str]


@cache
def known_marketplaces() -> frozenset[str]:
    """The shipped marketplace ids, `any` among them."""
    return load_yaml(MARKETPLACES, Marketplaces).marketplaces


class FrontMatter(BaseModel):
    """Fields that articles and macros share."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    reason: str
    locale: str = Field(pattern=r"^[a-z]{2}$")
    title: str = Field(min_length=1)
    marketplace: tuple[str, ...] = Field(min_length=1)
    version: int = Field(ge=1)

    @field_validator("marketplace")
    @classmethod
    def _any_stands_alone(cls, marketplace: tuple[str, ...]) -> tuple[str, ...]:
        if ANY_MARKETPLACE in marketplace and len(marketplace) > 1:
            raise ValueError(f"'{ANY_MARKETPLACE}' stands alone")
        return marketplace


Meta = TypeVar("Meta", bound=FrontMatter)


@dataclass(frozen=True)
class Document(Generic[Meta]):
    """One file of a content folder in one language; ``body_line`` is the 1-based line where its body starts."""

    fields: Meta
    body: str
    path: Path
    body_line: int

    @property
    def id(self) -> str:
        """The document's id, the same in all locales."""
        return self.fields.id

    @property
    def locale(self) -> str:
        """The document's language."""
        return self.fields.locale

    @property
    def reason(self) -> str:
        """The contact reason that it answers."""
        return self.fields.reason


Built = TypeVar("Built", bound=Document[Any])


def suits_marketplace(listed: tuple[str, ...], marketplace: str | None) -> bool:
    """Whether content listed for ``listed`` may be used on ``marketplace`` (None: wherever)."""
    return marketplace is None or ANY_MARKETPLACE in listed or marketplace in listed


def field_line(path: Path, field: str) -> int:
    """1-based line of a top-level front matter field of ``path``; 1 where it is not written."""
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if re.match(rf"{re.escape(field)}\s*:", line):
            return number
    return 1


def read_document(path: Path, schema: type[Meta]) -> tuple[Meta, str, int]:
    """Front matter, body without surrounding blank lines, and the 1-based line where that body starts.

    Raises `DataFileError`.
    """
    meta, body, first = load_front_matter(path, schema)
    lines = read_text(path).splitlines()
    while first <= len(lines) and not lines[first - 1]:
        first += 1
    return meta, body, first


def load_folder(
    directory: Path,
    schema: type[Meta],
    build: Callable[[Meta, str, Path, int], Built],
    taxonomy: Taxonomy | None = None,
) -> list[Built]:
    """Every document of ``directory``, ordered by locale and id.

    ``build`` makes one document of (front matter, body, path, first body line) and may raise `DataFileError`.
    Raises `ContentError` with the mistakes of all files.
    """
    taxonomy = taxonomy or starter_taxonomy()
    if not directory.is_dir():
        raise ContentError([f"{directory}: no such folder; expected <locale>/<id>.md files in it"])
    mistakes: list[str] = [
        f"{path}: lies outside of a locale folder; move it to {directory}/<locale>/{path.name}"
        for path in sorted(directory.glob("*.md"))
        if path.stem.lower() != "readme"
    ]
    built: list[Built] = []
    seen: dict[tuple[str, str], Path] = {}
    for path in sorted(directory.glob("*/*.md")):
        try:
            meta, body, line = read_document(path, schema)
            found = list(_misplaced(meta, path, taxonomy))
            if (twin := seen.setdefault((meta.id, meta.locale), path)) != path:
                found.append(f"{path}:{field_line(path, 'id')}: id: {meta.id} in {meta.locale} is also in {twin}")
            mistakes += found
            built.append(build(meta, body, path, line))
        except DataFileError as error:
            mistakes += str(error).splitlines()
    if mistakes:
        raise ContentError(mistakes)
    return sorted(built, key=lambda document: (document.locale, document.id))


def place_mistakes(meta: FrontMatter, taxonomy: Taxonomy) -> Iterator[tuple[str, str]]:
    """(field, mistake) where front matter names a reason, a locale or a marketplace that nobody knows."""
    if meta.reason not in taxonomy:
        yield "reason", f"unknown reason '{meta.reason}'; known: {', '.join(taxonomy.ids)}"
    if meta.locale not in taxonomy.locales:
        yield "locale", f"unknown locale '{meta.locale}'; known: {', '.join(taxonomy.locales)}"
    if unknown := sorted(set(meta.marketplace) - known_marketplaces()):
        yield "marketplace", f"unknown {', '.join(unknown)}; known: {', '.join(sorted(known_marketplaces()))}"


def _misplaced(meta: FrontMatter, path: Path, taxonomy: Taxonomy) -> Iterator[str]:
    def at(field: str) -> str:
        return f"{path}:{field_line(path, field)}: {field}:"

    for field, mistake in place_mistakes(meta, taxonomy):
        yield f"{at(field)} {mistake}"
    if meta.locale != path.parent.name:
        yield f"{at('locale')} '{meta.locale}' lies in the folder '{path.parent.name}'"
    if meta.id != path.stem:
        yield f"{at('id')} '{meta.id}' differs from the file name '{path.name}'"
