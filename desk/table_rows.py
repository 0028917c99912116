"""Rows of a table of text, whatever file they come from, and what may be wrong with one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

ANY_FIELD = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row is refused; ``field`` is empty when it is the row as a whole."""

    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class Row:
    """One record. ``line`` is the 1-based line where it starts, in a workbook the row of ``sheet``.

    ``values`` is empty when there is a ``problem``.
    """

    line: int
    raw: str
    values: Mapping[str, str] = field(default_factory=dict)
    problem: Problem | None = None
    sheet: str | None = None

    @property
    def place(self) -> str:
        """Where it stands, for people: ``12``, or ``Tickets!12``."""
        return str(self.line) if self.sheet is None else f"{self.sheet}!{self.line}"


class Table(Protocol):
    """An open file. Iterate `rows` once; ``columns`` are the header's names as written, ``size`` its bytes."""

    path: Path
    notices: tuple[str, ...]
    size: int
    columns: tuple[str, ...]

    @property
    def bytes_read(self) -> int:
        """How far `rows` has come, of ``size``."""

    def rows(self) -> Iterator[Row]:
        """Every record after the header; blank ones are none."""


def column_key(name: str) -> str:
    """What makes two column names the same: letters and digits, whatever the case and the separators."""
    return " ".join("".join(ch if ch.isalnum() or ch == "." else " " for ch in name.casefold()).split())
