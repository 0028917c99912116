"""Gives new corpus tickets their ids and groups: run ``python -m training.groups`` after adding some.

A group ties tickets that tell nearly the same story, in one language or several, so that no split separates them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from classifier.encoders import Encoder, UniversalEncoder, Vectors
from classifier.features import feature_text
from training.corpus import STARTER_CORPUS

NEAR = 0.8
"""Cosine from which two tickets of one reason are taken for the same story."""
_ORDER = ("id", "group", "channel", "subject", "body", "indirect", "secondary")
"""How a line is written; empty ones are left out, but for ``secondary``: no further reason is a finding, too.

Fields that are not ours follow as they are.
"""


def assign(folder: Path, encoder: Encoder) -> int:
    """Write ids and groups into ``<folder>/<locale>/<reason>.jsonl``; ids that are there stay. Returns the tickets."""
    total = 0
    for reason in sorted({path.stem for path in folder.glob("*/*.jsonl")}):
        files = {path: _load(path) for path in sorted(folder.glob(f"*/{reason}.jsonl"))}
        rows = [row for part in files.values() for row in part]
        vectors = encoder.encode([feature_text(row.get("subject") or "", row["body"]) for row in rows])
        for row, group in zip(rows, _groups(rows, vectors), strict=True):
            row |= {"group": group}
        for path, part in files.items():
            path.write_text("".join(_line(row) for row in part), encoding="utf-8")
        total += len(rows)
    return total


def _line(row: dict[str, Any]) -> str:
    known = {key: row[key] for key in _ORDER if row.get(key) or (key == "secondary" and key in row)}
    others = {key: value for key, value in row.items() if key not in _ORDER}
    return json.dumps(known | others, ensure_ascii=False) + "\n"


def _load(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    taken = {row["id"] for row in rows if "id" in row}
    number = 0
    for row in rows:
        while "id" not in row:
            number += 1
            candidate = f"{path.parent.name}-{path.stem}-{number:03}"
            if candidate not in taken:
                row["id"] = candidate
    return rows


def _groups(rows: Sequence[dict[str, Any]], vectors: Vectors) -> list[str | None]:
    """The smallest id of each cluster, None for a ticket on its own."""
    near = csr_matrix(vectors @ vectors.T >= NEAR)
    _, cluster = connected_components(near, directed=False)
    groups: list[str | None] = []
    for own in cluster:
        members = [int(i) for i in np.flatnonzero(cluster == own)]
        groups.append(min(rows[i]["id"] for i in members) if len(members) > 1 else None)
    return groups


if __name__ == "__main__":
    print(f"{assign(STARTER_CORPUS, UniversalEncoder())} tickets have ids and groups")
