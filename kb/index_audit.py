"""Whether a stored index still answers: `python -m kb.index_audit FOLDER PASSAGES` exits with 1 and says what is wrong.

A process of its own, because a damaged HNSW file can end the process that reads it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from classifier.encoders import Vectors
from kb.chroma import COLLECTION, open_client

_SAMPLED = 64
_NEAR = 1e-4
_SECONDS = 120


def collection_problem(collection: Any, passages: int) -> str | None:
    """What is wrong with a Chroma collection that should have so many ``passages``; None where nothing is."""
    if (count := collection.count()) != passages:
        return f"has {count} of {passages} passages"
    ids: list[str] = []
    vectors: list[Vectors] = []
    for offset in range(0, passages, max(1, passages // _SAMPLED)):
        found = collection.get(limit=1, offset=offset, include=["embeddings"])
        ids += found["ids"]
        vectors += list(found["embeddings"])
    return unfound(collection, ids, vectors)


def unfound(collection: Any, ids: Sequence[str], vectors: Sequence[Vectors]) -> str | None:
    """The first passage whose own vector does not find it; None where all do."""
    for passage_id, vector in zip(ids, vectors, strict=True):
        found = collection.query(query_embeddings=[vector], n_results=1, include=["distances"])
        # Two passages may say the same; then either is right.
        if not found["ids"][0] or float(found["distances"][0][0]) > _NEAR:
            return f"passage {passage_id} does not find itself"
    return None


def folder_problem(folder: Path, passages: int) -> str | None:
    """What is wrong with the index in ``folder``, found out by another process; None where nothing is."""
    command = [sys.executable, "-m", "kb.index_audit", str(folder), str(passages)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return f"did not answer within {_SECONDS} seconds"
    if done.returncode == 0:
        return None
    said = (done.stdout.strip() or done.stderr.strip()).splitlines()
    return said[-1] if said else f"ended its reader with code {done.returncode}"


def main(folder: str, passages: str) -> int:
    """Audit one folder; the exit code of the process."""
    client = open_client(Path(folder))
    problem = collection_problem(client.get_collection(COLLECTION, embedding_function=None), int(passages))
    if problem:
        print(problem)
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
