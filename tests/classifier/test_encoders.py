import numpy as np

from classifier.encoders import MAX_CHARACTERS, MINILM, UNIVERSAL, Encoder, cores_at_hand, encoder_by_name


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
