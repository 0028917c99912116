"""`paretodesk tag`: tickets in, JSON Lines out."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from classifier.tagger import Tag
from desk.tabular import Row, TableError, column_key, open_table
from service.bulk import tag_in_bulk
from service.console_output import fail, note, progress_bar
from service.settings import load_settings
from service.wiring import encoder_of, tagger_of

COLUMNS = ("id", "subject", "body", "channel", "order_id")
CHUNK = 512
MAX_BYTES = 1_048_576


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("tag")(tag)


def tag(
    file: Annotated[str, typer.Argument(help="CSV or JSON Lines with id, subject, body; - reads standard input")] = "-",
    text: Annotated[str, typer.Option(help="column with the message")] = "body",
) -> None:
    """Tag tickets: one JSON object per ticket on standard output.

    Rows that cannot be read are named on standard error with line and reason; the others are tagged and the
    exit code is 1.
    """
    settings = load_settings()
    with tempfile.TemporaryDirectory() as folder:
        path = _stdin(Path(folder)) if file == "-" else Path(file)
        table = open_table(path, known_columns=frozenset(map(column_key, (*COLUMNS, text))))
        names = {column_key(column): column for column in table.columns}
        if column_key(text) not in names:
            fail(f"{file}: no column '{text}'; found {', '.join(table.columns)}. Name the message's column with --text")
        for notice in table.notices:
            note(notice)
        tagger = tagger_of(settings, encoder_of(settings))
        if tagger.problem:
            note(f"every ticket is undecided: {tagger.problem}")
        rejected = 0
        with progress_bar() as step:
            for rows in _batches(table.rows()):
                good, bad = _split(rows, names, text)
                for line, reason in bad:
                    note(f"{file}:{line}: {reason}; row left out")
                rejected += len(bad)
                fields = [_fields(row, names, text) for row in good]
                for row, field, result in zip(
                    good, fields, tag_in_bulk(tagger, [(f["subject"], f["body"]) for f in fields]), strict=True
                ):
                    _write(field["id"] or str(row.line), field["order_id"], result)
                step("tagging", table.bytes_read, table.size)
    if rejected:
        note(f"{rejected} rows could not be read")
        raise typer.Exit(1)


def _stdin(folder: Path) -> Path:
    if sys.stdin.isatty():
        note("reading from the terminal; end with Ctrl-D")
    path = folder / "standard-input"
    with path.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    if path.stat().st_size == 0:
        raise TableError("standard input is empty; give a CSV or JSON Lines file with a column 'body'")
    return path


def _batches(rows: Iterator[Row]) -> Iterator[Sequence[Row]]:
    chunk: list[Row] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _split(rows: Sequence[Row], names: dict[str, str], text: str) -> tuple[list[Row], list[tuple[int, str]]]:
    good, bad = [], []
    for row in rows:
        fields = _fields(row, names, text)
        if row.problem:
            bad.append((row.line, row.problem.reason))
        elif not fields["body"].strip() and not fields["subject"].strip():
            bad.append((row.line, "there is no text"))
        elif len(fields["body"].encode()) > MAX_BYTES:
            bad.append((row.line, f"the text is longer than {MAX_BYTES:,} bytes"))
        else:
            good.append(row)
    return good, bad


def _fields(row: Row, names: dict[str, str], text: str) -> dict[str, str]:
    fields = {name: row.values.get(names.get(column_key(name), ""), "") for name in COLUMNS}
    fields["body"] = row.values.get(names[column_key(text)], "")
    return fields


def _write(ticket_id: str, order_id: str, result: Tag) -> None:
    record = {"id": ticket_id, **result.to_json()}
    if order_id:
        known = record["entities"].setdefault("order_id", [])
        if order_id not in known:
            known.insert(0, order_id)
    sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")
