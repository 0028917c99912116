"""CSV and JSON Lines files, and workbooks, as rows of text with line number, raw text and what is wrong with each."""

from __future__ import annotations

import csv
import json
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import IO, Any

from desk.table_rows import ANY_FIELD, Problem, Row, Table, column_key
from desk.text_encoding import UNDECODABLE, UNDECODABLE_HANDLER, TableError, detect_encoding, show_bytes
from desk.workbook import SheetTable, is_workbook

__all__ = ["Problem", "Row", "Table", "TableError", "column_key", "open_table"]

DELIMITERS = (",", ";", "\t", "|")
JSON_SUFFIXES = (".jsonl", ".ndjson")
PEEKED_OBJECTS = 200  # JSON Lines has no header: the columns are those of the first objects
MAX_RECORD_LINES = 50_000  # a quote that is still open after this is taken for a stray one
MAX_RECORD_CHARS = 8_000_000


class TextTable:
    """An open file. Iterate `rows` once; ``columns`` are the header's names as written."""

    def __init__(self, path: Path, encoding: str, notices: tuple[str, ...], known: frozenset[str]) -> None:
        self.path, self.encoding, self.notices = path, encoding, notices
        self.size = path.stat().st_size
        self._raw: BufferedReader | None = None
        with self._open() as file:
            first = next((line for line in file if line.strip()), "")
        self.is_json = path.suffix.lower() in JSON_SUFFIXES or first.lstrip().startswith("{")
        if first.lstrip().startswith("[") and path.suffix.lower() in (*JSON_SUFFIXES, ".json"):
            raise TableError(f"{path}: is one JSON array; write one object per line, for example with: jq -c '.[]'")
        if self.is_json:
            self.columns = self._peek()
            if not self.columns:
                raise TableError(f"{path}: no line of it is a JSON object; write one object per line (JSON Lines)")
        else:
            self._delimiter, self.columns = self._header(known)

    @property
    def bytes_read(self) -> int:
        """How far `rows` has come, of ``size``."""
        return self._raw.tell() if self._raw is not None and not self._raw.closed else self.size

    def rows(self) -> Iterator[Row]:
        """Every record after the header; blank lines are no records."""
        with self._open() as file:
            self._raw = file.buffer  # type: ignore[attr-defined]  # TextIOWrapper's own reader
            yield from self._objects(file) if self.is_json else self._records(_Lines(file))

    def _open(self) -> IO[str]:
        return self.path.open(encoding=self.encoding, errors=UNDECODABLE_HANDLER, newline="")

    # -- CSV -----------------------------------------------------------------------------------------------

    def _header(self, known: frozenset[str]) -> tuple[str, tuple[str, ...]]:
        """The delimiter that splits the header into the most known columns, then into the most columns."""

        def fit(delimiter: str) -> tuple[int, int]:
            columns = self._columns(delimiter)
            return len(known & {column_key(column) for column in columns}), len(columns)

        delimiter = max(DELIMITERS, key=fit)
        columns = self._columns(delimiter)
        if not columns:
            raise TableError(f"{self.path}: has no header line: the first line must name the columns")
        return delimiter, columns

    def _columns(self, delimiter: str) -> tuple[str, ...]:
        with self._open() as file:
            header = next(_split(_Lines(file), delimiter), None)
        cells = header.cells if header else None
        columns = [show_bytes(cell).strip().lstrip("\ufeff") for cell in cells or ()]
        while columns and not columns[-1]:
            columns.pop()
        return tuple(columns)

    def _records(self, lines: _Lines) -> Iterator[Row]:
        width = len(self.columns)
        records = _split(lines, self._delimiter)
        next(records)  # the header
        for record in records:
            cells = record.cells or []
            problem = record.problem or _damage(record.raw, self.encoding)
            if len(cells) < width or any(cell.strip() for cell in cells[width:]):
                if len(record.lines) > 1 and problem is None and self._width(record.lines[1]) == width:
                    # a stray quote swallowed good rows: refuse its line, read the others again
                    lines.give_back(record.lines[1:])
                    yield Row(record.line, record.lines[0], problem=_STRAY_QUOTE)
                    continue
                problem = problem or Problem(ANY_FIELD, f"has {len(cells)} columns, the header has {width}")
            if problem is not None:
                yield Row(record.line, record.raw, problem=problem)
            else:
                values: dict[str, str] = {}
                for column, cell in zip(self.columns, cells, strict=False):
                    values.setdefault(column, cell)
                yield Row(record.line, record.raw, values)

    def _width(self, line: str) -> int:
        return len(next(csv.reader([line], delimiter=self._delimiter), []))

    # -- JSON Lines ----------------------------------------------------------------------------------------

    def _objects(self, file: IO[str]) -> Iterator[Row]:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            problem = _damage(line, self.encoding)
            try:
                parsed = json.loads(line.lstrip("\ufeff")) if problem is None else {}
            except (ValueError, RecursionError) as error:
                parsed, problem = {}, Problem(ANY_FIELD, f"is not JSON: {getattr(error, 'msg', error)}")
            if problem is None and not isinstance(parsed, dict):
                problem = Problem(ANY_FIELD, f"is not a JSON object but {type(parsed).__name__}")
            if problem is not None:
                yield Row(number, line, problem=problem)
            else:
                yield Row(number, line, dict(_flatten(parsed)))

    def _peek(self) -> tuple[str, ...]:
        columns: dict[str, None] = {}
        for row in islice(self.rows(), PEEKED_OBJECTS):
            columns |= dict.fromkeys(row.values)
        self._raw = None
        return tuple(columns)


