"""`POST /v1/tag`: tag one or up to 1,000 texts without storing them; `POST /v1/explain`: why."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from classifier.explanation import explain
from classifier.features import feature_text
from service.problems import ProblemError
from service.routes.dependencies import ServicesDep, allow

MAX_TEXTS = 1_000
MAX_CHARACTERS = 1_048_576

router = APIRouter(prefix="/v1", tags=["tags"], dependencies=[allow("texts:tag")])


class TextIn(BaseModel):
    """A ticket to tag. ``body`` must have a character that is not white space."""

    model_config = ConfigDict(extra="ignore")

    id: str | None = Field(None, max_length=200)
    subject: str = Field("", max_length=2_000)
    body: str = Field(max_length=MAX_CHARACTERS, pattern=r"\S")


class TextsIn(BaseModel):
    """Up to 1,000 tickets to tag."""

    model_config = ConfigDict(extra="forbid")

    texts: list[TextIn] = Field(min_length=1, max_length=MAX_TEXTS)


@router.post("/tag")
def tag(request: TextIn | TextsIn, services: ServicesDep) -> dict[str, Any]:
    """Tag one text (``{subject?, body}``) or many (``{texts: [...]}``, answered as ``{tags: [...]}`` in order)."""
    texts = request.texts if isinstance(request, TextsIn) else [request]
    tags = services.tagger.tag_many([(text.subject, text.body) for text in texts])
    answers = [{"id": text.id, **tag.to_json()} for text, tag in zip(texts, tags, strict=True)]
    return {"tags": answers} if isinstance(request, TextsIn) else answers[0]


@router.post("/explain")
def explain_tag(request: TextIn, services: ServicesDep) -> dict[str, Any]:
    """Why a text (``{subject?, body}``) gets its tag: words, sentences and the nearest labelled tickets."""
    model, text = services.tagger.tagger.model, feature_text(request.subject, request.body)
    if model is None:
        raise ProblemError(503, services.tagger.problem or "no model serves; train one with 'paretodesk train'")
    if not text:
        raise ProblemError(422, "body: the message has no words of its own; send a text")
    return {"id": request.id, **explain(model, text).to_json()}
