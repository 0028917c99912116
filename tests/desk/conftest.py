"""Every desk test runs on SQLite and, where a server is reachable, on PostgreSQL in a schema of its own."""

import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from classifier.taxonomy import Taxonomy, starter_taxonomy
from desk.database import Database, open_database
from desk.inbox import Desk, IncomingTicket
from desk.ledger import Event, EventKind

SERVERS = ("postgres@127.0.0.1:5432/test", "root@127.0.0.1:5432/test")
RUN = f"desk_test_{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def server() -> str:
    """``USER@HOST:PORT/NAME`` of a PostgreSQL server. None reachable: skip, or fail where CI promises one."""
    why = ""
    for server in SERVERS:
        try:
            psycopg.connect(f"postgresql://{server}", connect_timeout=3).close()
        except psycopg.OperationalError as error:
            why = str(error).strip().splitlines()[0]
        else:
            return server
    message = f"no PostgreSQL server at 127.0.0.1:5432: {why}"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(message)
    pytest.skip(message)


def in_schema(server: str, schema: str) -> Iterator[str]:
    with psycopg.connect(f"postgresql://{server}", autocommit=True) as connection:
        connection.execute(f'CREATE SCHEMA "{schema}"')
        try:
            # durability is the server's affair; waiting for its disk would double the time of the suite
            yield f"postgresql+psycopg://{server}?options=-csearch_path%3D{schema}%20-csynchronous_commit%3Doff"
        finally:
            connection.execute("SET client_min_messages TO warning")
            connection.execute(f'DROP SCHEMA "{schema}" CASCADE')


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/desk.db"
    else:
        yield from in_schema(request.getfixturevalue("server"), f"{RUN}_{uuid.uuid4().hex[:8]}")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = open_database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


@pytest.fixture(scope="session")
def taxonomy() -> Taxonomy:
    return starter_taxonomy()


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
