"""Term weights are computed in our own way, for speed; scikit-learn's vectorizers are the oracle."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from classifier.features import LexicalFeatures
from classifier.folding import fold

TICKETS = [
    "Where is my parcel? The parcel should have been here on Monday.",
    "Mein Paket ist beschädigt angekommen, das Paket war völlig durchnässt!",
    "Où est mon colis ? Il devait arriver lundi, le colis n'est pas là.",
    "¿Dónde está mi paquete? Mi paquete no ha llegado todavía.",
    "Il mio pacco è arrivato rotto: il pacco era già aperto.",
] * 3


@pytest.fixture(scope="module")
def features():
    return LexicalFeatures().fit(TICKETS)


@pytest.fixture(scope="module")
def oracle():
    same = {"sublinear_tf": True, "dtype": np.float32, "preprocessor": fold}
    words = TfidfVectorizer(analyzer="word", ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b", min_df=2, **same)
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), min_df=3, **same)
    for family in (words, letters):
        family.fit(TICKETS)
    return lambda texts: sparse.hstack([words.transform(texts), letters.transform(texts)], format="csr")


def assert_same(ours, theirs):
    assert ours.shape == theirs.shape
    assert ours.dtype == np.float32
    assert ours.has_sorted_indices
    np.testing.assert_allclose(ours.toarray(), theirs.toarray(), atol=1e-6)


@pytest.mark.parametrize(
    "texts",
    [TICKETS, ["", "  \n", "colis"], ["zzz qqq"], ["colis colis colis COLIS"], ["a b", "日本語 のテスト", "é\t è\nê"]],
)
def test_weights_are_those_of_scikit_learn(features, oracle, texts):
    assert_same(features.transform(texts), oracle(texts))


@given(st.lists(st.text(alphabet="paketcolisäé .!\n\t-_'1", max_size=60), min_size=1, max_size=4))
def test_weights_of_any_text_are_those_of_scikit_learn(features, oracle, texts):
    assert_same(features.transform(texts), oracle(texts))


def test_no_texts_give_no_rows(features):
    assert features.transform([]).shape == (0, features.transform(["x"]).shape[1])


def test_fitting_anew_forgets_the_former_terms(oracle):
    again = LexicalFeatures().fit(["something else entirely"] * 3)
    again.transform(["something"])
    again.fit(TICKETS)
    assert_same(again.transform(TICKETS), oracle(TICKETS))
