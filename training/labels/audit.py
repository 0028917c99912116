"""Which labels are likely wrong, and which near-equal tickets were given different reasons.

Nothing is ever deleted: pruning what the audit suspects lowered accuracy on BANKING77, because hard tickets that are
labelled right look suspicious too. The audit is a list for a person to read.

LabelAuditError
    └── labels and probabilities do not fit together
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from classifier.folding import fold
from training.corpus import Example
from training.fitting import FitError

NEAR = 0.9
"""Cosine of letter 3-5-grams from which two texts are taken for the same one, but for a word or a typo."""
TAIL = 0.7
"""Length of what each text may lose while candidates for `NEAR` are looked for; none is missed."""
ROWS_AT_A_TIME = 512
ROUNDING = 1e-6
"""By so much a ticket may stay below a label's usual confidence, as in cleanlab."""

_DIGITS = re.compile(r"\d+")


class LabelAuditError(FitError):
    """The audit was given labels and probabilities that do not fit together."""


class Suspicion(NamedTuple):
    """A label that the other tickets speak against; ``score`` 0..1, low is bad."""

    id: str
    given: str
    suggested: str
    score: float


class Contradiction(NamedTuple):
    """Two tickets of nearly the same words with different reasons; ``similarity`` 0..1."""

    first: str
    second: str
    first_reason: str
    second_reason: str
    similarity: float


@dataclass(frozen=True)
class LabelAudit:
    """What was found among ``n`` labelled tickets: the worst labels first, the nearest contradictions first."""

    n: int
    suspicious: tuple[Suspicion, ...]
    contradictions: tuple[Contradiction, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data with stable keys."""
        return {
            "n": self.n,
            "suspicious": [suspicion._asdict() for suspicion in self.suspicious],
            "contradictions": [pair._asdict() for pair in self.contradictions],
        }


def audit_labels(
    examples: Sequence[Example], probabilities: NDArray[np.float64], labels: tuple[str, ...]
) -> LabelAudit:
    """Judge each label by what a model said that had not seen it.

    ``probabilities (n, k)`` are out of fold, their columns ``labels``. A label is suspicious where confident learning
    says so (Northcutt, Jiang & Chuang 2021, JAIR 70): the ticket looks at least as much like another reason as tickets
    of that reason usually do. Flags and ranks are cleanlab's (its method "confident_learning", its normalised margin),
    which the tests compare with (docs/adr/0016). Raises `LabelAuditError`.
    """
    if probabilities.shape != (len(examples), len(labels)):
        raise LabelAuditError(
            f"{len(examples)} tickets and {len(labels)} labels need probabilities of that shape, "
            f"not {probabilities.shape}"
        )
    columns = {label: column for column, label in enumerate(labels)}
    if unknown := sorted({example.reason for example in examples} - set(columns)):
        raise LabelAuditError(f"no probabilities for the reasons {', '.join(unknown)}; fit on them first")
    given = np.array([columns[example.reason] for example in examples], dtype=np.int64)
    suspicious = _suspicious(examples, given, probabilities, labels) if len(examples) else ()
    return LabelAudit(len(examples), suspicious, contradictions(examples))


def _suspicious(
    examples: Sequence[Example], given: NDArray[np.int64], probabilities: NDArray[np.float64], labels: tuple[str, ...]
) -> tuple[Suspicion, ...]:
    present = np.unique(given)
    said = probabilities[:, present]
    said = said / np.maximum(said.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    y = np.searchsorted(present, given)
    best = said.argmax(axis=1)
    margins = label_margins(said, y)
    rows = [int(row) for row in np.flatnonzero(confidently_otherwise(said, y) & (best != y))]
    rows.sort(key=lambda row: (margins[row], examples[row].id))
    return tuple(
        Suspicion(examples[i].id, examples[i].reason, labels[present[best[i]]], round(float(margins[i]), 4))
        for i in rows
    )


def confidently_otherwise(said: NDArray[np.float64], y: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of the labels ``y (n,)`` confident learning counts as another one, from ``said (n, k)`` out of fold.

    A ticket belongs to the label whose usual confidence it reaches: the mean probability among the tickets that have
    that label. Where it reaches several, the most probable one counts. Each label stands in ``y``.
    """
    usual = np.array([said[y == label, label].mean() for label in range(said.shape[1])])
    reached = said >= usual - ROUNDING
    several = reached.sum(axis=1) > 1
    believed = np.where(several, said.argmax(axis=1), reached.argmax(axis=1))
    return np.asarray(reached.any(axis=1) & (believed != y), dtype=np.bool_)


def label_margins(said: NDArray[np.float64], y: NDArray[np.int64]) -> NDArray[np.float64]:
    """By how much the given label is ahead of the best other one, ``(n,)`` from 0 (surely wrong) to 1."""
    rows = np.arange(len(y))
    others = said.copy()
    others[rows, y] = -1.0
    return np.asarray((said[rows, y] - others.max(axis=1) + 1.0) / 2.0, dtype=np.float64)


def contradictions(examples: Sequence[Example]) -> tuple[Contradiction, ...]:
    """Pairs of nearly equal texts with different reasons, the nearest first. Numbers do not count."""
    if len(examples) < 2:
        return ()
    texts = [_DIGITS.sub("0", fold(example.text)) for example in examples]
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True, dtype=np.float32)
    try:
        matrix = letters.fit_transform(texts)
    except ValueError:  # no text has a letter
        return ()
    reasons = np.array([example.reason for example in examples])
    heads = _heads(matrix)
    found: list[Contradiction] = []
    for start in range(0, len(examples), ROWS_AT_A_TIME):
        # By Cauchy and Schwarz what the tails add is at most their length.
        maybe = (heads[start : start + ROWS_AT_A_TIME] @ matrix.T).tocoo()
        rows, others = maybe.row + start, maybe.col
        keep = (maybe.data >= NEAR - TAIL) & (rows < others)
        rows, others = rows[keep], others[keep]
        differ = reasons[rows] != reasons[others]
        rows, others = rows[differ], others[differ]
        near = np.asarray(matrix[rows].multiply(matrix[others]).sum(axis=1)).ravel()
        for row, other, similarity in zip(rows, others, near, strict=True):
            if similarity >= NEAR:
                one, two = examples[row], examples[other]
                exact = min(1.0, round(float(similarity), 4))
                found.append(Contradiction(one.id, two.id, one.reason, two.reason, exact))
    return tuple(sorted(found, key=lambda pair: (-pair.similarity, pair.first, pair.second)))


def _heads(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """Unit rows without their lightest terms, those that together are `TAIL` long at most.

    Light terms stand in most texts: without them a product of all texts with each other takes a tenth of the time.
    """
    heads = matrix.copy()
    for start, end in pairwise(heads.indptr):
        order = start + np.argsort(heads.data[start:end])
        light = order[np.cumsum(heads.data[order] ** 2) <= TAIL**2]
        heads.data[light] = 0.0
    heads.eliminate_zeros()
    return heads
