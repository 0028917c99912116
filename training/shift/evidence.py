"""What cross-validation said of a model, kept in its bundle: how it errs on texts that it had not learned from."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.model import ModelFormatError
from training.fitting import Fitted

EVIDENCE = "evidence.npz"
"""The file in a bundle; the manifest signs it like every other."""
LEAST = -16.0
"""Log-probabilities below this are kept as this: 1 in 9 million, and within 16 bits."""

Posteriors = NDArray[np.float32]
"""Calibrated probabilities of the labels, ``(n, k)``, each row sums to 1."""


@dataclass(frozen=True)
class Evidence:
    """Posteriors out of fold and the true columns ``truth (n,)``; ``labels`` name the ``k`` columns."""

    labels: tuple[str, ...]
    posteriors: Posteriors
    truth: NDArray[np.int64]

    @property
    def shares(self) -> NDArray[np.float64]:
        """Share of each label among the training tickets, ``(k,)``."""
        return np.bincount(self.truth, minlength=len(self.labels)) / len(self.truth)

    @property
    def accuracy(self) -> float:
        """Share that the best label got right."""
        return float((self.posteriors.argmax(axis=1) == self.truth).mean())


def packed(posteriors: NDArray[np.floating[Any]]) -> NDArray[np.float16]:
    """Posteriors as 16-bit logarithms: half the size, and small probabilities keep their two digits."""
    return np.asarray(np.maximum(np.log(np.maximum(posteriors, 1e-30)), LEAST), dtype=np.float16)


def unpacked(logs: NDArray[np.float16]) -> Posteriors:
    """The inverse of `packed`, rows summing to 1."""
    found = np.exp(logs.astype(np.float32))
    return np.asarray(found / found.sum(axis=1, keepdims=True), dtype=np.float32)


def evidence_of(fitted: Fitted) -> bytes:
    """The content of `EVIDENCE` for a new model."""
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        allow_pickle=False,
        logs=packed(fitted.out_of_fold.probabilities),
        truth=fitted.truth.astype(np.int32),
        labels=np.array(fitted.model.labels),
    )
    return buffer.getvalue()


def read_evidence(files: Mapping[str, bytes]) -> Evidence | None:
    """The evidence in a bundle's files; None in models fitted before it was kept. Raises `ModelFormatError`."""
    data = files.get(EVIDENCE)
    if data is None:
        return None
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            logs, truth = archive["logs"], archive["truth"].astype(np.int64)
            labels = tuple(str(label) for label in archive["labels"])
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ModelFormatError(f"the model's {EVIDENCE} cannot be read ({error}); train it again") from error
    if logs.shape != (len(truth), len(labels)) or not len(truth) or not 0 <= truth.min() <= truth.max() < len(labels):
        raise ModelFormatError(f"the model's {EVIDENCE} does not fit together; train it again")
    return Evidence(labels, unpacked(logs), truth)
