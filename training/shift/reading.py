"""What one model says of the tickets of a period, read from the desk in small parts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from classifier.encoders import Encoder, Vectors
from classifier.features import feature_text
from classifier.model import ReasonModel
from desk.access.personal_data import is_erased
from desk.inbox import Desk
from desk.tables import ticket_states, tickets
from training.encoding_cache import CachedEncoder
from training.fitting import Progress, silent
from training.shift.evidence import Posteriors
from training.shift.periods import PeriodOfTime, ShiftError
from training.shift.prevalence import Tickets

PART = 512
"""Tickets that are read and judged together."""
SAMPLE = 1_000
"""Tickets of a period whose vectors are kept, to compare how they read."""
REMEMBERED = 50_000
"""Up to so many tickets of a period are encoded through the cache; beyond, it would hold more than 100 MB."""
SEGMENT = 60
"""Characters of a segment's name that tell it apart; a longer one would widen the table of all tickets."""
DIMENSIONS = ("channel", "marketplace", "language", "product", "carrier")
NONE = ""
"""The segment of tickets that name no channel, marketplace, language, product or carrier."""


@dataclass(frozen=True)
class PeriodReading:
    """The tickets of a period as one model reads them, rows in the order of their ids.

    ``tickets`` holds posteriors over ``labels``. ``decided (n,)`` marks tickets whose reason a person confirmed or
    chose: their row is that reason. ``confidence`` is the model's own, ``guess`` its best label's column, also for
    decided tickets. ``segments`` name each ticket's value per dimension. ``sampled`` are rows whose ``vectors`` were
    kept. ``erased`` tickets, whose words are gone, are in none of the rows.
    """

    period: PeriodOfTime
    labels: tuple[str, ...]
    tickets: Tickets
    decided: NDArray[np.bool_]
    guess: NDArray[np.int64]
    confidence: NDArray[np.float32]
    familiarity: NDArray[np.float32]
    segments: dict[str, NDArray[np.str_]]
    sampled: NDArray[np.int64]
    vectors: Vectors
    erased: int

    def __len__(self) -> int:
        return len(self.tickets)


@dataclass(frozen=True)
class _Part:
    """One page of tickets, judged; ``places`` are hashes of their ids, by which the sample is drawn."""

    posteriors: Posteriors
    familiarity: NDArray[np.float32]
    confirmed: list[str | None]
    owners: list[bytes]
    places: NDArray[np.uint64]
    segments: NDArray[np.str_]


class _Sample:
    """The `SAMPLE` tickets whose ids have the lowest hashes: the same ones each time, whatever the ids' order."""

    def __init__(self, dimensions: int) -> None:
        self.rows = np.empty(0, dtype=np.int64)
        self.vectors: Vectors = np.empty((0, dimensions), dtype=np.float32)
        self._places = np.empty(0, dtype=np.uint64)
        self._seen = 0

    def add(self, places: NDArray[np.uint64], vectors: Vectors) -> None:
        rows = np.concatenate([self.rows, self._seen + np.arange(len(places))])
        self._seen += len(places)
        both, all_places = np.concatenate([self.vectors, vectors]), np.concatenate([self._places, places])
        kept = np.sort(np.argsort(all_places, kind="stable")[:SAMPLE])
        self.rows, self.vectors, self._places = rows[kept], both[kept], all_places[kept]


def read_periods(
    desk: Desk,
    model: ReasonModel,
    periods: Sequence[PeriodOfTime],
    *,
    channel: str | None = None,
    cache: Path | None = None,
    progress: Progress = silent,
) -> list[PeriodReading]:
    """Let ``model`` read all tickets of each period; all readings have the same labels.

    Those are the model's, and behind them reasons that only people gave. Raises `ShiftError` for a period without
    tickets.
    """
    totals = [_count(desk, period, channel) for period in periods]
    for period, total in zip(periods, totals, strict=True):
        if not total:
            raise ShiftError(f"no ticket of {period.label} can be read; import or tag tickets of that period first")
    remembered = CachedEncoder(model.encoder, cache) if cache and max(totals) <= REMEMBERED else None
    encoder = remembered or model.encoder
    collected = [
        _collect(desk, model, encoder, period, channel, total, progress)
        for period, total in zip(periods, totals, strict=True)
    ]
    if remembered:
        remembered.save()
    given = {reason for parts, _, _ in collected for part in parts for reason in part.confirmed if reason is not None}
    labels = (*model.labels, *sorted(given - set(model.labels)))
    return [_joined(period, labels, *found) for period, found in zip(periods, collected, strict=True)]


