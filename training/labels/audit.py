"""Which labels are likely wrong, and which near-equal tickets were given different reasons.

Nothing is ever deleted: pruning what the audit suspects lowered accuracy on BANKING77, because hard tickets that are
labelled right look suspicious too. The audit is a list for a person to read.

LabelAuditError
    └── labels and probabilities do not fit together
"""

from __future__ import annotations

import re
import warnings
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
LEAST_EVIDENCE = 1e-6
"""Probabilities below are raised to it: cleanlab takes logarithms and divides."""

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
    says so (Northcutt, Jiang & Chuang 2021, JAIR 70; cleanlab): the ticket looks more like another reason than tickets
    of that reason usually do. Raises `LabelAuditError`.
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
    # Imported only here: it takes seconds and brings pandas.
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    # Only the labels that were given: cleanlab counts each label's own tickets.
    present = np.unique(given)
    if len(present) < 2:
        return ()
    said = np.maximum(probabilities[:, present], LEAST_EVIDENCE)
    said = said / said.sum(axis=1, keepdims=True)
    y = np.searchsorted(present, given)
    with warnings.catch_warnings():
        # Of a label with one ticket it cannot tell; nobody expects it to.
        warnings.simplefilter("ignore", UserWarning)
        flagged = find_label_issues(y, said, filter_by="prune_by_noise_rate", n_jobs=1)
    scores = get_label_quality_scores(y, said, method="normalized_margin")
    best = said.argmax(axis=1)
    rows = [int(row) for row in np.flatnonzero(flagged & (best != y))]
    rows.sort(key=lambda row: (scores[row], examples[row].id))
    return tuple(
        Suspicion(examples[i].id, examples[i].reason, labels[present[best[i]]], round(float(scores[i]), 4))
        for i in rows
    )


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
