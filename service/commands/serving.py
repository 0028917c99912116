"""`paretodesk serve`."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Annotated

import typer
import uvicorn

from service.app import create_app
from service.console_output import fail, note
from service.settings import Settings, load_settings
from service.waiting import tagging_of_waiting_tickets
from service.wiring import open_services


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("serve")(serve)


def serve(
    host: Annotated[str | None, typer.Option(help="address to listen on")] = None,
    port: Annotated[int | None, typer.Option(help="port to listen on")] = None,
) -> None:
    """Serve the chat, the console, the API and the reports; Ctrl-C stops it cleanly."""
    settings = load_settings(host=host, port=port)
    listener = _listen(settings)
    with listener, open_services(settings) as services:
        for problem in (services.tagger.problem, services.index_problem):
            if problem:
                note(f"degraded: {problem}")
        note(
            f"serving http://{settings.host}:{settings.port} (model {services.tagger.model_id or 'none'}), Ctrl-C stops"
        )
        config = uvicorn.Config(create_app(services), log_level="warning", timeout_graceful_shutdown=5)
        # uvicorn finishes its requests on Ctrl-C and then raises it again: a stop that was asked for is a success.
        with suppress(KeyboardInterrupt), tagging_of_waiting_tickets(services):
            uvicorn.Server(config).run(sockets=[listener])
    note("stopped")


def _listen(settings: Settings) -> socket.socket:
    """Bind before anything is loaded, so that a taken port is told at once."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        fail(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}; "
            "stop the program that uses it or choose another with --port"
        )
    return listener
