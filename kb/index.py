"""The vector index: Chroma on disk as a cache that the content folder rebuilds at any time.

KnowledgeIndexError
    ├── IndexLockedError   another process has the index open
    └── IndexAuditError    a freshly built index did not find its own passages; the old one stays

Layout of the folder: `owner.lock`, `current.json` (the pointer), one `build-...` folder per generation. A rebuild
writes a new generation, audits it, swaps the pointer atomically and deletes the old one, because Chroma keeps deleted
vectors in its files and sees nothing that a second process writes.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from filelock import FileLock, Timeout

from classifier.encoders import Encoder, Vectors
from kb.articles import Passage
from kb.chroma import chroma_error, metadata_of, open_client, where_clause
from kb.scope import Scope
from kb.vectors import passage_vectors, views_digest

logger = logging.getLogger(__name__)

_COLLECTION = "passages"
_POINTER = "current.json"
_AUDITED = 64
_BATCH = 256
# HNSW reads this many candidates per query; at Chroma's default of 100 filtered searches lose passages.
_EF_SEARCH = 400

Progress = Callable[[int, int], None]
"""Called with (passages done, passages in all)."""


class KnowledgeIndexError(RuntimeError):
    """The index cannot be used; the message says why and what to do."""


class IndexLockedError(KnowledgeIndexError):
    """Another process has the index open."""


class IndexAuditError(KnowledgeIndexError):
    """A freshly built index does not find its own passages."""


@dataclass(frozen=True)
class Hit:
    """A passage and the cosine between its vector and the query's, -1..1."""

    passage_id: str
    cosine: float


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild did: whether anything changed, how many passages it has and how many it had to encode."""

    changed: bool
    passages: int
    encoded: int
    seconds: float


@dataclass(frozen=True)
class _Generation:
    folder: Path
    digest: str
    client: Any
    collection: Any


class KnowledgeIndex:
    """The passages' vectors on disk, owned by this process until `close`."""

    def __init__(self, directory: Path, encoder: Encoder, lock: FileLock) -> None:
        self._directory = directory
        self._encoder = encoder
        self._lock = lock
        self._current = self._open_current()

    @classmethod
    def open(cls, directory: Path, encoder: Encoder) -> Self:
        """Take ownership of the index in ``directory``, which is made where it is missing.

        Raises `IndexLockedError` when another process (or another index object) has it open.
        """
        directory.mkdir(parents=True, exist_ok=True)
        lock = FileLock(directory / "owner.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            owner = directory / "owner.pid"
            pid = owner.read_text(encoding="utf-8").strip() if owner.exists() else "unknown"
            raise IndexLockedError(
                f"{directory}: the index is open in another process (id {pid}); stop it, or use another folder"
            ) from error
        (directory / "owner.pid").write_text(str(os.getpid()), encoding="utf-8")
        try:
            return cls(directory, encoder, lock)
        except BaseException:
            lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give up ownership."""
        if self._current:
            self._current.client.close()
            self._current = None
        self._lock.release()

    @property
    def encoder(self) -> Encoder:
        """What the passages are encoded with, and questions must be."""
        return self._encoder

    @property
    def count(self) -> int:
        """How many passages are indexed."""
        return int(self._current.collection.count()) if self._current else 0

    def rebuild(self, passages: Sequence[Passage], progress: Progress | None = None) -> Rebuilt:
        """Index exactly ``passages``; does nothing when they are indexed already.

        Vectors of unchanged passages are taken over. Raises `IndexAuditError`; the old index then stays in use.
        """
        began = time.monotonic()
        digest = self._digest(passages)
        if self._current and self._current.digest == digest:
            return Rebuilt(False, len(passages), 0, time.monotonic() - began)
        vectors, encoded = self._vectors_of(passages, progress)
        built = self._build(passages, vectors, digest)
        try:
            self._audit(built, passages, vectors)
        except IndexAuditError:
            built.client.close()
            shutil.rmtree(built.folder, ignore_errors=True)
            raise
        self._point_to(built)
        old, self._current = self._current, built
        if old:
            old.client.close()
        self._sweep()
        return Rebuilt(True, len(passages), encoded, time.monotonic() - began)

    def search(self, vector: Vectors, scope: Scope, k: int) -> list[Hit]:
        """The ``k`` passages of ``scope`` nearest to ``vector`` (float32, (d,), unit length), best first."""
        if not self._current or not self.count:
            return []
        found = self._current.collection.query(
            query_embeddings=[vector],
            n_results=min(k, self.count),
            where=where_clause(scope),
            include=["distances"],
        )
        return [
            Hit(passage_id, 1.0 - float(distance))
            for passage_id, distance in zip(found["ids"][0], found["distances"][0], strict=True)
        ]

    def vectors(self) -> tuple[list[str], Vectors]:
        """All passage ids and their vectors, float32 (n, d), in the same order."""
        if not self._current or not self.count:
            return [], np.empty((0, self._encoder.dimensions), dtype=np.float32)
        stored = self._current.collection.get(include=["embeddings"])
        return list(stored["ids"]), np.asarray(stored["embeddings"], dtype=np.float32)

    def _digest(self, passages: Sequence[Passage]) -> str:
        rows = sorted(json.dumps([p.id, p.views, metadata_of(p)], sort_keys=True) for p in passages)
        rows.append(self._encoder.name)
        return hashlib.sha256("\n".join(rows).encode()).hexdigest()

    def _vectors_of(self, passages: Sequence[Passage], progress: Progress | None) -> tuple[Vectors, int]:
        known = self._known_vectors()
        vectors = np.empty((len(passages), self._encoder.dimensions), dtype=np.float32)
        fresh = []
        for row, passage in enumerate(passages):
            if (vector := known.get(views_digest(passage))) is not None:
                vectors[row] = vector
            else:
                fresh.append(row)
        done = len(passages) - len(fresh)
        for start in range(0, len(fresh), _BATCH):
            rows = fresh[start : start + _BATCH]
            vectors[rows] = passage_vectors([passages[row] for row in rows], self._encoder)
            done += len(rows)
            if progress:
                progress(done, len(passages))
        return vectors, len(fresh)

    def _known_vectors(self) -> dict[str, Vectors]:
        if not self._current or not self.count:
            return {}
        stored = self._current.collection.get(include=["embeddings", "metadatas"])
        return {
            metadata["text"]: vector
            for metadata, vector in zip(stored["metadatas"], stored["embeddings"], strict=True)
            if metadata["encoder"] == self._encoder.name
        }

    def _build(self, passages: Sequence[Passage], vectors: Vectors, digest: str) -> _Generation:
        folder = self._directory / f"build-{digest[:12]}-{uuid.uuid4().hex[:6]}"
        client = open_client(folder)
        collection = client.create_collection(
            _COLLECTION,
            embedding_function=None,
            configuration={"hnsw": {"space": "cosine", "ef_search": _EF_SEARCH, "ef_construction": 200}},
        )
        for start in range(0, len(passages), _BATCH):
            rows = passages[start : start + _BATCH]
            collection.add(
                ids=[passage.id for passage in rows],
                embeddings=vectors[start : start + _BATCH],
                metadatas=[
                    {**metadata_of(passage), "text": views_digest(passage), "encoder": self._encoder.name}
                    for passage in rows
                ],
            )
        return _Generation(folder, digest, client, collection)

    def _audit(self, built: _Generation, passages: Sequence[Passage], vectors: Vectors) -> None:
        """Every passage is there, and sampled ones find themselves."""
        if (count := built.collection.count()) != len(passages):
            raise IndexAuditError(
                f"{built.folder}: {count} of {len(passages)} passages were indexed; the old index stays"
            )
        for row in range(0, len(passages), max(1, len(passages) // _AUDITED)):
            found = built.collection.query(query_embeddings=[vectors[row]], n_results=1, include=["distances"])
            # Two passages may say the same; then either is right.
            if not found["ids"][0] or float(found["distances"][0][0]) > 1e-4:
                raise IndexAuditError(
                    f"{built.folder}: passage {passages[row].id} does not find itself; the old index stays"
                )

    def _point_to(self, built: _Generation) -> None:
        pointer = self._directory / _POINTER
        draft = pointer.with_suffix(".new")
        with draft.open("w", encoding="utf-8") as file:
            json.dump({"folder": built.folder.name, "digest": built.digest, "encoder": self._encoder.name}, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(pointer)

    def _open_current(self) -> _Generation | None:
        pointer = self._directory / _POINTER
        if not pointer.exists():
            self._sweep_folders(keep=None)
            return None
        try:
            current = json.loads(pointer.read_text(encoding="utf-8"))
            folder = self._directory / Path(current["folder"]).name
            if current["encoder"] != self._encoder.name or not folder.is_dir():
                raise KnowledgeIndexError("was made by another encoder, or its folder is gone")
            client = open_client(folder)
            collection = client.get_collection(_COLLECTION, embedding_function=None)
        except (OSError, ValueError, KeyError, TypeError, KnowledgeIndexError, chroma_error()) as error:
            # A cache: whatever is wrong with it, the content folder makes a new one.
            logger.warning("%s: the index cannot be used and will be rebuilt: %s", self._directory, error)
            return None
        self._sweep_folders(keep=folder)
        return _Generation(folder, str(current["digest"]), client, collection)

    def _sweep(self) -> None:
        self._sweep_folders(keep=self._current.folder if self._current else None)

    def _sweep_folders(self, keep: Path | None) -> None:
        for folder in self._directory.glob("build-*"):
            if folder != keep:
                shutil.rmtree(folder, ignore_errors=True)
