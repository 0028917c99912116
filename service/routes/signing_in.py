"""Signing in and out: the page, the identity provider's round trip, and the cookies of a session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import parse_qsl, urlsplit

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool

from desk.access.accounts import Account, AccountError, SignInError
from desk.access.federation import ProviderError, vouched_account
from desk.access.passwords import BusyError
from desk.access.sessions import request_token
from desk.access.throttle import ThrottledError
from service.pages import page
from service.problems import ProblemError, problem_response
from service.routes.dependencies import (
    SESSION_COOKIE,
    TOKEN_COOKIE,
    AccessDep,
    ServicesDep,
    Who,
    access_of,
    address_of,
    allow,
    check_origin,
    cookie_name,
    is_secure,
    public,
    services_of,
    shown_session,
)

if TYPE_CHECKING:
    from service.oidc import Provider

PROVIDER_COOKIE = "paretodesk_provider"
MAX_FORM = 20_000
"""Bytes; a name and the longest password, encoded."""
HOME = "/console"

router = APIRouter(tags=["access"])


class SignIn(BaseModel):
    """A user name and a password, and the page to show afterwards."""

    model_config = ConfigDict(extra="ignore")

    username: str = Field(max_length=200)
    password: str = Field(max_length=1_000, repr=False)
    next: str = Field(HOME, max_length=2_000)


@router.get("/login", response_class=HTMLResponse, include_in_schema=False, dependencies=[public("to sign in")])
def login_page(request: Request, goes_to: Annotated[str, Query(alias="next", max_length=2_000)] = HOME) -> str:
    """The page that asks who one is."""
    return _page(request, goes_to)


@router.post("/login", dependencies=[public("to sign in")], openapi_extra={
    "requestBody": {"required": True, "content": {"application/json": {"schema": SignIn.model_json_schema()}}}
})  # fmt: skip
async def sign_in(request: Request) -> Response:
    """Sign in with a form or JSON (``{username, password}``); the session comes as a cookie."""
    check_origin(request)
    sent, is_form = await _sent(request)
    return await run_in_threadpool(_sign_in, request, sent, is_form)


@router.post("/logout", dependencies=[allow("self:read")])
def sign_out(request: Request, who: Who, access: AccessDep) -> Response:
    """End the session."""
    if who.session is not None and who.account is not None:
        access.sessions.end(who.session, who.account)
    response = Response(status_code=204)
    secure = is_secure(request, services_of(request).settings)
    for name in (SESSION_COOKIE, TOKEN_COOKIE):
        response.delete_cookie(cookie_name(name, secure), path="/", secure=secure, samesite="lax")
    return response


@router.get("/login/provider", include_in_schema=False, dependencies=[public("to sign in")])
def to_provider(
    request: Request, access: AccessDep, goes_to: Annotated[str, Query(alias="next", max_length=2_000)] = HOME
) -> Response:
    """Send the browser to the identity provider."""
    provider = _provider(request)
    begun = access.provider_sign_ins.begin(own_path(goes_to))
    try:
        response: Response = RedirectResponse(provider.address(begun, _comes_back(request)), status_code=303)
    except ProviderError as error:
        return HTMLResponse(_page(request, goes_to, str(error)), status_code=503)
    secure = is_secure(request, services_of(request).settings)
    response.set_cookie(
        cookie_name(PROVIDER_COOKIE, secure), begun.browser, max_age=600, path="/", secure=secure, httponly=True,
        samesite="lax",
    )  # fmt: skip
    return response


@router.get("/login/provider/back", include_in_schema=False, dependencies=[public("to sign in: state and nonce prove")])
def from_provider(
    request: Request,
    services: ServicesDep,
    access: AccessDep,
    state: Annotated[str, Query(max_length=500)] = "",
    code: Annotated[str, Query(max_length=5_000)] = "",
    error: Annotated[str, Query(max_length=500)] = "",
    iss: Annotated[str, Query(max_length=500)] = "",
) -> Response:
    """What the identity provider answered, by way of the browser."""
    provider, settings = _provider(request), services.settings
    secure = is_secure(request, settings)
    begun = access.provider_sign_ins.take(state, request.cookies.get(cookie_name(PROVIDER_COOKIE, secure), ""))
    if begun is None:
        return HTMLResponse(_page(request, HOME, "this sign-in is over or was begun elsewhere; try again"), 400)
    if error or not code or iss not in ("", provider.issuer):
        said = "the identity provider did not let you in" if error else "the identity provider's answer is incomplete"
        return HTMLResponse(_page(request, begun.goes_to, said), 403)
    try:
        claims = provider.claims(code, begun, _comes_back(request))
        account = vouched_account(
            services.database, claims, issuer=provider.issuer, role_claim=settings.oidc_role_claim,
            role_of=settings.oidc_role_of, roles=access.roles,
        )  # fmt: skip
    except ProviderError as problem:
        return HTMLResponse(_page(request, begun.goes_to, str(problem)), 503)
    except AccountError as problem:
        return HTMLResponse(_page(request, begun.goes_to, str(problem)), 403)
    response = RedirectResponse(begun.goes_to, status_code=303)
    response.delete_cookie(cookie_name(PROVIDER_COOKIE, secure), path="/", secure=secure, samesite="lax")
    _begin(request, response, account, how="provider")
    return response


def own_path(asked: str) -> str:
    """``asked`` where it is a path of ours, else the console: nobody is sent to another site."""
    ours = asked.isprintable() and "\\" not in asked and asked.startswith("/") and not asked.startswith("//")
    return asked if ours else HOME


def _sign_in(request: Request, sent: SignIn, is_form: bool) -> Response:
    access, goes_to = access_of(request), own_path(sent.next)
    status, after = 401, None
    try:
        account = access.accounts.check_password(sent.username, sent.password, address_of(request))
    except SignInError as error:
        problem = str(error)
    except ThrottledError as error:
        status, after, problem = 429, {"Retry-After": str(error.after)}, str(error)
    except BusyError as error:
        status, after, problem = 503, {"Retry-After": "5"}, str(error)
    else:
        done: Response = RedirectResponse(goes_to, status_code=303) if is_form else JSONResponse(account.to_json())
        _begin(request, done, account)
        return done
    if is_form:
        return HTMLResponse(_page(request, goes_to, problem, sent.username), status, after)
    return problem_response(status, problem, after)


def _begin(request: Request, response: Response, account: Account, how: str = "password") -> None:
    """Sign in: a new session in place of the one that the browser showed, and its cookies."""
    settings, before = services_of(request).settings, shown_session(request) or None
    secret = access_of(request).sessions.start(account, address_of(request), instead_of=before, how=how)
    secure, age = is_secure(request, settings), int(settings.lifetime.whole.total_seconds())
    for name, value, hidden in ((SESSION_COOKIE, secret, True), (TOKEN_COOKIE, request_token(secret), False)):
        response.set_cookie(
            cookie_name(name, secure), value, max_age=age, path="/", secure=secure, httponly=hidden, samesite="lax"
        )
    response.headers["Cache-Control"] = "no-store"


async def _sent(request: Request) -> tuple[SignIn, bool]:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_FORM:
            raise ProblemError(413, f"the body has more than {MAX_FORM:,} bytes")
    is_form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    try:
        if is_form:
            fields: dict[str, Any] = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
            return SignIn.model_validate(fields), True
        return SignIn.model_validate_json(body), False
    except (ValidationError, ValueError) as error:
        mistakes = error.errors(include_input=False) if isinstance(error, ValidationError) else []
        where = ".".join(str(step) for step in mistakes[0]["loc"]) if mistakes else ""
        raise ProblemError(
            422, f"{where or 'body'}: send username and password, as a form or as JSON"
        ) from None  # the mistake may quote the password


def _page(request: Request, goes_to: str, problem: str = "", username: str = "") -> str:
    settings = services_of(request).settings
    return page(
        "login.html",
        goes_to=own_path(goes_to),
        problem=problem,
        username=username,
        passwords=access_of(request).accounts.any,
        provider=urlsplit(settings.oidc_issuer).hostname or "",
    )


def _provider(request: Request) -> Provider:
    provider: Provider | None = request.app.state.provider
    if provider is None:
        raise ProblemError(404, "no identity provider is set up; see PARETODESK_OIDC_ISSUER")
    return provider


def _comes_back(request: Request) -> str:
    base = services_of(request).settings.public_url or str(request.base_url).rstrip("/")
    return f"{base}/login/provider/back"
