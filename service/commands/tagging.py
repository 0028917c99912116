"""`paretodesk tag`: tickets in, JSON Lines out; `paretodesk explain`: why."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from classifier.explanation import explain
from classifier.features import feature_text
from classifier.tagger import Tag
from desk.tabular import Row, TableError, column_key, open_table
from service.bulk import tag_in_bulk
from service.console_output import fail, note, out, print_json, progress_bar
from service.settings import load_settings
from service.wiring import encoder_of, tagger_of

COLUMNS = ("id", "subject", "body", "channel", "order_id")
BATCH = 256
PARALLEL_FROM = 500_000
"""Bytes of a file from which starting one process per core pays."""
MAX_BYTES = 1_048_576


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("tag")(tag)
    app.command("explain")(explain_command)


def tag(
    file: Annotated[str, typer.Argument(help="CSV or JSON Lines with id, subject, body; - reads standard input")] = "-",
    text: Annotated[str, typer.Option(help="column with the message")] = "body",
    encoding: Annotated[str | None, typer.Option(help="when it is not found by itself")] = None,
    cluster: Annotated[str | None, typer.Option(help="a Dask scheduler, tcp://HOST:PORT, whose workers tag")] = None,
) -> None:
    """Tag tickets: one JSON object per ticket on standard output.

    Rows that cannot be read are named on standard error with line and reason; the others are tagged and the
    exit code is 1.
    """
    settings = load_settings()
    with tempfile.TemporaryDirectory() as folder:
        path = _stdin(Path(folder)) if file == "-" else Path(file)
        table = open_table(path, encoding=encoding, known_columns=frozenset(map(column_key, (*COLUMNS, text))))
        names = {column_key(column): column for column in table.columns}
        if column_key(text) not in names:
            fail(f"{file}: no column '{text}'; found {', '.join(table.columns)}. Name the message's column with --text")
        for notice in table.notices:
            note(notice)
        tagger = tagger_of(settings, encoder_of(settings))
        if tagger.problem:
            note(f"every ticket is undecided: {tagger.problem}")
        reader = _Reader(file, names, text)
        with progress_bar() as step:
            batches = reader.batches(table.rows())
            if cluster is None and table.size < PARALLEL_FROM:
                results: Iterable[list[Tag]] = map(tagger.tag_many, batches)
            else:
                results = tag_in_bulk(settings.models_store, settings.signing_key, batches, cluster=cluster)
            for tags in results:
                for record, result in zip(reader.waiting.popleft(), tags, strict=True):
                    _write(record["id"], record["order_id"], result)
                step("tagging", table.bytes_read, table.size)
    if reader.rejected:
        note(f"{reader.rejected} rows could not be read")
        raise typer.Exit(1)


def explain_command(
    body: Annotated[str, typer.Argument(help="the message")],
    subject: Annotated[str, typer.Option(help="its subject")] = "",
    json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Why a message gets its tag: the words and sentences that moved it, and the labelled tickets it resembles."""
    settings = load_settings()
    current = tagger_of(settings, encoder_of(settings))
    if current.tagger.model is None:
        fail(current.problem or "no model serves")
    text = feature_text(subject, body)
    if not text:
        fail("the message has no words of its own; give a text")
    why = explain(current.tagger.model, text)
    if json:
        print_json(why.to_json())
        return
    out.print(f"[bold]{why.label}[/] rather than {why.against}: log-odds {why.log_odds:+.2f}")
    for title, effects in (("word", why.words), ("sentence", why.sentences)):
        table = Table(title, "log-odds")
        for effect in effects:
            table.add_row(escape(effect.text), f"{effect.effect:+.2f}")
        if effects:
            out.print(table)
    table = Table("nearest labelled tickets", "label", "similarity")
    for ticket in why.nearest:
        table.add_row(escape(ticket.text), ticket.label, f"{ticket.similarity:.2f}")
    out.print(table)


def _stdin(folder: Path) -> Path:
    if sys.stdin.isatty():
        note("reading from the terminal; end with Ctrl-D")
    path = folder / "standard-input"
    with path.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    if path.stat().st_size == 0:
        raise TableError("standard input is empty; give a CSV or JSON Lines file with a column 'body'")
    return path


class _Reader:
    """Turns rows into batches for the tagger; ``waiting`` holds the fields of batches whose tags are not out yet."""

    def __init__(self, file: str, names: dict[str, str], text: str) -> None:
        self.file, self._names, self._text = file, names, text
        self.waiting: deque[list[dict[str, str]]] = deque()
        self.rejected = 0

    def batches(self, rows: Iterator[Row]) -> Iterator[list[tuple[str, str]]]:
        """(subject, body) of the rows that can be read; the others are named on standard error."""
        good = (fields for row in rows if (fields := self._fields(row)))
        while batch := list(islice(good, BATCH)):
            self.waiting.append(batch)
            yield [(fields["subject"], fields["body"]) for fields in batch]

    def _fields(self, row: Row) -> dict[str, str] | None:
        fields = {name: row.values.get(self._names.get(column_key(name), ""), "") for name in COLUMNS}
        fields["body"] = row.values.get(self._names[column_key(self._text)], "")
        problem = row.problem.reason if row.problem else _problem(fields)
        if problem:
            note(f"{self.file}:{row.line}: {problem}; row left out")
            self.rejected += 1
            return None
        return fields | {"id": fields["id"] or str(row.line)}


def _problem(fields: dict[str, str]) -> str | None:
    if not fields["body"].strip() and not fields["subject"].strip():
        return "there is no text"
    if len(fields["body"].encode()) > MAX_BYTES:
        return f"the text is longer than {MAX_BYTES:,} bytes"
    return None


def _write(ticket_id: str, order_id: str, result: Tag) -> None:
    record = {"id": ticket_id, **result.to_json()}
    if order_id:
        known = record["entities"].setdefault("order_id", [])
        if order_id not in known:
            known.insert(0, order_id)
    sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")
