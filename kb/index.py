"""The vector index: Chroma as a cache that the content folder rebuilds at any time; see `kb.storage` for its errors."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from classifier.encoders import Encoder, Vectors
from kb.articles import Passage
from kb.chroma import clean_memory, index_errors, metadata_of, where_clause
from kb.index_audit import unfound
from kb.scope import Scope
from kb.storage import (
    FolderStorage,
    Generation,
    IndexAuditError,
    IndexLockedError,
    KnowledgeIndexError,
    ServerStorage,
    Storage,
)
from kb.vectors import passage_vectors, views_digest

__all__ = ["Hit", "IndexAuditError", "IndexLockedError", "KnowledgeIndex", "KnowledgeIndexError", "Progress", "Rebuilt"]

_AUDITED = 64
_BATCH = 256

Progress = Callable[[int, int], None]
"""Called with (passages done, passages in all)."""


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


class KnowledgeIndex:
    """The passages' vectors in a storage that is this index's until `close`."""

    def __init__(self, storage: Storage, encoder: Encoder) -> None:
        self._storage = storage
        self._encoder = encoder
        try:
            with _explained("opened"):
                self._current = storage.current(encoder.name)
        except BaseException:
            storage.close(None)
            raise

    @classmethod
    def open(cls, directory: Path, encoder: Encoder, *, verify: bool = False) -> Self:
        """Take ownership of the index in ``directory``, which is made where it is missing.

        With ``verify``, and where the last owner ended without closing it, another process audits the index first;
        one that is damaged counts as empty. Raises `IndexLockedError` when another process (or another index object)
        has it open, and `KnowledgeIndexError` where the folder cannot be used.
        """
        with _explained("opened"):
            storage = FolderStorage(directory, verify)
        return cls(storage, encoder)

    @classmethod
    def connect(cls, url: str, encoder: Encoder) -> Self:
        """Use the `chroma` server at ``url`` (``http[s]://host[:port]``). Raises `KnowledgeIndexError`."""
        return cls(ServerStorage(url), encoder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give up ownership."""
        self._storage.close(self._current)
        self._current = None

    @property
    def encoder(self) -> Encoder:
        """What the passages are encoded with, and questions must be."""
        return self._encoder

    @property
    def count(self) -> int:
        """How many passages are indexed."""
        return int(self._current.collection.count()) if self._current else 0

    def missing(self, passages: Sequence[Passage]) -> int:
        """How many of ``passages`` a rebuild would have to encode."""
        if self._current and self._current.digest == self._digest(passages):
            return 0
        known = self._known_vectors()
        return sum(views_digest(passage) not in known for passage in passages)

    def rebuild(self, passages: Sequence[Passage], progress: Progress | None = None) -> Rebuilt:
        """Index exactly ``passages``; does nothing when they are indexed already.

        Vectors of unchanged passages are taken over. What ``progress`` raises ends it; then, and on the errors
        `IndexAuditError` and `KnowledgeIndexError`, the old index stays in use.
        """
        began = time.monotonic()
        digest = self._digest(passages)
        with _explained("read"):
            self._current = self._storage.refresh(self._current, self._encoder.name)
        if self._current and self._current.digest == digest:
            return Rebuilt(False, len(passages), 0, time.monotonic() - began)
        vectors, encoded = self._vectors_of(passages, progress)
        with clean_memory(), _explained("written"):
            built = self._storage.begin(digest, self._encoder.name)
            try:
                _fill(built, passages, vectors)
                self._audit(built, passages, vectors)
                self._storage.adopt(built, self._current)
            except Exception:
                # Why it failed is worth more than that the remains could not be deleted either.
                with suppress(KnowledgeIndexError, *index_errors()):
                    self._storage.discard(built)
                raise
        self._current = built
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
        """All passage ids and their vectors, float32 (n, d), in the same order. Raises `KnowledgeIndexError`."""
        ids, vectors, _ = self._stored()
        return ids, vectors

    def _stored(self) -> tuple[list[str], Vectors, list[dict[str, Any]]]:
        ids: list[str] = []
        rows: list[Vectors] = []
        metadatas: list[dict[str, Any]] = []
        collection = self._current.collection if self._current else None
        with _explained("read"):
            while (
                collection
                and (page := collection.get(limit=_BATCH, offset=len(ids), include=["embeddings", "metadatas"]))["ids"]
            ):
                ids += page["ids"]
                rows.append(np.asarray(page["embeddings"], dtype=np.float32))
                metadatas += page["metadatas"]
        empty = np.empty((0, self._encoder.dimensions), dtype=np.float32)
        return ids, np.concatenate(rows) if rows else empty, metadatas

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
        _, vectors, metadatas = self._stored()
        return {
            metadata["text"]: vector
            for metadata, vector in zip(metadatas, vectors, strict=True)
            if metadata["encoder"] == self._encoder.name
        }

    def _audit(self, built: Generation, passages: Sequence[Passage], vectors: Vectors) -> None:
        """Every passage is there, and sampled ones find themselves."""
        if (count := built.collection.count()) != len(passages):
            raise IndexAuditError(
                f"{built.name}: {count} of {len(passages)} passages were indexed; the old index stays"
            )
        sampled = range(0, len(passages), max(1, len(passages) // _AUDITED))
        if problem := unfound(built.collection, [passages[row].id for row in sampled], [vectors[r] for r in sampled]):
            raise IndexAuditError(f"{built.name}: {problem}; the old index stays")


@contextmanager
def _explained(done: str) -> Iterator[None]:
    """What goes wrong in Chroma, on its server or on the disk, as `KnowledgeIndexError`."""
    try:
        yield
    except index_errors() as error:
        what = str(error) or type(error).__name__
        raise KnowledgeIndexError(f"the index cannot be {done} ({what}); run `paretodesk kb sync`") from error


def _fill(built: Generation, passages: Sequence[Passage], vectors: Vectors) -> None:
    for start in range(0, len(passages), _BATCH):
        rows = passages[start : start + _BATCH]
        built.collection.add(
            ids=[passage.id for passage in rows],
            embeddings=vectors[start : start + _BATCH],
            metadatas=[
                {**metadata_of(passage), "text": views_digest(passage), "encoder": built.encoder} for passage in rows
            ],
        )
