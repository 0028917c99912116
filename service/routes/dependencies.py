"""What routes ask for: the services, who is asking, and that they may.

Every route declares once either a permission of `desk/access/roles.yaml` (`allow`) or why it needs none (`public`);
`deny_undeclared` answers for one that does neither.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Depends, Request
from fastapi.params import Depends as Declared
from fastapi.security import HTTPBasic, HTTPBasicCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool

from desk.access.sessions import request_token
from service.identity import Access, Principal, identify
from service.problems import ProblemError
from service.settings import Settings
from service.wiring import Services

SESSION_COOKIE = "paretodesk"
TOKEN_COOKIE = "paretodesk_request"  # noqa: S105  # a cookie's name
TOKEN_HEADER = "x-csrf-token"  # noqa: S105  # a header's name
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
"""Headers that a proxy adds: what carries one does not come from this machine, whatever address it shows."""

_bearer = HTTPBearer(auto_error=False, description="An API key, or PARETODESK_CONSOLE_TOKEN")
_basic = HTTPBasic(auto_error=False)

Shown = Callable[[Request], Awaitable[str]]
"""Finds what a caller shows where their program can show it nowhere else."""


def services_of(request: Request) -> Services:
    """The services that the application was made with."""
    services: Services = request.app.state.services
    return services


def access_of(request: Request) -> Access:
    """What knows who may come in."""
    access: Access = request.app.state.access
    return access


def principal_of(request: Request) -> Principal:
    """Who is asking; only on routes that declare a permission."""
    principal: Principal = request.state.principal
    return principal


ServicesDep = Annotated[Services, Depends(services_of)]
AccessDep = Annotated[Access, Depends(access_of)]
Who = Annotated[Principal, Depends(principal_of)]


@dataclass(frozen=True)
class Permit:
    """Lets in who has a permission. Raises `ProblemError`: 401 for nobody, 403 for somebody else."""

    permission: str
    shown: Shown | None = None

    async def __call__(self, request: Request) -> None:
        """Find out who is asking, once per request."""
        bearer = await _bearer(request)
        basic: HTTPBasicCredentials | None = None if bearer else await _basic(request)
        secret = bearer.credentials if bearer else ""
        by_hand = secret or (await self.shown(request) if self.shown else "")
        await run_in_threadpool(_admit, request, self.permission, by_hand, basic.password if basic else "")


@dataclass(frozen=True)
class Open:
    """Lets everybody in; ``why`` is for the reader of the table of routes."""

    why: str

    async def __call__(self) -> None:
        """Nothing is asked."""


def allow(permission: str, shown: Shown | None = None) -> Any:
    """The declaration of a route that needs ``permission``. ``shown`` finds a token outside of the headers."""
    return Depends(Permit(permission, shown))


def public(why: str) -> Any:
    """The declaration of a route that needs no permission."""
    return Depends(Open(why))


def declaration(dependencies: list[Declared]) -> Permit | Open | None:
    """What a route with these dependencies declares; the most specific, which is the last, counts."""
    found = [declared.dependency for declared in dependencies if isinstance(declared.dependency, Permit | Open)]
    return found[-1] if found else None


async def deny_undeclared(request: Request) -> None:
    """Closes routes that declare nothing; included with every router."""
    if declaration(getattr(request.scope.get("route"), "dependencies", [])) is None:
        raise ProblemError(
            403, "this route does not say who may use it, so nobody may; declare it with allow or public"
        )


def own_origins(request: Request, settings: Settings) -> frozenset[str]:
    """Where our own pages come from."""
    return frozenset({str(request.base_url).rstrip("/"), settings.public_url} - {""})


def is_secure(request: Request, settings: Settings) -> bool:
    """Whether cookies may travel encrypted only: everywhere but between a browser and a desk on one machine."""
    return request.url.scheme == "https" or not settings.local


def cookie_name(name: str, secure: bool) -> str:
    """A cookie's name; the prefix has browsers refuse one that another host or an unencrypted page set."""
    return f"__Host-{name}" if secure else name


