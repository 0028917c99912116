"""Several reasons in one ticket: what else, beside the best reason, the customer asks for.

A request that is one sentence of five hardly moves the whole ticket's probabilities, but it leads those of its own
sentence. So the probability that a reason is asked for, too, is a logistic regression on two log-odds: of the reason in
the whole ticket, and of the reason in the sentence that speaks for it most. Sentences are judged by the lexical head
alone: encoding each would cost four times as much for 3 points of average precision (docs/adr/0013).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_softmax

from classifier.calibration import Floats
from classifier.features import LexicalFeatures
from classifier.heads import LinearHead
from classifier.sentences import sentence_spans

MAX_SENTENCES = 16
"""Sentences of a ticket that are weighed; reasons stand early."""
SHARPNESS = 3.0
"""Inverse temperature of a sentence's scores; 2 to 5 rank alike on held-out tickets."""
_EDGE = 1e-6


@dataclass(frozen=True)
class SecondaryHead:
    """Weights of the log-odds in the ``whole`` ticket and in its best ``part``, fitted on tickets read for this.

    From ``threshold`` on a reason is said to be asked for, too.
    """

    intercept: float
    whole: float
    part: float
    threshold: float

    def probabilities(self, whole: Floats, part: Floats) -> NDArray[np.float64]:
        """Probability ``(n, k)`` that each label is one of the ticket's requests, given that it is not the best one."""
        return np.asarray(expit(self.intercept + self.whole * log_odds(whole) + self.part * log_odds(part)))


def log_odds(probabilities: Floats) -> NDArray[np.float64]:
    """Log-odds of probabilities, kept finite."""
    clipped = np.clip(np.asarray(probabilities, dtype=np.float64), _EDGE, 1 - _EDGE)
    return np.asarray(np.log(clipped / (1 - clipped)))


@dataclass(frozen=True)
class Parts:
    """What each sentence of ``n`` texts says by itself: ``probabilities (s, k)`` and the text that owns it ``(s,)``."""

    probabilities: NDArray[np.float64]
    owners: NDArray[np.int64]
    n: int

    def best(self) -> NDArray[np.float64]:
        """The highest probability of each label in one sentence of each text, ``(n, k)``."""
        best = np.zeros((self.n, self.probabilities.shape[1]))
        np.maximum.at(best, self.owners, self.probabilities)
        return best

    def best_of_any(self, columns: NDArray[np.bool_]) -> NDArray[np.float64]:
        """The highest probability that one sentence gives to the marked labels together, ``(n,)``."""
        best = np.zeros(self.n)
        np.maximum.at(best, self.owners, self.probabilities[:, columns].sum(axis=1))
        return best


def parts_of(texts: Sequence[str], lexical: LinearHead, features: LexicalFeatures) -> Parts:
    """Judge every sentence of the texts by itself, `MAX_SENTENCES` of each; a text of one sentence is its own part."""
    sentences: list[str] = []
    owners: list[int] = []
    for row, text in enumerate(texts):
        spans = sentence_spans(text)[:MAX_SENTENCES]
        sentences += [text[start:end] for start, end in spans]
        owners += [row] * len(spans)
    if not sentences:
        return Parts(np.zeros((0, lexical.coefficients.shape[1])), np.zeros(0, dtype=np.int64), len(texts))
    sharp = SHARPNESS * lexical.log_probabilities(features.transform(sentences))
    return Parts(np.exp(log_softmax(sharp, axis=1)), np.array(owners), len(texts))
