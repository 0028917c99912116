"""What a snapshot holds, and how it is written as lines.

SnapshotError
    └── a snapshot cannot be read, is not what was frozen, or is not there; the message names file and line
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import date, datetime
from functools import cached_property
from typing import Any

from training.corpus import Example

FORMAT = 1
CONFIRMED, CORRECTED, BOT = "confirmed", "corrected", "bot"
SOURCES = (CONFIRMED, CORRECTED, BOT)
ID_DIGITS = 12
"""Digits of the hash in a snapshot's id."""
_TIMES = ("opened_at", "labelled_at")
_OPTIONAL = ("labelled_by", "tagged", "tagged_probability", "secondary")


class SnapshotError(ValueError):
    """A snapshot cannot be used; the message says which, where and what to do."""


@dataclass(frozen=True, slots=True)
class SnapshotTicket:
    """One labelled ticket as it was when it was opened, redacted.

    ``source`` says where the label is from: a person confirmed what the model had said, a person corrected it (or
    labelled what no model had), or a customer told the bot that its answer helped. ``group`` is a pseudonym of order
    and customer, equal for everything that must not be split. ``labelled_by`` is a pseudonym of the agent, None for
    the bot and for imports that name nobody. ``tagged`` is what the model had said before the label, with its
    probability. ``secondary`` are further reasons that a person found; None where nobody looked.
    """

    id: str
    reason: str
    locale: str
    channel: str
    marketplace: str
    subject: str
    body: str
    group: str
    opened_at: datetime
    source: str
    labelled_by: str | None
    labelled_at: datetime
    tagged: str | None = None
    tagged_probability: float | None = None
    undecided: bool = False
    secondary: tuple[str, ...] | None = None

    @property
    def by_person(self) -> bool:
        """Whether a person gave the label: only such tickets are measured on."""
        return self.source != BOT

    def example(self) -> Example:
        """The ticket to learn from or to measure on."""
        return Example(
            id=f"desk-{self.id}",
            reason=self.reason,
            locale=self.locale,
            channel=self.channel,
            subject=self.subject,
            body=self.body,
            group=self.group,
            secondary=self.secondary,
        )

    def to_line(self) -> str:
        """One line of JSON, the same for the same ticket."""
        row = asdict(self) | {name: getattr(self, name).isoformat() for name in _TIMES}
        return json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n"

    @classmethod
    def from_line(cls, line: str) -> SnapshotTicket:
        """The inverse of `to_line`. Raises ValueError or TypeError."""
        row = json.loads(line)
        if not isinstance(row, dict) or set(row) != {part.name for part in fields(cls)}:
            raise ValueError("the fields are not those of a snapshot's ticket")
        for name, value in row.items():
            if name in _OPTIONAL or name == "undecided":
                continue
            if not isinstance(value, str):
                raise TypeError(f"field '{name}' must be a text")
        if row["source"] not in SOURCES:
            raise ValueError(f"field 'source' must be one of {', '.join(SOURCES)}")
        times = {name: datetime.fromisoformat(row[name]) for name in _TIMES}
        secondary = None if row["secondary"] is None else tuple(row["secondary"])
        return cls(**{**row, **times, "secondary": secondary})


@dataclass(frozen=True)
class Snapshot:
    """Labelled tickets opened from ``first_day`` to ``last_day``, both included, with labels as known on the last.

    ``tickets`` are in the order in which they were opened. ``dropped`` says how many labelled tickets were left out,
    by why.
    """

    first_day: date
    last_day: date
    created_at: datetime
    tickets: tuple[SnapshotTicket, ...]
    dropped: Mapping[str, int] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Quarter of the last day and the beginning of the hash: ``2026Q4-1a2b3c4d5e6f``."""
        return f"{self.last_day.year}Q{(self.last_day.month + 2) // 3}-{self.hash[:ID_DIGITS]}"

    @cached_property
    def hash(self) -> str:
        """sha256 over period and tickets; when it was frozen and what was left out do not count."""
        head = json.dumps({"format": FORMAT, "first_day": str(self.first_day), "last_day": str(self.last_day)})
        digest = hashlib.sha256(head.encode())
        for ticket in self.tickets:
            digest.update(ticket.to_line().encode())
        return digest.hexdigest()

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """How many tickets by reason, language, channel and source."""
        columns = {"reason": "reason", "language": "locale", "channel": "channel", "source": "source"}
        return {
            name: dict(sorted(Counter(str(getattr(ticket, column)) for ticket in self.tickets).items()))
            for name, column in columns.items()
        }

    def to_json(self) -> dict[str, Any]:
        """The manifest: everything but the tickets."""
        return {
            "format": FORMAT,
            "id": self.id,
            "hash": self.hash,
            "created_at": self.created_at.isoformat(timespec="seconds"),
            "first_day": str(self.first_day),
            "last_day": str(self.last_day),
            "tickets": len(self.tickets),
            "counts": self.counts,
            "dropped": dict(sorted(self.dropped.items())),
        }
