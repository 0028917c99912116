"""Emerging reasons over periods: which group is one that was seen before, since when, and how it grows.

Kept as ``<home>/emerging/tracked.json``: ids, counts, days, words of redacted tickets and a direction of their
vectors, never a text. Ticket ids of the newest period only, so that a draft can be made of them.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
from filelock import FileLock
from pydantic import BaseModel, ConfigDict, ValidationError

from training.emerging.report import EmergingReason, EmergingReport
from training.emerging.space import EmergingError

FOLDER, FILE = "emerging", "tracked.json"
FORMAT = 1
SAME_CENTRE = 0.92
"""Cosine of two groups' mean vectors from which they are one reason: on BANKING77's training split halves of one class
had 0.915 to 0.98, a class and its nearest other one 0.84 in the median, 0.93 at most."""
SAME_TICKETS = 0.3
"""Jaccard overlap from which two groups of overlapping periods are one, whatever their vectors."""
LOCK_TIMEOUT_S = 30


class Sighting(BaseModel):
    """A tracked reason in one period of ``tickets`` tickets."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    first: date
    last: date
    size: int
    tickets: int
    score: float


class Tracked(BaseModel):
    """One reason that emerged: since when, its words, its newest tickets and the direction of their vectors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    terms: tuple[str, ...]
    encoder: str
    centre: tuple[float, ...]
    ticket_ids: tuple[str, ...]
    sightings: tuple[Sighting, ...]


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int
    reasons: tuple[Tracked, ...]


@dataclass(frozen=True)
class Tracker:
    """The emerging reasons of a desk, in its home folder."""

    home: Path

    @property
    def path(self) -> Path:
        """The file."""
        return self.home / FOLDER / FILE

    def tracked(self) -> tuple[Tracked, ...]:
        """Everything seen so far. Raises `EmergingError` where the file cannot be read."""
        try:
            found = _File.model_validate_json(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return ()
        except (OSError, UnicodeDecodeError, ValidationError) as error:
            first = str(error).splitlines()[0]
            raise EmergingError(f"{self.path} cannot be read ({first}); move it away to start anew") from error
        if found.format != FORMAT:
            raise EmergingError(f"{self.path} has format {found.format}, not {FORMAT}; move it away to start anew")
        return found.reasons

    def find(self, name: str) -> Tracked:
        """The tracked reason ``name``. Raises `EmergingError`, with the names that there are."""
        reasons = self.tracked()
        for reason in reasons:
            if reason.id.lower() == name.lower():
                return reason
        known = ", ".join(reason.id for reason in reasons) or "none yet; run 'paretodesk reasons emerging' first"
        raise EmergingError(f"there is no cluster {name}; known: {known}")

    def follow(self, report: EmergingReport, encoder: str) -> EmergingReport:
        """Recognise the report's groups among those seen before, remember them, and say so in the report.

        The same period again replaces what was remembered of it. Raises `EmergingError`.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with FileLock(f"{self.path}.lock", timeout=LOCK_TIMEOUT_S):
            before = self.tracked()
            partners = _partners(report.reasons, before, encoder)
            taken = {reason.id for reason in before}
            now, seen = list(before), list[EmergingReason]()
            for reason, place in zip(report.reasons, partners, strict=True):
                old = before[place] if place is not None else None
                name = old.id if old else _free(reason.id, taken)
                taken.add(name)
                sightings = _with(old.sightings if old else (), reason, report)
                tracked = Tracked(
                    id=name,
                    terms=reason.terms,
                    encoder=encoder,
                    centre=reason.centre,
                    ticket_ids=reason.tickets,
                    sightings=sightings,
                )
                if place is None:
                    now.append(tracked)
                elif sightings[-1].last == report.last:  # an older period, looked at later, is not the newest state
                    now[place] = tracked
                else:
                    now[place] = before[place].model_copy(update={"sightings": sightings})
                seen.append(_grown(replace(reason, id=name), sightings, report))
            self._write(now)
        return replace(report, reasons=tuple(seen))

    def _write(self, reasons: Sequence[Tracked]) -> None:
        text = _File(format=FORMAT, reasons=tuple(reasons)).model_dump_json(indent=1)
        descriptor, draft = tempfile.mkstemp(dir=self.path.parent, prefix=".tracked-")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text + "\n")
                file.flush()
                os.fsync(file.fileno())
            Path(draft).replace(self.path)
        finally:
            Path(draft).unlink(missing_ok=True)


def _partners(reasons: Sequence[EmergingReason], before: Sequence[Tracked], encoder: str) -> list[int | None]:
    """Of each group the tracked reason that it is, each at most once, the surest first."""
    pairs = sorted(
        (
            (likeness, i, j)
            for i, reason in enumerate(reasons)
            for j, old in enumerate(before)
            if (likeness := _likeness(reason, old, encoder)) > 0
        ),
        key=lambda pair: (-pair[0], pair[1], pair[2]),
    )
    found: list[int | None] = [None] * len(reasons)
    taken: set[int] = set()
    for _, i, j in pairs:
        if found[i] is None and j not in taken:
            found[i] = j
            taken.add(j)
    return found


def _likeness(reason: EmergingReason, old: Tracked, encoder: str) -> float:
    one, other = set(reason.tickets), set(old.ticket_ids)
    shared = len(one & other) / len(one | other) if one | other else 0.0
    if shared >= SAME_TICKETS:
        return 1.0 + shared
    if encoder != old.encoder or len(reason.centre) != len(old.centre):
        return 0.0
    cosine = float(np.dot(reason.centre, old.centre))
    return cosine if cosine >= SAME_CENTRE else 0.0


def _with(sightings: Sequence[Sighting], reason: EmergingReason, report: EmergingReport) -> tuple[Sighting, ...]:
    mine = Sighting(first=report.first, last=report.last, size=reason.size, tickets=report.n, score=reason.score)
    others = [seen for seen in sightings if (seen.first, seen.last) != (report.first, report.last)]
    return tuple(sorted([*others, mine], key=lambda seen: (seen.last, seen.first)))


def _grown(reason: EmergingReason, sightings: Sequence[Sighting], report: EmergingReport) -> EmergingReason:
    """Growth of the share of tickets since the newest sighting in a period that ended before this one began."""
    earlier = [seen for seen in sightings if seen.last < report.first]
    first_seen = min(seen.first for seen in sightings).isoformat()
    if not earlier:
        return replace(reason, first_seen=first_seen)
    last = earlier[-1]
    growth = (reason.size / report.n) / (last.size / last.tickets) - 1
    return replace(reason, first_seen=first_seen, seen_before=last.size, growth=round(growth, 3))


def _free(name: str, taken: set[str]) -> str:
    turn, free = 1, name
    while free in taken:
        turn += 1
        free = f"{name}-{turn}"
    return free
