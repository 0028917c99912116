"""The HTTP application."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import FileResponse, HTMLResponse
from fastapi.staticfiles import StaticFiles
from fastapi_offline import FastAPIOffline
from starlette.middleware.trustedhost import TrustedHostMiddleware

from bot import BusySessionError, EmptyMessageError, MessageTooLongError, UnknownSessionError, WrongTokenError
from bot.ratings import AlreadyRatedError, NothingToRateError
from desk import DeskError
from desk.access.accounts import AccountError, SignInError, UnknownAccountError
from desk.access.api_keys import ApiKeyError, UnknownKeyError
from desk.access.passwords import BusyError, PasswordError, prepare_passwords
from desk.access.throttle import ThrottledError
from desk.database import DatabaseError
from desk.inbox import TicketStateError, UnknownReasonError, UntaggedError
from desk.ledger import UnknownTicketError
from desk.macro_library import MacroContentError, UnknownMacroError
from desk.mail.replies import NotAnswerableError
from desk.metrics.scope import FilterError
from desk.order_table import OrderSourceDownError
from desk.people import UnknownColleagueError
from desk.snoozing import SnoozeError
from desk.teamwork import CollisionError
from desk.ticket import IncomingTicketError
from desk.top_reasons import WindowError
from kb.macro_life import MacroStepError
from service import problems
from service.identity import Access
from service.limits import BodyLimit
from service.pages import STATIC, page
from service.routes import (
    access,
    chat,
    chat_ratings,
    clients,
    console,
    macros,
    rasa,
    reports,
    service_levels,
    signing_in,
    tags,
    teamwork,
    tickets,
    webhooks,
    widget,
)
from service.routes.dependencies import deny_undeclared, public
from service.safe_headers import SafeHeaders
from service.settings import Settings
from service.wiring import Services

KNOWN_ERRORS: dict[type[Exception], int] = {
    UnknownTicketError: 404,
    UnknownReasonError: 422,
    UntaggedError: 409,
    TicketStateError: 409,
    CollisionError: 409,
    UnknownColleagueError: 422,
    SnoozeError: 422,
    IncomingTicketError: 422,
    WindowError: 422,
    FilterError: 422,
    UnknownMacroError: 404,
    MacroContentError: 422,
    MacroStepError: 409,
    NotAnswerableError: 409,
    UnknownAccountError: 404,
    AccountError: 422,
    PasswordError: 422,
    SignInError: 422,
    ThrottledError: 429,
    BusyError: 503,
    UnknownKeyError: 404,
    ApiKeyError: 422,
    DatabaseError: 503,
    OrderSourceDownError: 503,
    DeskError: 400,
    UnknownSessionError: 404,
    WrongTokenError: 404,
    MessageTooLongError: 422,
    EmptyMessageError: 422,
    BusySessionError: 409,
    NothingToRateError: 409,
    AlreadyRatedError: 409,
}


def _provider(settings: Settings) -> object | None:
    if not settings.oidc_issuer:
        return None
    from service.oidc import Provider  # its libraries take as long as a tenth of the start

    return Provider(settings)


def create_app(services: Services) -> FastAPI:
    """The application over opened services; who opened them closes them."""
    settings = services.settings
    app = FastAPIOffline(
        title="paretodesk",
        version=version("paretodesk"),
        description="Ticket tagging, suggestions, chat and reports for marketplace sellers.",
    )
    app.state.services = services
    app.state.access = Access.over(services.database)
    app.state.provider = _provider(settings)
    prepare_passwords()
    problems.install(app, KNOWN_ERRORS)
    if settings.local:
        # Another web page must not reach a desk without a password by pointing its own name at 127.0.0.1.
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]", "testserver"])
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.origins),
            allow_methods=["GET", "POST"],
            allow_headers=["authorization", "content-type"],
        )
    app.add_middleware(BodyLimit)
    app.add_middleware(SafeHeaders)
    for module in (
        tags, tickets, chat, reports, console, macros, rasa, service_levels, webhooks, signing_in, access, teamwork,
        chat_ratings, clients, widget,
    ):  # fmt: skip
        app.include_router(module.router, dependencies=[Depends(deny_undeclared)])
    app.mount("/static", StaticFiles(directory=STATIC), name="static")

    @app.get("/", dependencies=[public("it leads to the pages")], response_class=HTMLResponse, include_in_schema=False)
    def home(request: Request) -> str:
        return page(
            "home.html", site=settings.sites[0] if settings.sites else "demo", origin=str(request.base_url).rstrip("/")
        )

    @app.get("/favicon.ico", dependencies=[public("an icon")], include_in_schema=False)
    def icon() -> FileResponse:
        return FileResponse(STATIC / "icon.svg", media_type="image/svg+xml")

    @app.get("/healthz", dependencies=[public("monitors ask it")], tags=["health"])
    def healthy() -> dict[str, str]:
        """The process lives."""
        return {"status": "ok"}

    @app.get("/readyz", dependencies=[public("monitors ask it")], tags=["health"])
    def ready(response: Response) -> dict[str, Any]:
        """Whether intake works (else 503), and what works less well: tickets then wait as `undecided`."""
        problem = None
        try:
            services.desk.coverage()
        except DatabaseError as error:
            response.status_code, problem = 503, str(error)
        _ = services.tagger.tagger
        degraded = [
            note
            for note in (
                services.tagger.problem,
                services.index_problem,
                services.policy_problem,
                services.mail.problem,
            )
            if note
        ]
        status = "unavailable" if problem else "degraded" if degraded else "ready"
        return {"status": status, "model": services.tagger.model_id, "problem": problem, "degraded": degraded}

    return app
