"""The mapping file of `kb import`: where the files of a help-centre export have what an article needs.

Every field takes sources that are tried in order. Each is one of `css` (a selector, with `attribute` for an attribute
of what it selects), `meta` (a key of Markdown front matter, or the name or property of a `<meta>` element),
`heading: true` (the first heading) or `path` (a regular expression over the file's path whose first group is the
value). `values` translates what was found; what it does not name stays as it is. `default` is taken where no source has
anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from soupsieve import SelectorSyntaxError
from soupsieve import compile as compile_selector

from classifier.datafile import PatternText
from kb.articles import Audience
from kb.content import ANY_MARKETPLACE


def _selector(css: str) -> str:
    try:
        compile_selector(css)
    except SelectorSyntaxError as error:
        raise ValueError(f"'{css}' is not a CSS selector") from error
    return css


Selector = Annotated[str, AfterValidator(_selector)]
"""A field of a schema that holds a CSS selector."""


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Source(_Data):
    """One place where a value may stand; exactly one of its kinds is given."""

    css: Selector | None = None
    attribute: str | None = None
    meta: str | None = None
    heading: bool = False
    path: PatternText | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if sum((self.css is not None, self.meta is not None, self.heading, self.path is not None)) != 1:
            raise ValueError("give exactly one of css, meta, heading, path")
        if self.attribute is not None and self.css is None:
            raise ValueError("attribute belongs to css")
        if self.path is not None and re.compile(self.path).groups < 1:
            raise ValueError("path needs a group (...), which is the value")
        return self


class FieldMap(_Data):
    """Where a field's value comes from, how it is translated, and what it is where nothing is found."""

    sources: tuple[Source, ...] = Field((), alias="from")
    values: Mapping[str, str] = Field(default_factory=dict)
    default: str | None = None


class BodyMap(_Data):
    """Which element of an HTML file is the article (the first selector that finds one), and what to leave out of it."""

    css: tuple[Selector, ...] = ("article", "main", "body")
    drop: tuple[Selector, ...] = ()


class ExportMap(_Data):
    """The mapping file. An `id` that is not mapped comes from the file's name."""

    title: FieldMap
    locale: FieldMap
    reason: FieldMap
    id: FieldMap = FieldMap()
    body: BodyMap = BodyMap()
    audience: Audience = Audience.CUSTOMER
    marketplace: tuple[str, ...] = (ANY_MARKETPLACE,)
    owner: str = Field(min_length=1)
