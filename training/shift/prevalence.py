"""How frequent each contact reason really is, given what a model that errs says of the tickets.

Expectation maximisation on calibrated posteriors (Saerens, Latinne & Decaestecker 2002, "EMQ"): the reasons' shares
are those under which the tickets' posteriors, turned to these shares, average to the shares again. Intervals come from
the weighted-likelihood bootstrap (Newton & Raftery 1994) of the tickets and of the model's evidence at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.shift.evidence import Evidence, Posteriors

REPLICATES = 400
BATCH = 50
"""Replicates that are computed together: so many columns of a matrix, 20 MB for 100,000 tickets."""
CONVERGED = 1e-5
"""Sum of the changes of all shares in one step of the estimate."""
STEPS = 1000
REPLICATE_STEPS = 40
"""From the estimate on; more of them moved no interval by a hundredth of a point."""
SCALING_STEPS = 15
JEFFREYS = 0.5
"""Tickets added to each side of a reason's share in a replicate, so that none seen is not none for sure."""
HALF_A_TICKET = 0.5
SEED = 20_261_122

Shares = NDArray[np.float64]
Replicates = NDArray[np.float64]
"""Plausible values of shares, ``(k, r)``; column ``b`` of two periods shares one draw of the model's evidence."""


@dataclass(frozen=True)
class Tickets:
    """What one model says of a period's tickets.

    ``posteriors (n, k)`` stand on the model's training shares; the row of a ticket that a person decided has a single
    1. ``groups (n,)`` numbers the customers: tickets of one customer, and equal texts, are drawn together.
    """

    posteriors: Posteriors
    groups: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.posteriors)


def emq(posteriors: Posteriors, learned: Shares, start: Shares | None = None) -> Shares:
    """The shares of the labels, ``(k,)``, when ``posteriors`` are calibrated for the shares ``learned``."""
    likelihoods = _likelihoods(posteriors, learned)
    shares = np.array(learned if start is None else start, dtype=np.float64)
    for _ in range(STEPS):
        found = shares * (likelihoods.T @ (1.0 / (likelihoods @ shares))) / len(likelihoods)
        found /= found.sum()
        settled = np.abs(found - shares).sum() < CONVERGED
        shares = found
        if settled:
            break
    return shares


def turned(posteriors: Posteriors, learned: Shares, shares: Shares) -> Posteriors:
    """The posteriors as they are where the labels have other ``shares`` than those ``learned``."""
    found = _likelihoods(posteriors, learned) * shares
    return np.asarray(found / found.sum(axis=1, keepdims=True), dtype=np.float32)


def _likelihoods(posteriors: Posteriors, learned: Shares) -> NDArray[np.float64]:
    # A label that nothing was learned of has posteriors only where a person named it.
    return np.asarray(posteriors / np.where(learned > 0, learned, 1.0), dtype=np.float64)


def learned_shares(evidence: Evidence) -> Shares:
    """The shares on which the model's posteriors stand: their mean out of fold, which corrects a biased calibration."""
    return np.asarray(evidence.posteriors.mean(axis=0, dtype=np.float64))


@dataclass(frozen=True)
class Scales:
    """What turns posteriors into likelihoods, ``(k, r)`` up to a factor: one column per draw of the evidence."""

    columns: NDArray[np.float64]


def draw_scales(evidence: Evidence, replicates: int = REPLICATES, seed: int = SEED) -> Scales:
    """How the model might have been calibrated had its training tickets been others of the same kind.

    Each draw weighs the evidence anew and finds the scale of each label's posterior under which its mean is the label's
    weighted share: the bias term of bias-corrected calibration (Alexandari, Kundaje & Shrikumar 2020).
    """
    random = np.random.default_rng(seed)
    n, k = len(evidence.truth), len(evidence.labels)
    columns = np.empty((k, replicates))
    for first in range(0, replicates, BATCH):
        width = min(BATCH, replicates - first)
        weights = random.standard_exponential((n, width), dtype=np.float32)
        columns[:, first : first + width] = _scale(evidence, weights)
    # Around the scale that the estimate uses: its own noise would only be added twice.
    middle = _scale(evidence, np.ones((n, 1), dtype=np.float32)) * learned_shares(evidence)[:, None]
    return Scales(columns / middle)


def _scale(evidence: Evidence, weights: NDArray[np.float32]) -> NDArray[np.float64]:
    posteriors = evidence.posteriors
    shares = np.zeros((len(evidence.labels), weights.shape[1]), dtype=np.float32)
    np.add.at(shares, evidence.truth, weights)
    scale = np.ones_like(shares)
    for _ in range(SCALING_STEPS):
        found = shares / np.maximum(posteriors.T @ (weights / (posteriors @ scale)), 1e-20)
        scale = np.asarray(found / found.mean(axis=0), dtype=np.float32)
    return np.asarray(scale / np.maximum(shares, 1e-20), dtype=np.float64)


def draw_shares(
    tickets: Tickets,
    estimate: Shares,
    scales: Scales,
    seed: int = SEED,
    progress: Callable[[int, int], None] | None = None,
) -> Replicates:
    """Plausible shares beside ``estimate``: other customers might have written, and the model might err otherwise.

    ``scales`` has a row for each column of the tickets' posteriors.
    """
    random = np.random.default_rng(seed)
    n_groups = int(tickets.groups.max()) + 1
    replicates = scales.columns.shape[1]
    drawn = np.empty((len(estimate), replicates))
    start = np.maximum(estimate, 1e-7)[:, None]
    for first in range(0, replicates, BATCH):
        scale = scales.columns[:, first : first + BATCH].astype(np.float32)
        width = scale.shape[1]
        weights = random.standard_exponential((n_groups, width), dtype=np.float32)[tickets.groups]
        weights /= weights.sum(axis=0)
        shares = np.broadcast_to(start.astype(np.float32), scale.shape)
        for _ in range(REPLICATE_STEPS):
            scaled = shares * scale
            found = tickets.posteriors.T @ (weights / (tickets.posteriors @ scaled))
            shares = np.asarray(scaled * found, dtype=np.float32)
        drawn[:, first : first + width] = shares / shares.sum(axis=0)
        if progress:
            progress(first + width, replicates)
    present = random.gamma(JEFFREYS, size=drawn.shape)
    absent = random.gamma(JEFFREYS, size=drawn.shape)
    return np.asarray((n_groups * drawn + present) / (n_groups + present + absent))


def interval(estimate: Shares, drawn: Replicates, n: int) -> tuple[Shares, Shares]:
    """95% bounds of shares; a lower bound of less than half a ticket is none."""
    low, high = np.quantile(drawn, [0.025, 0.975], axis=1)
    low = np.where(low * n < HALF_A_TICKET, 0.0, low)
    return np.minimum(low, estimate), np.maximum(high, estimate)
