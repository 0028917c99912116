"""What speaks for and against a contact reason: outcomes that a person or a customer confirmed, ratings, complaints."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field
from scipy.stats import beta
from sqlalchemy.orm import Session

from bot.outcomes import answers_of
from bot.session_store import StoredTurn, stored_turn
from classifier.abstention import error_upper_bound
from classifier.datafile import load_yaml
from desk.database import Database
from desk.intervals import wilson
from desk.ledger import Event, EventKind, events_by_ticket
from desk.tables import chat_ratings, chat_sessions, chat_turns, events, ticket_states, tickets

STARTER_AUTONOMY = Path(__file__).parent / "data" / "autonomy.yaml"
_PERSON = "agent:"
_SATISFIED = 4


class TrustSettings(BaseModel):
    """The data file ``autonomy.yaml``. Shares in 0..1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    max_wrong: float = Field(gt=0, lt=1)
    confidence: float = Field(gt=0.5, lt=1)
    evidence_days: int = Field(ge=1)
    window_days: int = Field(ge=1)
    max_not_solved: float = Field(gt=0, le=1)
    csat_target: float = Field(ge=0, le=1)
    min_ratings: int = Field(ge=1)
    programs: frozenset[str]

    @property
    def delta(self) -> float:
        """The chance of being wrong that is accepted."""
        return 1 - self.confidence


@cache
def starter_trust() -> TrustSettings:
    """The shipped settings."""
    return load_yaml(STARTER_AUTONOMY, TrustSettings)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen of one reason since ``since``.

    ``right``: tags that a person confirmed and answers that a customer confirmed; ``wrong``: tags that a person
    corrected, so that an answer would have been about something else. ``helped`` and ``not_solved`` are the bot's
    answers that customers judged. ``satisfied`` of ``rated`` ratings are 4 or 5.
    """

    since: datetime
    right: int = 0
    wrong: int = 0
    helped: int = 0
    not_solved: int = 0
    satisfied: int = 0
    rated: int = 0

    @property
    def n(self) -> int:
        """Confirmed outcomes."""
        return self.right + self.wrong

    def wrong_at_most(self, delta: float) -> float:
        """Exact upper bound of the share of wrong outcomes at confidence ``1 - delta``."""
        return error_upper_bound(self.wrong, self.n, delta)

    def certifies(self, settings: TrustSettings) -> bool:
        """Whether a step up is justified."""
        return self.wrong_at_most(settings.delta) <= settings.max_wrong

    def against(self, settings: TrustSettings) -> list[str]:
        """What speaks for a step down, in sentences; each more than chance would explain."""
        found = []
        if at_least(self.wrong, self.n, settings.delta) > settings.max_wrong:
            found.append(f"{self.wrong} of {self.n} outcomes were wrong, more than {settings.max_wrong:.0%}")
        judged = self.helped + self.not_solved
        if at_least(self.not_solved, judged, settings.delta) > settings.max_not_solved:
            limit = settings.max_not_solved
            found.append(f"{self.not_solved} of {judged} customers said that the answer did not help, over {limit:.0%}")
        if self.rated >= settings.min_ratings and wilson(self.satisfied, self.rated)[1] < settings.csat_target:
            target = settings.csat_target
            found.append(f"{self.satisfied} of {self.rated} ratings were 4 or 5, below the target of {target:.0%}")
        return found

    def to_json(self, settings: TrustSettings) -> dict[str, Any]:
        """Plain data, with the bound that decides about a step up."""
        return {
            "since": self.since.isoformat(),
            "n": self.n,
            "right": self.right,
            "wrong": self.wrong,
            "wrong_at_most": round(self.wrong_at_most(settings.delta), 4),
            "confidence": settings.confidence,
            "helped": self.helped,
            "not_solved": self.not_solved,
            "rated": self.rated,
            "satisfied": self.satisfied,
        }


def at_least(hits: int, n: int, delta: float) -> float:
    """Exact (Clopper-Pearson) lower bound of a share at confidence ``1 - delta``; 0 without a hit."""
    return float(beta.ppf(delta, hits, n - hits + 1)) if hits else 0.0


def needed(settings: TrustSettings, wrong: int = 0) -> int:
    """How many confirmed outcomes certify a step up when ``wrong`` of them are wrong."""
    n = wrong + 1
    while error_upper_bound(wrong, n, settings.delta) > settings.max_wrong:
        n += 1
    return n


def evidence(database: Database, since: dict[str, datetime]) -> dict[str, Evidence]:
    """The evidence on each reason of ``since``, from that moment on. Raises `DatabaseError`."""
    if not since:
        return {}
    counts: dict[str, dict[str, int]] = {reason: defaultdict(int) for reason in since}
    with database.session(read_only=True) as session:
        _people(session, since, counts)
        _customers(session, since, counts)
        _ratings(session, since, counts)
    return {reason: Evidence(since[reason], **counted) for reason, counted in counts.items()}


def _people(session: Session, since: dict[str, datetime], counts: dict[str, dict[str, int]]) -> None:
    """Verdicts of people upon tags that a model was sure of."""
    verdicts = (EventKind.TAG_CONFIRMED.value, EventKind.RETAGGED.value)
    query = sa.select(events.c.ticket_id).where(
        events.c.kind.in_(verdicts), events.c.at >= min(since.values()), events.c.actor.startswith(_PERSON)
    )
    for told in events_by_ticket(session, sorted(set(session.scalars(query)))).values():
        tagged: Event | None = None
        for event in told:
            if event.kind is EventKind.TAGGED:
                tagged = event
            elif event.kind in (EventKind.TAG_CONFIRMED, EventKind.RETAGGED) and event.actor.startswith(_PERSON):
                _verdict(tagged, event, since, counts)
                break  # the first word of a person is about the tag, later ones about another person's


def _verdict(
    tagged: Event | None, verdict: Event, since: dict[str, datetime], counts: dict[str, dict[str, int]]
) -> None:
    if tagged is None or tagged.data.get("decision") != "tagged":
        return
    reason = str(tagged.data["reason"])
    if reason in since and verdict.at >= since[reason]:
        counts[reason]["right" if verdict.data.get("reason") == reason else "wrong"] += 1


def _customers(session: Session, since: dict[str, datetime], counts: dict[str, dict[str, int]]) -> None:
    """What customers said about the bot's answers."""
    first = min(since.values())
    asked = sa.select(chat_turns.c.session_id).where(chat_turns.c.act == "answer", chat_turns.c.at >= first)
    query = sa.select(chat_turns).where(chat_turns.c.session_id.in_(asked)).order_by(chat_turns.c.seq)
    told: dict[str, list[StoredTurn]] = defaultdict(list)
    for row in session.execute(query):
        told[row.session_id].append(stored_turn(row))
    for turns in told.values():
        for answer in answers_of(turns):
            if answer.reason not in since or answer.at < since[answer.reason] or answer.helped is None:
                continue
            counted = counts[answer.reason]
            if answer.helped:
                counted["helped"] += 1
            else:
                counted["not_solved"] += 1


