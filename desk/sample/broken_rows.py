"""An export with every kind of broken row, for trying the rejects file."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence

Row = Mapping[str, str]


def dirty_csv(columns: Sequence[str], rows: Sequence[Row]) -> bytes:
    """The first of ``rows``, as a CSV file in UTF-8 in which every second one is broken in another way."""
    places = {column: place for place, column in enumerate(columns)}
    parts = [_line(list(columns))]
    kinds = list(KINDS.values())
    for number, row in enumerate(rows[: 2 * len(kinds)]):
        cells = [row.get(column, "") for column in columns]
        if number % 2 == 0:
            parts.append(_line(cells))
            continue
        parts.append(kinds[number // 2](cells, places))
    return b"".join(parts)


def _line(cells: Sequence[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()


def _with(column: str, value: str) -> Callable[[list[str], dict[str, int]], bytes]:
    def broken(cells: list[str], places: dict[str, int]) -> bytes:
        cells[places[column]] = value
        return _line(cells)

    return broken


def _without_text(cells: list[str], places: dict[str, int]) -> bytes:
    cells[places["Subject"]], cells[places["Message"]] = "", "   "
    return _line(cells)


def _cut_short(cells: list[str], places: dict[str, int]) -> bytes:
    return _line(cells[: places["Subject"]])


def _too_many(cells: list[str], places: dict[str, int]) -> bytes:
    return _line([*cells, "one", "too", "many"])


def _open_quote(cells: list[str], places: dict[str, int]) -> bytes:
    return _line(cells[: places["Message"]]).rstrip() + b',"my parcel never came,,,,,,\n'


def _wrong_byte(cells: list[str], places: dict[str, int]) -> bytes:
    cells[places["Message"]] = "Le café est arrivé cassé."
    return _line(cells).replace("é".encode(), b"\xe9")


def _nul_byte(cells: list[str], places: dict[str, int]) -> bytes:
    cells[places["Message"]] = "half a \x00 message"
    return _line(cells)


KINDS: Mapping[str, Callable[[list[str], dict[str, int]], bytes]] = {
    "a date in words": _with("Created At", "yesterday, about noon"),
    "no date": _with("Created At", ""),
    "a day that does not exist": _with("Created At", "2026-06-31 09:00:00"),
    "no text": _without_text,
    "columns missing": _cut_short,
    "too many columns": _too_many,
    "a quote that is never closed": _open_quote,
    "a byte that is not UTF-8": _wrong_byte,
    "resolved before it was created": _with("Resolved At", "2025-01-01 00:00:00"),
    "answered before it was created": _with("First Response At", "2025-01-01 00:00:00"),
    "a rating of seven": _with("CSAT", "7"),
    "a duration in words": _with("Handle Time (s)", "a while"),
    "a NUL byte": _nul_byte,
}
