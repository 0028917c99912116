"""Which cells of an .xlsx sheet hold the error of a formula (``#N/A``): the reader of workbooks gives them as empty."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from io import BytesIO
from xml.etree import ElementTree

_CELL = re.compile(
    rb'<(?:\w+:)?c\b(?=[^>]*\bt="e")(?=[^>]*\br="([A-Z]{1,3})(\d{1,7})")[^>]*>(?:(?!</(?:\w+:)?c>).)*?'
    rb"<(?:\w+:)?v>(#[^<]{1,20})<",
    re.DOTALL,
)
_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


def error_cells(workbook: bytes, sheet: str) -> Mapping[tuple[int, int], str]:
    """The errors by 1-based row and 0-based column; empty for other formats and where the parts cannot be told."""
    try:
        with zipfile.ZipFile(BytesIO(workbook)) as archive:
            part = _part_of(archive, sheet)
            data = archive.read(part) if part is not None else b""
    except (zipfile.BadZipFile, KeyError, ElementTree.ParseError):
        return {}
    if b't="e"' not in data:
        return {}
    return {(int(row), _column(letters.decode())): text.decode() for letters, row, text in _CELL.findall(data)}


def _part_of(archive: zipfile.ZipFile, sheet: str) -> str | None:
    book = _tree(archive.read("xl/workbook.xml"))
    ids = {found.get("name"): found.get(_RELATION) for found in book.iter(f"{_MAIN}sheet")}
    relations = _tree(archive.read("xl/_rels/workbook.xml.rels"))
    targets = {found.get("Id"): found.get("Target") or "" for found in relations}
    target = targets.get(ids.get(sheet))
    if target is None:
        return None
    return target.removeprefix("/") if target.startswith("/") else f"xl/{target}"


def _tree(data: bytes) -> ElementTree.Element:
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise ElementTree.ParseError("a workbook declares no entities")
    return ElementTree.fromstring(data)  # noqa: S314  # entities are refused above


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1
