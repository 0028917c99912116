"""Supervised contrastive training of a sentence encoder: batches, loss, and what held-out texts say of a checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from classifier.encoders import MAX_CHARACTERS, SentenceTransformerEncoder, Vectors
from training.fitting import Labelled
from training.kernel import fit_kernel

TEMPERATURE = 0.1
"""Of the loss, as in the paper's experiments."""
LEARNING_RATE = 2e-5
"""As sentence-transformers and SetFit train; ten times as much forgets what the encoder knew."""
LABELS_A_BATCH, TEXTS_A_LABEL = 16, 4
CHECKS_A_PASS = 2
"""Looks at the choosing half for each pass over the texts."""
BOOTSTRAP = 1_000


@dataclass(frozen=True)
class Parts:
    """Rows to learn from, to choose a checkpoint on, and to judge it on; no group is in two of them."""

    learned: NDArray[np.int64]
    choosing: NDArray[np.int64]
    judging: NDArray[np.int64]


class Tuning:
    """A copy of the encoder's weights that is changed, and what the held-out texts say of it."""

    def __init__(self, encoder: SentenceTransformerEncoder, data: Labelled, parts: Parts, seed: int) -> None:
        import torch

        torch.manual_seed(seed)
        self.model = encoder.copy_of_model()
        self._texts = [text[:MAX_CHARACTERS] for text in data.texts]
        self._labels, self._y = np.unique(data.labels, return_inverse=True)
        self._learned, self._random, self._seed = parts.learned, np.random.default_rng(seed), seed

    def steps(self) -> Iterator[None]:
        """Learn without end, pausing for a check a few times in each pass over the texts."""
        import torch

        optimiser = torch.optim.AdamW(self.model.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
        size = LABELS_A_BATCH * TEXTS_A_LABEL
        pause = max(4, len(self._learned) // (size * CHECKS_A_PASS))
        step = 0
        while True:
            rows = self._batch()
            features = self.model.preprocess([self._texts[row] for row in rows])
            self.model.train()
            vectors = torch.nn.functional.normalize(self.model(features)["sentence_embedding"], dim=1)
            loss = _supervised_contrastive(vectors, torch.from_numpy(self._y[rows]))
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            optimiser.step()
            step += 1
            if step % pause == 0:
                yield

    def predicted(self) -> NDArray[np.int64]:
        """Labels of all texts by the dense head that ships, fitted on those that are learned from."""
        vectors: Vectors = np.asarray(
            self.model.encode(self._texts, normalize_embeddings=True, show_progress_bar=False), dtype=np.float32
        )
        y = self._y[self._learned]
        kernel = fit_kernel(vectors[self._learned], y, len(self._labels), [], self._seed)
        evidence = kernel.head.similarities(vectors) @ kernel.head.coefficients
        return np.asarray(evidence.argmax(axis=1), dtype=np.int64)

    def score(self, predicted: NDArray[np.int64], rows: NDArray[np.int64]) -> float:
        """Macro-F1 on some texts."""
        return float(f1_score(self._y[rows], predicted[rows], average="macro", zero_division=0))

    def interval(
        self, before: NDArray[np.int64], after: NDArray[np.int64], rows: NDArray[np.int64]
    ) -> tuple[float, float]:
        """95% interval of the gain: both predictions on the same texts, drawn again and again."""
        random = np.random.default_rng(self._seed)
        draws = [rows[random.integers(len(rows), size=len(rows))] for _ in range(BOOTSTRAP)]
        low, high = np.quantile([self.score(after, some) - self.score(before, some) for some in draws], [0.025, 0.975])
        return float(low), float(high)

    def weights(self) -> dict[str, Any]:
        """A copy of the weights."""
        return {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}

    def restore(self, weights: dict[str, Any]) -> None:
        """Back to a copy."""
        self.model.load_state_dict(weights)

    def _batch(self) -> NDArray[np.int64]:
        """Rows of some labels, several of each; a label with fewer texts gives those it has."""
        chosen = self._random.permutation(np.unique(self._y[self._learned]))[:LABELS_A_BATCH]
        rows = []
        for label in chosen:
            mine = self._learned[self._y[self._learned] == label]
            rows.append(self._random.permutation(mine)[:TEXTS_A_LABEL])
        return np.concatenate(rows)


def _supervised_contrastive(vectors: Any, y: Any) -> Any:
    """Mean of the loss over the texts that have another of their label in the batch (`L_out`, equation 2)."""
    import torch

    similarity = vectors @ vectors.T / TEMPERATURE
    itself = torch.eye(len(y), dtype=torch.bool)
    same = (y[:, None] == y[None, :]) & ~itself
    log_share = similarity - torch.logsumexp(similarity.masked_fill(itself, -torch.inf), dim=1, keepdim=True)
    has_pair = same.any(dim=1)
    pulled = (log_share.masked_fill(~same, 0.0).sum(dim=1) / same.sum(dim=1).clamp(min=1))[has_pair]
    return -pulled.mean()
