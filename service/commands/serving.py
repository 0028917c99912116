"""`paretodesk serve`."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Annotated

import typer

from desk.access.accounts import Accounts
from service.clock_watching import watching_of_clocks
from service.console_output import fail, note
from service.job_kinds import working
from service.settings import Settings, load_settings
from service.warming import warm_up
from service.wiring import open_desk, open_services


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("serve")(serve)


def serve(
    host: Annotated[str | None, typer.Option(help="address to listen on")] = None,
    port: Annotated[int | None, typer.Option(help="port to listen on")] = None,
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="processes; more than one needs PostgreSQL and PARETODESK_CHROMA_URL")
    ] = 1,
) -> None:
    """Serve the chat, the console, the API and the reports; Ctrl-C stops it cleanly."""
    import uvicorn  # the other commands start without the web

    from service import garbage
    from service.app import create_app
    from service.processes import check_processes, serve_in_processes

    settings = load_settings(host=host, port=port)
    check_processes(settings, workers)
    _check_entrance(settings)
    listener = _listen(settings)
    if workers > 1:
        listener.close()  # it was only asked whether the port is free
        note(f"serving http://{settings.host}:{settings.port} with {workers} processes, Ctrl-C stops")
        serve_in_processes(settings, workers)
        note("stopped")
        return
    with listener, open_services(settings) as services:
        for problem in (services.tagger.problem, services.index_problem, services.policy_problem):
            if problem:
                note(f"degraded: {problem}")
        note(
            f"serving http://{settings.host}:{settings.port} (model {services.tagger.model_id or 'none'}), Ctrl-C stops"
        )
        config = uvicorn.Config(create_app(services), log_level="warning", timeout_graceful_shutdown=5)
        garbage.settle()
        warm_up(services)
        # uvicorn finishes its requests on Ctrl-C and then raises it again: a stop that was asked for is a success.
        reading = services.mail.reading(services.database)
        with suppress(KeyboardInterrupt), working(services), watching_of_clocks(services.desk), reading:
            uvicorn.Server(config).run(sockets=[listener])
    note("stopped")


def _check_entrance(settings: Settings) -> None:
    """Beyond this machine nobody is let in unproven, so that there must be something to prove."""
    if settings.local or settings.console_token or settings.oidc_issuer:
        return
    with open_desk(settings) as desk:
        if not Accounts(desk.database).any:
            fail(
                f"nobody could sign in at {settings.public_url or settings.host}: add an account with "
                "'paretodesk users add NAME --role admin', or set PARETODESK_CONSOLE_TOKEN or PARETODESK_OIDC_ISSUER"
            )


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
