"""The model's half of the human-only guard: how likely it is that a person must answer, and what it may overrule.

One sentence of danger among four ordinary ones hardly moves the whole ticket's probabilities, so the probability of
danger is a logistic regression on two log-odds of the human-only reasons together: in the whole ticket, and in the
sentence that speaks for them most (see `classifier.secondary`). Rules that only name something ('counterfeit', 'law
firm') fire on many an ordinary ticket; they may be overruled far below the threshold (docs/adr/0005).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from classifier.calibration import Floats
from classifier.guard import GuardHit
from classifier.reading import Reading
from classifier.secondary import MAX_SENTENCES, log_odds
from classifier.sentences import sentence_spans


@dataclass(frozen=True)
class DangerHead:
    """Weights of the log-odds in the ``whole`` ticket and in its best ``part``, fitted on tickets held out.

    From ``threshold`` on the model raises the guard by itself. Below ``overruled``, never above ``threshold``, it is so
    sure of an ordinary ticket that rules which only mention something do not raise it.
    """

    intercept: float
    whole: float
    part: float
    threshold: float
    overruled: float

    def probabilities(self, whole: Floats, part: Floats) -> NDArray[np.float64]:
        """Probability ``(n,)`` that a person must answer; ``whole`` and ``part`` are those of the human-only labels."""
        return np.asarray(expit(self.intercept + self.whole * log_odds(whole) + self.part * log_odds(part)))


def may_be_overruled(hits: Sequence[GuardHit], reading: Reading) -> bool:
    """Whether rules fired and all only mention something, in words all of which the model has read."""
    if not hits or not all(hit.mention for hit in hits) or len(sentence_spans(reading.text)) > MAX_SENTENCES:
        return False
    # What stands in quoted history or below the signature is read by the rules alone.
    return reading.words.split() == reading.whole.split()
