"""People whom an identity provider vouches for: sign-ins that are under way, and the account that each claim opens."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from desk.access.accounts import Account, AccountError, Accounts, account_from_row, username_of
from desk.access.audit import AuditKind, record
from desk.access.roles import Roles, desk_roles
from desk.database import Database
from desk.tables import accounts, provider_sign_ins

UNDER_WAY = timedelta(minutes=10)
"""How long somebody may take at the identity provider."""


class ProviderError(Exception):
    """The identity provider cannot be reached, or what it answered is not to be believed."""


@dataclass(frozen=True)
class SignInUnderWay:
    """What goes to the identity provider (``state``, ``nonce``, the challenge of ``verifier``), and where it leads.

    ``browser`` is for the browser alone, so that nobody can have another person finish a sign-in.
    """

    state: str
    browser: str
    nonce: str
    verifier: str
    goes_to: str


class ProviderSignIns:
    """Sign-ins under way, each good for one answer of the provider. Methods raise `DatabaseError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, goes_to: str) -> SignInUnderWay:
        """A new one; ``goes_to`` is the page to show afterwards."""
        state, browser, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(4))
        begun = SignInUnderWay(state, browser, nonce, verifier, goes_to)
        now = datetime.now(UTC)
        row = {
            "state_hash": _digest(begun.state),
            "browser_hash": _digest(begun.browser),
            "nonce": begun.nonce,
            "verifier": begun.verifier,
            "goes_to": goes_to,
            "at": now,
        }

        def act(session: Session) -> None:
            session.execute(provider_sign_ins.delete().where(provider_sign_ins.c.at < now - UNDER_WAY))
            session.execute(provider_sign_ins.insert().values(row))

        self._database.write(act)
        return begun

    def take(self, state: str, browser: str, *, at: datetime | None = None) -> SignInUnderWay | None:
        """The sign-in that ``state`` belongs to, once; None when it is not this browser's, too old or used."""
        oldest = (at or datetime.now(UTC)) - UNDER_WAY
        gone = provider_sign_ins.delete().where(provider_sign_ins.c.state_hash == _digest(state))
        row = self._database.write(lambda session: session.execute(gone.returning(provider_sign_ins)).one_or_none())
        if row is None or row.at < oldest or not hmac.compare_digest(row.browser_hash, _digest(browser)):
            return None
        return SignInUnderWay(state, browser, row.nonce, row.verifier, row.goes_to)


def vouched_account(
    database: Database,
    claims: Mapping[str, Any],
    *,
    issuer: str,
    role_claim: str,
    role_of: Mapping[str, str],
    roles: Roles | None = None,
) -> Account:
    """The account of the person in verified ``claims``: the one they had before, with the role they have now, or new.

    An account that was made here is never taken over because a name is the same: an administrator links it. Raises
    `AccountError` where no role is mapped, the account is disabled, or its name is taken.
    """
    known = roles or desk_roles()
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject:
        raise AccountError("the identity provider did not say who this is (the claim 'sub' is missing)")
    role = known.highest(role_of[name] for name in named_roles(claims, role_claim) if name in role_of)
    if role is None:
        raise AccountError(
            f"the identity provider gives no role for this desk in '{role_claim}'; have one of its groups added there "
            "or to PARETODESK_OIDC_ROLES"
        )
    people = Accounts(database, known)
    here = sa.select(accounts).where(accounts.c.issuer == issuer, accounts.c.subject == subject)
    with database.session(read_only=True) as session:
        row = session.execute(here).one_or_none()
    if row is None:
        name = _free_name(claims)
        shown = str(claims.get("name") or name)[:100]
        return people.add(name, role, by=f"provider:{issuer}", display_name=shown, provider=(issuer, subject))
    account = account_from_row(row)
    if not account.enabled:
        database.write(lambda session: record(session, AuditKind.SIGN_IN_FAILED, account.username, {"how": "provider"}))
        raise AccountError(f"the account '{account.username}' is disabled; ask an administrator")
    if account.role == role:
        return account
    return people.set_role(account.username, role, by=f"provider:{issuer}")


def named_roles(claims: Mapping[str, Any], claim: str) -> Sequence[str]:
    """What stands in a claim, or at its dotted path (``realm_access.roles``): one text or a list of them."""
    value: Any = claims.get(claim)
    if value is None:
        value = claims
        for step in claim.split("."):
            value = value.get(step) if isinstance(value, Mapping) else None
    found = value if isinstance(value, list) else [value]
    return [item for item in found if isinstance(item, str)]


def _free_name(claims: Mapping[str, Any]) -> str:
    for claim in ("preferred_username", "email", "sub"):
        value = claims.get(claim)
        if isinstance(value, str):
            try:
                return username_of(value)
            except AccountError:
                continue
    raise AccountError("the identity provider gave no name that can be a user name here (preferred_username, email)")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
