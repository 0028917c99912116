"""What was erased from the desk goes from the snapshots, too, and from the fits that were made of them."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.turn import Role
from desk.access.personal_data import PLACEHOLDERS
from desk.database import Database
from desk.tables import chat_turns, tickets
from training.snapshots.freezing import ERASED
from training.snapshots.labels import CHUNK
from training.snapshots.store import SnapshotStore


@dataclass(frozen=True)
class Rewritten:
    """A snapshot without erased tickets: ``now`` is its new id, None where nothing was left."""

    before: str
    now: str | None
    tickets: int

    def to_json(self) -> dict[str, Any]:
        """For `paretodesk erase --json`."""
        return asdict(self)


def forget_erased(database: Database, store: SnapshotStore, runs: Path) -> list[Rewritten]:
    """Write anew, without them, the snapshots that hold tickets or chats whose words the desk has erased.

    The old ones are deleted with the stages of their retrainings under ``runs``. Doing it again is no harm. Raises
    `SnapshotError` for a snapshot that cannot be read, with those before it done.
    """
    done = []
    for snapshot_id in store.ids():
        snapshot = store.read(snapshot_id)
        with database.session(read_only=True) as session:
            gone = _erased_among(session, [ticket.id for ticket in snapshot.tickets])
        if not gone:
            continue
        kept = tuple(ticket for ticket in snapshot.tickets if ticket.id not in gone)
        dropped = {**snapshot.dropped, ERASED: snapshot.dropped.get(ERASED, 0) + len(gone)}
        without = replace(snapshot, tickets=kept, dropped=dropped)
        if kept:
            store.write(without)
        store.delete(snapshot_id)
        for folder in runs.glob(f"{snapshot_id}-*"):
            shutil.rmtree(folder, ignore_errors=True)
        done.append(Rewritten(snapshot_id, without.id if kept else None, len(gone)))
    return done


def _erased_among(session: Session, ids: Collection[str]) -> set[str]:
    """Those of the tickets and chats whose words are gone; what this desk does not know stays."""
    gone: set[str] = set()
    nothing, wanted = ("", *PLACEHOLDERS.values()), sorted(ids)
    by_customer = chat_turns.c.role == Role.CUSTOMER.value
    for start in range(0, len(wanted), CHUNK):
        chunk = wanted[start : start + CHUNK]
        here = tickets.c.id.in_(chunk), tickets.c.subject.in_(nothing), tickets.c.body.in_(nothing)
        gone |= set(session.scalars(sa.select(tickets.c.id).where(*here)))
        turns = sa.select(chat_turns.c.session_id).where(chat_turns.c.session_id.in_(chunk), by_customer)
        said = set(session.scalars(turns.distinct()))
        gone |= said - set(session.scalars(turns.where(chat_turns.c.text.not_in(nothing))))
    return gone
