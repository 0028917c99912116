"""Other chat clients that talk to the bot in shapes of their own: Rasa's REST channel, deep-chat, Chatwoot's agent bot.

https://rasa.com/docs/reference/channels/your-own-website, https://deepchat.dev/docs/connect: what is said to them is
what the widget is told, and the same guard stands before it.
"""

from __future__ import annotations

import html
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import nh3
from fastapi import APIRouter, Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool

from bot import MAX_MESSAGE, Choice
from bot.clients import ClientChats, ClientTurn
from desk.webhooks.signatures import TOLERANCE, SignatureError, scheme_of
from service.chat_clients import WebClient
from service.chatwoot import ChatwootPayloadError, chatwoot_bot
from service.problems import ProblemError
from service.routes.dependencies import ServicesDep, address_of, public

M = TypeVar("M", bound=BaseModel)

MAX_SENDER = 300
"""Characters of a sender's id."""
MAX_HISTORY = 200
"""Messages that deep-chat may send along; only the customer's last one is answered."""
RASA_RESTARTS = frozenset({"/restart", "/session_start"})
BUTTONS = {"div": {"class"}, "button": {"class"}}
"""The HTML that deep-chat gets, and nothing else."""

router = APIRouter(tags=["clients"], dependencies=[public("PARETODESK_CLIENTS names the clients and their proofs")])


class RasaIn(BaseModel):
    """A message as Rasa's REST channel takes it; ``metadata.locale`` is the language to begin in."""

    model_config = ConfigDict(extra="ignore")

    sender: str | None = Field(None, min_length=1, max_length=MAX_SENDER)
    message: str = Field(max_length=MAX_MESSAGE)
    metadata: dict[str, Any] | None = None


class RasaButton(BaseModel):
    """A button; the client sends ``payload`` back as its next message."""

    title: str
    payload: str


class RasaOut(BaseModel):
    """One message of the bot."""

    recipient_id: str
    text: str
    buttons: list[RasaButton] | None = None


class DeepChatMessage(BaseModel):
    """One message of deep-chat's list."""

    model_config = ConfigDict(extra="ignore")

    role: str = Field("user", max_length=50)
    text: str = Field("", max_length=MAX_MESSAGE)


class DeepChatIn(BaseModel):
    """What deep-chat posts, with ``sender`` and ``locale`` from its ``additionalBodyProps``.

    Without a sender every message is a conversation of its own.
    """

    model_config = ConfigDict(extra="ignore")

    messages: list[DeepChatMessage] = Field(min_length=1, max_length=MAX_HISTORY)
    sender: str | None = Field(None, min_length=1, max_length=MAX_SENDER)
    locale: str | None = Field(None, max_length=35)


class DeepChatOut(BaseModel):
    """What deep-chat shows: light Markdown, and where buttons are offered these as HTML that was cleaned."""

    text: str
    html: str | None = None


async def _body(request: Request, model: type[M]) -> M:
    # Rasa reads JSON whatever the content type says. A browser says where a page's request comes from, and another
    # site's page can send JSON by that name only after it was asked whether it may.
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if "origin" in request.headers and kind != "application/json":
        raise ProblemError(415, "content-type: send application/json")
    try:
        return model.model_validate_json(await request.body())
    except ValidationError as error:
        mistakes = error.errors(include_url=False, include_input=False, include_context=False)
        raise RequestValidationError([{**mistake, "loc": ("body", *mistake["loc"])} for mistake in mistakes]) from error


async def _rasa_in(request: Request) -> RasaIn:
    return await _body(request, RasaIn)


async def _deep_chat_in(request: Request) -> DeepChatIn:
    return await _body(request, DeepChatIn)


