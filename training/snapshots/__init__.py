"""Labelled tickets of the desk, frozen by date: what a model learned from and was measured on, to the byte."""

from training.snapshots.freezing import freeze
from training.snapshots.snapshot import BOT, CONFIRMED, CORRECTED, Snapshot, SnapshotError, SnapshotTicket
from training.snapshots.store import SnapshotStore

__all__ = [
    "BOT",
    "CONFIRMED",
    "CORRECTED",
    "Snapshot",
    "SnapshotError",
    "SnapshotStore",
    "SnapshotTicket",
    "freeze",
]
