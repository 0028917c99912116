"""The reason model as a scikit-learn estimator, for notebooks: `docs/estimator.md` is its guide."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from classifier.encoders import UNIVERSAL, Encoder, Vectors, encoder_by_name
from classifier.model import ReasonModel, Scores, encoder_name
from models.bundle import BundleError
from models.registry import Registry
from models.signing import SigningKey
from training.corpus import Example, as_labelled, text_group
from training.encoding_cache import encode_cached
from training.evaluation import evaluate, predictions_of
from training.fitting import FitError, Settings, fit, silent
from training.retraining import REASONS_MODEL, data_hash, write_version

UNDECIDED = "undecided"
"""What `TicketClassifier.decide` says of a text whose label it does not believe."""
SHOWN_ROWS = 5

_opening = threading.Lock()


@lru_cache(maxsize=4)
def _open(name: str) -> Encoder:
    return encoder_by_name(name)


class SharedEncoder:
    """An encoder by name that is opened when it is first used, once per process, and copied and pickled as its name.

    Cross-validation and grid search copy an estimator many times; none of the copies carries the encoder's weights.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def dimensions(self) -> int:
        """See `Encoder.dimensions`. Raises `UnknownEncoderError`."""
        return self._opened().dimensions

    def encode(self, texts: Iterable[str]) -> Vectors:
        """See `Encoder.encode`. Raises `UnknownEncoderError`."""
        return self._opened().encode(list(texts))

    def _opened(self) -> Encoder:
        with _opening:  # two threads at once would load the weights twice
            return _open(self.name)


