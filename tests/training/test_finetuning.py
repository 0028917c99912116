"""Adapting an encoder's weights: the packaged MiniLM, on texts whose labels it cannot know."""

import numpy as np
import pytest

from classifier.encoders import MINILM, StackedEncoder, encoder_by_name
from training.finetuning import FinetuneError, adapted, finetune
from training.fitting import Labelled

COLOURS = ("red", "blue", "green", "black", "white", "yellow")
THINGS = ("lamp", "chair", "kettle", "mirror", "bicycle", "carpet", "printer", "tent", "guitar", "blender")


def invented(things=THINGS) -> Labelled:
    """Labels that hang on the order of two words, which an encoder of meaning pays little heed to."""
    rows = [
        (f"the {first} {thing} and the {second} one", first, thing)
        for thing in things
        for first in COLOURS
        for second in COLOURS
        if first != second
    ]
    return Labelled(*map(tuple, zip(*rows, strict=True)))


@pytest.fixture(scope="module")
def minilm():
    return encoder_by_name(MINILM)


def test_an_encoder_that_learns_helps_is_kept_and_is_found_again(minilm, tmp_path):
    data = invented()
    before = minilm.encode(data.texts[:1])
    stacked = StackedEncoder([minilm])
    encoder, told = adapted(stacked, data, tmp_path, seed=1, minutes=3)
    assert told.helps, told.sentence
    assert told.low > 0
    assert told.after > told.before
    assert "helps: macro-F1" in told.sentence
    np.testing.assert_array_equal(minilm.encode(data.texts[:1]), before)  # the encoder itself stays as it was
    again, known = adapted(stacked, data, tmp_path, seed=1)
    assert known == told
    np.testing.assert_allclose(again.encode(data.texts[:4]), encoder.encode(data.texts[:4]), atol=1e-5)
    assert not np.allclose(again.encode(data.texts[:1]), before, atol=1e-3)


def test_where_nothing_can_be_gained_it_says_so_and_writes_nothing(minilm, tmp_path):
    texts = tuple(f"where is my parcel {n}" for n in range(30)) + tuple(f"cancel my order {n}" for n in range(30))
    data = Labelled(texts, ("parcel",) * 30 + ("cancel",) * 30, tuple(map(str, range(60))))
    encoder, told = adapted(minilm, data, tmp_path, seed=1, minutes=0.05)
    assert encoder is minilm
    assert told.encoder is None
    assert "does not help" in told.sentence
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_adapted_is_said(encoder, minilm, tmp_path):
    with pytest.raises(FinetuneError, match=r"use-multilingual-v3 cannot be adapted: take --profile accurate"):
        adapted(encoder, invented(THINGS[:4]), tmp_path, seed=1)
    one_group = Labelled(("a", "b"), ("x", "y"), ("g", "g"))
    with pytest.raises(FinetuneError, match="examples that do not all belong together"):
        finetune(minilm, one_group, tmp_path / "new", seed=1)
    (tmp_path / "there").mkdir()
    with pytest.raises(FinetuneError, match="exists already"):
        finetune(minilm, invented(THINGS[:4]), tmp_path / "there", seed=1)
