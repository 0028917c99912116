"""Tickets that are tagged once more, by a model that came after them: read in pages, written in batches.

A reason that a person confirmed stays, and so does what was erased. A ticket that already carries the model's tag is
left out, so that a run that was broken off goes on where it stopped.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any

import sqlalchemy as sa

from desk.access.personal_data import is_erased
from desk.inbox import Desk
from desk.ledger import Decision
from desk.tables import ticket_states, tickets
from desk.tagging import TagLike

PAGE = 2_000
"""Tickets read at once: with their texts some megabytes."""
BATCH = 256

Retag = Callable[[Iterable[Sequence[tuple[str, str]]]], Iterator[Sequence[TagLike]]]
"""Tags of each batch of (subject, body), in order; it may read a few batches ahead."""


@dataclass(frozen=True, slots=True)
class Which:
    """The tickets to tag once more: created from ``first`` up to before ``end`` (UTC), of one channel; None: all."""

    first: date | None = None
    end: date | None = None
    channel: str | None = None

    def conditions(self) -> list[sa.ColumnElement[bool]]:
        """On `tickets` and `ticket_states`."""
        found: list[sa.ColumnElement[bool]] = [ticket_states.c.confirmed_by.is_(None)]
        if self.first is not None:
            found.append(tickets.c.created_at >= datetime.combine(self.first, time.min, tzinfo=UTC))
        if self.end is not None:
            found.append(tickets.c.created_at < datetime.combine(self.end, time.min, tzinfo=UTC))
        if self.channel is not None:
            found.append(sa.func.lower(tickets.c.channel) == self.channel.lower())
        return found


@dataclass
class Retagged:
    """What tagging once more did: ``changed`` reasons among ``tickets``, and how many are undecided."""

    tickets: int = 0
    changed: int = 0
    undecided_before: int = 0
    undecided_after: int = 0
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Tickets by (reason before, reason now), where they differ."""

    def to_json(self) -> dict[str, Any]:
        """For `paretodesk retag --json`."""
        moves = [{"from": before, "to": after, "tickets": n} for (before, after), n in self.moves.most_common()]
        return {
            "tickets": self.tickets, "changed": self.changed, "undecided_before": self.undecided_before,
            "undecided_after": self.undecided_after, "moves": moves,
        }  # fmt: skip


def waiting(desk: Desk, model: str, which: Which) -> int:
    """How many tickets would be tagged once more by ``model`` (its id, such as ``reasons/20261121-224512``)."""
    query = sa.select(sa.func.count()).select_from(tickets.join(ticket_states)).where(*_due(model, which))
    with desk.database.session(read_only=True) as session:
        return session.scalar(query) or 0


def retag(
    desk: Desk, model: str, tag: Retag, which: Which | None = None, progress: Callable[[int], None] | None = None
) -> Retagged:
    """Tag once more what `waiting` counts, and record it; memory does not grow with the number of tickets.

    ``progress`` is called with the number done. What was recorded before an error stays, and is not done again.
    """
    done = Retagged()
    read_ahead: deque[list[sa.Row[Any]]] = deque()

    def batches() -> Iterator[list[tuple[str, str]]]:
        for rows in _batches(desk, model, which or Which()):
            read_ahead.append(rows)
            yield [(row.subject, row.body) for row in rows]

    for tags in tag(batches()):
        rows = read_ahead.popleft()
        desk.tag_many({row.id: found for row, found in zip(rows, tags, strict=True)})
        for row, found in zip(rows, tags, strict=True):
            _count(done, row, found)
        if progress:
            progress(done.tickets)
    return done


def _due(model: str, which: Which) -> list[sa.ColumnElement[bool]]:
    return [sa.or_(ticket_states.c.model.is_(None), ticket_states.c.model != model), *which.conditions()]


def _batches(desk: Desk, model: str, which: Which) -> Iterator[list[sa.Row[Any]]]:
    """Pages by id, each in a short transaction of its own: a reader that stays would keep SQLite's log growing."""
    columns = tickets.c.id, tickets.c.subject, tickets.c.body, ticket_states.c.reason, ticket_states.c.decision
    after = ""
    batch: list[sa.Row[Any]] = []
    while True:
        query = sa.select(*columns).join(ticket_states).where(tickets.c.id > after, *_due(model, which))
        with desk.database.session(read_only=True) as session:
            page: list[sa.Row[Any]] = [*session.execute(query.order_by(tickets.c.id).limit(PAGE))]
        for row in page:
            if not is_erased(row.subject, row.body):
                batch.append(row)
            if len(batch) == BATCH:
                yield batch
                batch = []
        if len(page) < PAGE:
            break
        after = page[-1].id
    if batch:
        yield batch


def _count(done: Retagged, before: sa.Row[Any], now: TagLike) -> None:
    done.tickets += 1
    done.undecided_before += before.decision == Decision.UNDECIDED
    done.undecided_after += now.decision == Decision.UNDECIDED
    if before.reason != now.reason:
        done.changed += 1
        done.moves[before.reason or "", now.reason] += 1
