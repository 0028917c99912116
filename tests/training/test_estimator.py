import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError, SkipTestWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import check_estimator

import training.estimator as module
from classifier.encoders import Encoder, UnknownEncoderError
from classifier.taxonomy import OTHER
from models.bundle import BundleError, BundleRejectedError
from models.signing import SigningError
from training.corpus import Example
from training.estimator import UNDECIDED, SharedEncoder, TicketClassifier
from training.fitting import FitError
from training.retraining import load_model

# The checks of scikit-learn that mean something for an estimator of texts. `check_estimator` itself leaves all but
# cloning out as soon as an estimator says that it takes no matrix; the others make up matrices of numbers.
APPLICABLE = (
    "check_estimator_cloneable",
    "check_estimator_tags_renamed",
    "check_valid_tag_types",
    "check_estimator_repr",
    "check_no_attributes_set_in_init",
    "check_estimators_unfitted",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_mixin_order",
    "check_parameters_default_constructible",
    "check_get_params_invariance",
    "check_set_params",
)


@pytest.fixture(scope="module", autouse=True)
def _encoder_at_hand(encoder: Encoder):
    """The encoder of the session stands for the one of the process: its weights are loaded once."""
    patch = pytest.MonkeyPatch()
    patch.setattr(module, "encoder_by_name", lambda name: encoder if name == encoder.name else _unknown(name))
    module._open.cache_clear()
    yield
    patch.undo()
    module._open.cache_clear()


def _unknown(name: str) -> Encoder:
    raise UnknownEncoderError(f"encoder '{name}' cannot be loaded")


@pytest.fixture(scope="module")
def texts(learned: list[Example]) -> list[str]:
    return [example.body for example in learned]


@pytest.fixture(scope="module")
def labels(learned: list[Example]) -> list[str]:
    return [example.reason for example in learned]


