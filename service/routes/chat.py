"""The chat that the widget and other clients talk to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field

from bot import MAX_MESSAGE
from desk.ledger import Status
from service.problems import ProblemError
from service.routes.dependencies import ServicesDep, address_of, public

router = APIRouter(
    prefix="/v1/chat", tags=["chat"], dependencies=[public("customers chat, each session with its own token")]
)
_bearer = HTTPBearer(auto_error=False, description="The session's token")
EVENT_STREAM = "text/event-stream"


class SessionIn(BaseModel):
    """Opens a chat on a site that this desk serves."""

    model_config = ConfigDict(extra="forbid")

    site: str = Field(min_length=1, max_length=100)
    locale: str | None = Field(None, max_length=35, description="BCP 47, such as de or fr-CH")


class MessageIn(BaseModel):
    """What the customer wrote, or the value of the button that was pressed."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(max_length=MAX_MESSAGE)
    client_id: str | None = Field(None, min_length=1, max_length=100, description="makes a resent message harmless")
    choice: str | None = Field(None, max_length=100)


def _token(credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> str:
    if credentials is None:
        raise ProblemError(401, "send the session's token as bearer token", headers={"WWW-Authenticate": "Bearer"})
    return credentials.credentials


Token = Annotated[str, Depends(_token)]


@router.post("/sessions", status_code=201)
def start(session: SessionIn, services: ServicesDep) -> dict[str, Any]:
    """Open a session. Keep the token: it is shown once and opens this conversation only."""
    if session.site not in services.settings.sites:
        raise ProblemError(403, f"site '{session.site}' is not served here; add it to PARETODESK_SITES")
    started = services.conversations.start(session.site, session.locale).to_json()
    return started | {"rating": {"csat": True, "nps": services.settings.chat_nps}}


@router.post("/sessions/{session_id}/messages")
def say(
    session_id: str,
    message: MessageIn,
    token: Token,
    services: ServicesDep,
    request: Request,
    accept: Annotated[str, Header()] = "",
) -> Response:
    """One customer message in, one turn out; as server-sent events where the client accepts them."""
    turn = services.conversations.say(
        session_id,
        token,
        message.text,
        client_id=message.client_id,
        choice=message.choice,
        address=address_of(request),
    ).to_json()
    if EVENT_STREAM in accept:
        return StreamingResponse(_events(turn), media_type=EVENT_STREAM, headers={"Cache-Control": "no-store"})
    return JSONResponse(turn, headers={"Cache-Control": "no-store"})


@router.get("/sessions/{session_id}/messages")
def history(session_id: str, token: Token, services: ServicesDep) -> dict[str, Any]:
    """Everything said so far, agents' replies included; ``resolved`` once a person has closed the ticket."""
    entries = services.conversations.history(session_id, token)
    ticket_id = entries[-1].ticket_id if entries else None
    resolved = ticket_id is not None and services.desk.ticket(ticket_id).state.status is Status.RESOLVED
    return {"messages": [entry.to_json() for entry in entries], "resolved": resolved}


def _events(turn: dict[str, Any]) -> Iterator[str]:
    for message in turn["messages"]:
        yield f"event: message\ndata: {json.dumps(message, ensure_ascii=False)}\n\n"
    yield f"event: turn\ndata: {json.dumps(turn, ensure_ascii=False)}\n\n"
