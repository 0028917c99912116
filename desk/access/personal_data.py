"""Where personal data stands, as data: `personal_data.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, model_validator

from classifier.datafile import load_yaml
from desk.tables import metadata

FILE = Path(__file__).parent / "personal_data.yaml"


class Held(StrEnum):
    """What a column holds, and so what replaces it; the file says how."""

    TEXT = "text"
    NAME = "name"
    SUBJECT = "subject"
    EMAIL = "email"
    ORDER = "order"
    NOTHING = "nothing"
    LIST = "list"
    BYTES = "bytes"
    EVENT = "event"
    PAYLOAD = "payload"
    CONVERSATION = "conversation"


PLACEHOLDERS: Mapping[Held, str] = {
    Held.TEXT: "[erased: text]",
    Held.NAME: "[erased: name]",
    Held.SUBJECT: "[erased: subject]",
}
"""What stands where something was erased."""


def is_erased(subject: str, body: str) -> bool:
    """Whether nothing of a ticket's words is left but placeholders: there is nothing to read or to learn from."""
    return not {subject, body} - {"", *PLACEHOLDERS.values()}


class TableFields(BaseModel):
    """One table: columns to erase by what they hold, and columns that stay."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    erase: dict[str, Held]
    keep: tuple[str, ...]


class PersonalData(BaseModel):
    """The whole file. A table or column that there is not is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tables: dict[str, TableFields]
    without: tuple[str, ...]
    event_keeps: frozenset[str]
    payload_keeps: frozenset[str]
    conversation_keeps: frozenset[str]
    conversation_becomes: dict[str, str]

    @model_validator(mode="after")
    def _exist(self) -> Self:
        if unknown := {*self.tables, *self.without} - set(metadata.tables):
            raise ValueError(f"there is no table {', '.join(sorted(unknown))}")
        for name, table in self.tables.items():
            if unknown := {*table.erase, *table.keep} - set(metadata.tables[name].columns.keys()):
                raise ValueError(f"tables.{name}: there is no column {', '.join(sorted(unknown))}")
        return self

    def erased_event(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """An event's data with every text replaced but those that say what was done."""
        return _keeping(data, self.event_keeps)

    def erased_payload(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """What a job was to work on with every text replaced."""
        return _keeping(data, self.payload_keeps)

    def erased_conversation(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """The memory of a conversation that is over."""
        kept = {key: value for key, value in state.items() if key in self.conversation_keeps}
        if "version" in kept:
            kept["version"] += 1  # a message that is being answered at this moment is not stored after it
        return kept | self.conversation_becomes


def _keeping(data: Mapping[str, Any], keeps: frozenset[str]) -> dict[str, Any]:
    return {key: value if key in keeps else _emptied(value) for key, value in data.items()}


def _emptied(value: Any) -> Any:
    if isinstance(value, str):
        return PLACEHOLDERS[Held.TEXT] if value else value
    if isinstance(value, Mapping):
        return {key: _emptied(item) for key, item in value.items()}
    return [_emptied(item) for item in value] if isinstance(value, list) else value


@cache
def personal_data() -> PersonalData:
    """Where personal data stands in this desk. Raises `DataFileError`."""
    return load_yaml(FILE, PersonalData)
