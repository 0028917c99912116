"""Vectors that do not depend on what else was encoded with them, kept from one run to the next."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from classifier.encoders import Encoder, Vectors
from training.encoding_cache import CachedEncoder
from training.fitting import Progress

SAVE_EVERY = 2_048
"""Texts after which a killed run need not encode again."""
STEP = 64
"""Texts between two movements of the progress bar."""


class OneByOne:
    """An encoder that gets its texts one at a time.

    In a batch a vector depends in its last digits on the texts beside it, and so would the model on the order in which
    a cache was filled: the same snapshot must give the same model.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.name, self.dimensions = encoder.name, encoder.dimensions

    def encode(self, texts: Sequence[str]) -> Vectors:
        """See `Encoder.encode`."""
        if not texts:
            return np.empty((0, self.dimensions), dtype=np.float32)
        return np.concatenate([self._encoder.encode([text]) for text in texts])


def encode_in_steps(encoder: CachedEncoder, texts: Sequence[str], progress: Progress) -> Vectors:
    """Vectors of all texts, saved now and then."""
    parts = []
    for start in range(0, len(texts), STEP):
        parts.append(encoder.encode(texts[start : start + STEP]))
        progress("encoding tickets", min(start + STEP, len(texts)), len(texts))
        if (start + STEP) % SAVE_EVERY == 0:
            encoder.save()
    encoder.save()
    return np.concatenate(parts) if parts else np.empty((0, encoder.dimensions), dtype=np.float32)
