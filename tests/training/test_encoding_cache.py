from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from classifier.encoders import Encoder, Vectors
from training.encoding_cache import CachedEncoder, encode_cached
from training.fitting import silent


class Counting:
    """The real encoder, counting the texts it is given."""

    def __init__(self, encoder: Encoder, name: str | None = None) -> None:
        self._encoder = encoder
        self.name, self.dimensions, self.seen = name or encoder.name, encoder.dimensions, 0

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.seen += len(texts)
        return self._encoder.encode(texts)


TEXTS = ["where is my parcel", "thanks", "where is my parcel", "", "lone \ud800 surrogate"]


def test_a_second_training_encodes_nothing_but_the_probe(encoder: Encoder, tmp_path: Path) -> None:
    first, second = Counting(encoder), Counting(encoder)
    vectors = encode_cached(first, TEXTS[:4], tmp_path, silent)
    again = encode_cached(second, TEXTS[:4], tmp_path, silent)
    np.testing.assert_array_equal(vectors, again)
    np.testing.assert_allclose(vectors, encoder.encode(TEXTS[:4]), atol=1e-6)
    assert (first.seen, second.seen) == (1 + 3, 1)


def test_new_texts_join_those_that_are_known(encoder: Encoder, tmp_path: Path) -> None:
    encode_cached(encoder, TEXTS[:1], tmp_path, silent)
    counting = Counting(encoder)
    vectors = encode_cached(counting, ["a new one", *TEXTS[:2]], tmp_path, silent)
    assert counting.seen == 1 + 2
    np.testing.assert_allclose(vectors, encoder.encode(["a new one", *TEXTS[:2]]), atol=1e-6)


@pytest.mark.parametrize("damage", [b"", b"nonsense", b"PK\x03\x04"])
def test_a_damaged_cache_is_made_anew(encoder: Encoder, tmp_path: Path, damage: bytes) -> None:
    encode_cached(encoder, TEXTS[:2], tmp_path, silent)
    path = next(tmp_path.glob("*.npz"))
    path.write_bytes(damage)
    np.testing.assert_allclose(
        encode_cached(encoder, TEXTS[:2], tmp_path, silent), encoder.encode(TEXTS[:2]), atol=1e-6
    )
    assert CachedEncoder(Counting(encoder), tmp_path).encode(TEXTS[:2]).shape == (2, encoder.dimensions)


def test_other_weights_under_the_same_name_are_not_mistaken(encoder: Encoder, tmp_path: Path) -> None:
    class Mirrored(Counting):
        def encode(self, texts: Sequence[str]) -> Vectors:
            return -super().encode(texts)

    encode_cached(encoder, TEXTS[:2], tmp_path, silent)
    other = Mirrored(encoder)
    np.testing.assert_allclose(encode_cached(other, TEXTS[:2], tmp_path, silent), -encoder.encode(TEXTS[:2]), atol=1e-6)


def test_a_folder_that_cannot_be_written_costs_only_time(
    encoder: Encoder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert encode_cached(encoder, TEXTS[:2], blocked, silent).shape == (2, encoder.dimensions)
    assert "were not kept" in caplog.text


def test_an_unchanged_cache_is_not_written_again_and_a_failed_write_leaves_nothing(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode_cached(encoder, TEXTS[:2], tmp_path, silent)
    path = next(tmp_path.glob("*.npz"))
    before = path.stat().st_mtime_ns
    encode_cached(encoder, TEXTS[:2], tmp_path, silent)
    assert path.stat().st_mtime_ns == before

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    encode_cached(encoder, ["something new"], tmp_path, silent)
    assert [found for found in tmp_path.iterdir() if found.suffix == ".npz"] == [path]
