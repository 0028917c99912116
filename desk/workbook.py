"""Excel and OpenDocument workbooks (.xlsx, .xlsm, .xlsb, .xls, .ods) as rows of text.

What a cell means becomes text as the other parsers expect it: order ids without ``.0``, dates as ISO 8601. A
spreadsheet keeps 15 digits of a number, so that a longer id stored as one is damaged: its row is refused, not guessed.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from io import BytesIO
from pathlib import Path
from typing import Final, TypeAlias

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from desk.sheet_errors import error_cells
from desk.table_rows import Problem, Row, column_key
from desk.text_encoding import TableError

MAGIC: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""A zip archive (.xlsx, .xlsb, .ods) and an OLE container (.xls, and .xlsx under a password)."""
MAX_BYTES = 512 * 1024 * 1024
"""Of a workbook, packed or unpacked; a sheet's full 1,048,576 rows of tickets take about 300 MB."""
HEADER_WITHIN = 25
"""Rows; reports put a title, a period and a logo above their table."""
EXACT = 10**15
"""Numbers from here on lose digits in a spreadsheet."""

Cell: TypeAlias = int | float | str | bool | time | date | datetime | timedelta


def is_workbook(path: Path) -> bool:
    """Whether the file begins as a workbook does; False when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(4) in MAGIC
    except OSError:
        return False


class SheetTable:
    """The rows of one sheet; see `desk.table_rows.Table`.

    ``sheet`` names it; without a name it is the first visible one whose header has the most ``known`` columns. The
    header is the best fitting of the first rows. Raises `TableError`.
    """

    def __init__(self, path: Path, known: frozenset[str], sheet: str | None = None) -> None:
        self.path = path
        self.size = path.stat().st_size
        self.bytes_read = 0
        self._known = known
        data = _read(path)
        try:
            with CalamineWorkbook.from_filelike(BytesIO(data)) as book:
                self._take(book, sheet)
        except PasswordError as error:
            raise TableError(f"{path}: is protected by a password: save it without one") from error
        except CalamineError as error:
            raise TableError(
                f"{path}: cannot be read as an Excel workbook ({error}): export it as CSV (UTF-8)"
            ) from error
        self._errors = error_cells(data, self.sheet)

    def rows(self) -> Iterator[Row]:
        """Every row below the header that has a value, as text."""
        width = len(self._names)
        total = max(len(self._cells), 1)
        for number, cells in enumerate(self._cells[self._header + 1 :], start=self._header + 2):
            self.bytes_read = self.size * number // total
            texts = [text_of_cell(cell) for cell in cells[:width]]
            if any(texts) or any((number, self._left + at) in self._errors for at in range(width)):
                yield self._row(number, cells, texts)
        self.bytes_read = self.size

    def _row(self, number: int, cells: list[Cell], texts: list[str]) -> Row:
        values: dict[str, str] = {}
        problem = None
        for at, (column, text) in enumerate(zip(self._names, texts, strict=True)):
            if column and column_key(column) in self._known:
                problem = problem or _damage(column, cells[at], self._errors.get((number, self._left + at)))
            if column:
                values.setdefault(column, text)
        raw = "\t".join(text_of_cell(cell) for cell in cells)
        return Row(number, raw, {} if problem else values, problem, self.sheet)

    def _take(self, book: CalamineWorkbook, name: str | None) -> None:
        names = [
            meta.name
            for meta in book.sheets_metadata
            if meta.typ is SheetTypeEnum.WorkSheet and (name is not None or meta.visible is SheetVisibleEnum.Visible)
        ]
        if name is not None and name not in names:
            raise TableError(f"{self.path}: has no sheet {name!r}; its sheets are: {', '.join(names)}")
        best: tuple[int, int, str, list[list[Cell]], CalamineSheet] | None = None
        for candidate in [name] if name is not None else names:
            sheet = book.get_sheet_by_name(candidate)
            cells: list[list[Cell]] = list(sheet.iter_rows())
            found = self._find_header(cells)
            if found is not None and (best is None or found[0] > best[0]):
                best = (*found, candidate, cells, sheet)
        if best is None:
            raise TableError(f"{self.path}: has no header row: the first row of a sheet must name the columns")
        _, self._header, self.sheet, self._cells, chosen = best
        self._left = chosen.start[1] if chosen.start else 0
        self._fill_down(chosen)
        header = [text_of_cell(cell).strip() for cell in self._cells[self._header]]
        while header and not header[-1]:
            header.pop()
        self._names = header
        self.columns: tuple[str, ...] = tuple(name for name in header if name)
        others = [other for other in names if other != self.sheet]
        self.notices: tuple[str, ...] = ()
        if name is None and others:
            shown = ", ".join(others[:5]) + (", ..." if len(others) > 5 else "")
            self.notices = (f"{self.path.name}: read the sheet {self.sheet!r}; there are also: {shown} (--sheet NAME)",)

    def _find_header(self, cells: list[list[Cell]]) -> tuple[int, int] | None:
        """How many known columns the best header has, and its index; None for a sheet without a value."""
        best: tuple[int, int] | None = None
        for index, row in enumerate(cells[:HEADER_WITHIN]):
            names = {column_key(text_of_cell(cell)) for cell in row} - {""}
            if names and (best is None or len(names & self._known) > best[0]):
                best = (len(names & self._known), index)
        return best

    def _fill_down(self, sheet: CalamineSheet) -> None:
        """A cell that is merged over several rows holds for each of them."""
        for (top, left), (bottom, right) in sheet.merged_cell_ranges or []:
            at = left - self._left
            if left != right or top <= self._header or at < 0:
                continue
            for row in self._cells[top + 1 : bottom + 1]:
                if at < len(row) and row[at] == "":
                    row[at] = self._cells[top][at]


def text_of_cell(cell: Cell) -> str:
    """What the cell says, as the parsers of text read it."""
    match cell:
        case str():
            return cell.replace("_x000D_", "")  # how Excel writes a carriage return inside a cell
        case bool():
            return "true" if cell else "false"
        case float() if cell.is_integer():
            return str(int(cell))
        case datetime():
            return _whole_second(cell).isoformat(sep=" ")
        case timedelta():
            seconds = round(cell.total_seconds())
            return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        case date() | time():
            return cell.isoformat() if isinstance(cell, date) else cell.isoformat(timespec="seconds")
        case _:
            return repr(cell)


def _damage(column: str, cell: Cell, error: str | None) -> Problem | None:
    if error is not None:
        return Problem(column, f"holds {error}, the error of a formula")
    if isinstance(cell, float) and cell.is_integer() and abs(cell) >= EXACT:
        return Problem(
            column,
            f"the number {cell:.6g} is longer than the 15 digits that a spreadsheet keeps: format the column as text "
            "and export it again",
        )
    return None


def _whole_second(moment: datetime) -> datetime:
    return (moment + timedelta(microseconds=500_000)).replace(microsecond=0)


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= MAX_BYTES else b""
        if size <= MAX_BYTES and zipfile.is_zipfile(BytesIO(data)):
            with zipfile.ZipFile(BytesIO(data)) as archive:
                size = sum(info.file_size for info in archive.infolist())
    except (OSError, zipfile.BadZipFile) as error:
        raise TableError(f"{path}: cannot be read: {error}") from error
    if size > MAX_BYTES:
        raise TableError(f"{path}: holds {size:,} bytes; the limit is {MAX_BYTES:,}: export it as CSV (UTF-8)")
    return data