@pytest.fixture(scope="module")
def groups(learned: list[Example]) -> list[str]:
    return [example.group for example in learned]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Encodings of the module, so that each text is encoded once or twice."""
    return tmp_path_factory.mktemp("encodings")


@pytest.fixture(scope="module")
def fitted(texts: list[str], labels: list[str], groups: list[str], cache: Path) -> TicketClassifier:
    return TicketClassifier(target_error=0.1, cache=cache).fit(texts, labels, groups)


@pytest.fixture(scope="module")
def saved(fitted: TicketClassifier, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    root = tmp_path_factory.mktemp("saved")
    return root / "store", root / "signing.key", fitted.save(root / "store", root / "signing.key", "six")


def test_it_learns_six_reasons_from_forty_tickets_each(fitted, frozen: list[Example]) -> None:
    bodies = [example.body for example in frozen]
    assert fitted.score(bodies, [example.reason for example in frozen]) > 0.8
    assert list(fitted.classes_) == sorted({example.reason for example in frozen})


def test_probabilities_are_in_the_order_of_the_classes(fitted, texts: list[str]) -> None:
    probabilities = fitted.predict_proba(texts[:30])
    assert probabilities.shape == (30, 6)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert (fitted.predict(texts[:30]) == fitted.classes_[probabilities.argmax(axis=1)]).all()


def test_out_of_fold_probabilities_are_calibrated_and_less_sure_than_learned_ones(
    fitted, texts: list[str], labels: list[str]
) -> None:
    assert fitted.out_of_fold_.shape == (len(texts), 6)
    accuracy = (fitted.classes_[fitted.out_of_fold_.argmax(axis=1)] == labels).mean()
    assert accuracy == pytest.approx(fitted.evaluation_.accuracy)
    assert accuracy < fitted.score(texts, labels)
    assert abs(fitted.out_of_fold_.max(axis=1).mean() - accuracy) < 0.1


def test_it_decides_only_what_it_believes(fitted, frozen: list[Example]) -> None:
    bodies, truth = [example.body for example in frozen], np.array([example.reason for example in frozen])
    decisions, best = fitted.decide(bodies), fitted.predict(bodies)
    decided = decisions != UNDECIDED
    scores, thresholds = fitted.model_.scores([example.text for example in frozen]), fitted.model_.thresholds
    sure = scores.probabilities.max(axis=1) >= thresholds.guarantee.threshold
    assert (decided == (sure & (scores.familiarity >= thresholds.familiarity))).all()
    assert (decisions[decided] == best[decided]).all()
    assert decided.mean() > 0.5
    assert (decisions[decided] != truth[decided]).mean() <= 0.1


def test_nothing_to_read_is_undecided(fitted) -> None:
    assert set(fitted.decide(["", " \n\t", "\u200b"])) == {UNDECIDED}


def test_where_nothing_can_be_promised_all_is_undecided(texts: list[str], labels: list[str], cache: Path) -> None:
    strict = TicketClassifier(target_error=0.001, cache=cache).fit(texts, labels)
    assert not strict.guarantee_.met
    assert set(strict.decide(texts[:5])) == {UNDECIDED}


def test_the_label_other_is_never_decided(texts: list[str], labels: list[str], cache: Path) -> None:
    renamed = [OTHER if label == "thanks" else label for label in labels]
    model = TicketClassifier(target_error=0.2, cache=cache).fit(texts, renamed)
    assert OTHER in model.predict(texts)
    assert OTHER not in model.decide(texts)


def test_numbers_may_be_labels_and_keep_their_order(texts: list[str], labels: list[str], cache: Path) -> None:
    names = sorted(set(labels))
    numbers = np.array([2, 10, 100, 3, 30, 1])[[names.index(label) for label in labels]]
    model = TicketClassifier(target_error=0.2, cache=cache).fit(texts, numbers)
    assert model.classes_.tolist() == [1, 2, 3, 10, 30, 100]
    assert model.predict(texts).dtype == numbers.dtype
    assert model.score(texts, numbers) > 0.9
    assert {type(decision) for decision in model.decide([*texts[:20], ""])} == {int, str}


def test_equal_data_and_seed_give_equal_models(fitted, texts, labels, groups, cache: Path) -> None:
    again = clone(fitted).fit(np.array(texts, dtype=object), np.array(labels), np.array(groups))
    np.testing.assert_array_equal(again.predict_proba(texts[:20]), fitted.predict_proba(texts[:20]))
    other = clone(fitted).set_params(seed=1).fit(texts, labels, groups)
    assert not np.array_equal(other.out_of_fold_, fitted.out_of_fold_)


def test_texts_are_read_as_tickets_are(fitted) -> None:
    plain, dressed = fitted.predict_proba(
        ["Where is my parcel?", "Where is my parcel?\n\n-- \nAnna Smith\nSent from my iPhone"]
    )
    np.testing.assert_allclose(plain, dressed, atol=1e-6)


def test_a_pipeline_with_it_can_be_searched(texts, labels, cache: Path) -> None:
    pipeline = make_pipeline(FunctionTransformer(_shouted), TicketClassifier(cache=cache))
    grid = {"ticketclassifier__target_error": [0.01, 0.4]}
    texts, labels = texts[::3], labels[::3]
    halves = [(np.arange(0, len(texts), 2), np.arange(1, len(texts), 2))]
    search = GridSearchCV(pipeline, grid, scoring=_coverage, cv=halves).fit(texts, labels)
    assert search.best_params_ == {"ticketclassifier__target_error": 0.4}
    assert search.predict(texts[:3]).shape == (3,)
    assert search.best_estimator_[-1].decide(["where is my parcel"]).shape == (1,)


def _shouted(texts):
    return [text.upper() for text in texts]


def _coverage(pipeline, texts, labels) -> float:
    return float((pipeline[-1].decide(pipeline[:-1].transform(texts)) != UNDECIDED).mean())


def test_copies_carry_the_encoders_name_and_not_its_weights(fitted, texts: list[str]) -> None:
    packed = pickle.dumps(fitted)
    assert len(packed) < 20_000_000
    opened = pickle.loads(packed)
    np.testing.assert_array_equal(opened.predict_proba(texts[:5]), fitted.predict_proba(texts[:5]))
    assert opened.model_.encoder._opened() is fitted.model_.encoder._opened()


def test_an_encoder_is_opened_when_it_is_first_used() -> None:
    missing = SharedEncoder("no-such-encoder")
    assert pickle.loads(pickle.dumps(missing)).name == "no-such-encoder"
    with pytest.raises(UnknownEncoderError, match="no-such-encoder"):
        missing.encode(["hello"])


def test_a_saved_model_is_opened_verified_and_judges_alike(fitted, saved, texts: list[str]) -> None:
    store, key, version = saved
    opened = TicketClassifier.load(store, key, "six")
    assert list(opened.classes_) == list(fitted.classes_)
    np.testing.assert_allclose(opened.predict_proba(texts[:20]), fitted.predict_proba(texts[:20]), atol=5e-3)
    assert (opened.decide(texts[:20]) == fitted.decide(texts[:20])).mean() >= 0.95
    assert opened.get_params()["target_error"] == 0.1
    assert TicketClassifier.load(store, key, "six", version).guarantee_ == fitted.guarantee_
    card = (store / "six" / version / "card.md").read_text(encoding="utf-8")
    assert f"accuracy {fitted.evaluation_.accuracy:.3f}" in card


def test_the_command_line_opens_what_was_saved(saved, monkeypatch: pytest.MonkeyPatch, encoder: Encoder) -> None:
    from models.registry import Registry
    from models.signing import SigningKey

    monkeypatch.setattr("training.retraining.versions.encoder_by_name", lambda name: encoder)
    model, model_id = load_model(Registry(saved[0]), SigningKey.read(saved[1]), "six")
    assert model_id == f"six/{saved[2]}"
    assert len(model.labels) == 6


def test_a_flipped_byte_or_a_missing_key_opens_nothing(saved, tmp_path: Path) -> None:
    import shutil

    store, key, version = saved
    with pytest.raises(SigningError, match="no signing key"):
        TicketClassifier.load(store, tmp_path / "missing.key", "six")
    copied = tmp_path / "store"
    shutil.copytree(store, copied)
    arrays = copied / "six" / version / "arrays.npz"
    data = bytearray(arrays.read_bytes())
    data[len(data) // 2] ^= 1
    arrays.write_bytes(data)
    with pytest.raises(BundleRejectedError, match=r"arrays\.npz"):
        TicketClassifier.load(copied, key, "six")


def test_the_serving_name_and_loaded_models_are_not_saved(fitted, saved, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="paretodesk retrain"):
        fitted.save(tmp_path / "store", tmp_path / "key", "reasons")
    with pytest.raises(BundleError, match="loaded from a bundle"):
        TicketClassifier.load(*saved[:2], "six").save(tmp_path / "store", tmp_path / "key", "again")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ("where is my parcel", "a list of texts, not one text"),
        (["a", None, "b", float("nan")], "rows 1, 3 hold no text but NoneType"),
        ([1, 2, 3, 4, 5, 6, 7, 8], "rows 0, 1, 2, 3, 4 and 3 more hold no text but int"),
        (np.array([["a"], ["b"]]), r"shape \(2, 1\); select the column"),
    ],
)
def test_what_is_no_column_of_texts_is_refused_with_its_rows(fitted, wrong, problem: str) -> None:
    for method in (fitted.predict, fitted.predict_proba, fitted.decide):
        with pytest.raises(ValueError, match=problem):
            method(wrong)
    with pytest.raises(ValueError, match=problem):
        TicketClassifier().fit(wrong, ["x"] * 4)


@pytest.mark.parametrize(
    ("texts", "labels", "problem"),
    [
        ([], [], "found none"),
        (["a", "b"], ["x", "x"], "at least two labels"),
        (["a", "b", "c"], ["x", "y", "x"], "at least 2 examples; add examples of: y"),
        (["a", " ", "b", ""], ["x", "x", "y", "y"], "rows 1, 3 are empty"),
        (["a", "b", "c"], ["x", "y"], "inconsistent numbers of samples"),
        (["a", "b", "c", "d"], [0.1, 0.2, 0.3, 0.4], "continuous"),
        (["a", "b"], None, "requires y"),
        (["a", "b", "c", "d"], ["x", "x", UNDECIDED, UNDECIDED], "rename it"),
        (["a", "b", "c", "d"], np.array(["1", "1", "2", "2"], dtype=object), "all belong together"),
    ],
)
def test_what_teaches_nothing_is_refused_with_what_is_needed(texts, labels, problem: str) -> None:
    groups = ["g1", "g1", "g2", "g2"] if problem == "all belong together" else None
    with pytest.raises(ValueError, match=problem):
        TicketClassifier().fit(texts, labels, groups)


@pytest.mark.parametrize("target", [0.0, 1.0, -1, 7])
def test_an_impossible_target_is_refused_when_fitting(target: float) -> None:
    with pytest.raises(FitError, match="target_error"):
        TicketClassifier(target_error=target).fit(["a", "b", "c", "d"], ["x", "x", "y", "y"])


def test_nothing_in_gives_nothing_out(fitted) -> None:
    assert fitted.predict([]).shape == (0,)
    assert fitted.predict_proba([]).shape == (0, 6)
    assert fitted.decide([]).shape == (0,)


def test_before_fitting_it_says_that_it_is_not_fitted() -> None:
    for method in ("predict", "predict_proba", "decide"):
        with pytest.raises(NotFittedError):
            getattr(TicketClassifier(), method)(["hello"])
    with pytest.raises(NotFittedError):
        TicketClassifier().save("store", "key", "name")


def test_scikit_learn_sees_a_classifier_of_texts() -> None:
    assert is_classifier(TicketClassifier())
    tags = TicketClassifier().__sklearn_tags__().input_tags
    assert (tags.string, tags.one_d_array, tags.two_d_array) == (True, True, False)


def test_check_estimator_passes() -> None:
    with warnings.catch_warnings():
        # It says that it leaves the checks on matrices out; those of them that apply are run below.
        warnings.simplefilter("ignore", SkipTestWarning)
        results = check_estimator(TicketClassifier())
    assert {result["status"] for result in results} == {"passed"}


@pytest.mark.parametrize("check", APPLICABLE)
def test_the_checks_that_apply_to_an_estimator_of_texts_pass(check: str) -> None:
    getattr(estimator_checks, check)("TicketClassifier", TicketClassifier())
