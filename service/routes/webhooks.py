"""Signed deliveries of other systems. The signature is the proof, so that no staff token is asked for."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from desk.database import DatabaseError
from desk.webhooks import Delivered, Effect, PayloadError, SignatureError, Source, deliver
from service.problems import ProblemError
from service.routes.dependencies import ServicesDep, public

log = logging.getLogger("paretodesk.webhooks")

MAX_BODY = 2 * 1024 * 1024
"""Bytes; a ticket of 1 MB with its history in escaped JSON."""
RETRY_AFTER = 30
"""Seconds; a database that restarts is back by then."""
WITHOUT_EFFECT = frozenset({Effect.DUPLICATE, Effect.IGNORED})

router = APIRouter(
    prefix="/v1/webhooks", tags=["webhooks"], dependencies=[public("the signature of the delivery proves who sends it")]
)


@router.post(
    "/{source}",
    status_code=202,
    responses={
        200: {"description": "Taken before, or an event without effect here"},
        401: {"description": "The signature does not fit"},
        422: {"description": "The payload lacks a field; the problem names its path"},
        503: {"description": "Nothing was stored; send it again after Retry-After seconds"},
    },
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}},
)
async def receive(source: str, request: Request, response: Response, services: ServicesDep) -> dict[str, Any]:
    """Take a signed event in. 202 means that its effect is on disk; a repeated delivery is answered with 200.

    The sources stand in the file that PARETODESK_WEBHOOKS names, each with its signature scheme, secrets and mapping.
    """
    known = services.webhooks.get(source)
    if known is None:
        raise ProblemError(404, "there is no webhook source of this name; the sources stand in PARETODESK_WEBHOOKS")
    _check_type(request.headers.get("content-type", ""))
    body = await _body(request)
    done = await run_in_threadpool(_deliver, services, known, dict(request.headers), body)
    if done.effect in WITHOUT_EFFECT:
        response.status_code = 200
    told = {"effect": str(done.effect), "ticket_id": done.ticket_id, "why": done.why}
    return {name: value for name, value in told.items() if value is not None}


def _deliver(services: ServicesDep, source: Source, headers: dict[str, str], body: bytes) -> Delivered:
    try:
        done = deliver(services.database, source, headers, body)
    except SignatureError as error:
        log.warning("webhook %s: refused: %s", source.name, error)
        raise ProblemError(
            401, "the delivery is not proven: check the secret, the clock, and that the body arrives unchanged"
        ) from error
    except PayloadError as error:
        log.warning("webhook %s: cannot be used: %s", source.name, error.where)
        raise ProblemError(422, str(error), errors=[{"where": error.where, "what": str(error)}]) from error
    except DatabaseError as error:
        log.error("webhook %s: not stored: %s", source.name, error)
        raise ProblemError(
            503, "nothing was stored; send it again later", headers={"Retry-After": str(RETRY_AFTER)}
        ) from error
    if done.effect is Effect.IGNORED:
        log.info("webhook %s: without effect: %s", source.name, done.why)
    return done


def _check_type(content_type: str) -> None:
    kind = content_type.partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise ProblemError(415, "content-type: send application/json")


async def _body(request: Request) -> bytes:
    """The raw bytes, which are what was signed."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY:
            raise ProblemError(413, f"the body has more than {MAX_BODY:,} bytes")
        parts.append(part)
    return b"".join(parts)
