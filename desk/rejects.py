"""The file of refused rows: line number (in a workbook `sheet!row`), field, reason and the row as it was."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from desk.tabular import Problem, Row, TableError
from desk.text_encoding import show_bytes

COLUMNS = ("line", "field", "reason", "raw")


def rejects_path_for(path: Path) -> Path:
    """``export.csv`` -> ``export.rejects.csv`` beside it."""
    return path.with_name(f"{path.stem}.rejects.csv")


class RejectsFile:
    """Collects refused rows; the file appears under its name when the block ends, and only if there are any.

    Without refused rows, an older rejects file of the same name is left alone. Raises `TableError` when it
    cannot be written.
    """

    def __init__(self, path: Path, imported: Path) -> None:
        if path.exists() and path.samefile(imported):
            raise TableError(f"{path}: the rejects file would overwrite the imported file; choose another --rejects")
        self.path = path
        self.count = 0
        self._part = path.with_name(path.name + ".part")
        self._file: IO[str] | None = None
        self._writer: Any = None

    def __enter__(self) -> RejectsFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
            os.replace(self._part, self.path)

    def add(self, row: Row, problem: Problem) -> None:
        """Write one refused row."""
        try:
            if self._file is None:
                self._file = self._part.open("w", encoding="utf-8", newline="", errors="backslashreplace")
                self._writer = csv.writer(self._file)
                self._writer.writerow(COLUMNS)
            raw = show_bytes(row.raw.rstrip("\r\n"))
            self._writer.writerow((row.place, problem.field, show_bytes(problem.reason), raw))
        except OSError as error:
            raise TableError(f"{self.path}: cannot be written ({error.strerror}); choose another --rejects") from error
        self.count += 1
