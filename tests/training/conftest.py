"""A real desk on SQLite and a mid-sized set of labelled tickets with their vectors."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from classifier.encoders import Encoder, Vectors
from desk.database import open_database
from desk.inbox import Desk, IncomingTicket
from desk.ledger import Event, EventKind
from training.corpus import Example

REASONS = ("tracking_update", "return_request", "thanks", "invoice_request", "safety_or_counterfeit", "payment_issue")
LEARNED, FROZEN = 40, 12


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    database = open_database(f"sqlite:///{tmp_path}/desk.db")
    yield Desk(database)
    database.close()


@pytest.fixture
def fill(desk: Desk) -> Callable[..., None]:
    """Store ``count`` tickets created at ``at``; ``reason`` None leaves them undecided."""
    stored = 0

    def store(reason: str | None, count: int, at: datetime, **fields: str) -> None:
        nonlocal stored
        past = [Event("", EventKind.TAG_CONFIRMED, at, "agent:ana", {"reason": reason})] if reason else []
        batch = []
        for _ in range(count):
            stored += 1
            batch.append((IncomingTicket("fill", str(stored), "text", created_at=at, **fields), past))
        desk.receive_many(batch)

    return store


@pytest.fixture(scope="session")
def some(corpus: list[Example]) -> list[Example]:
    """English tickets of six reasons, the short ones first: so many to learn from, so many frozen."""
    taken: Counter[tuple[str, bool]] = Counter()
    chosen = []
    for example in sorted(corpus, key=lambda example: (len(example.body), example.id)):
        slot = example.reason, example.frozen
        if example.locale == "en" and example.reason in REASONS and taken[slot] < (FROZEN if slot[1] else LEARNED):
            taken[slot] += 1
            chosen.append(example)
    assert set(taken.values()) == {LEARNED, FROZEN}
    return chosen


@pytest.fixture(scope="session")
def learned(some: list[Example]) -> list[Example]:
    return [example for example in some if not example.frozen]


@pytest.fixture(scope="session")
def frozen(some: list[Example]) -> list[Example]:
    return [example for example in some if example.frozen]


@pytest.fixture(scope="session")
def vectors(learned: list[Example], encoder: Encoder) -> Vectors:
    """Of the learned tickets, so that each is encoded once."""
    found = encoder.encode([example.text for example in learned])
    assert found.dtype == np.float32
    return found
