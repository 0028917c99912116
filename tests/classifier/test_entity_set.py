"""How much of the labelled messages is found: the even half was only counted, never read."""

import pytest

from benchmarks.reading import HALVES, EntityScores, entity_scores

FLOORS = {"development": (0.98, 0.98), "test": (0.95, 0.94)}
"""Precision and recall over all kinds, a little below what is reached."""


def table(half: str, scores: EntityScores) -> str:
    """Precision and recall of each kind, one a line."""
    kinds = sorted(scores.found | scores.wrong | scores.missed)
    lines = [f"{kind:10} P {scores.precision(kind):.3f} R {scores.recall(kind):.3f}" for kind in kinds]
    return "\n".join([half, *lines])


@pytest.mark.parametrize("half", HALVES)
def test_labelled_messages_are_read(half: str) -> None:
    scores = entity_scores(half)
    print(table(half, scores))
    precision, recall = FLOORS[half]
    assert scores.precision() > precision
    assert scores.recall() > recall
