"""Where an index lies: in a folder that one process owns, or on a `chroma` server.

KnowledgeIndexError        the index cannot be used; the message says why and what to do
    ├── IndexLockedError   another process has the folder open
    └── IndexAuditError    a freshly built index did not find its own passages; the old one stays

Both make a new generation beside the one in use and switch only when it is whole. Layout of a folder: `owner.lock`,
`owner.pid` while it is open, `current.json` (the pointer), one `build-...` folder per generation. The old generation's
folder is deleted, because Chroma keeps deleted vectors in its files and sees nothing that a second process writes.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock, Timeout

from kb.chroma import (
    COLLECTION,
    ChromaUrlError,
    chroma_error,
    connect,
    disconnect,
    index_errors,
    new_collection,
    open_client,
)
from kb.index_audit import collection_problem, folder_problem

logger = logging.getLogger(__name__)

_POINTER = "current.json"
_OWNER = "owner.pid"
_PREFIX = "paretodesk-passages"
# A build that took longer than this was given up by whoever made it.
_ABANDONED_SECONDS = 3600


class KnowledgeIndexError(RuntimeError):
    """The index cannot be used; the message says why and what to do."""


class IndexLockedError(KnowledgeIndexError):
    """Another process has the index open."""


class IndexAuditError(KnowledgeIndexError):
    """A freshly built index does not find its own passages."""


@dataclass(frozen=True)
class Generation:
    """One complete set of passages: ``digest`` says which, ``name`` where."""

    name: str
    digest: str
    encoder: str
    client: Any
    collection: Any


class Storage(Protocol):
    """Keeps generations of which one is current."""

    def current(self, encoder: str) -> Generation | None:
        """The generation in use; None where there is none, or one that another encoder made or that is damaged."""
        ...

    def refresh(self, known: Generation | None, encoder: str) -> Generation | None:
        """The generation in use now, where others may have changed it since ``known`` was."""
        ...

    def begin(self, digest: str, encoder: str) -> Generation:
        """An empty new generation. Raises `KnowledgeIndexError`."""
        ...

    def adopt(self, new: Generation, old: Generation | None) -> None:
        """Make ``new`` current and leave nothing of others. Raises `KnowledgeIndexError`."""
        ...

    def discard(self, generation: Generation) -> None:
        """Delete a generation that is not current."""
        ...

    def close(self, generation: Generation | None) -> None:
        """Let go of the storage and its current generation."""
        ...


class FolderStorage:
    """Chroma embedded, in a folder that this process owns until `close`.

    Where the last owner did not close it, or with ``verify``, another process audits the index before it is opened.
    Raises `IndexLockedError`.
    """

    def __init__(self, directory: Path, verify: bool = False) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._lock = FileLock(directory / "owner.lock")
        owner = directory / _OWNER
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            pid = owner.read_text(encoding="utf-8").strip() if owner.exists() else "unknown"
            raise IndexLockedError(
                f"{directory}: the index is open in another process (id {pid}); stop it, or use another folder"
            ) from error
        self._verify = verify or owner.exists()
        owner.write_text(str(os.getpid()), encoding="utf-8")

    def current(self, encoder: str) -> Generation | None:
        """See `Storage.current`."""
        pointer = self._directory / _POINTER
        if not pointer.exists():
            self._sweep(keep=None)
            return None
        try:
            said = json.loads(pointer.read_text(encoding="utf-8"))
            folder = self._directory / Path(said["folder"]).name
            if said["encoder"] != encoder or not folder.is_dir():
                raise KnowledgeIndexError("was made by another encoder, or its folder is gone")
            if self._verify and (problem := folder_problem(folder, int(said["passages"]))):
                raise KnowledgeIndexError(problem)
            client = open_client(folder)
            collection = client.get_collection(COLLECTION, embedding_function=None)
        except (OSError, ValueError, KeyError, TypeError, KnowledgeIndexError, chroma_error()) as error:
            # A cache: whatever is wrong with it, the content folder makes a new one.
            logger.warning("%s: the index cannot be used and will be rebuilt: %s", self._directory, error)
            return None
        self._sweep(keep=folder)
        return Generation(folder.name, str(said["digest"]), encoder, client, collection)

    def refresh(self, known: Generation | None, encoder: str) -> Generation | None:
        """See `Storage.refresh`; nobody else writes here."""
        return known

    def begin(self, digest: str, encoder: str) -> Generation:
        """See `Storage.begin`."""
        name = f"build-{digest[:12]}-{uuid.uuid4().hex[:6]}"
        client = open_client(self._directory / name)
        return Generation(name, digest, encoder, client, new_collection(client, COLLECTION))

    def adopt(self, new: Generation, old: Generation | None) -> None:
        """See `Storage.adopt`."""
        pointer = self._directory / _POINTER
        draft = pointer.with_suffix(".new")
        said = {
            "folder": new.name,
            "digest": new.digest,
            "encoder": new.encoder,
            "passages": new.collection.count(),
        }
        with draft.open("w", encoding="utf-8") as file:
            json.dump(said, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(pointer)
        if old:
            old.client.close()
        self._sweep(keep=self._directory / new.name)

    def discard(self, generation: Generation) -> None:
        """See `Storage.discard`."""
        generation.client.close()
        shutil.rmtree(self._directory / generation.name, ignore_errors=True)

    def close(self, generation: Generation | None) -> None:
        """See `Storage.close`."""
        if generation:
            generation.client.close()
        (self._directory / _OWNER).unlink(missing_ok=True)
        self._lock.release()

    def _sweep(self, keep: Path | None) -> None:
        for folder in self._directory.glob("build-*"):
            if folder != keep:
                shutil.rmtree(folder, ignore_errors=True)


class ServerStorage:
    """Collections on a `chroma` server that several processes may share: the one adopted last is current.

    Raises `KnowledgeIndexError` where no server answers at ``url``.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        with self._explained():
            self._client = connect(url)

    def current(self, encoder: str) -> Generation | None:
        """See `Storage.current`."""
        with self._explained():
            for collection in self._ours():
                said = collection.metadata
                if not said.get("adopted") or said.get("encoder") != encoder:
                    continue
                if problem := collection_problem(collection, int(said["passages"])):
                    logger.warning("%s: %s cannot be used and will be rebuilt: %s", self._url, collection.name, problem)
                    continue
                return Generation(collection.name, str(said["digest"]), encoder, self._client, collection)
        return None

    def refresh(self, known: Generation | None, encoder: str) -> Generation | None:
        """See `Storage.refresh`."""
        return self.current(encoder)

    def begin(self, digest: str, encoder: str) -> Generation:
        """See `Storage.begin`."""
        name = f"{_PREFIX}-{digest[:12]}-{uuid.uuid4().hex[:6]}"
        said = {"digest": digest, "encoder": encoder, "begun": time.time()}
        with self._explained():
            return Generation(name, digest, encoder, self._client, new_collection(self._client, name, said))

    def adopt(self, new: Generation, old: Generation | None) -> None:
        """See `Storage.adopt`; a build that another process has not finished yet is let alone for an hour."""
        with self._explained():
            said = {**new.collection.metadata, "adopted": time.time(), "passages": new.collection.count()}
            new.collection.modify(metadata=said)
            for collection in self._ours():
                unfinished = not collection.metadata.get("adopted")
                young = time.time() - float(collection.metadata.get("begun", 0)) < _ABANDONED_SECONDS
                if collection.name != new.name and not (unfinished and young):
                    self._client.delete_collection(collection.name)

    def discard(self, generation: Generation) -> None:
        """See `Storage.discard`."""
        with self._explained():
            self._client.delete_collection(generation.name)

    def close(self, generation: Generation | None) -> None:
        """See `Storage.close`."""
        disconnect(self._client)

    def _ours(self) -> list[Any]:
        """Collections of this program, the one adopted last first."""
        found = [c for c in self._client.list_collections() if c.name.startswith(_PREFIX) and c.metadata]
        return sorted(found, key=lambda c: -float(c.metadata.get("adopted", 0)))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except ChromaUrlError as error:
            raise KnowledgeIndexError(f"PARETODESK_CHROMA_URL: {error}") from error
        except index_errors() as error:
            raise KnowledgeIndexError(
                f"{self._url}: the Chroma server does not answer ({error}); start it with `chroma run`, or unset "
                "PARETODESK_CHROMA_URL to keep the index in a folder"
            ) from error
