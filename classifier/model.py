"""The fitted classifier of contact reasons: two linear heads over one reading of the ticket, fused and calibrated."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from classifier.abstention import Guarantee
from classifier.calibration import fuse
from classifier.encoders import Encoder, Vectors
from classifier.features import LexicalFeatures

FORMAT_VERSION = 1
ARRAYS = "arrays.npz"
SETTINGS = "model.json"
NEIGHBOURS = 5
"""Familiarity is the mean cosine to so many nearest training tickets."""


class ModelFormatError(ValueError):
    """Model files do not fit together; the message says which part and what to do."""


@dataclass(frozen=True)
class Head:
    """One linear model: ``coefficients float32 (features, k)``, ``intercept float32 (k,)``."""

    coefficients: NDArray[np.float32]
    intercept: NDArray[np.float32]

    def log_probabilities(self, features: Any) -> NDArray[np.float32]:
        """``(n, k)`` for dense or sparse ``(n, features)``."""
        scores: NDArray[np.float32] = log_softmax(features @ self.coefficients + self.intercept, axis=1)
        return scores


@dataclass(frozen=True)
class Scores:
    """Calibrated ``probabilities (n, k)`` and ``familiarity (n,)`` (mean cosine to the nearest training tickets)."""

    probabilities: NDArray[np.float64]
    familiarity: NDArray[np.float32]


@dataclass(frozen=True)
class Thresholds:
    """What the calibration data chose.

    ``guarantee`` gives the confidence below which a ticket is `undecided`; below ``familiarity`` it is unlike
    anything that was learned and `undecided` too; at ``human_only`` or more probability of the human-only reasons
    together the guard is raised.
    """

    guarantee: Guarantee
    familiarity: float
    human_only: float


@dataclass(frozen=True)
class ReasonModel:
    """Text in, calibrated probabilities of the labels out. Immutable; safe to share between threads."""

    labels: tuple[str, ...]
    encoder: Encoder
    dense: Head
    lexical: Head | None
    lexical_features: LexicalFeatures | None
    fusion: tuple[float, ...]
    memory: Vectors
    thresholds: Thresholds

    def scores(self, texts: Sequence[str]) -> Scores:
        """Score feature texts (see `classifier.features.feature_text`)."""
        return self.scores_of(texts, self.encoder.encode(texts))

    def scores_of(self, texts: Sequence[str], vectors: Vectors) -> Scores:
        """Score texts whose vectors are at hand already."""
        heads = [self.dense.log_probabilities(vectors)]
        if self.lexical is not None and self.lexical_features is not None:
            heads.append(self.lexical.log_probabilities(self.lexical_features.transform(texts)))
        return Scores(np.exp(fuse(heads, self.fusion)), familiarity(vectors, self.memory))

    def to_files(self) -> dict[str, bytes]:
        """The model as plain arrays and JSON, nothing executable."""
        arrays: dict[str, NDArray[Any]] = {
            "dense_coefficients": self.dense.coefficients,
            "dense_intercept": self.dense.intercept,
            "memory": self.memory.astype(np.float16),
        }
        settings: dict[str, Any] = {
            "format": FORMAT_VERSION,
            "labels": list(self.labels),
            "encoder": self.encoder.name,
            "fusion": list(self.fusion),
            "thresholds": {
                "guarantee": vars(self.thresholds.guarantee),
                "familiarity": self.thresholds.familiarity,
                "human_only": self.thresholds.human_only,
            },
        }
        if self.lexical is not None and self.lexical_features is not None:
            terms, frequencies = self.lexical_features.state()
            settings["terms"] = terms
            arrays["lexical_coefficients"] = self.lexical.coefficients.astype(np.float16)
            arrays["lexical_intercept"] = self.lexical.intercept
            arrays |= {f"frequencies_{name}": values for name, values in frequencies.items()}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        return {ARRAYS: buffer.getvalue(), SETTINGS: json.dumps(settings, ensure_ascii=False).encode()}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes], encoder: Encoder) -> ReasonModel:
        """The inverse of `to_files`. Raises `ModelFormatError`; never unpickles."""
        try:
            settings = json.loads(files[SETTINGS])
            arrays = _arrays(files[ARRAYS])
            return cls._from_parts(settings, arrays, encoder)
        except KeyError as error:
            raise ModelFormatError(f"the model has no {error}; train it again") from error
        except ModelFormatError:
            raise
        except (ValueError, TypeError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise ModelFormatError(f"the model's files cannot be read ({error}); train it again") from error

    @classmethod
    def _from_parts(cls, settings: Any, arrays: Mapping[str, NDArray[Any]], encoder: Encoder) -> ReasonModel:
        if settings["format"] != FORMAT_VERSION:
            raise ModelFormatError(
                f"model format {settings['format']} is not {FORMAT_VERSION}, which this version reads; train it again"
            )
        if settings["encoder"] != encoder.name:
            raise ModelFormatError(f"the model was fitted on encoder '{settings['encoder']}', given '{encoder.name}'")
        lexical = features = None
        if terms := settings.get("terms"):
            features = LexicalFeatures.from_state(terms, {name: arrays[f"frequencies_{name}"] for name in terms})
            lexical = Head(arrays["lexical_coefficients"].astype(np.float32), arrays["lexical_intercept"])
        thresholds = settings["thresholds"]
        return cls(
            labels=tuple(settings["labels"]),
            encoder=encoder,
            dense=Head(arrays["dense_coefficients"], arrays["dense_intercept"]),
            lexical=lexical,
            lexical_features=features,
            fusion=tuple(settings["fusion"]),
            memory=arrays["memory"].astype(np.float32),
            thresholds=Thresholds(
                Guarantee(**thresholds["guarantee"]), thresholds["familiarity"], thresholds["human_only"]
            ),
        )


def _arrays(data: bytes) -> dict[str, NDArray[Any]]:
    if not zipfile.is_zipfile(io.BytesIO(data)):
        raise ModelFormatError(f"the model's {ARRAYS} is no npz archive; train it again")
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def encoder_name(files: Mapping[str, bytes]) -> str:
    """Which encoder the model in ``files`` needs. Raises `ModelFormatError`."""
    try:
        return str(json.loads(files[SETTINGS])["encoder"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFormatError(f"the model's {SETTINGS} does not name its encoder; train it again") from error


def familiarity(vectors: Vectors, memory: Vectors) -> NDArray[np.float32]:
    """Mean cosine of each vector to its `NEIGHBOURS` nearest in ``memory (m, d)``; 0 where there is no memory."""
    if not len(memory):
        return np.zeros(len(vectors), dtype=np.float32)
    k = min(NEIGHBOURS, len(memory))
    cosines = vectors @ memory.T
    nearest: NDArray[np.float32] = np.partition(cosines, -k, axis=1)[:, -k:].mean(axis=1)
    return nearest