# scikit-learn has no type information, hence a base of type Any.
class TicketClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Texts in, calibrated probabilities out, and `decide`, which says `undecided` where it cannot be believed.

    It is the model of `paretodesk train`: texts are read as tickets are (quoted history, signatures and identifiers are
    left out), calibration and threshold are chosen by cross-validation inside `fit`. It follows scikit-learn's
    conventions for estimators of texts (as `CountVectorizer` does): clone, `set_params`, `Pipeline`, `cross_val_score`
    and `GridSearchCV` work. Equal data and seed give equal models.

    Parameters
    ----------
    encoder : name of an encoder, see `classifier.encoders.encoder_by_name`; names joined by ``+`` are stacked.
    seed : of the inner cross-validation and all else that is random.
    target_error : share of wrong labels among decided texts that `decide` keeps to with 95% confidence, 0..1.
    cache : folder that keeps encodings, so that the folds of a cross-validation and further fits encode no text twice;
        None keeps none.

    Attributes
    ----------
    classes_ : labels ``(k,)``, sorted.
    model_ : the fitted `ReasonModel`.
    guarantee_ : what `decide` promises, see `classifier.abstention.Guarantee`; ``guarantee_.met`` may be False.
    out_of_fold_ : calibrated probabilities ``float64 (n, k)`` of the training texts, each from a model that did not
        learn from it. Only after `fit`.
    evaluation_ : figures over the same, see `training.evaluation.Evaluation`. Only after `fit`.
    fitted_ : the model and all that cross-validation said of it, see `training.fitting.Fitted`. Only after `fit`.
    data_hash_ : sha256 of texts and labels in any order. Only after `fit`.
    """

    def __init__(
        self,
        encoder: str = UNIVERSAL,
        *,
        seed: int = Settings.seed,
        target_error: float = Settings.target_error,
        cache: str | Path | None = None,
    ) -> None:
        self.encoder = encoder
        self.seed = seed
        self.target_error = target_error
        self.cache = cache

    def fit(self, X: Iterable[str], y: ArrayLike, groups: ArrayLike | None = None) -> TicketClassifier:  # noqa: N803
        """Learn from texts ``(n,)`` and their labels ``(n,)``.

        ``groups (n,)`` are never split between learning and measuring (a customer, an order, a story); without them
        equal texts share a group. Raises `FitError`, a ``ValueError``, when there is too little to learn from.
        """
        texts = _texts(X)
        if empty := [row for row, text in enumerate(texts) if not text.strip()]:
            raise FitError(f"the texts of rows {_rows(empty)} are empty; remove them and their labels")
        if y is None:
            raise FitError("requires y to be passed, but the target y is None: give a label for each text")
        labels = column_or_1d(y, warn=True)
        check_consistent_length(texts, labels, groups)
        check_classification_targets(labels)
        if not 0 < self.target_error < 1:
            raise FitError(f"target_error is {self.target_error}; give a share between 0 and 1, such as 0.05")
        classes = np.unique(labels)
        names = [str(label) for label in classes]
        if UNDECIDED in names:
            raise FitError(f"the label '{UNDECIDED}' is what decide() says of a text without one; rename it")
        if len(set(names)) < len(names):
            raise FitError("two labels read alike when written as text; rename one")
        examples = _examples(texts, [str(label) for label in labels], groups)
        data = as_labelled(examples)
        encoder = SharedEncoder(self.encoder)
        settings = Settings(seed=self.seed, target_error=self.target_error)
        fitted = fit(data, encoder, settings, vectors=self._encoded(encoder, data.texts))
        self.classes_ = classes
        self.model_ = fitted.model
        self.guarantee_ = fitted.model.thresholds.guarantee
        self.out_of_fold_ = fitted.out_of_fold.probabilities[:, _columns(fitted.model, names)]
        out_of_fold = predictions_of(fitted.model, fitted.out_of_fold, examples)
        self.evaluation_ = evaluate(fitted.model, examples, predictions=out_of_fold)
        self.fitted_ = fitted
        self.data_hash_ = data_hash(examples)
        return self

    def predict_proba(self, X: Iterable[str]) -> NDArray[np.float64]:  # noqa: N803
        """Calibrated probabilities ``(n, k)``, columns as in ``classes_``."""
        check_is_fitted(self)
        examples = _examples(_texts(X))
        if not examples:
            return np.empty((0, len(self.classes_)))
        ordered: NDArray[np.float64] = self._scores(examples).probabilities[:, _columns(self.model_, self.classes_)]
        return ordered

    def predict(self, X: Iterable[str]) -> NDArray[Any]:  # noqa: N803
        """The most probable label of each text ``(n,)``, believed or not."""
        probabilities = self.predict_proba(X)
        best: NDArray[Any] = self.classes_[probabilities.argmax(axis=1)]
        return best

    def decide(self, X: Iterable[str]) -> NDArray[np.object_]:  # noqa: N803
        """The label of each text ``(n,)`` where it may be used unattended, else `UNDECIDED`.

        A text is undecided when its confidence is below ``guarantee_.threshold``, when it is unlike everything that
        was learned, when nothing is left of it to read, or when its label is ``other``. Where ``guarantee_.met`` is
        False, all are.
        """
        check_is_fitted(self)
        examples = _examples(_texts(X))
        if not examples:
            return np.empty(0, dtype=object)
        judged = predictions_of(self.model_, self._scores(examples), examples)
        believed = judged.tagged & np.array([bool(example.text) for example in examples])
        by_name = {str(label): label for label in self.classes_.tolist()}
        decisions = np.array([by_name[str(name)] for name in judged.best], dtype=object)
        decisions[~believed] = UNDECIDED
        return decisions

    def _encoded(self, encoder: Encoder, texts: Sequence[str]) -> Vectors:
        return encode_cached(encoder, texts, None if self.cache is None else Path(self.cache), silent)

    def _scores(self, examples: Sequence[Example]) -> Scores:
        texts = [example.text for example in examples]
        return self.model_.scores_of(texts, self._encoded(self.model_.encoder, texts))

    def save(self, store: str | Path, key: str | Path, name: str) -> str:
        """Write the model as a new signed version of ``name`` in a model store, the one in force, and return it.

        A bundle holds plain arrays and is verified before it is opened, which a pickle can not be. ``key`` is the file
        of the signing key, made when there is none. Labels are kept as text. As after `paretodesk train`, old versions
        beyond three are deleted. Raises `BundleError`, `SigningError`.
        """
        check_is_fitted(self)
        if name == REASONS_MODEL:
            raise BundleError(
                f"the name '{name}' is kept for contact reasons, which serve only when 'paretodesk retrain' found them "
                "better; choose another"
            )
        if not hasattr(self, "evaluation_"):
            raise BundleError("the model was loaded from a bundle; copy that folder, or fit again")
        registry = Registry(Path(store))
        version = write_version(
            registry, SigningKey.read_or_create(Path(key)), name, self.fitted_, self.evaluation_,
            data={"learned from": f"{self.evaluation_.n} texts, {len(self.classes_)} labels; figures are out of fold"},
            fingerprint=self.data_hash_, seed=self.seed,
        )  # fmt: skip
        registry.promote(name, version)
        registry.prune(name)
        return version

    @classmethod
    def load(cls, store: str | Path, key: str | Path, name: str, version: str | None = None) -> TicketClassifier:
        """A verified model from a store, the version in force by default, made by `save` or by `paretodesk train`.

        Raises `BundleError`, `SigningError`, `ModelFormatError`, `UnknownEncoderError`.
        """
        if name == REASONS_MODEL:
            raise BundleError(
                f"'{name}' decides together with the human-only guard; use classifier.tagger.Tagger for it"
            )
        bundle = Registry(Path(store)).read(name, SigningKey.read(Path(key)), version)
        encoder = SharedEncoder(encoder_name(bundle.files))
        model = ReasonModel.from_files(bundle.files, encoder)
        guarantee = model.thresholds.guarantee
        loaded = cls(encoder.name, target_error=guarantee.target)
        loaded.classes_, loaded.model_, loaded.guarantee_ = np.array(model.labels), model, guarantee
        return loaded

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags


def _texts(X: Iterable[str]) -> list[str]:  # noqa: N803
    if isinstance(X, str | bytes):
        raise ValueError("give a list of texts, not one text")
    shape = getattr(X, "shape", (0,))
    if len(shape) != 1:
        raise ValueError(f"texts must be one column, found an array of shape {shape}; select the column of texts")
    texts = list(X)
    if wrong := [row for row, text in enumerate(texts) if not isinstance(text, str)]:
        kind = type(texts[wrong[0]]).__name__
        raise ValueError(f"rows {_rows(wrong)} hold no text but {kind}; fill or remove them")
    return [str(text) for text in texts]


def _rows(rows: list[int]) -> str:
    return ", ".join(map(str, rows[:SHOWN_ROWS])) + (f" and {len(rows) - SHOWN_ROWS} more" * (len(rows) > SHOWN_ROWS))


def _examples(texts: list[str], labels: Sequence[str] | None = None, groups: ArrayLike | None = None) -> list[Example]:
    """Texts as tickets without a subject; equal texts share a group where none is given."""
    digests = [text_group(text.strip()) for text in texts]
    tied = digests if groups is None else [str(group) for group in np.asarray(groups)]
    return [
        Example(digest, label, "", "", "", text, group)
        for digest, label, text, group in zip(digests, labels or [""] * len(texts), texts, tied, strict=True)
    ]


def _columns(model: ReasonModel, labels: Iterable[Any]) -> list[int]:
    """Where the model has each label."""
    at = {label: column for column, label in enumerate(model.labels)}
    return [at[str(label)] for label in labels]
