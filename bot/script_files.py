"""Reads a folder of scripted conversations and holds them against each other and against the knowledge base.

DataFileError (classifier.datafile)
    └── ScriptError    scripts that do not fit together, or that name what does not exist; ``path:line: ...``
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import yaml

from bot.script import MACRO, Script, ScriptFile, nearest
from classifier.datafile import DataFileError, parse_yaml, read_text
from kb.knowledge import KnowledgeBase

STARTER_SCRIPTS = Path(__file__).parent / "scripts"
_RELATIVE_DAY = re.compile(r"today([+-]\d{1,4})?")


class ScriptError(DataFileError):
    """Scripts that do not fit together or name what does not exist."""


@dataclass(frozen=True)
class Placed:
    """A conversation with where it stands: ``lines`` are those of its turns, from 1."""

    script: Script
    path: Path
    line: int
    lines: tuple[int, ...]

    def at(self, turn: int | None = None) -> str:
        """``path:line`` of the conversation, or of one of its turns (from 0)."""
        return f"{self.path}:{self.line if turn is None else self.lines[turn]}"


@dataclass(frozen=True)
class Scripts:
    """All conversations of a folder, and all orders: facts by order id, days as ISO dates."""

    conversations: tuple[Placed, ...]
    orders: Mapping[str, Mapping[str, str]]


def load_scripts(folder: Path, knowledge: KnowledgeBase, today: date | None = None) -> Scripts:
    """Every conversation below ``folder``; ``today+3`` and the like in orders count from ``today``.

    Raises `DataFileError` (a file) and `ScriptError` (files together, or a name that ``knowledge`` does not have).
    """
    paths = sorted([*folder.rglob("*.yaml"), *folder.rglob("*.yml")]) if folder.is_dir() else []
    if not paths:
        missing = "there is no such folder" if not folder.is_dir() else "holds no .yaml file"
        raise ScriptError(f"{folder}: {missing}; name a folder with scripted conversations")
    placed: list[Placed] = []
    orders: dict[str, Mapping[str, str]] = {}
    for path in paths:
        text = read_text(path)
        file = parse_yaml(text, ScriptFile, path)
        if again := sorted(orders.keys() & file.orders.keys()):
            raise ScriptError(f"{path}:1: orders: {', '.join(again)}: another file has this order too; rename one")
        orders |= {order: _on_days(facts, today or date.today()) for order, facts in file.orders.items()}
        placed += [Placed(script, path, *where) for script, where in zip(file.conversations, _lines(text), strict=True)]
    if mistakes := [*_twice(placed), *_unknown(placed, orders, knowledge)]:
        raise ScriptError("\n".join(mistakes))
    if not placed:
        raise ScriptError(f"{folder}: its files hold no conversation")
    return Scripts(tuple(placed), orders)


def _on_days(facts: Mapping[str, str], today: date) -> dict[str, str]:
    def day(value: str) -> str:
        found = _RELATIVE_DAY.fullmatch(value)
        return (today + timedelta(days=int(found[1] or 0))).isoformat() if found else value

    return {name: day(value) for name, value in facts.items()}


def _lines(text: str) -> list[tuple[int, tuple[int, ...]]]:
    """Where each conversation and each of its turns begins, from 1."""
    root: Any = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    listed = _child(root, "conversations")
    found = []
    for node in listed.value if listed else []:
        turns = _child(node, "turns")
        found.append((node.start_mark.line + 1, tuple(turn.start_mark.line + 1 for turn in turns.value)))
    return found


def _child(node: Any, name: str) -> Any:
    return next((value for key, value in node.value if key.value == name), None)


def _twice(placed: Sequence[Placed]) -> Iterator[str]:
    seen: dict[str, Placed] = {}
    for one in placed:
        first = seen.setdefault(one.script.id, one)
        if first is not one:
            yield f"{one.at()}: id: {one.script.id!r} is already in {first.at()}; give this one another id"


def _unknown(
    placed: Sequence[Placed], orders: Mapping[str, Mapping[str, str]], knowledge: KnowledgeBase
) -> Iterator[str]:
    names = {article.id for article in knowledge.articles} | {f"{MACRO}{macro.id}" for macro in knowledge.macros}
    names |= {passage.id.split("/", 1)[-1] for passage in knowledge.passages}
    for one in placed:
        rights = [(None, one.script.right), *((i, turn.expect.right or ()) for i, turn in enumerate(one.script.turns))]
        for turn, right in rights:
            for name in right:
                if name not in names:
                    yield f"{one.at(turn)}: right: no article, section or macro {name!r}{nearest(name, names)}"
        for number, step in enumerate(one.script.turns):
            if step.proves is not None and step.proves not in orders:
                yield f"{one.at(number)}: proves: no order {step.proves!r}{nearest(step.proves, orders)}"
