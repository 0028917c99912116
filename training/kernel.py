"""Fit the kernel head: one Cholesky factor gives the model and what each fold would have said without itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, lapack

from classifier.encoders import Vectors
from classifier.heads import Floats, KernelHead, Projection, gaussian

RIDGE = 0.05
"""Ridge penalty; 0.02 to 0.1 score alike on BANKING77's training split and on the starter corpus (docs/adr/0012)."""
AXES = 256
"""Principal axes kept; fewer lose accuracy, 384 gain nothing, and every ticket is compared along all of them."""
MAX_MEMORY = 16_384
"""Training tickets kept at most: the factor takes their square in memory (1 GB) and their cube in time."""
NAME_WEIGHT = 3.0
"""A label's own name counts as so many examples of it."""

Fold = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True)
class FittedKernel:
    """The head, ``kept (m,)`` the training rows in its memory, and ``held_out (n, k)`` evidence out of fold.

    ``without`` is the head as it would be had it never seen the rows that were set aside.
    """

    head: KernelHead
    kept: NDArray[np.int64]
    held_out: Floats
    without: KernelHead


def fit_kernel(
    vectors: Vectors,
    y: NDArray[np.int64],
    k: int,
    folds: Sequence[Fold],
    seed: int,
    names: Vectors | None = None,
    aside: NDArray[np.int64] | None = None,
) -> FittedKernel:
    """Fit on ``vectors (n, d)`` with labels ``y (n,)`` in 0..k-1.

    ``names (k, d)`` are the labels' own names as further examples, a help where examples are few. Centre and axes are
    those of all vectors, held-out ones included; they know no label. ``aside`` are rows that a second head must not
    know; it costs no second fit.
    """
    kept = _kept(y, seed)
    projection = _projection(vectors[kept])
    # The memory is stored in 16 bits: the fit must see what will be compared later.
    memory = projection(vectors[kept]).astype(np.float16).astype(np.float32)
    targets = np.eye(k, dtype=np.float32)[y[kept]]
    penalties = np.full(len(kept), RIDGE, dtype=np.float32)
    if names is not None:
        memory = np.concatenate([memory, projection(names).astype(np.float16).astype(np.float32)])
        targets = np.concatenate([targets, np.eye(k, dtype=np.float32)])
        penalties = np.concatenate([penalties, np.full(k, RIDGE / NAME_WEIGHT, dtype=np.float32)])
    gram = gaussian(memory, memory)
    gram[np.diag_indices_from(gram)] += penalties
    # Symmetric: the transpose is the same matrix in Fortran's order, worked on in place.
    factor, failed = lapack.spotrf(gram.T, lower=1, clean=0, overwrite_a=1)
    if failed:
        raise np.linalg.LinAlgError(f"the kernel matrix of {len(memory)} tickets is not positive definite")
    dual = np.asarray(cho_solve((factor, True), targets, check_finite=False), dtype=np.float32)
    inverse, _ = lapack.spotri(factor, lower=1, overwrite_c=1)
    head = KernelHead(projection, memory, dual)

    held_out = np.empty((len(y), k), dtype=np.float32)
    place = np.full(len(y), -1)
    place[kept] = np.arange(len(kept))
    for _, held in folds:
        rows = np.sort(place[held][place[held] >= 0])
        residual = _left_out_residual(inverse, dual, rows)
        held_out[kept[rows]] = targets[rows] - residual
        away = held[place[held] < 0]
        if len(away):
            # The dual of a fit without the fold, which is 0 on its rows.
            without = dual - _columns(inverse, rows) @ residual
        for start in range(0, len(away), 1_024):
            part = away[start : start + 1_024]
            held_out[part] = head.similarities(vectors[part]) @ without
    without_aside = dual
    if aside is not None and len(rows := np.sort(place[aside][place[aside] >= 0])):
        # Exactly 0 on the rows left out, up to rounding.
        without_aside = dual - _columns(inverse, rows) @ _left_out_residual(inverse, dual, rows)
    return FittedKernel(head, kept, held_out, KernelHead(projection, memory, without_aside))


def _left_out_residual(inverse: Floats, dual: Floats, rows: NDArray[np.int64]) -> Floats:
    """Residuals of ``rows`` had they not been fitted: ``inv(G_rows,rows) a_rows`` with G the inverse of the system.

    The leave-fold-out identity of ridge regression (An, Liu & Venkatesh 2007, Pattern Recognition 40). ``inverse``
    holds its lower triangle only.
    """
    block = inverse[np.ix_(rows, rows)]
    factor, failed = lapack.spotrf(np.asfortranarray(block), lower=1, clean=0, overwrite_a=1)
    if failed:
        raise np.linalg.LinAlgError("a fold's block of the inverse kernel matrix is not positive definite")
    return np.asarray(cho_solve((factor, True), dual[rows], check_finite=False), dtype=np.float32)


def _columns(inverse: Floats, columns: NDArray[np.int64]) -> Floats:
    """Whole columns of a symmetric matrix that holds its lower triangle only."""
    below = np.arange(len(inverse))[:, None] >= columns
    return np.where(below, inverse[:, columns], inverse[columns, :].T)


def _kept(y: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """All rows, or `MAX_MEMORY` of them, turn by turn from each label, rare labels whole."""
    if len(y) <= MAX_MEMORY:
        return np.arange(len(y))
    order = np.random.default_rng(seed).permutation(len(y))
    turn = np.empty(len(y), dtype=np.int64)
    for label in np.unique(y):
        mine = order[y[order] == label]
        turn[mine] = np.arange(len(mine))
    return np.sort(np.argsort(turn, kind="stable")[:MAX_MEMORY])


def _projection(vectors: Vectors) -> Projection:
    centre = vectors.mean(axis=0)
    if vectors.shape[1] <= AXES or len(vectors) < 4 * AXES:
        return Projection(centre, None)
    moved = vectors - centre
    _, axes = np.linalg.eigh((moved.T @ moved).astype(np.float64))
    return Projection(centre, np.ascontiguousarray(axes[:, -AXES:], dtype=np.float32))
