"""The HTTP shapes of a Rasa 3 server that only understands (NLU), so that tools made for Rasa can ask this desk.

Shapes: Rasa's OpenAPI document, https://rasa.com/docs/reference/api/pro/http-api, and where that is silent what its own
server answers: no content type is needed, an empty text gets the intent null, `/status` is 409 without a model.
"""

from __future__ import annotations

from importlib.metadata import version as installed_version
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from classifier.entities import Entity, find_entities
from classifier.tagger import Tag
from service.problems import ProblemError
from service.routes.dependencies import ServicesDep, allow, public
from service.routes.tags import MAX_CHARACTERS

RASA = "3.6.20"
"""The Rasa release whose shapes are spoken; clients compare it with the one that they need."""
OLDEST_RASA = "3.5.0"
"""What Rasa 3.6 calls its minimum compatible version."""
EXTRACTOR = "paretodesk"

router = APIRouter(tags=["rasa"])

Token = Annotated[
    str | None, Query(max_length=500, description="PARETODESK_CONSOLE_TOKEN, as Rasa's clients send their token")
]


class MessageIn(BaseModel):
    """A message to understand. ``message_id`` and any other field of Rasa's clients are taken and not used."""

    model_config = ConfigDict(extra="ignore")

    text: str = Field(max_length=MAX_CHARACTERS, description="Message to be parsed")
    message_id: str | None = Field(None, max_length=500, description="Optional id of the message")


class IntentOut(BaseModel):
    """A contact reason with its calibrated probability; the name is null where nothing was understood."""

    name: str | None
    confidence: float


_NOTHING = IntentOut(name=None, confidence=0.0)


class EntityOut(BaseModel):
    """A span of the text, ``text[start:end] == value``; ``role`` is the carrier of a tracking number."""

    entity: str
    value: str
    start: int
    end: int
    extractor: str = EXTRACTOR
    role: str | None = None


class ParseOut(BaseModel):
    """Rasa's parse result. ``paretodesk`` is the tag as `POST /v1/tag` gives it: decision, guard and the rest."""

    text: str
    intent: IntentOut
    intent_ranking: list[IntentOut]
    entities: list[EntityOut]
    paretodesk: dict[str, Any] | None


class StatusOut(BaseModel):
    """The model that serves, ``name/version``. Training happens in other processes, so that no job is ever counted."""

    model_config = ConfigDict(protected_namespaces=())

    model_file: str
    model_id: str
    num_active_training_jobs: int = 0


class VersionOut(BaseModel):
    """Which Rasa is spoken, and by which version of this desk."""

    version: str = RASA
    minimum_compatible_version: str = OLDEST_RASA
    paretodesk: str


class _TokenInBody(BaseModel):
    token: str = ""


async def _described(token: Token = None) -> None:
    """Has the parameter described and its length checked."""


async def _token_in_query(request: Request) -> str:
    return request.query_params.get("token", "")


async def _token_anywhere(request: Request) -> str:
    # Rasa's own HTTP interpreter can show its token nowhere but in the body.
    return await _token_in_query(request) or await _token_in_body(request)


async def _token_in_body(request: Request) -> str:
    try:
        return _TokenInBody.model_validate_json(await request.body()).token
    except ValidationError:
        return ""


async def _message(request: Request) -> MessageIn:
    # Rasa reads JSON whatever the content type says, and its guides send none.
    try:
        return MessageIn.model_validate_json(await request.body())
    except ValidationError as error:
        mistakes = error.errors(include_url=False, include_input=False, include_context=False)
        raise RequestValidationError([{**mistake, "loc": ("body", *mistake["loc"])} for mistake in mistakes]) from error


@router.post(
    "/model/parse",
    dependencies=[Depends(_described), allow("texts:tag", _token_anywhere)],
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": MessageIn.model_json_schema()}}}
    },
)
def parse(
    message: Annotated[MessageIn, Depends(_message)],
    services: ServicesDep,
    emulation_mode: Annotated[str | None, Query(max_length=50, description="not spoken here")] = None,
) -> ParseOut:
    """Reason and entities of one message, in Rasa's words; nothing is stored."""
    if emulation_mode:
        raise ProblemError(
            400, f"emulation_mode: '{emulation_mode[:50]}' is not spoken here; leave it out for Rasa's own shape"
        )
    if not message.text.strip():
        return ParseOut(text=message.text, intent=_NOTHING, intent_ranking=[], entities=[], paretodesk=None)
    tag = services.tagger.tag("", message.text)
    ranking = [IntentOut(name=reason.id, confidence=reason.probability) for reason in tag.reasons]
    return ParseOut(
        text=message.text,
        intent=ranking[0] if ranking else _NOTHING,
        intent_ranking=ranking,
        entities=_entities(message.text, tag),
        paretodesk=tag.to_json(),
    )


@router.get("/status", dependencies=[Depends(_described), allow("models:read", _token_in_query)])
def status(services: ServicesDep) -> StatusOut:
    """The model that serves; 409 without one."""
    model = services.tagger.tagger.model_id
    if not model:
        raise ProblemError(409, f"no model serves: {services.tagger.problem}")
    return StatusOut(model_file=model, model_id=model)


@router.get("/version", dependencies=[public("clients of Rasa ask before they show their token")])
def version() -> VersionOut:
    """Open to everybody, as Rasa's: clients ask before they show their token."""
    return VersionOut(paretodesk=installed_version("paretodesk"))


def _entities(text: str, tag: Tag) -> list[EntityOut]:
    """Found in the text as it was sent, so that the spans fit it; the tag's own come from the cleaned text."""
    return [_entity(found) for found in find_entities(text, tag.language)]


def _entity(found: Entity) -> EntityOut:
    return EntityOut(entity=found.kind, value=found.value, start=found.start, end=found.end, role=found.carrier)
