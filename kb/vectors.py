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
    if not passages:
        return np.empty((0, encoder.dimensions), dtype=np.float32)
    # All sections of an article share its title, so each text is encoded once.
    rows = {view: row for row, view in enumerate(dict.fromkeys(view for p in passages for view in p.views))}
    views = encoder.encode(list(rows))
    means = np.stack([views[[rows[view] for view in passage.views]].sum(axis=0) for passage in passages])
    return np.asarray(means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12), dtype=np.float32)


def views_digest(passage: Passage) -> str:
    """Changes exactly when the passage's vector would."""
    return hashlib.sha256(json.dumps(passage.views).encode()).hexdigest()
