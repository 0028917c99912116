"""What customers think of a conversation with the bot."""

from __future__ import annotations

from typing import Any, Self

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, model_validator

from bot.ratings import Rating, Ratings
from service.routes.chat import Token
from service.routes.dependencies import ServicesDep, public

MAX_COMMENT = 2_000

router = APIRouter(
    prefix="/v1/chat", tags=["chat"], dependencies=[public("customers chat, each session with its own token")]
)


class RatingIn(BaseModel):
    """How satisfied the customer is, whether they would recommend the shop, and why; one number at least."""

    model_config = ConfigDict(extra="forbid")

    csat: int | None = Field(None, ge=1, le=5, strict=True, description="1 very dissatisfied, 5 very satisfied")
    nps: int | None = Field(None, ge=0, le=10, strict=True, description="0 not at all likely, 10 very likely")
    comment: str | None = Field(None, max_length=MAX_COMMENT)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.csat is None and self.nps is None:
            raise ValueError("give csat, nps or both")
        return self


@router.post(
    "/sessions/{session_id}/rating",
    responses={409: {"description": "Rated before with another number, or nothing was said yet"}},
)
def rate(session_id: str, rating: RatingIn, token: Token, services: ServicesDep) -> dict[str, Any]:
    """Rate a conversation; the answer is all that is on record. It counts for the ticket where there is one."""
    comment = (rating.comment or "").strip() or None
    return Ratings(services.database).rate(session_id, token, Rating(rating.csat, rating.nps, comment)).to_json()
