"""Fitting the sentence model: what it learns from, folds, probabilities and the thresholds of each rule.

Folds keep near-duplicates together, and sentences of one approved text. Probabilities and thresholds are chosen on what
the model said of sentences in folds that it had not learned from, and only on those that the word lists were written
without: the model also looks at which lists a sentence hits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
import sklearn
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from sklearn.decomposition import PCA
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from classifier.encoders import Encoder, Vectors
from classifier.heads import Floats, Projection, gaussian
from kb.policy.examples import ORDINARY, PolicyExample, examples_hash
from kb.policy.message import Message, PolicyContext
from kb.policy.readings import Piece, idea_names, ideas, lexicons_hash, parts, whole, windows
from kb.policy.rules import STRICTEST, Applies, rule_set
from kb.policy.sentence_model import (
    FORMAT,
    About,
    SentenceModel,
    SentenceModelError,
    similarity,
    weighted,
)
from kb.policy.thresholds import HeldOut, chosen

FEWEST = 40
"""Sentences that break a rule and as many that do not, below which a rule is not learned."""
AXES = 128
"""Principal axes kept of the vectors; 128, 192 and 256 score alike in folds (average precision 0.845 to 0.843)."""
RIDGE = 0.1
FOLDS = 5
SEED = 17
_NEAR = 0.8
"""Cosine from which two sentences are near-duplicates: a translation, or the same thought."""
_BATCH = 256


@dataclass(frozen=True)
class Approved:
    """A text that may be sent, because people approved it: it breaks no rule. ``name`` keeps its sentences together."""

    name: str
    text: str
    locale: str
    kind: str


@dataclass(frozen=True)
class _Rows:
    texts: list[str]
    told: NDArray[np.bool_]
    proactive: NDArray[np.bool_]
    listed: NDArray[np.bool_]
    """Which teach, but choose no threshold."""
    rule: list[str]
    """What each row breaks; `none` for those that break nothing."""
    document: list[str]


def fit(examples: Sequence[PolicyExample], approved: Sequence[Approved], encoder: Encoder) -> SentenceModel:
    """A model of every rule with enough ``examples``; raises `SentenceModelError` where there is none.

    ``approved`` texts teach what ordinary sentences look like, as does every example of another rule.
    """
    learned = _learnable(examples)
    rows = _rows(examples, approved)
    vectors = np.concatenate([encoder.encode(rows.texts[at : at + _BATCH]) for at in range(0, len(rows.texts), _BATCH)])
    projection, memory = _projected(vectors)
    rarity = np.log(len(rows.told) / (1.0 + rows.told.sum(axis=0))).clip(min=0.0).astype(np.float32)
    idea_rows = weighted(rows.told, rarity)
    alike = similarity(
        gaussian(memory, memory), idea_rows @ idea_rows.T, rows.proactive[:, np.newaxis] == rows.proactive
    )
    breaks = np.array([[rule == wanted for wanted in learned] for rule in rows.rule])
    targets = np.where(breaks, 1.0, -1.0).astype(np.float32)
    scores = _held_out(alike, targets, _groups(vectors, rows.document))
    return SentenceModel(
        About(
            format=FORMAT,
            encoder=encoder.name,
            examples=examples_hash(examples),
            lexicons=lexicons_hash(),
            ideas=idea_names(),
            seed=SEED,
            learned_from=len(rows.texts),
            fitted_with=f"scikit-learn {sklearn.__version__}, numpy {np.__version__}, scipy {scipy.__version__}",
            rules=tuple(
                chosen(rule, _judged(scores[:, column], breaks[:, column], rows, rule))
                for column, rule in enumerate(learned)
            ),
        ),
        projection,
        memory,
        sparse.csr_matrix(idea_rows),
        rarity,
        rows.proactive,
        _ridge(alike, targets),
    )


def _learnable(examples: Sequence[PolicyExample]) -> list[str]:
    known = {rule.id for rule in rule_set(STRICTEST).rules}
    if unknown := sorted({example.rule for example in examples} - known - {ORDINARY}):
        raise SentenceModelError(f"examples name {', '.join(unknown)}, which no rule of {STRICTEST} is")
    rules = [rule for rule in sorted(known) if _fewest(examples, rule) >= FEWEST]
    if not rules:
        raise SentenceModelError(
            f"no rule has {FEWEST} examples that break it and {FEWEST} that look as if they did; add some"
        )
    return rules


def _fewest(examples: Sequence[PolicyExample], rule: str) -> int:
    own = [example.violates for example in examples if example.rule == rule and not example.listed]
    return min(own.count(True), own.count(False))


def whole_rules() -> frozenset[str]:
    """Rules that say what a message is as a whole: those for messages that the seller starts."""
    return frozenset(rule.id for rule in rule_set(STRICTEST).rules if rule.applies is Applies.PROACTIVE)


def _rows(examples: Sequence[PolicyExample], approved: Sequence[Approved]) -> _Rows:
    texts: list[str] = []
    told: list[NDArray[np.bool_]] = []
    about: list[tuple[bool, bool, str, str]] = []
    for example in examples:
        message = _message(example.text, example.kind.value, example.locale)
        # Where a message breaks a rule, nobody has said in which of its sentences; a good one is good throughout.
        pieces = [whole(message)] if example.violates else _pieces(message, alone=False)
        texts += [piece.text for piece in pieces]
        told.append(ideas(message, pieces))
        broken = example.rule if example.violates else ORDINARY
        about += [(message.kind == "proactive", example.listed, broken, example.id)] * len(pieces)
    for one in approved:
        message = _message(one.text, one.kind, one.locale)
        pieces = _pieces(message, alone=True)
        texts += [piece.text for piece in pieces]
        told.append(ideas(message, pieces))
        # Thresholds are chosen on texts of the length of the examples, not on sentences torn from their message.
        torn = {piece.text for piece in pieces} - {piece.text for piece in _pieces(message, alone=False)}
        about += [(message.kind == "proactive", piece.text in torn, ORDINARY, one.name) for piece in pieces]
    proactive, listed, rule, document = zip(*about, strict=True)
    return _Rows(texts, np.concatenate(told), np.array(proactive), np.array(listed), list(rule), list(document))


def _pieces(message: Message, *, alone: bool) -> list[Piece]:
    """What a good text teaches. ``alone``: every sentence by itself too, as it will be judged.

    That is for approved texts: what makes a look-alike harmless often stands in its other sentence.
    """
    pieces = parts(message) if alone else windows(message)
    return [whole(message), *pieces] if message.kind == "proactive" and len(pieces) > 1 else pieces


def _message(text: str, kind: str, locale: str) -> Message:
    return Message(text, STRICTEST, kind, locale, PolicyContext())


def _projected(vectors: Vectors) -> tuple[Projection, Floats]:
    centre = vectors.mean(axis=0)
    # Centred vectors of unit length are what the axes are taken of and what `Projection` makes of a new text.
    moved = Projection(centre, None)(vectors)
    axes = PCA(AXES, svd_solver="full").fit(moved).components_.T.astype(np.float16).astype(np.float32)
    projection = Projection(centre.astype(np.float32), axes)
    return projection, projection(vectors).astype(np.float16).astype(np.float32)


def _groups(vectors: Vectors, documents: list[str]) -> NDArray[np.int32]:
    near = sparse.csr_matrix(vectors @ vectors.T > _NEAR)
    _, number = np.unique(documents, return_inverse=True)
    same = sparse.csr_matrix((np.ones(len(number)), (np.arange(len(number)), number)))
    _, groups = connected_components(near + same @ same.T > 0, directed=False)
    # GroupKFold deals groups out in their order, which is that of languages and rules.
    shuffled: NDArray[np.int32] = np.random.default_rng(SEED).permutation(groups.max() + 1)[groups]
    return shuffled


def _held_out(alike: Floats, targets: Floats, groups: NDArray[np.int32]) -> NDArray[np.float64]:
    scores = np.zeros(targets.shape)
    for known, new in GroupKFold(FOLDS).split(alike, groups=groups):
        scores[new] = alike[np.ix_(new, known)] @ _ridge(alike[np.ix_(known, known)], targets[known])
    return scores


def _ridge(alike: Floats, targets: Floats) -> Floats:
    found: Floats = KernelRidge(alpha=RIDGE, kernel="precomputed").fit(alike, targets).dual_coef_.astype(np.float32)
    return found


def _judged(scores: NDArray[np.float64], breaks: NDArray[np.bool_], rows: _Rows, rule: str) -> HeldOut:
    """What the thresholds of ``rule`` are chosen on: fresh sentences of messages that it is for."""
    about_whole = rule in whole_rules()
    fresh = ~rows.listed & (rows.proactive if about_whole else True)
    platt = LogisticRegression(C=1e4).fit(scores[fresh, np.newaxis], breaks[fresh])
    slope, intercept = float(platt.coef_[0, 0]), float(platt.intercept_[0])
    likely = 1.0 / (1.0 + np.exp(-(scores * slope + intercept)))
    # A sentence that breaks another rule may break this one as well: nobody labelled it for both.
    known = fresh & (breaks | np.array([broken == ORDINARY for broken in rows.rule]))
    return HeldOut(likely[known], breaks[known], about_whole, slope, intercept)