def _collect(
    desk: Desk,
    model: ReasonModel,
    encoder: Encoder,
    period: PeriodOfTime,
    channel: str | None,
    total: int,
    progress: Progress,
) -> tuple[list[_Part], _Sample, int]:
    parts: list[_Part] = []
    sample = _Sample(encoder.dimensions)
    erased = done = 0
    what = f"reading {period.label}"
    progress(what, 0, total)
    for rows in _pages(desk, period, channel):
        done += len(rows)
        kept = [row for row in rows if not is_erased(row.subject, row.body)]
        erased += len(rows) - len(kept)
        if kept:
            part, vectors = _judge(model, encoder, kept)
            parts.append(part)
            sample.add(part.places, vectors)
        progress(what, min(done, total), total)
    if not parts:
        raise ShiftError(f"the words of all tickets of {period.label} were erased; compare other periods")
    return parts, sample, erased


def _judge(model: ReasonModel, encoder: Encoder, rows: Sequence[Any]) -> tuple[_Part, Vectors]:
    texts = [feature_text(row.subject, row.body) for row in rows]
    vectors = encoder.encode(texts)
    scores = model.scores_of(texts, vectors)
    part = _Part(
        scores.probabilities.astype(np.float32),
        scores.familiarity,
        [row.reason if row.confirmed_by else None for row in rows],
        [_digest(row.customer_email or row.order_id or text) for row, text in zip(rows, texts, strict=True)],
        np.array([int.from_bytes(_digest(row.id)[:8], "big") for row in rows], dtype=np.uint64),
        np.array(
            [
                [
                    (value or NONE)[:SEGMENT]
                    for value in (row.channel, row.marketplace, row.spoken, row.asin, row.carrier)
                ]
                for row in rows
            ]
        ),
    )
    return part, vectors


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.lower().encode("utf-8", "surrogatepass")).digest()[:16]


def _joined(
    period: PeriodOfTime, labels: tuple[str, ...], parts: Sequence[_Part], sample: _Sample, erased: int
) -> PeriodReading:
    judged = np.concatenate([part.posteriors for part in parts])
    confirmed = [reason for part in parts for reason in part.confirmed]
    guess, confidence = judged.argmax(axis=1), judged.max(axis=1)
    posteriors = np.zeros((len(judged), len(labels)), dtype=np.float32)
    posteriors[:, : judged.shape[1]] = judged
    decided = np.array([reason is not None for reason in confirmed])
    rows = np.flatnonzero(decided)
    posteriors[rows] = 0.0
    posteriors[rows, [labels.index(reason) for reason in confirmed if reason is not None]] = 1.0
    numbers: dict[bytes, int] = {}
    groups = np.array([numbers.setdefault(owner, len(numbers)) for part in parts for owner in part.owners])
    segments = np.concatenate([part.segments for part in parts])
    return PeriodReading(
        period=period,
        labels=labels,
        tickets=Tickets(posteriors, groups),
        decided=decided,
        guess=guess,
        confidence=confidence,
        familiarity=np.concatenate([part.familiarity for part in parts]),
        segments={name: segments[:, column] for column, name in enumerate(DIMENSIONS)},
        sampled=sample.rows,
        vectors=sample.vectors,
        erased=erased,
    )


def _count(desk: Desk, period: PeriodOfTime, channel: str | None) -> int:
    with desk.database.session(read_only=True) as session:
        return int(session.scalar(_of(period, channel, sa.func.count())) or 0)


def _pages(desk: Desk, period: PeriodOfTime, channel: str | None) -> Iterator[Sequence[Any]]:
    """Rows in the order of their ids; no transaction stays open while a page is judged."""
    columns = (
        tickets.c.id, tickets.c.subject, tickets.c.body, tickets.c.channel, tickets.c.marketplace, tickets.c.asin,
        tickets.c.carrier,
        tickets.c.customer_email, tickets.c.order_id, ticket_states.c.reason, ticket_states.c.confirmed_by,
        sa.func.coalesce(tickets.c.language, ticket_states.c.tagged_language).label("spoken"),
    )  # fmt: skip
    last = ""
    while True:
        query = _of(period, channel, *columns).where(tickets.c.id > last).order_by(tickets.c.id).limit(PART)
        with desk.database.session(read_only=True) as session:
            rows = session.execute(query).all()
        if not rows:
            return
        yield rows
        last = rows[-1].id


def _of(period: PeriodOfTime, channel: str | None, *columns: Any) -> sa.Select[Any]:
    query = (
        sa.select(*columns)
        .select_from(tickets)
        .join(ticket_states, ticket_states.c.ticket_id == tickets.c.id)
        .where(tickets.c.created_at >= _midnight(period.start), tickets.c.created_at < _midnight(period.end))
    )
    return query if channel is None else query.where(sa.func.lower(tickets.c.channel) == channel.lower())


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)


def products_before(desk: Desk, products: Sequence[str], day: date) -> frozenset[str]:
    """Which of ``products`` the desk had a ticket about before ``day``."""
    found: set[str] = set()
    with desk.database.session(read_only=True) as session:
        for first in range(0, len(products), PART):
            some = products[first : first + PART]
            query = sa.select(tickets.c.asin).where(tickets.c.asin.in_(some), tickets.c.created_at < _midnight(day))
            found.update(session.scalars(query.distinct()))
    return frozenset(found)
