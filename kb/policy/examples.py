"""Sentences that break a rule, look-alikes that do not, and ordinary ones: what the sentence model learns from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from classifier.datafile import DataFileError, read_text
from kb.macros import MacroKind

STARTER_EXAMPLES = Path(__file__).parent / "examples"
ORDINARY = "none"
"""Instead of a rule: the sentence is about none."""


class PolicyExample(BaseModel):
    """One or two sentences and the rule that they break or seem to break; see examples/README.md."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1)
    rule: str = Field(pattern=r"^(R\d\d|none)$")
    violates: bool
    kind: MacroKind
    text: str = Field(min_length=1)
    listed: bool = False
    """The word lists were written with this text in sight: it teaches, but no threshold is chosen on it."""
    locale: str = Field(pattern=r"^[a-z]{2}$")

    @model_validator(mode="after")
    def _breaks_something(self) -> PolicyExample:
        if self.violates and self.rule == ORDINARY:
            raise ValueError("an example that violates names the rule")
        return self


def load_examples(folders: Iterable[Path] = (STARTER_EXAMPLES,)) -> list[PolicyExample]:
    """All examples of ``<locale>.jsonl`` in ``folders``, in order of file and line.

    Raises `DataFileError` with the mistakes of all files: broken lines, an id or a text twice.
    """
    mistakes: list[str] = []
    found: list[PolicyExample] = []
    places: dict[str, str] = {}
    for path in (path for folder in folders for path in sorted(folder.glob("*.jsonl"))):
        for number, line in enumerate(read_text(path).split("\n"), start=1):
            if not line.strip():
                continue
            place = f"{path}:{number}"
            try:
                example = _read(line, path.stem)
            except ValidationError as error:
                first = error.errors()[0]
                mistakes.append(f"{place}: {'.'.join(map(str, first['loc'])) or 'line'}: {first['msg']}")
                continue
            for key in (f"id '{example.id}'", f"text '{example.text}'"):
                if key in places:
                    mistakes.append(f"{place}: {key} is there already, at {places[key]}; remove one")
                places[key] = place
            found.append(example)
    if mistakes:
        raise DataFileError("\n".join(mistakes))
    return found


def _read(line: str, locale: str) -> PolicyExample:
    stated = _Stated.model_validate_json(line)
    return PolicyExample(**stated.model_dump(), locale=locale)


class _Stated(BaseModel):
    """A line of a file; its language is the file's name."""

    model_config = ConfigDict(extra="forbid")

    id: str
    rule: str
    violates: bool
    kind: MacroKind
    text: str
    listed: bool = False


def examples_hash(examples: Sequence[PolicyExample]) -> str:
    """SHA-256 over what the examples say, whatever their order."""
    lines = sorted(example.model_dump_json() for example in examples)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
