"""Snapshots on disk: one folder each, written whole or not at all, never changed, verified when read.

<folder>/<id>/tickets.jsonl    one ticket a line
<folder>/<id>/snapshot.json    period, hash, counts, what was left out
<folder>/<id>/card.md          the data card
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

from training.snapshots.card import snapshot_card
from training.snapshots.snapshot import FORMAT, Snapshot, SnapshotError, SnapshotTicket

TICKETS, MANIFEST, CARD = "tickets.jsonl", "snapshot.json", "card.md"
_ID = re.compile(r"\d{4}Q[1-4]-[0-9a-f]{12}")


class SnapshotStore:
    """Snapshots in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def ids(self) -> tuple[str, ...]:
        """All snapshots, the one of the oldest last day first."""
        if not self.folder.is_dir():
            return ()
        found = [p.name for p in self.folder.iterdir() if _ID.fullmatch(p.name) and (p / MANIFEST).is_file()]
        return tuple(sorted(found, key=lambda name: (self._last_day(name), name)))

    def write(self, snapshot: Snapshot) -> Path:
        """Store a snapshot and return its folder; one that is there already stays as it is.

        Files are readable by their owner alone. Raises `OSError` when the disk refuses, with nothing left behind.
        """
        target = self.folder / snapshot.id
        if (target / MANIFEST).is_file():
            return target
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=self.folder))
        try:
            _write(draft / TICKETS, "".join(ticket.to_line() for ticket in snapshot.tickets))
            _write(draft / MANIFEST, json.dumps(snapshot.to_json(), ensure_ascii=False, indent=2) + "\n")
            _write(draft / CARD, snapshot_card(snapshot))
            draft.rename(target)
        except OSError:
            if not (target / MANIFEST).is_file():  # otherwise another process has just written the same
                raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return target

    def read(self, snapshot_id: str) -> Snapshot:
        """A snapshot, once its tickets are found to be those that were frozen. Raises `SnapshotError`."""
        folder, manifest = self._folder(snapshot_id), self.manifest(snapshot_id)
        path = folder / TICKETS
        try:
            lines = path.read_bytes().decode("utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise SnapshotError(f"{path} cannot be read ({error}); freeze the snapshot again") from error
        tickets = []
        for number, line in enumerate(lines[:-1], start=1):
            try:
                tickets.append(SnapshotTicket.from_line(line))
            except (ValueError, TypeError) as error:
                raise SnapshotError(f"{path}:{number}: {error}; freeze the snapshot again") from error
        try:
            snapshot = Snapshot(
                date.fromisoformat(manifest["first_day"]),
                date.fromisoformat(manifest["last_day"]),
                datetime.fromisoformat(manifest["created_at"]),
                tuple(tickets),
                manifest["dropped"],
            )
        except (KeyError, ValueError, TypeError) as error:
            raise SnapshotError(f"{folder / MANIFEST}: {error!r}; freeze the snapshot again") from error
        if lines[-1] or snapshot.hash != manifest.get("hash") or snapshot.id != snapshot_id:
            raise SnapshotError(
                f"{path}: {len(tickets)} lines are not the {manifest.get('tickets')} tickets that were frozen (another "
                "sha256); put the file back or freeze the snapshot again"
            )
        return snapshot

    def manifest(self, snapshot_id: str) -> dict[str, Any]:
        """The manifest as it lies there; the tickets are not verified. Raises `SnapshotError`."""
        path = self._folder(snapshot_id) / MANIFEST
        try:
            manifest = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise SnapshotError(f"{path} cannot be read ({error}); freeze the snapshot again") from error
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            raise SnapshotError(f"{path}: not a snapshot of format {FORMAT}; freeze it again")
        return manifest

    def card(self, snapshot_id: str) -> str:
        """The data card as Markdown. Raises `SnapshotError`."""
        path = self._folder(snapshot_id) / CARD
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SnapshotError(f"{path} cannot be read ({error}); freeze the snapshot again") from error

    def delete(self, snapshot_id: str) -> None:
        """Take a snapshot off the disk, for example when its customers' data is to go. Raises `SnapshotError`."""
        shutil.rmtree(self._folder(snapshot_id))

    def _last_day(self, snapshot_id: str) -> str:
        try:
            return str(self.manifest(snapshot_id).get("last_day", ""))
        except SnapshotError:  # told when it is read
            return ""

    def _folder(self, snapshot_id: str) -> Path:
        folder = self.folder / snapshot_id
        if not _ID.fullmatch(snapshot_id) or not folder.is_dir():
            found = ", ".join(self.ids()[-5:])
            raise SnapshotError(
                f"there is no snapshot {snapshot_id} in {self.folder}; "
                + (f"there are {found}" if found else "freeze one with 'paretodesk snapshot'")
            )
        return folder


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text.encode("utf-8"))
        file.flush()
        os.fsync(file.fileno())
