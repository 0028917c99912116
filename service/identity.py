"""Who is asking, and what they may do."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from desk.access.accounts import Account, Accounts
from desk.access.api_keys import PREFIX, ApiKeys
from desk.access.federation import ProviderSignIns
from desk.access.roles import Roles, desk_roles
from desk.access.sessions import Sessions
from desk.database import Database
from service.settings import Settings

TOKEN_HOLDER = "console token"  # noqa: S105  # the name of whoever shows it


@dataclass(frozen=True)
class Access:
    """The parts that know who may come in."""

    roles: Roles
    accounts: Accounts
    sessions: Sessions
    keys: ApiKeys
    provider_sign_ins: ProviderSignIns

    @classmethod
    def over(cls, database: Database) -> Access:
        """Over one database, with the roles of this desk."""
        roles = desk_roles()
        return cls(
            roles, Accounts(database, roles), Sessions(database), ApiKeys(database, roles), ProviderSignIns(database)
        )


@dataclass(frozen=True)
class Principal:
    """Whoever makes a request, and what they may do.

    ``name`` stands in the audit log and ``display_name`` on the page. ``account`` and ``session`` are there for people
    who signed in; ``shown`` means that a token or a key was. ``unnamed`` means that no account
    exists, so that requests say themselves who acts; ``here`` that they come from this machine alone.
    """

    name: str
    display_name: str
    permissions: frozenset[str]
    account: Account | None = None
    session: str | None = field(default=None, repr=False)
    key: str | None = None
    shown: bool = False
    unnamed: bool = False
    here: bool = False

    def actor(self, stated: str) -> str:
        """Who an event in the ledger is by; what the request ``stated`` counts on this machine without accounts."""
        if self.key is not None:
            return f"key:{self.key}"
        return f"agent:{stated if self.unnamed and self.here else self.name}"

    def person(self, stated: str | None) -> str:
        """Who takes a step that needs a second pair of eyes; what the request ``stated`` counts without accounts."""
        return (stated or "") if self.unnamed else self.name


def identify(access: Access, settings: Settings, secret: str, cookie: str) -> Principal | None:
    """Who shows ``secret`` (token, key or Basic password; empty: nothing) or a session's ``cookie``; None for nobody.

    On this machine, without an account, a token or an identity provider, everybody is let in and may do everything.
    """
    token, unnamed = settings.console_token, not access.accounts.any
    if token and secret and hmac.compare_digest(secret.encode("utf-8", "replace"), token.encode("utf-8", "replace")):
        name = settings.agent if unnamed else TOKEN_HOLDER
        return Principal(name, settings.agent, access.roles.all, shown=True, unnamed=unnamed, here=settings.local)
    if secret.startswith(PREFIX):
        key = access.keys.opened_by(secret)
        if key is None:
            return None
        scopes = key.scopes & access.roles.for_keys
        return Principal(f"key {key.name}", key.name, scopes, key=key.name, shown=True)
    if cookie and not secret and (account := access.sessions.account(cookie, settings.lifetime)):
        may = access.roles.of(account.role)
        return Principal(account.username, account.display_name, may, account=account, session=cookie)
    if settings.local and unnamed and not token and not settings.oidc_issuer:
        return Principal(settings.agent, settings.agent, access.roles.all, unnamed=True, here=True)
    return None
