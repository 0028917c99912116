"""Mood and urgency by a fitted model: what the sentence vector says, together with the lexicon and the cues.

The words alone miss the tone ('I do wonder what I paid for'), the vector alone misses the swear word. Both are weighed
by a logistic regression per scale, fitted by ``python -m training.moods`` on tickets whose mood people judged. Without
vectors of the default encoder lexicon and cues decide alone (`classifier.sentiment`, `classifier.urgency`).
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifier.encoders import STACK, UNIVERSAL, Vectors
from classifier.sentiment import Sentiment, sentiment, sentiment_score
from classifier.urgency import Urgency, urgency

PACKAGED = Path(__file__).parent / "data" / "moods.npz"
FORMAT_VERSION = 1
_STRONGEST = 6.0
"""Points of the lexicon beyond which more of them say no more."""

Floats = NDArray[np.float32]


class MoodFormatError(ValueError):
    """The fitted moods cannot be read; the message says why and what to do."""


@dataclass(frozen=True)
class MoodModel:
    """Two linear models over `evidence`: ``(features, 5)`` for sentiment and ``(features, 4)`` for urgency.

    Columns are in the order of `Sentiment` and `Urgency`.
    """

    sentiment_weights: Floats
    sentiment_intercept: Floats
    urgency_weights: Floats
    urgency_intercept: Floats

    def judge(self, vectors: Vectors, texts: Sequence[str]) -> list[tuple[Sentiment, Urgency]]:
        """Mood and urgency of each text, given its vector of the default encoder."""
        features = evidence(vectors, texts)
        moods = (features @ self.sentiment_weights + self.sentiment_intercept).argmax(axis=1)
        hurries = (features @ self.urgency_weights + self.urgency_intercept).argmax(axis=1)
        sentiments, urgencies = list(Sentiment), list(Urgency)
        return [(sentiments[mood], urgencies[hurry]) for mood, hurry in zip(moods, hurries, strict=True)]

    def to_bytes(self) -> bytes:
        """Arrays and JSON, nothing executable."""
        buffer = io.BytesIO()
        about = np.frombuffer(json.dumps({"format": FORMAT_VERSION, "encoder": UNIVERSAL}).encode(), dtype=np.uint8)
        np.savez_compressed(buffer, allow_pickle=False, about=about, **vars(self))
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> MoodModel:
        """The inverse of `to_bytes`. Raises `MoodFormatError`; never unpickles."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            about = json.loads(arrays.pop("about").tobytes())
            if about["format"] != FORMAT_VERSION or about["encoder"] != UNIVERSAL:
                raise MoodFormatError(f"fitted for {about}; run 'python -m training.moods'")
            return cls(**arrays)
        except MoodFormatError:
            raise
        except Exception as error:
            raise MoodFormatError(
                f"the fitted moods cannot be read ({error}); run 'python -m training.moods'"
            ) from error


def evidence(vectors: Vectors, texts: Sequence[str]) -> Floats:
    """``float32 (n, d + 6)``: the vector, the lexicon's points down and up, and the cue of urgency."""
    told = np.zeros((len(texts), 2 + len(Urgency)), dtype=np.float32)
    levels = list(Urgency)
    for row, text in enumerate(texts):
        points = float(np.clip(sentiment_score(text), -_STRONGEST, _STRONGEST)) / _STRONGEST
        told[row, :2] = max(-points, 0.0), max(points, 0.0)
        told[row, 2 + levels.index(urgency(text))] = 1.0
    return np.concatenate([vectors, told], axis=1)


def moods_of(encoder: str, vectors: Vectors, texts: Sequence[str]) -> list[tuple[Sentiment, Urgency]]:
    """Mood and urgency of texts whose ``vectors`` are those of the encoder called ``encoder``."""
    known = default_vectors(encoder, vectors)
    if known is None:
        return [(sentiment(text), urgency(text)) for text in texts]
    return packaged_moods().judge(known, texts)


def default_vectors(name: str, vectors: Vectors) -> Vectors | None:
    """The default encoder's part of vectors of the encoder called ``name``; None where it has none."""
    parts = name.split(STACK)
    if parts[0] != UNIVERSAL:
        return None
    return np.asarray(vectors[:, :512] * np.sqrt(len(parts)), dtype=np.float32)


@cache
def packaged_moods() -> MoodModel:
    """The model that comes with the package. Raises `MoodFormatError`."""
    return MoodModel.from_bytes(PACKAGED.read_bytes())
