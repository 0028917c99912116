"""The labelled tickets that the starter model learns from, and any other labelled text set.

CorpusError
    └── a file or row cannot be used; the message names file, line and field
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from classifier.features import feature_text
from classifier.taxonomy import Taxonomy
from desk.tabular import open_table
from training.fitting import Labelled

STARTER_CORPUS = Path(__file__).parent / "corpus"
FROZEN_SHARE = 6
"""One group in so many is frozen: never learned from, only measured on."""
SHOWN_MISTAKES = 20
_KEYS = {"id", "channel", "subject", "body", "indirect", "secondary", "group"}


class CorpusError(ValueError):
    """Labelled data cannot be read."""


@dataclass(frozen=True)
class Example:
    """One labelled ticket. ``group`` ties tickets that must not be split between training and measuring.

    ``secondary`` are the other reasons that it asks for, primary ones apart; None where nobody looked for any.
    """

    id: str
    reason: str
    locale: str
    channel: str
    subject: str
    body: str
    group: str
    indirect: bool = False
    secondary: tuple[str, ...] | None = None

    @property
    def frozen(self) -> bool:
        """Whether the ticket belongs to the frozen set; depends on the group alone, so it never changes."""
        digest = hashlib.sha256(self.group.encode()).digest()
        return int.from_bytes(digest[:8], "big") % FROZEN_SHARE == 0

    @property
    def text(self) -> str:
        """What the model reads."""
        return feature_text(self.subject, self.body)


def load_corpus(folder: Path, taxonomy: Taxonomy) -> list[Example]:
    """Every ticket of ``<folder>/<locale>/<reason>.jsonl``, all mistakes reported at once. Raises `CorpusError`."""
    examples: list[Example] = []
    mistakes: list[str] = []
    for path in sorted(folder.glob("*/*.jsonl")):
        locale, reason = path.parent.name, path.stem
        if reason not in taxonomy:
            mistakes.append(f"{path}: '{reason}' is no contact reason of the taxonomy; rename the file")
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            mistakes.append(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8")
            continue
        for number, line in enumerate(text.removesuffix("\n").split("\n") if text else (), start=1):
            try:
                examples.append(_example(json.loads(line), reason, locale, taxonomy))
            except (ValueError, TypeError) as error:
                mistakes.append(f"{path}:{number}: {error}")
    if not examples and not mistakes:
        mistakes.append(f"{folder}: no <locale>/<reason>.jsonl files with tickets")
    seen: dict[str, str] = {}
    for example in examples:
        if example.id in seen:
            mistakes.append(f"id '{example.id}' is used by {seen[example.id]} and {example.locale}/{example.reason}")
        seen[example.id] = f"{example.locale}/{example.reason}"
    if mistakes:
        raise corpus_error(mistakes)
    return examples


def corpus_error(mistakes: Sequence[str]) -> CorpusError:
    """One error for all mistakes of labelled data, the first `SHOWN_MISTAKES` named."""
    more = f"\n... and {len(mistakes) - SHOWN_MISTAKES} more" if len(mistakes) > SHOWN_MISTAKES else ""
    return CorpusError("\n".join(mistakes[:SHOWN_MISTAKES]) + more)


def _example(row: Any, reason: str, locale: str, taxonomy: Taxonomy) -> Example:
    if not isinstance(row, dict):
        raise TypeError("a line must be a JSON object")
    if unknown := set(row) - _KEYS:
        raise ValueError(f"unknown field {', '.join(sorted(unknown))}")
    for field in ("id", "channel", "body"):
        if not isinstance(row.get(field), str) or not row[field].strip():
            raise ValueError(f"field '{field}' must be a text")
    for field in ("subject", "group"):
        if not isinstance(row.get(field), str | None):
            raise ValueError(f"field '{field}' must be a text")
    if not isinstance(row.get("indirect", False), bool):
        raise ValueError("field 'indirect' must be true or false")
    if not isinstance(row.get("secondary", []), list):
        raise ValueError("field 'secondary' must be a list of reasons")
    secondary = tuple(row["secondary"]) if "secondary" in row else None
    if wrong := [reason_id for reason_id in secondary or () if reason_id not in taxonomy]:
        raise ValueError(f"field 'secondary' names unknown reasons {wrong}")
    return Example(
        id=row["id"],
        reason=reason,
        locale=locale,
        channel=row["channel"],
        subject=row.get("subject") or "",
        body=row["body"],
        group=row.get("group") or row["id"],
        indirect=bool(row.get("indirect", False)),
        secondary=secondary,
    )


def as_labelled(examples: Sequence[Example]) -> Labelled:
    """Training input from examples."""
    return Labelled(
        tuple(example.text for example in examples),
        tuple(example.reason for example in examples),
        tuple(example.group for example in examples),
        tuple(example.secondary for example in examples),
    )


def text_group(text: str) -> str:
    """The group of a text that nothing else ties to others: equal texts share it."""
    return hashlib.sha256(text.lower().encode("utf-8", "surrogatepass")).hexdigest()


def load_labelled(path: Path, text: str, label: str) -> list[Example]:
    """Any labelled CSV or JSON Lines file with a text and a label column. Raises `CorpusError`, `TableError`.

    A column ``language`` or ``locale`` gives figures per language; equal texts share a group.
    """
    table = open_table(path)
    for wanted in (text, label):
        if wanted not in table.columns:
            raise CorpusError(f"{path}: no column '{wanted}'; found {', '.join(table.columns)}")
    examples, mistakes = [], []
    for row in table.rows():
        words, reason = row.values.get(text, "").strip(), row.values.get(label, "").strip()
        if row.problem:
            mistakes.append(f"{path}:{row.line}: {row.problem.reason}")
        elif not words or not reason:
            mistakes.append(f"{path}:{row.line}: '{label if words else text}' is empty; fill it or remove the row")
        else:
            locale = row.values.get("language") or row.values.get("locale") or ""
            examples.append(Example(f"{path.stem}-{row.line}", reason, locale, "", "", words, text_group(words)))
    if mistakes:
        raise corpus_error(mistakes)
    if not examples:
        raise CorpusError(f"{path}: no rows")
    return examples
