"""Vectors of texts that were encoded before: a second training costs no encoding."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from classifier.encoders import Encoder, Vectors
from training.fitting import Progress, encode_all

log = logging.getLogger("paretodesk.training")

MAX_ROWS = 200_000
"""Vectors kept per encoder, the newest; 400 MB for 512 dimensions."""
_PROBE = "Where is my parcel? Où est mon colis ? Wo ist mein Paket?"
_KEY = "V16"


class CachedEncoder:
    """An encoder that remembers in ``folder`` what it encoded, by the text's hash.

    The file is named after the encoder and what it makes of a probe sentence, so that weights which changed under the
    same name are not mistaken. A file that cannot be read or written costs time, nothing else. Not for serving.
    """

    def __init__(self, encoder: Encoder, folder: Path) -> None:
        self._encoder = encoder
        self.name, self.dimensions = encoder.name, encoder.dimensions
        probe = np.round(encoder.encode([_PROBE])[0].astype(np.float64), 2) + 0.0
        digest = hashlib.sha256(probe.tobytes()).hexdigest()[:12]
        self._path = folder / f"{re.sub(r'[^a-z0-9]+', '-', self.name.lower())[-60:].strip('-')}-{digest}.npz"
        self._keys, self._vectors = self._read()
        self._saved = len(self._vectors)
        self._rows = {key: row for row, key in enumerate(self._keys.tolist())}

    def encode(self, texts: Sequence[str]) -> Vectors:
        """See `Encoder.encode`."""
        keys = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16] for text in texts]
        new = list({key: text for key, text in zip(keys, texts, strict=True) if key not in self._rows}.items())
        if new:
            fresh = self._encoder.encode([text for _, text in new])
            for offset, (key, _) in enumerate(new):
                self._rows[key] = len(self._vectors) + offset
            self._vectors = np.concatenate([self._vectors, fresh])
            self._keys = np.concatenate([self._keys, _as_keys([key for key, _ in new])])
        return self._vectors[[self._rows[key] for key in keys]]

    def save(self) -> None:
        """Write what was encoded since, if anything was; a full disk or a read-only folder is only logged."""
        if self._saved == len(self._vectors):
            return
        draft = None
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self._path}.lock", timeout=60):
                descriptor, draft = tempfile.mkstemp(dir=self._path.parent, prefix=".draft-", suffix=".npz")
                os.close(descriptor)
                np.savez(draft, keys=self._keys[-MAX_ROWS:], vectors=self._vectors[-MAX_ROWS:])
                Path(draft).replace(self._path)
            self._saved = len(self._vectors)
        except OSError as error:
            log.warning("encodings were not kept in %s: %s", self._path, error)
        finally:
            if draft:
                Path(draft).unlink(missing_ok=True)

    def _read(self) -> tuple[NDArray[np.void], Vectors]:
        nothing = _as_keys([]), np.empty((0, self.dimensions), dtype=np.float32)
        if not self._path.exists():
            return nothing
        try:
            with np.load(io.BytesIO(self._path.read_bytes()), allow_pickle=False) as archive:
                keys, vectors = archive["keys"], archive["vectors"]
        except Exception as error:  # noqa: BLE001  # whatever is wrong with a cache, it is made anew
            log.warning("%s cannot be read and is made anew: %s", self._path, error)
            return nothing
        fits = vectors.shape == (len(keys), self.dimensions) and vectors.dtype == np.float32 and keys.dtype == _KEY
        return (keys, vectors) if fits else nothing


def encode_cached(encoder: Encoder, texts: Sequence[str], folder: Path | None, progress: Progress) -> Vectors:
    """`training.fitting.encode_all`, from the cache in ``folder`` where that knows a text."""
    if folder is None:
        return encode_all(encoder, texts, progress)
    cached = CachedEncoder(encoder, folder)
    vectors = encode_all(cached, texts, progress)
    cached.save()
    return vectors


def _as_keys(keys: Sequence[bytes]) -> NDArray[np.void]:
    return np.frombuffer(b"".join(keys), dtype=_KEY)
