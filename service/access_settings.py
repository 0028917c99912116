"""Settings of accounts, sessions and the identity provider; `service.settings.Settings` has them too."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode

from desk.access.roles import desk_roles
from desk.access.sessions import Lifetime

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class AccessSettings(BaseSettings):
    """Who may come in, for how long, and who vouches for them."""

    public_url: str = Field(
        "", description="Address by which browsers reach the desk behind a proxy, https://desk.example; empty: none."
    )
    session_idle_hours: float = Field(8, gt=0, le=720, description="Hours after which an unused session ends.")
    session_hours: float = Field(72, gt=0, le=2160, description="Hours after which every session ends.")
    oidc_issuer: str = Field("", description="Issuer of the OpenID Connect provider to sign in with; empty: none.")
    oidc_client_id: str = Field("", description="Name of this desk at the identity provider.")
    oidc_client_secret: str = Field("", repr=False, description="Secret of this desk at the identity provider.")
    oidc_client_secret_file: Path | None = Field(None, description="File that holds that secret.")
    oidc_scopes: str = Field("openid profile email", description="What to ask the identity provider for.")
    oidc_role_claim: str = Field("groups", description="Claim that decides the role; a dotted path is followed.")
    oidc_roles: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Comma-separated values of that claim and their roles, desk-admins=admin,support=agent."
    )

    @field_validator("oidc_roles", mode="before")
    @classmethod
    def _pairs(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("oidc_roles")
    @classmethod
    def _roles_exist(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pair in value:
            name, _, role = pair.rpartition("=")
            if not name or role not in desk_roles().granted:
                raise ValueError(f"'{pair}': write VALUE=ROLE with one of the roles {', '.join(desk_roles().granted)}")
        return value

    @field_validator("public_url")
    @classmethod
    def _an_origin(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/")):
            raise ValueError("write the scheme and host only, such as https://desk.example")
        return f"{parts.scheme}://{parts.netloc.lower()}" if value else ""

    @field_validator("oidc_issuer")
    @classmethod
    def _over_tls(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
            raise ValueError("an identity provider is asked over https:// only")
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.oidc_issuer and not self.oidc_client_id:
            raise ValueError("PARETODESK_OIDC_ISSUER needs PARETODESK_OIDC_CLIENT_ID")
        if self.oidc_issuer and not self.oidc_roles:
            raise ValueError("PARETODESK_OIDC_ISSUER needs PARETODESK_OIDC_ROLES, or nobody could have a role")
        if self.oidc_client_secret and self.oidc_client_secret_file:
            raise ValueError("give PARETODESK_OIDC_CLIENT_SECRET or PARETODESK_OIDC_CLIENT_SECRET_FILE, not both")
        return self

    @property
    def lifetime(self) -> Lifetime:
        """How long sessions last."""
        return Lifetime(timedelta(hours=self.session_idle_hours), timedelta(hours=self.session_hours))

    @property
    def oidc_role_of(self) -> dict[str, str]:
        """Role by value of the role claim."""
        pairs = (pair.rpartition("=") for pair in self.oidc_roles)
        return {name.strip(): role for name, _, role in pairs}
