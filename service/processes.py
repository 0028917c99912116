"""Several serving processes over one PostgreSQL: each opens everything for itself, and shares nothing but the database.

The first process opens the database, brings content in, watches what must be watched once, and starts the others.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

import uvicorn
from fastapi import FastAPI

from kb.knowledge import KnowledgeBase
from service import garbage
from service.app import create_app
from service.clock_watching import watching_of_clocks
from service.console_output import log_to_stderr, note
from service.errors import EXPECTED
from service.job_kinds import working
from service.mailbox import mail_desk
from service.settings import Settings, SettingsError, load_settings
from service.warming import warm_up
from service.wiring import open_desk, open_services, take_in_macros

FAILED_TO_START = 3
"""Exit code by which uvicorn tells a process that cannot start from one that died; it is not started again."""
ANSWER_WITHIN = 30
"""Seconds a process may be silent, for example while it loads its model."""


def check_processes(settings: Settings, number: int) -> None:
    """Raises `SettingsError` where ``number`` processes cannot serve together."""
    if number == 1:
        return
    mistakes = []
    if settings.database.startswith("sqlite"):
        mistakes.append(
            "PARETODESK_DATABASE_URL: SQLite has one writer, the serving process; for more processes use PostgreSQL, "
            "postgresql+psycopg://USER@HOST:PORT/NAME"
        )
    if not settings.chroma_url:
        mistakes.append(
            "PARETODESK_CHROMA_URL: the index in the home folder belongs to one process; for more processes run a "
            "Chroma server and name it, http://HOST:PORT"
        )
    if mistakes:
        raise SettingsError(f"--workers {number}:\n" + "\n".join(mistakes))


def serve_in_processes(settings: Settings, number: int) -> None:
    """Serve with ``number`` processes until interrupted. Raises what opening the desk raises."""
    os.environ["PARETODESK_HOST"], os.environ["PARETODESK_PORT"] = settings.host, str(settings.port)
    with open_desk(settings) as desk:
        take_in_macros(desk, KnowledgeBase.load(settings.content))
        with watching_of_clocks(desk), mail_desk(settings).reading(desk.database):
            uvicorn.run(
                f"{__name__}:application",
                factory=True,
                host=settings.host,
                port=settings.port,
                workers=number,
                log_level="warning",
                timeout_graceful_shutdown=5,
                timeout_worker_healthcheck=ANSWER_WITHIN,
            )


def application() -> FastAPI:
    """The application of one of several processes, which opens its services and closes them at its end."""
    log_to_stderr()
    stack = ExitStack()
    try:
        services = stack.enter_context(open_services(load_settings()))
    except EXPECTED as error:
        note(f"error: {error}")
        sys.exit(FAILED_TO_START)
    stack.enter_context(working(services))
    app = create_app(services)

    @asynccontextmanager
    async def until_the_end(_: FastAPI) -> AsyncIterator[None]:
        with stack:
            yield

    app.router.lifespan_context = until_the_end
    garbage.settle()
    warm_up(services)
    return app
