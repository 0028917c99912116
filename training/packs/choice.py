"""Which few of many tickets show how differently customers say the same thing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from classifier.encoders import Encoder

Item = TypeVar("Item")

NEAR = 0.5
"""Of each cluster the better half, nearest to its centre, is typical; among them the best ticket is taken."""


def most_diverse(
    items: Sequence[Item], texts: Sequence[str], number: int, encoder: Encoder, quality: Callable[[Item], float]
) -> list[Item]:
    """One item of each of ``number`` k-means clusters of the texts' vectors, in the order given.

    Equal texts count once. Of a cluster's typical items the one of the highest ``quality``. Deterministic.
    """
    first = list({text.casefold().strip(): place for place, text in reversed(list(enumerate(texts)))}.values())
    places = sorted(first)
    if len(places) <= number:
        return [items[place] for place in places]
    from sklearn.cluster import KMeans  # takes a second, and a small desk needs none of it

    vectors = encoder.encode([texts[place] for place in places])
    grouped = KMeans(n_clusters=number, n_init=4, random_state=0).fit(vectors)
    chosen = []
    for cluster in range(number):
        members = np.flatnonzero(grouped.labels_ == cluster)
        distances = np.linalg.norm(vectors[members] - grouped.cluster_centers_[cluster], axis=1)
        typical = members[np.argsort(distances, kind="stable")][: max(1, round(NEAR * len(members)))]
        chosen.append(max(typical.tolist(), key=lambda member: quality(items[places[member]])))
    return [items[places[member]] for member in sorted(chosen)]
