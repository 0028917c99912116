"""Accounts, API keys and the audit log over HTTP: the same as `paretodesk users`, `keys` and `audit`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi import Path as PathParameter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from desk.access.audit import entries, verify
from service.problems import ProblemError
from service.routes.dependencies import AccessDep, ServicesDep, Who, address_of, allow

router = APIRouter(prefix="/v1", tags=["access"])

Username = Annotated[str, PathParameter(max_length=200)]
Secret = Annotated[str, Field(min_length=1, max_length=1_000)]


class NewUser(BaseModel):
    """An account that is not there yet."""

    model_config = ConfigDict(extra="forbid")

    username: str = Field(max_length=200)
    role: str = Field(max_length=50)
    password: Secret
    display_name: str = Field("", max_length=200)


class UserChange(BaseModel):
    """What becomes different about an account; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    role: str | None = Field(None, max_length=50)
    enabled: bool | None = None
    password: Secret | None = None


class PasswordChange(BaseModel):
    """The password of now, and the one to come."""

    model_config = ConfigDict(extra="forbid")

    current: Secret
    new: Secret


class NewKey(BaseModel):
    """A key for a program; ``scopes`` are permissions."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=200)
    scopes: list[str] = Field(min_length=1, max_length=50)
    expires_at: AwareDatetime | None = None


@router.get("/me", dependencies=[allow("self:read")])
def me(who: Who) -> dict[str, Any]:
    """Who one is, and what one may do."""
    account = who.account.to_json() if who.account else None
    may = sorted(who.permissions)
    return {"name": who.name, "display_name": who.display_name, "permissions": may, "account": account}


@router.post("/me/password", dependencies=[allow("self:write")])
def change_password(change: PasswordChange, request: Request, who: Who, access: AccessDep) -> Response:
    """Change one's own password; every session ends, this one too."""
    if who.account is None:
        raise ProblemError(409, "only who signed in to an account has a password to change")
    access.accounts.check_password(who.name, change.current, address_of(request))
    access.accounts.set_password(who.name, change.new, by=who.name)
    return Response(status_code=204)


@router.get("/users", dependencies=[allow("users:manage")])
def users(access: AccessDep) -> dict[str, Any]:
    """Every account, and which roles there are."""
    roles = {role: sorted(granted) for role, granted in access.roles.granted.items()}
    return {"users": [account.to_json() for account in access.accounts.all()], "roles": roles}


@router.post("/users", status_code=201, dependencies=[allow("users:manage")])
def add_user(user: NewUser, who: Who, access: AccessDep) -> dict[str, Any]:
    """Add an account. From the first one on nobody is let in without signing in."""
    return access.accounts.add(
        user.username, user.role, by=who.name, password=user.password, display_name=user.display_name
    ).to_json()


@router.patch("/users/{username}", dependencies=[allow("users:manage")])
def change_user(username: Username, change: UserChange, who: Who, access: AccessDep) -> dict[str, Any]:
    """Change a role or a password, disable or enable; a new password and disabling end the account's sessions."""
    return access.accounts.change(
        username, by=who.name, role=change.role, password=change.password, enabled=change.enabled
    ).to_json()


@router.get("/keys", dependencies=[allow("keys:manage")])
def keys(access: AccessDep) -> dict[str, Any]:
    """Every key without its secret, and the scopes that one can have."""
    return {"keys": [key.to_json() for key in access.keys.all()], "scopes": sorted(access.roles.for_keys)}


@router.post("/keys", status_code=201, dependencies=[allow("keys:manage")])
def add_key(key: NewKey, who: Who, access: AccessDep, response: Response) -> dict[str, Any]:
    """Make a key. ``key`` in the answer is what to show as bearer token; it is told this once."""
    made, shown = access.keys.add(key.name, key.scopes, by=who.name, expires_at=key.expires_at)
    response.headers["Cache-Control"] = "no-store"
    return made.to_json() | {"key": shown}


@router.delete("/keys/{key_id}", dependencies=[allow("keys:manage")])
def revoke_key(key_id: Annotated[str, PathParameter(max_length=100)], who: Who, access: AccessDep) -> dict[str, Any]:
    """Let a key in no more."""
    return access.keys.revoke(key_id, by=who.name).to_json()


@router.get("/audit", dependencies=[allow("audit:read")])
def audit(
    services: ServicesDep,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    before: Annotated[int | None, Query(ge=1)] = None,
) -> dict[str, Any]:
    """The audit log, newest first; ``before`` an entry's number goes further back."""
    return {"entries": [entry.to_json() for entry in entries(services.database, limit, before=before)]}


@router.get("/audit/verification", dependencies=[allow("audit:read")])
def audit_verification(services: ServicesDep) -> dict[str, Any]:
    """Whether every entry is as it was written; ``head`` is what to keep elsewhere as an anchor."""
    verdict = verify(services.database)
    return {
        "state": "broken" if verdict.findings else "intact",
        "entries": verdict.entries,
        "head": {"seq": verdict.head.seq, "hash": verdict.head.hash},
        "findings": [{"seq": finding.seq, "problem": finding.problem} for finding in verdict.findings],
    }
