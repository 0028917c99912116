"""What routes ask for: the services, and proof that the caller may read tickets."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBasic, HTTPBasicCredentials, HTTPBearer

from service.problems import ProblemError
from service.wiring import Services

_bearer = HTTPBearer(auto_error=False, description="PARETODESK_CONSOLE_TOKEN, needed beyond the loopback address")
_basic = HTTPBasic(auto_error=False)


def services_of(request: Request) -> Services:
    """The services that the application was made with."""
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(services_of)]


async def shown_secret(request: Request) -> str:
    """What the caller shows as bearer token or as Basic password, empty for nothing."""
    bearer = await _bearer(request)
    basic: HTTPBasicCredentials | None = await _basic(request)
    return bearer.credentials if bearer else basic.password if basic else ""


def admit(request: Request, secret: str) -> None:
    """Let staff in: on loopback everybody, else who shows the console token. Raises `ProblemError`, 401 or 403."""
    settings = services_of(request).settings
    if settings.console_token and not hmac.compare_digest(secret.encode(), settings.console_token.encode()):
        raise ProblemError(
            401,
            "send PARETODESK_CONSOLE_TOKEN as bearer token, or as the password of Basic authentication",
            headers={"WWW-Authenticate": 'Basic realm="paretodesk"'},
        )
    origin = request.headers.get("origin")
    if request.method not in {"GET", "HEAD"} and origin and origin != str(request.base_url).rstrip("/"):
        raise ProblemError(403, f"requests of staff are taken from our own pages only, not from {origin}")


async def _staff(request: Request) -> None:
    admit(request, await shown_secret(request))


Staff = Depends(_staff)
