"""Which versions there are of a model and which one serves: an atomic pointer per name.

Store layout::

    <store>/<name>/<version>/            a bundle
    <store>/<name>/champion.json         {"version": ..., "previous": [...], "changed_at": ...}
    <store>/<name>/champion.lock         held while the pointer or the versions change
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from models.bundle import MANIFEST, Bundle, BundleError, BundleMissingError, read_bundle
from models.signing import SigningKey

CHAMPION = "champion.json"
LOCK = "champion.lock"
LOCK_TIMEOUT_S = 30
"""Longer than deleting old versions takes on a slow disk."""
KEEP = 3
"""Versions kept at least, the champion and its predecessors first."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Champion:
    """The serving version and those that served before it, newest first."""

    version: str
    previous: tuple[str, ...]
    changed_at: str


class Registry:
    """Versions of models in a folder."""

    def __init__(self, store: Path) -> None:
        self.store = store

    def folder(self, name: str, version: str) -> Path:
        """Where a version lies. Raises `BundleError` for names that are not plain."""
        for part in (name, version):
            if not _NAME.fullmatch(part):
                raise BundleError(f"'{part}' is no name for a model: use lower-case letters, digits, '.', '_' and '-'")
        return self.store / name / version

    def versions(self, name: str) -> tuple[str, ...]:
        """All versions of ``name``, oldest first."""
        root = self.folder(name, "any").parent
        return (
            tuple(sorted(p.name for p in root.iterdir() if _NAME.fullmatch(p.name) and (p / MANIFEST).is_file()))
            if root.is_dir()
            else ()
        )

    def names(self) -> tuple[str, ...]:
        """Names that have at least one version."""
        if not self.store.is_dir():
            return ()
        return tuple(sorted(p.name for p in self.store.iterdir() if _NAME.fullmatch(p.name) and self.versions(p.name)))

    def new_version(self, name: str, now: datetime | None = None) -> str:
        """A version that is not taken yet, such as ``20261121-224512``."""
        stamp = (now or datetime.now(UTC)).strftime("%Y%m%d-%H%M%S")
        version, turn = stamp, 1
        while self.folder(name, version).exists():
            turn += 1
            version = f"{stamp}-{turn}"
        return version

    def champion(self, name: str) -> Champion | None:
        """The serving version, or None when none was promoted yet. Raises `BundleError` on a broken pointer."""
        pointer = self.folder(name, "any").parent / CHAMPION
        try:
            data = json.loads(pointer.read_text(encoding="utf-8"))
            return Champion(data["version"], tuple(data["previous"]), data["changed_at"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BundleError(
                f"{pointer} cannot be read ({error}); promote a version again to write it anew"
            ) from error

    def promote(self, name: str, version: str) -> Champion:
        """Let ``version`` serve. The pointer changes in one step; readers see the old or the new one.

        Raises `BundleError` when there is no such version, or another process keeps changing the champion.
        """
        with self._changing(name):
            if version not in self.versions(name):
                raise BundleMissingError(
                    f"model {name} has no version {version}; it has {', '.join(self.versions(name)) or 'none'}"
                )
            try:
                current = self.champion(name)
            except BundleError:  # a broken pointer is written anew
                current = None
            if current and current.version == version:
                return current
            previous = (current.version, *current.previous) if current else ()
            return self._point(name, version, tuple(v for v in previous if v != version))

    def rollback(self, name: str) -> Champion:
        """Let the version before the champion serve again. Raises `BundleError` when there is none."""
        with self._changing(name):
            current = self.champion(name)
            candidates = [v for v in current.previous if v in self.versions(name)] if current else []
            if not candidates:
                raise BundleError(f"model {name} has no earlier version to go back to")
            return self._point(name, candidates[0], tuple(candidates[1:]))

    @contextmanager
    def _changing(self, name: str) -> Iterator[None]:
        """Keep other processes from changing the champion: two promotions at once would lose one's predecessor."""
        root = self.folder(name, "any").parent
        if not root.is_dir():  # a name without versions: nothing to protect, and no folder to make for it
            yield
            return
        try:
            with FileLock(root / LOCK, timeout=LOCK_TIMEOUT_S):
                yield
        except Timeout as error:
            raise BundleError(
                f"{root / LOCK} is held by another process for {LOCK_TIMEOUT_S} s; wait for its training or promotion"
            ) from error

    def _point(self, name: str, version: str, previous: tuple[str, ...]) -> Champion:
        champion = Champion(version, previous, datetime.now(UTC).isoformat(timespec="seconds"))
        root = self.store / name
        descriptor, draft = tempfile.mkstemp(dir=root, prefix=".champion-")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(vars(champion), file)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(root / CHAMPION)
        return champion

    def prune(self, name: str, keep: int = KEEP) -> tuple[str, ...]:
        """Delete the oldest versions beyond ``keep``; the champion and its predecessors in ``keep`` stay."""
        keep = max(keep, KEEP)
        with self._changing(name):
            champion = self.champion(name)
            protected = set((champion.version, *champion.previous)[:keep]) if champion else set()
            spare = [version for version in reversed(self.versions(name)) if version not in protected]
            doomed = spare[max(0, keep - len(protected)) :]
            for version in doomed:
                shutil.rmtree(self.folder(name, version))
        return tuple(doomed)

    def read(self, name: str, key: SigningKey, version: str | None = None) -> Bundle:
        """The verified bundle of ``version``, the champion by default. Raises `BundleError`."""
        if version is None:
            champion = self.champion(name)
            if champion is None:
                raise BundleMissingError(f"no model '{name}' has been promoted in {self.store}; run 'paretodesk train'")
            version = champion.version
        return read_bundle(self.folder(name, version), key)
