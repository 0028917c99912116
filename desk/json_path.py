"""Where a value stands in a foreign JSON document: ``conversation.id``, ``messages[0].text``, ``fields[name=X].value``.

The few steps that mappings need: a member by name (``['with.dot']`` where the name has a dot), an item by number (from
the end with a minus), and the first object of a list whose member has a value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator

_STEP = re.compile(
    r"""\['(?P<quoted>[^']+)'\] | \[(?P<index>-?\d{1,6})\] | \[(?P<key>[^\[\]='.]+)=(?P<value>[^\[\]]*)\]
    | (?P<dot>^|\.)(?P<name>[^.\[\]]+)""",
    re.VERBOSE,
)


class NotTextError(ValueError):
    """An object or a list stands where a text is wanted; ``path`` says where."""

    def __init__(self, path: str, found: str) -> None:
        super().__init__(f"is {found}, not a text or a number")
        self.path = path


@dataclass(frozen=True, slots=True)
class _Where:
    key: str
    value: str


@lru_cache(maxsize=4096)
def _steps(path: str) -> tuple[str | int | _Where, ...]:
    text = path.removeprefix("$.")
    steps: list[str | int | _Where] = []
    at = 0
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None:
            raise ValueError(f"{path!r} is no path from {text[at:]!r} on; write such as 'conversation.id' or 'a[0].b'")
        if step["index"] is not None:
            steps.append(int(step["index"]))
        elif step["key"] is not None:
            steps.append(_Where(step["key"], step["value"]))
        else:
            steps.append(step["quoted"] or step["name"])
        at = step.end()
    if not steps:
        raise ValueError("the path is empty; write such as 'conversation.id'")
    return tuple(steps)


def checked_path(path: str) -> str:
    """``path`` if it can be read. Raises ValueError, which a schema reports with file and line."""
    _steps(path)
    return path


PathText = Annotated[str, AfterValidator(checked_path)]
"""A field of a schema that holds a path."""


def find(document: Any, path: str) -> Any:
    """What stands at ``path``; None where there is nothing."""
    found = document
    for step in _steps(path):
        found = _follow(found, step)
        if found is None:
            return None
    return found


def text_of(value: Any, path: str) -> str | None:
    """``value`` as text, without spaces around; None for null and for empty text. Raises `NotTextError`."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value).strip() or None
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    raise NotTextError(path, "an object" if isinstance(value, dict) else "a list")


def first_text(document: Any, paths: Sequence[str]) -> str | None:
    """The first text that stands at one of ``paths``. Raises `NotTextError`."""
    for path in paths:
        if (text := text_of(find(document, path), path)) is not None:
            return text
    return None


def _follow(value: Any, step: str | int | _Where) -> Any:
    if isinstance(step, str):
        return value.get(step) if isinstance(value, Mapping) else None
    if not isinstance(value, list):
        return None
    if isinstance(step, int):
        return value[step] if -len(value) <= step < len(value) else None
    return next((item for item in value if _fits(item, step)), None)


def _fits(item: Any, where: _Where) -> bool:
    member = item.get(where.key) if isinstance(item, Mapping) else None
    return not isinstance(member, dict | list) and text_of(member, where.key) == where.value
