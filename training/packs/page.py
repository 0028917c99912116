"""A training pack as Markdown and as one HTML page that prints well and needs nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from babel.dates import format_date
from babel.numbers import format_decimal, format_percent
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from classifier.taxonomy import Autonomy
from desk.report_page import TEMPLATES as SHARED
from kb.placeholders import slots
from training.packs.bank import wording
from training.packs.compose import Pack

TEMPLATES = Path(__file__).parent / "templates"
_BEFORE_COLON = re.compile(r"(?<=\S) (?=[:»])|(?<=«) (?=\S)|(?<=\d) (?=\d{3}\b|%|h\b|\u20ac)")
_BEFORE_HIGH = re.compile(r"(?<=\S) (?=[;!?])")
_STYLE = re.compile(r"(<style>.*?</style>)", re.S)
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|#])")


def render_markdown(pack: Pack, made_at: datetime | None = None) -> str:
    """The pack as Markdown; customers' words are quoted and inert."""
    text = _environment(pack, markdown=True).get_template("pack.md").render(_context(pack, made_at))
    text = re.sub(r"[ \t]+$", "", text, flags=re.M)
    return typeset(re.sub(r"\n{3,}", "\n\n", text).strip() + "\n", pack.language)


def render_html(pack: Pack, made_at: datetime | None = None) -> str:
    """The pack as one page: no script, no request; the answers of the quiz begin on a sheet of their own."""
    page = _environment(pack, markdown=False).get_template("pack.html").render(_context(pack, made_at))
    parts = _STYLE.split(page)
    return "".join(part if part.startswith("<style>") else typeset(part, pack.language) for part in parts)


def typeset(text: str, language: str) -> str:
    """French punctuation does not begin a line: no-break spaces before it, and inside numbers and quotes."""
    if language != "fr":
        return text
    return _BEFORE_HIGH.sub("\u202f", _BEFORE_COLON.sub("\u00a0", text))


def inert(text: str) -> str:
    """Words of customers and colleagues, none of which Markdown takes for its own."""
    return _MARKDOWN.sub(r"\\\1", text)


def quoted(text: str) -> str:
    """The text as a Markdown quotation, its lines kept."""
    lines = [inert(line.strip()) for line in text.strip().splitlines()]
    return "\n".join(f"> {line}  " if line else ">" for line in lines)


def _environment(pack: Pack, *, markdown: bool) -> Environment:
    environment = Environment(
        loader=FileSystemLoader([TEMPLATES, SHARED]),
        # Markdown is quoted by `inert`; a page is escaped by Jinja
        autoescape=not markdown,  # noqa: S701
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "inert": inert,
        "quoted": quoted,
        "lines": _lines,
        "marked": _marked,
        "percent": lambda share: format_percent(share, format="#,##0.0\u00a0%" if pack.language == "fr" else "#,##0.0%",
                                                locale=pack.language),
        "number": lambda number: format_decimal(number, locale=pack.language),
        "day": lambda day: format_date(day, format="long", locale=pack.language),
    }  # fmt: skip
    return environment


def _context(pack: Pack, made_at: datetime | None) -> dict[str, object]:
    words = wording(pack.language)

    def say(key: str, **values: object) -> str:
        return words[key].format(**values)

    return {
        "pack": pack,
        "say": say,
        "words": words,
        "about_cases": _about_cases(pack, say),
        "handed_over": pack.autonomy is Autonomy.HUMAN_ONLY,
        "closed": pack.autonomy is Autonomy.AUTO_CLOSE,
        "made_at": (made_at or datetime.now(UTC)).astimezone(UTC),
    }


def _about_cases(pack: Pack, say: Callable[..., str]) -> str:
    """Where the tickets come from, in a sentence that hides nothing."""
    count, real = len(pack.cases), sum(case.from_desk for case in pack.cases)
    if not count:
        return say("no_cases")
    key = "cases_real" if real == count else "cases_mixed" if real else "cases_written"
    return say(key, count=count, real=real, filled=count - real)


def _lines(text: str) -> Markup:
    """Text of a message with its line breaks, and placeholders that may be seen."""
    return Markup("<br>").join(escape(line.strip()) for line in text.strip().splitlines())


def _marked(body: str) -> Markup:
    """A macro's text with its placeholders marked."""
    parts: list[Markup] = []
    position = 0
    for slot in slots(body):
        parts += [escape(body[position : slot.start]), Markup("<mark>"), escape(body[slot.start : slot.end])]
        parts.append(Markup("</mark>"))
        position = slot.end
    return Markup("").join([*parts, escape(body[position:])])
