"""What the command line prints: results to stdout, progress and messages to stderr."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

WIDTH_OF_FILES = 150
"""Columns of tables that go to a file or pipe, where there is no terminal to ask."""

out = Console(width=None if sys.stdout.isatty() else WIDTH_OF_FILES)
notes = Console(stderr=True)

Step = Callable[[str, int, int], None]


def print_json(data: Any) -> None:
    """Machine-readable output, exactly one JSON document."""
    sys.stdout.write(json.dumps(data, ensure_ascii=False, indent=2) + "\n")


def log_to_stderr() -> None:
    """Show warnings and errors of the log on stderr."""
    logging.getLogger("bm25s").setLevel(logging.WARNING)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")


def note(message: str) -> None:
    """A remark for the reader, not part of the result."""
    notes.print(escape(message), highlight=False, soft_wrap=True)


def fail(message: str, code: int = 2) -> NoReturn:
    """Stop with a message and an exit code."""
    notes.print(f"[bold red]error:[/] {escape(message)}", highlight=False, soft_wrap=True)
    raise typer.Exit(code)


def day_of(option: str, value: str | None) -> date | None:
    """The day that an option names; stops with a message when it is none."""
    if value is None:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        fail(f"{option} {value}: {error}; write a day such as 2026-01-31")


@contextmanager
def progress_bar() -> Iterator[Step]:
    """A bar on stderr for functions that report (what, done, total); each new ``what`` gets its own line."""
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=notes,
        transient=False,
    ) as bar:
        tasks: dict[str, TaskID] = {}

        def step(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done, total=total)

        yield step
