"""What goes back to the customer: turns, what is said in them, buttons, and the history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

PERSON = "person"
"""Value of the button that asks for a person; it is accepted at every turn."""
SOLVED = "solved"
NOT_SOLVED = "not_solved"
NO_ORDER = "no_order"
REASON_PREFIX = "reason:"
"""A button that names a contact reason has this before the reason's id."""
SECTION_PREFIX = "section:"
"""A button that names a section of an article has this before ``article#number``."""


class Act(StrEnum):
    """What the bot does with one customer message."""

    ANSWER = "answer"
    ASK_ORDER = "ask_order"
    CLARIFY = "clarify"
    HAND_OFF = "hand_off"
    CLOSE = "close"


class Role(StrEnum):
    """Who says something."""

    CUSTOMER = "customer"
    BOT = "bot"
    AGENT = "agent"


@dataclass(frozen=True)
class Said:
    """One message of the bot, light Markdown.

    ``source`` is where its words come from: ``article:<passage id>``, ``macro:<locale>/<id>`` or ``wording:<key>``.
    """

    text: str
    source: str

    def to_json(self) -> dict[str, str]:
        """The public form."""
        return {"text": self.text, "source": self.source}


@dataclass(frozen=True)
class Choice:
    """A button: what it shows and what the client sends back as ``choice``."""

    label: str
    value: str

    def to_json(self) -> dict[str, str]:
        """The public form."""
        return {"label": self.label, "value": self.value}


@dataclass(frozen=True)
class Turn:
    """The answer to one customer message. ``locale`` is the language of the conversation from now on."""

    act: Act
    reason: str | None
    messages: tuple[Said, ...]
    choices: tuple[Choice, ...]
    locale: str
    ticket_id: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The public form; ``ticket_id`` is there once a person has taken over."""
        data: dict[str, Any] = {
            "act": str(self.act),
            "reason": self.reason,
            "messages": [said.to_json() for said in self.messages],
            "choices": [choice.to_json() for choice in self.choices],
            "locale": self.locale,
        }
        return data | ({"ticket_id": self.ticket_id} if self.ticket_id else {})


@dataclass(frozen=True)
class Started:
    """A new session. ``token`` is shown only here."""

    session_id: str
    token: str
    locale: str
    messages: tuple[Said, ...]
    choices: tuple[Choice, ...]

    def to_json(self) -> dict[str, Any]:
        """The public form."""
        return {
            "session_id": self.session_id,
            "token": self.token,
            "locale": self.locale,
            "messages": [said.to_json() for said in self.messages],
            "choices": [choice.to_json() for choice in self.choices],
        }


@dataclass(frozen=True)
class Entry:
    """One line of the history. ``id`` is stable; ``choices`` are the buttons open now, on the last entry only."""

    id: str
    role: Role
    text: str
    at: datetime
    act: str | None = None
    reason: str | None = None
    source: str | None = None
    client_id: str | None = None
    choices: tuple[Choice, ...] = ()
    ticket_id: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The public form; fields that are not known are left out."""
        data = {
            "id": self.id,
            "role": str(self.role),
            "text": self.text,
            "at": self.at.isoformat(),
            "act": self.act,
            "reason": self.reason,
            "source": self.source,
            "client_id": self.client_id,
            "choices": [choice.to_json() for choice in self.choices] or None,
            "ticket_id": self.ticket_id,
        }
        return {key: value for key, value in data.items() if value is not None}