def _described(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.get("properties", {}).pop("messages", None)
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


@router.get("/webhooks/rest/", tags=["rasa"])
def alive() -> dict[str, str]:
    """Rasa's REST channel lives."""
    return {"status": "ok"}


@router.post(
    "/webhooks/rest/webhook", tags=["rasa"], response_model_exclude_none=True, openapi_extra=_described(RasaIn)
)
def rasa(
    message: Annotated[RasaIn, Depends(_rasa_in)],
    request: Request,
    services: ServicesDep,
    token: Annotated[str, Query(max_length=500, description="one of the client's tokens")] = "",
) -> list[RasaOut]:
    """One message of a sender in, the bot's messages out, as Rasa's REST channel answers."""
    client, address = _admitted(services.clients.rasa, "rasa", request, message.sender, token)
    chats = ClientChats(services.database, services.conversations)
    site = services.clients.site_of(client, services.settings)
    sender = message.sender or uuid.uuid4().hex
    locale = (message.metadata or {}).get("locale")
    locale = locale[:35] if isinstance(locale, str) else None
    if message.message.strip() in RASA_RESTARTS:
        greeting = chats.start("rasa", sender, site=site, locale=locale)
        return [RasaOut(recipient_id=sender, text=said.text) for said in greeting]
    said = chats.say("rasa", sender, message.message, site=site, locale=locale, address=address)
    answers = [RasaOut(recipient_id=sender, text=text) for text in said.texts]
    if answers and said.turn.choices:
        answers[-1].buttons = [RasaButton(title=c.label, payload=f"/{c.value}") for c in said.turn.choices]
    return answers


@router.post("/v1/clients/deep-chat", response_model_exclude_none=True)
def deep_chat(
    posted: Annotated[DeepChatIn, Depends(_deep_chat_in)],
    request: Request,
    services: ServicesDep,
    token: Annotated[str, Query(max_length=500, description="one of the client's tokens")] = "",
) -> DeepChatOut:
    """The customer's last message in, the bot's answer out, as deep-chat shows it."""
    client, address = _admitted(services.clients.deep_chat, "deep_chat", request, posted.sender, token)
    last = next((message for message in reversed(posted.messages) if message.role == "user"), None)
    if last is None:
        raise ProblemError(422, "body.messages: none has the role user; send what the customer wrote")
    chats = ClientChats(services.database, services.conversations)
    said = chats.say(
        "deep_chat",
        posted.sender or uuid.uuid4().hex,
        last.text,
        site=services.clients.site_of(client, services.settings),
        locale=posted.locale,
        address=address,
    )
    return DeepChatOut(text="\n\n".join(said.texts), html=_buttons(said))


@router.post(
    "/v1/clients/chatwoot",
    responses={401: {"description": "The signature does not fit"}, 422: {"description": "No delivery of Chatwoot"}},
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}},
)
async def chatwoot(request: Request, services: ServicesDep) -> dict[str, str]:
    """A delivery to the agent bot. 200 means that it is on disk; the answer goes to Chatwoot's own API."""
    bot = chatwoot_bot(services)
    if bot is None:
        raise _not_configured("chatwoot")
    body = await request.body()
    if secrets := bot.settings.signing_secrets:
        _check_signature(secrets, request, body)
    try:
        why = await run_in_threadpool(bot.take, body)
    except ChatwootPayloadError as error:
        raise ProblemError(422, str(error)) from error
    return {"effect": "ignored", "why": why} if why else {"effect": "taken"}


def _check_signature(secrets: Sequence[str], request: Request, body: bytes) -> None:
    try:
        scheme_of("chatwoot").verify(secrets, dict(request.headers), body, now=datetime.now(UTC), tolerance=TOLERANCE)
    except SignatureError as error:
        raise ProblemError(
            401, "the delivery is not proven: check the secret, the clock, and that the body arrives unchanged"
        ) from error


def _admitted(
    client: WebClient | None, name: str, request: Request, sender: str | None, token: str
) -> tuple[WebClient, str | None]:
    """The client, if this request may speak for its sender, and the customer's address where it is they who ask.

    Raises `ProblemError`.
    """
    if client is None:
        raise _not_configured(name)
    scheme, _, shown = request.headers.get("authorization", "").partition(" ")
    if client.knows(token or (shown.strip() if scheme.lower() == "bearer" else "")):
        return client, None
    if not client.public:
        raise ProblemError(
            401, "send one of the client's tokens as bearer token or ?token=", headers={"WWW-Authenticate": "Bearer"}
        )
    if sender is not None and len(sender) < client.min_sender:
        raise ProblemError(
            422,
            f"body.sender: has {len(sender)} characters; where browsers talk to the desk it opens the conversation "
            f"like a password and needs {client.min_sender} random ones, such as crypto.randomUUID() gives",
        )
    return client, address_of(request)


def _not_configured(name: str) -> ProblemError:
    return ProblemError(404, f"the client {name} is not set up here; name it in the file of PARETODESK_CLIENTS")


def _buttons(said: ClientTurn) -> str | None:
    """Buttons that deep-chat makes clickable, None without any."""
    if not said.turn.choices:
        return None
    made = "".join(_button(choice) for choice in said.turn.choices)
    return nh3.clean(f'<div class="deep-chat-temporary-message">{made}</div>', tags=set(BUTTONS), attributes=BUTTONS)


def _button(choice: Choice) -> str:
    return f'<button class="deep-chat-button deep-chat-suggestion-button">{html.escape(choice.label)}</button>'