def _ratings(session: Session, since: dict[str, datetime], counts: dict[str, dict[str, int]]) -> None:
    state = sa.type_coerce(chat_sessions.c.state, sa.JSON)
    of_tickets = (
        sa.select(ticket_states.c.reason, tickets.c.created_at.label("at"), ticket_states.c.csat)
        .join(tickets, tickets.c.id == ticket_states.c.ticket_id)
        .where(ticket_states.c.csat.is_not(None), tickets.c.created_at >= min(since.values()))
    )
    # a rating of a chat with a ticket is the ticket's too
    of_chats = (
        sa.select(state["reason"].as_string().label("reason"), chat_ratings.c.rated_at.label("at"), chat_ratings.c.csat)
        .join(chat_sessions, chat_sessions.c.id == chat_ratings.c.session_id)
        .where(chat_ratings.c.csat.is_not(None), chat_sessions.c.ticket_id.is_(None))
        .where(chat_ratings.c.rated_at >= min(since.values()))
    )
    for query in (of_tickets, of_chats):
        for reason, at, csat in session.execute(query):
            if reason in since and at >= since[reason]:
                counts[reason]["rated"] += 1
                counts[reason]["satisfied"] += csat >= _SATISFIED


def starts(reasons: Collection[str], last: dict[str, datetime], now: datetime, days: int) -> dict[str, datetime]:
    """Since when outcomes count for each reason: ``days`` back, and never before its last step."""
    earliest = now - timedelta(days=days)
    return {reason: max(earliest, last.get(reason, earliest)) for reason in reasons}
