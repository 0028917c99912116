"""Every desk test runs on SQLite and, where a server is reachable, on PostgreSQL in a schema of its own."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from classifier.tagger import Alternative
from desk.database import Database, open_database
from desk.inbox import Desk, IncomingTicket
from desk.ledger import Event, EventKind


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = open_database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


@dataclass(frozen=True)
class StatedTag:
    """A tag as the classifier gives it."""

    reason: str = "tracking_update"
    confidence: float = 0.93
    decision: str = "tagged"
    autonomy: str = "self_service"
    language: str | None = "en"
    guard: tuple[str, ...] = ()
    model: str = "starter-1"
    secondary: tuple[Alternative, ...] = ()
    sentiment: str = "neutral"
    urgency: str = "normal"


class KeywordTagger:
    """A small real tagger: sure of parcels, undecided about everything else."""

    def tag_many(self, texts: Sequence[tuple[str, str]]) -> list[StatedTag]:
        return [
            StatedTag() if "parcel" in body else StatedTag("other", 0.2, "undecided", "assisted") for _, body in texts
        ]


@pytest.fixture
def tagger() -> KeywordTagger:
    return KeywordTagger()


@pytest.fixture
def tag() -> type[StatedTag]:
    return StatedTag


@pytest.fixture
def incoming() -> Callable[..., IncomingTicket]:
    def make(external_id: str = "1", body: str = "Where is my parcel?", **fields: object) -> IncomingTicket:
        return IncomingTicket(source="test", external_id=external_id, body=body, **fields)

    return make


@pytest.fixture
def fill(desk: Desk) -> Callable[..., None]:
    """Store ``count`` tickets created at ``at`` with a confirmed ``reason`` (None: undecided) and more facts."""
    stored = 0

    def store(reason: str | None, count: int, at: datetime, facts: Sequence[tuple[EventKind, dict]] = (), **fields):
        nonlocal stored
        told = [(EventKind.TAG_CONFIRMED, {"reason": reason})] if reason else []
        past = [Event("", kind, at, "agent:test", data) for kind, data in [*told, *facts]]
        batch = []
        for _ in range(count):
            stored += 1
            ticket = IncomingTicket("fill", str(stored), "text", created_at=at, **fields)
            batch.append((ticket, past))
        desk.receive_many(batch)

    return store


@pytest.fixture
def noon() -> Callable[[int, int], datetime]:
    return lambda month, day: datetime(2026, month, day, 12, tzinfo=UTC)
