"""Where tickets lie among those that the model learned from: their words, and which reasons their neighbours have.

EmergingError
    └── emerging reasons cannot be looked for; the message says why and what to do
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.encoders import Vectors
from classifier.heads import Floats, KernelHead, Projection
from classifier.model import ReasonModel
from training.fitting import FitError

NEIGHBOURS = 20
"""Known tickets that vote on which reasons a ticket lies among."""
SHARPNESS = 8.0
"""How much more a nearer neighbour's vote counts: ``exp(SHARPNESS * cosine)``."""
ROWS_AT_A_TIME = 1_024


class EmergingError(FitError):
    """Emerging reasons cannot be looked for, or not be drafted."""


@dataclass(frozen=True)
class KnownSpace:
    """The tickets of known reasons: ``rows float32 (m, p)`` of unit length, their reasons as ``columns (m,)``."""

    projection: Projection
    rows: Floats
    columns: NDArray[np.int64]
    labels: tuple[str, ...]

    @classmethod
    def of_model(cls, model: ReasonModel) -> KnownSpace:
        """What ``model`` remembers of its training tickets. Raises `EmergingError` for a model of format 1."""
        if not isinstance(model.dense, KernelHead) or not model.remembered:
            raise EmergingError("the model is of an old format and remembers no tickets; run 'paretodesk train' again")
        place = {label: column for column, label in enumerate(model.labels)}
        columns = np.array([place[ticket.label] for ticket in model.remembered], dtype=np.int64)
        return cls(model.dense.projection, _unit(model.dense.memory[: len(columns)]), columns, model.labels)

    def joined_by(self, vectors: Vectors, columns: NDArray[np.int64]) -> KnownSpace:
        """With further known tickets, such as those that this desk tagged earlier."""
        rows = np.concatenate([self.rows, self.projection(vectors)])
        return KnownSpace(self.projection, rows, np.concatenate([self.columns, columns]), self.labels)

    def placed(self, vectors: Vectors) -> tuple[Floats, Floats]:
        """New tickets ``(n, p + k)`` and the known ones ``(m, p + k)`` in one space, of unit length.

        Half of a place are the ticket's words, half the square roots of its neighbours' votes: tickets that lie between
        the same reasons are near each other. A known ticket has no vote on itself.
        """
        moved = self.projection(vectors)
        return (
            _unit(np.hstack([moved, np.sqrt(self._votes(moved, itself=False))])),
            _unit(np.hstack([self.rows, np.sqrt(self._votes(self.rows, itself=True))])),
        )

    def _votes(self, rows: Floats, *, itself: bool) -> Floats:
        k = min(NEIGHBOURS, len(self.rows) - itself)
        votes = np.zeros((len(rows), len(self.labels)), dtype=np.float32)
        for start in range(0, len(rows), ROWS_AT_A_TIME):
            near = rows[start : start + ROWS_AT_A_TIME] @ self.rows.T
            here = np.arange(len(near))
            if itself:
                near[here, start + here] = -np.inf
            nearest = np.argpartition(-near, k - 1, axis=1)[:, :k]
            weights = np.exp(SHARPNESS * (np.take_along_axis(near, nearest, axis=1) - 1))
            np.add.at(votes, (start + here[:, None], self.columns[nearest]), weights)
        found: Floats = votes / votes.sum(axis=1, keepdims=True)
        return found


def _unit(rows: Floats) -> Floats:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6), dtype=np.float32)
