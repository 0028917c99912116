"""Tickets as `training.labels.influence` judges them: from a snapshot and from the shipped corpus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from training.corpus import Example
from training.snapshots import SnapshotTicket


@dataclass(frozen=True)
class Taught:
    """A ticket with its words, its label and who gave it; see `training.labels.shares.LabelledTicket`."""

    id: str
    reason: str
    group: str
    labelled_by: str | None
    text: str


def corpus_taught(examples: Sequence[Example]) -> list[Taught]:
    """Shipped tickets, whose labels nobody answers for."""
    return [Taught(e.id, e.reason, e.group, None, e.text) for e in examples]


def snapshot_taught(tickets: Sequence[SnapshotTicket]) -> list[Taught]:
    """A snapshot's tickets with the pseudonyms of those who labelled them."""
    return [
        Taught(example.id, example.reason, example.group, ticket.labelled_by, example.text)
        for ticket in tickets
        for example in [ticket.example()]
    ]
