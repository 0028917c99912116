"""The command line: `paretodesk ...`.

Exit codes: 0 done, 1 done with findings or rejects, 2 could not be done, 3 an alarm rang.
"""

from __future__ import annotations

import os
import sys

import typer

from service.commands import (
    access,
    autonomy,
    chatting,
    deskwork,
    emerging,
    erasing,
    jobs,
    knowledge,
    labels,
    learning,
    macros,
    mailbox,
    models,
    packs,
    reporting,
    retagging,
    retraining,
    routing,
    scheduling,
    service_levels,
    serving,
    shifting,
    snapshots,
    tagging,
)
from service.console_output import log_to_stderr, notes
from service.errors import EXPECTED

app = typer.Typer(
    help="Tag tickets, suggest answers, chat, report and retrain for marketplace sellers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for room in (
    tagging,
    retagging,
    learning,
    snapshots,
    retraining,
    scheduling,
    models,
    shifting,
    emerging,
    labels,
    knowledge,
    macros,
    chatting,
    autonomy,
    deskwork,
    reporting,
    packs,
    service_levels,
    routing,
    jobs,
    mailbox,
    access,
    erasing,
    serving,
):
    room.add_to(app)


def main() -> None:
    """Run a command; expected errors become one message on stderr and exit code 2, never a traceback."""
    log_to_stderr()
    try:
        app()
    except EXPECTED as error:
        notes.print("[bold red]error:[/]", end=" ")
        notes.print(str(error), markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)
    except BrokenPipeError:
        # The reader (head, less) has gone; nothing is left to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        reason = error.strerror or str(error)
        notes.print("[bold red]error:[/]", end=" ")
        notes.print(f"{where}{reason}; choose another file or folder", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)
    except (KeyboardInterrupt, typer.Abort):
        notes.print("stopped")
        sys.exit(130)


if __name__ == "__main__":
    main()
