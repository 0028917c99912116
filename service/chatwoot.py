"""This desk as the agent bot of a Chatwoot account: what its webhook says, and the answers over its API.

Chatwoot leaves a conversation to its agent bot while the status is `pending`, and to people from `open` on. It gives up
on a bot whose webhook does not answer soon with 2xx, so that a message is only stored there; a job answers it.
https://www.chatwoot.com/hc/user-guide/articles/1677497472-how-to-use-agent-bots
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from bot import MAX_MESSAGE, Act, Choice
from bot.clients import ClientChats
from desk import DeskError
from desk.database import Database
from desk.intake import enqueue
from desk.jobs import JobKind, Run
from desk.order_http import NoRedirects
from service.chat_clients import Chatwoot
from service.wiring import Services

ANSWER = "chatwoot_answer"
"""Job that answers a message; payload: that of `Incoming`."""
PENDING = "pending"
RESOLVED = "conversation_resolved"


class ChatwootPayloadError(DeskError):
    """A delivery that cannot be understood; the message names the field."""


class ChatwootDownError(DeskError):
    """Chatwoot does not take an answer; the message says what it did, never what was said."""


class _Account(BaseModel):
    id: int


class _Conversation(BaseModel):
    id: int
    status: str = ""
    additional_attributes: Mapping[str, Any] = {}


class _Delivery(BaseModel):
    """The fields that we use; everything else is passed over."""

    model_config = ConfigDict(extra="ignore")

    event: str
    id: int | None = None
    content: str | None = None
    message_type: str | int | None = None
    private: bool = False
    content_attributes: Mapping[str, Any] = {}
    conversation: _Conversation | None = None
    account: _Account | None = None
    status: str = Field("", description="on events of conversations, whose own fields stand at the top")

    @field_validator("content_attributes", mode="before")
    @classmethod
    def _nothing(cls, value: object) -> object:
        return value or {}


@dataclass(frozen=True, slots=True)
class Incoming:
    """A customer's message that the bot is to answer. ``text`` may be the label of a button."""

    conversation: int
    message: str
    text: str
    locale: str | None


@dataclass(frozen=True, slots=True)
class Ended:
    """A conversation that was resolved."""

    conversation: int


def read_delivery(body: bytes, account: int) -> Incoming | Ended | str:
    """What a delivery asks of the bot, or why it asks nothing. Raises `ChatwootPayloadError`."""
    try:
        given = _Delivery.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the body"
        raise ChatwootPayloadError(f"{where}: {first['msg']}; deliver the webhooks of an agent bot here") from error
    if given.account is not None and given.account.id != account:
        return f"account {given.account.id} is not the one that is configured"
    if given.event == RESOLVED:
        found = given.conversation.id if given.conversation else given.id
        return Ended(found) if found is not None else "the event names no conversation"
    if given.event not in ("message_created", "message_updated"):
        return f"the event {given.event[:50]} asks nothing of a bot"
    if given.conversation is None or given.id is None:
        raise ChatwootPayloadError(f"{'conversation' if given.conversation is None else 'id'}: is missing")
    if given.conversation.status != PENDING:
        return "people lead this conversation"
    return _message(given, given.conversation, given.id)


def _message(given: _Delivery, conversation: _Conversation, message: int) -> Incoming | str:
    language = conversation.additional_attributes.get("browser_language")
    locale = language[:35] if isinstance(language, str) else None
    if given.event == "message_updated":
        chosen = _chosen(given.content_attributes)
        pressed = Incoming(conversation.id, f"{message}-{chosen}"[:80], chosen, locale)
        return pressed if chosen else "no button was pressed"
    if given.private or str(given.message_type) not in ("incoming", "0"):
        return "the message is not a customer's"
    text = (given.content or "").strip()
    return Incoming(conversation.id, str(message), text[:MAX_MESSAGE], locale) if text else "the message has no text"