def open_table(
    path: Path, *, encoding: str | None = None, known_columns: Collection[str] = (), sheet: str | None = None
) -> Table:
    """Open a CSV or JSON Lines file or a workbook; ``known_columns`` help to tell the delimiter, sheet and header.

    ``sheet`` names one of a workbook. Raises `TableError` when the file is missing, empty, binary, or has no header.
    """
    known = frozenset(column_key(name) for name in known_columns)
    if is_workbook(path):
        return SheetTable(path, known, sheet)
    csv.field_size_limit(max(csv.field_size_limit(), 2 * MAX_RECORD_CHARS))
    detected = detect_encoding(path, encoding)
    if sheet is not None:
        raise TableError(f"{path}: is not a workbook, so it has no sheet {sheet!r}; leave --sheet out")
    notices = (detected.notice,) if detected.notice else ()
    return TextTable(path, detected.name, notices, known)


class _Lines:
    """Physical lines with their numbers, which can be given back."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._returned: deque[str] = deque()
        self.number = 0

    def take(self) -> str | None:
        line = self._returned.popleft() if self._returned else next(self._file, None)
        if line is not None:
            self.number += 1
        return line

    def give_back(self, lines: list[str]) -> None:
        self._returned.extendleft(reversed(lines))
        self.number -= len(lines)


@dataclass(slots=True)
class _Record:
    """A CSV record with the physical lines that it spans; ``cells`` is None when they cannot be split."""

    line: int
    lines: list[str]
    cells: list[str] | None = None
    problem: Problem | None = None

    @property
    def raw(self) -> str:
        return "".join(self.lines)


_STRAY_QUOTE = Problem(ANY_FIELD, "a quotation mark in this row is never closed")


def _split(lines: _Lines, delimiter: str) -> Iterator[_Record]:
    """Records of a CSV file, without blank ones.

    A quote that is never closed costs one line, not the rest.
    """
    while True:
        record = _Record(lines.number + 1, [])
        reader = csv.reader(_feed(lines, record), delimiter=delimiter, strict=True)
        try:
            record.cells = next(reader, None)
        except csv.Error as error:
            if len(record.lines) > 1:  # the quote that should close a field stands in the middle of another row
                record.problem = _STRAY_QUOTE
            elif record.problem is None:
                _split_leniently(record, delimiter, error)
        if not record.lines:
            return
        if record.problem is _STRAY_QUOTE:
            lines.give_back(record.lines[1:])
            record.lines, record.cells = record.lines[:1], None
        if lines.number == 1 and record.raw.strip().lower().startswith("sep=") and len(record.raw.strip()) == 5:
            continue  # Excel's hint about the delimiter
        if record.cells is not None and not any(cell.strip() for cell in record.cells):
            continue
        yield record


def _split_leniently(record: _Record, delimiter: str, error: csv.Error) -> None:
    """Unescaped quotes inside a cell of one line, as many exporters write them, are taken as they stand."""
    try:
        record.cells = next(csv.reader(record.lines, delimiter=delimiter), None)
    except csv.Error:
        record.problem = Problem(ANY_FIELD, f"cannot be split into columns: {error}")


def _feed(lines: _Lines, record: _Record) -> Iterator[str]:
    """Lines for one record.

    The reader asks for more only inside quotes, so running out means an unclosed one.
    """
    size = 0
    while len(record.lines) < MAX_RECORD_LINES and size < MAX_RECORD_CHARS:
        line = lines.take()
        if line is None:
            break
        record.lines.append(line)
        size += len(line)
        yield line
    if record.lines:
        record.problem = _STRAY_QUOTE


def _damage(raw: str, encoding: str) -> Problem | None:
    if bad := UNDECODABLE.search(raw):
        return Problem(ANY_FIELD, f"the byte {show_bytes(bad.group())} is not {encoding}")
    if "\x00" in raw:
        return Problem(ANY_FIELD, "contains a NUL byte")
    return None


def _flatten(parsed: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested objects as dotted names, values as text, null as empty."""
    for key, value in parsed.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        elif isinstance(value, list):
            yield f"{prefix}{key}", ", ".join(str(item) for item in value)
        else:
            yield f"{prefix}{key}", "" if value is None else str(value)
