"""How long one ticket takes with two models, measured turn by turn so that a busy machine slows both."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from classifier.model import ReasonModel

WARM_UP = 5
"""Tickets of each model that are not counted."""
TICKETS = 200
"""Enough that the medians of a model beside itself differ by a few per cent on a busy machine."""


@dataclass(frozen=True)
class Latency:
    """Median time of one ticket, milliseconds, encoding included."""

    champion_ms: float
    challenger_ms: float

    @property
    def ratio(self) -> float:
        """How many times as long the challenger takes."""
        return self.challenger_ms / self.champion_ms if self.champion_ms > 0 else 1.0


def measure_latency(champion: ReasonModel, challenger: ReasonModel, texts: Sequence[str]) -> Latency:
    """Both models on up to `TICKETS` of the texts, one at a time, alternating which goes first."""
    spent: tuple[list[float], list[float]] = ([], [])
    models = champion, challenger
    for number, text in enumerate([*texts[:WARM_UP], *texts[:TICKETS]]):
        for which in (number % 2, 1 - number % 2):
            start = time.perf_counter()
            model = models[which]
            model.further([text], model.scores([text]).probabilities)
            if number >= WARM_UP:
                spent[which].append(time.perf_counter() - start)
    return Latency(*(1000 * statistics.median(times) if times else 0.0 for times in spent))
