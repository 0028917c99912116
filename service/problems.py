"""Errors of the HTTP service as RFC 9457 problem documents: what was wrong, where, what to do."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

log = logging.getLogger("paretodesk.service")

PROBLEM = "application/problem+json"


class ProblemError(Exception):
    """A request that cannot be served. ``detail`` says what was wrong and what to do."""

    def __init__(
        self, status: int, detail: str, *, headers: Mapping[str, str] | None = None, **members: object
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.members = status, detail, headers, members


def problem_response(
    status: int, detail: str, headers: Mapping[str, str] | None = None, **members: object
) -> JSONResponse:
    """The problem document with that status."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **members}
    return JSONResponse(body, status_code=status, media_type=PROBLEM, headers=dict(headers or {}))


def install(app: FastAPI, known: Mapping[type[Exception], int]) -> None:
    """Answer every error with a problem document; ``known`` maps our errors to statuses, the message is the detail."""

    @app.exception_handler(ProblemError)
    def _problem(request: Request, error: ProblemError) -> JSONResponse:
        return problem_response(error.status, error.detail, error.headers, **error.members)

    @app.exception_handler(RequestValidationError)
    def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        mistakes = [{"where": ".".join(str(step) for step in m["loc"]), "what": m["msg"]} for m in error.errors()[:20]]
        first = mistakes[0]
        return problem_response(422, f"{first['where']}: {first['what']}", errors=mistakes)

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> JSONResponse:
        return problem_response(error.status_code, str(error.detail), error.headers)

    for kind, status in known.items():

        def _known(request: Request, error: Exception, status: int = status) -> JSONResponse:
            return problem_response(status, str(error))

        app.add_exception_handler(kind, _known)

    @app.exception_handler(Exception)
    def _unexpected(request: Request, error: Exception) -> JSONResponse:
        # The message may carry a customer's words; only its kind is logged beside the trace of our own code.
        log.error("unexpected %s on %s", type(error).__name__, request.url.path, exc_info=error)
        return problem_response(500, "Something went wrong on our side; it was logged. Try again.")