def _chosen(attributes: Mapping[str, Any]) -> str:
    """The value of the button that the customer pressed, empty for none."""
    values = attributes.get("submitted_values")
    first = values[0] if isinstance(values, list) and values else None
    value = first.get("value") if isinstance(first, Mapping) else None
    return value[:100] if isinstance(value, str) else ""


class ChatwootBot:
    """Takes deliveries of one account in, and answers them."""

    def __init__(self, settings: Chatwoot, site: str, database: Database, chats: ClientChats) -> None:
        self.settings = settings
        self._site, self._database, self._chats = site, database, chats
        self._client = f"chatwoot:{settings.account}"
        self._opener = build_opener(ProxyHandler({}), NoRedirects)

    def take(self, body: bytes) -> str | None:
        """Put what a proven delivery asks on disk; why it asks nothing, else None. A repeated one has no effect.

        Raises `ChatwootPayloadError` and `DatabaseError`.
        """
        found = read_delivery(body, self.settings.account)
        if isinstance(found, str):
            return found
        if isinstance(found, Ended):
            self._chats.forget(self._client, str(found.conversation))
            return None
        payload = {name: getattr(found, name) for name in Incoming.__dataclass_fields__}
        key = f"{self.settings.account}:{found.message}"
        new = self._database.write(lambda session: enqueue(session, ANSWER, payload, key=key))
        return None if new else "this message was taken before"

    def job_kind(self) -> JobKind:
        """How messages are answered."""
        return JobKind(ANSWER, self._work)

    def _work(self, run: Run) -> None:
        for lease in run.leases:
            self._answer(Incoming(**lease.payload))

    def _answer(self, asked: Incoming) -> None:
        said = self._chats.say(
            self._client,
            str(asked.conversation),
            asked.text,
            site=self._site,
            locale=asked.locale,
            client_id=f"chatwoot-{asked.message}",
        )
        # What fails half-way is tried again as a whole. Opening a conversation twice does nothing, a message would be
        # read twice: it comes last, and as one. A passed-on request makes a ticket, too, which people must see there.
        if said.turn.act is Act.HAND_OFF or said.turn.ticket_id:
            self._post(asked.conversation, "toggle_status", {"status": "open"})
        if said.texts:
            self._post(asked.conversation, "messages", _outgoing("\n\n".join(said.texts), said.turn.choices))

    def _post(self, conversation: int, what: str, body: Mapping[str, Any]) -> None:
        host, settings = self.settings.url, self.settings
        url = f"{host}/api/v1/accounts/{settings.account}/conversations/{conversation}/{what}"
        headers = {"api_access_token": settings.access_token, "Content-Type": "application/json"}
        request = Request(url, json.dumps(body).encode(), headers, method="POST")  # noqa: S310  # http(s) by validation
        try:
            with self._opener.open(request, timeout=settings.timeout_seconds) as answer:
                answer.read()
        except HTTPError as error:
            error.close()
            told = f"Chatwoot at {host} answers {error.code} to {what}"
            if error.code in (401, 403, 404):
                told += "; check bot_token, account, and that the agent bot belongs to the inbox"
            raise ChatwootDownError(told) from error
        except (URLError, HTTPException, OSError) as error:
            raise ChatwootDownError(f"Chatwoot at {host} cannot be reached; check url and that it runs") from error


def chatwoot_bot(services: Services) -> ChatwootBot | None:
    """The agent bot, None where no Chatwoot account is configured."""
    settings = services.clients.chatwoot
    if settings is None:
        return None
    site = services.clients.site_of(settings, services.settings)
    return ChatwootBot(settings, site, services.database, ClientChats(services.database, services.conversations))


def _outgoing(content: str, choices: tuple[Choice, ...]) -> dict[str, Any]:
    message: dict[str, Any] = {"content": content, "message_type": "outgoing"}
    if choices:
        items = [{"title": choice.label, "value": f"/{choice.value}"} for choice in choices]
        message |= {"content_type": "input_select", "content_attributes": {"items": items}}
    return message
