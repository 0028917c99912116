"""Other chat clients that may talk to the bot: which, and how they prove that they may."""

from __future__ import annotations

import hmac
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator

from classifier.datafile import load_yaml
from desk.secret_source import SecretPlace
from desk.webhooks.signatures import scheme_of
from desk.webhooks.sources import SecretFrom
from service.settings import Settings

MIN_PUBLIC_SENDER = 20
"""Characters of an id that nobody can guess; a UUID has 36, or 32 without its hyphens."""


class Client(BaseModel):
    """What every client says."""

    model_config = ConfigDict(extra="forbid")

    site: str = Field("", max_length=100)
    """Site that its conversations belong to; empty: the first of PARETODESK_SITES."""


class WebClient(Client):
    """A client that posts messages: a server that shows one of ``tokens``, or browsers where it is ``public``.

    A token vouches for every sender. Browsers can keep no secret, so that there the id of the sender is the secret and
    must be long and random.
    """

    tokens: tuple[SecretFrom, ...] = ()
    public: bool = False
    min_sender: int = Field(MIN_PUBLIC_SENDER, ge=1)
    _tokens: tuple[str, ...] = PrivateAttr(default=())

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        if not self.tokens and not self.public:
            raise ValueError("give tokens (for a server that asks), or public: true (for browsers)")
        self._tokens = tuple(token.read() for token in self.tokens)
        return self

    def knows(self, token: str) -> bool:
        """Whether ``token`` is one of ours; takes the same time whichever it is."""
        shown = token.encode("utf-8", "replace")
        return True in [hmac.compare_digest(shown, known.encode()) for known in self._tokens]


class Chatwoot(Client):
    """A Chatwoot account whose agent bot is this desk.

    ``url`` is Chatwoot's own address, ``bot_token`` the access token of the agent bot, ``secrets`` sign its webhooks.
    ``unsigned`` takes deliveries without a signature, from a Chatwoot that signs none in a network of its own.
    """

    url: str
    account: int = Field(ge=1)
    bot_token: SecretPlace
    secrets: tuple[SecretFrom, ...] = ()
    unsigned: bool = False
    timeout_seconds: float = Field(10, gt=0, le=60)
    _bot_token: str = PrivateAttr(default="")
    _secrets: tuple[str, ...] = PrivateAttr(default=())

    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        parts = urlsplit(value)
        more = parts.username or parts.query or parts.fragment
        if parts.scheme not in ("http", "https") or not parts.hostname or more:
            raise ValueError("write the address of Chatwoot itself, such as https://chatwoot.example")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _proven(self) -> Self:
        if bool(self.secrets) == self.unsigned:
            raise ValueError("give secrets, with which Chatwoot signs, or unsigned: true, one of them")
        self._bot_token = self.bot_token.read()
        if not self._bot_token.isascii() or not self._bot_token.isprintable():
            raise ValueError(f"{self.bot_token.place} holds what is no access token")
        self._secrets = tuple(secret.read() for secret in self.secrets)
        for secret in self._secrets:
            scheme_of("chatwoot").check_secret(secret)
        return self

    @property
    def access_token(self) -> str:
        """What our requests to Chatwoot show."""
        return self._bot_token

    @property
    def signing_secrets(self) -> tuple[str, ...]:
        """What deliveries are signed with; empty where they are not."""
        return self._secrets


class ChatClients(BaseModel):
    """The clients that may talk to the bot; None those that may not."""

    model_config = ConfigDict(extra="forbid")

    rasa: WebClient | None = None
    deep_chat: WebClient | None = None
    chatwoot: Chatwoot | None = None

    def site_of(self, client: Client, settings: Settings) -> str:
        """The site of a client's conversations."""
        return client.site or (settings.sites[0] if settings.sites else "demo")


def load_clients(settings: Settings) -> ChatClients:
    """What the file says; without one, a desk that only this machine reaches is open to Rasa's clients and deep-chat.

    Raises `DataFileError` with file and line.
    """
    if settings.clients is not None:
        return load_clients_file(settings.clients)
    if not settings.local:
        return ChatClients()
    anybody = WebClient(public=True, min_sender=1)
    return ChatClients(rasa=anybody, deep_chat=anybody)


def load_clients_file(path: Path) -> ChatClients:
    """The clients that ``path`` names. Raises `DataFileError` with file and line."""
    return load_yaml(path, ChatClients)