def shown_session(request: Request) -> str:
    """The session that the browser shows, empty for none."""
    settings = services_of(request).settings
    return request.cookies.get(cookie_name(SESSION_COOKIE, is_secure(request, settings)), "")


def address_of(request: Request) -> str:
    """Where a request comes from, as far as the server believes its proxy."""
    return request.client.host if request.client else "unknown"


def check_origin(request: Request, *, told: bool = False) -> None:
    """Refuse what another site has a browser send; with ``told`` the browser must say where it comes from.

    Raises `ProblemError`, 403.
    """
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    # a form of a page that sends no referrer has the origin "null" too, so that the browser's other word decides
    if origin is not None and not (origin == "null" and site == "same-origin"):
        if origin not in own_origins(request, services_of(request).settings):
            raise ProblemError(403, f"requests of staff are taken from our own pages only, not from {origin[:200]}")
    elif site is not None:
        if site not in {"same-origin", "none"}:
            raise ProblemError(403, "requests of staff are taken from our own pages only")
    elif told:
        raise ProblemError(403, "send the header Origin, or use an API key instead of a session")


def _admit(request: Request, permission: str, by_hand: str, basic: str) -> None:
    settings, access = services_of(request).settings, access_of(request)
    cookie = shown_session(request)
    principal = identify(access, settings, by_hand or basic, cookie)
    if principal is None:
        raise _who_are_you(request, settings, access)
    if principal.unnamed and not principal.shown:
        _check_here(request, settings)
    if request.method not in SAFE_METHODS and not (by_hand and principal.shown):
        _check_own_page(request, principal)
    if permission not in principal.permissions:
        raise ProblemError(403, f"this needs the permission {permission} ({access.roles.permissions[permission]})")
    request.state.principal = principal


def _check_here(request: Request, settings: Settings) -> None:
    """Who is let in unproven sits at this machine, and reads with no other site's page."""
    if any(name in request.headers for name in FORWARDED):
        raise ProblemError(
            401,
            "this request came through a proxy, and nobody has to sign in yet: set PARETODESK_PUBLIC_URL and add an "
            "account with 'paretodesk users add'",
        )
    origin = request.headers.get("origin")
    if origin is not None and origin != "null" and origin not in own_origins(request, settings):
        raise ProblemError(403, f"requests of staff are taken from our own pages only, not from {origin[:200]}")


def _check_own_page(request: Request, principal: Principal) -> None:
    """Whatever a browser sends by itself proves nothing about which page had it sent."""
    check_origin(request, told=principal.session is not None)
    if principal.session is not None:
        token = request.headers.get(TOKEN_HEADER, "")
        if not hmac.compare_digest(token.encode("utf-8", "replace"), request_token(principal.session).encode()):
            raise ProblemError(
                403, f"{TOKEN_HEADER}: send the value of the cookie {TOKEN_COOKIE}; reload the page if it is an old one"
            )


def _who_are_you(request: Request, settings: Settings, access: Access) -> ProblemError:
    people = access.accounts.any or bool(settings.oidc_issuer)
    if people and request.method == "GET" and "text/html" in request.headers.get("accept", ""):
        asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return ProblemError(303, "sign in first", headers={"Location": f"/login?next={quote(asked, safe='')}"})
    if people or not settings.console_token:
        how = "sign in at /login, or send an API key as bearer token"
        if not people:
            how = "nobody can sign in yet: add an account with 'paretodesk users add', or set PARETODESK_CONSOLE_TOKEN"
        return ProblemError(401, how, headers={"WWW-Authenticate": "Bearer"})
    return ProblemError(
        401,
        "send PARETODESK_CONSOLE_TOKEN as bearer token, or as the password of Basic authentication",
        headers={"WWW-Authenticate": 'Basic realm="paretodesk"'},
    )
