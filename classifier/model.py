"""The fitted classifier of contact reasons: a kernel head and a lexical one, fused and calibrated.

Format 2 keeps its training tickets as the kernel head's memory; format 1, whose dense head was a logistic regression,
is still read, not written.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.abstention import Guarantee
from classifier.calibration import ConfidenceMap, fuse
from classifier.danger import DangerHead
from classifier.encoders import Encoder, Vectors, blas_threads_for
from classifier.features import LexicalFeatures
from classifier.heads import DenseHead, KernelHead, LinearHead, LogisticHead, Projection
from classifier.secondary import Parts, SecondaryHead, parts_of
from classifier.sentences import sentence_spans

FORMAT_VERSION = 2
ARRAYS = "arrays.npz"
SETTINGS = "model.json"


class ModelFormatError(ValueError):
    """Model files do not fit together; the message says which part and what to do."""


@dataclass(frozen=True)
class Scores:
    """Calibrated ``probabilities (n, k)`` and ``familiarity (n,)``, a score of its own for texts out of scope."""

    probabilities: NDArray[np.float64]
    familiarity: NDArray[np.float32]


@dataclass(frozen=True)
class Thresholds:
    """What the calibration data chose.

    ``guarantee`` gives the confidence below which a ticket is `undecided`; below ``familiarity`` it is unlike
    anything that was learned and `undecided` too; at ``human_only`` or more probability of the human-only reasons
    together the guard is raised by a model that has no `DangerHead`.
    """

    guarantee: Guarantee
    familiarity: float
    human_only: float


@dataclass(frozen=True)
class Remembered:
    """A training ticket in the kernel head's memory: its label and how its text begins.

    Links, addresses, handles and long numbers were taken out of it; names only where the training text was redacted, as
    confirmed tickets of the desk are.
    """

    label: str
    text: str


@dataclass(frozen=True)
class ReasonModel:
    """Text in, calibrated probabilities of the labels out. Immutable; safe to share between threads.

    ``remembered`` are the first rows of the dense head's memory, in its order (empty in format 1). ``secondary`` finds
    further reasons; None where no training ticket was read for them. ``danger`` is the guard's model half; None where
    too few human-only tickets were learned from to measure it, and in models written before there was one.
    """

    labels: tuple[str, ...]
    encoder: Encoder
    dense: DenseHead
    lexical: LinearHead | None
    lexical_features: LexicalFeatures | None
    fusion: tuple[float, ...]
    confidence_map: ConfidenceMap
    thresholds: Thresholds
    remembered: tuple[Remembered, ...] = ()
    secondary: SecondaryHead | None = None
    danger: DangerHead | None = None

    def scores(self, texts: Sequence[str]) -> Scores:
        """Score feature texts (see `classifier.features.feature_text`)."""
        return self.scores_of(texts, self.encoder.encode(texts))

    def scores_of(self, texts: Sequence[str], vectors: Vectors) -> Scores:
        """Score texts whose vectors are at hand already."""
        with blas_threads_for(len(texts)):
            dense, familiarity = self.dense.judge(vectors)
        heads = [dense]
        if self.lexical is not None and self.lexical_features is not None:
            heads.append(self.lexical.log_probabilities(self.lexical_features.transform(texts)))
        return Scores(self.confidence_map.apply(np.exp(fuse(heads, self.fusion))), familiarity)

    def parts(self, texts: Sequence[str]) -> Parts | None:
        """What each sentence says by itself; None without a lexical head, or where nothing was fitted to use it."""
        if self.lexical is None or self.lexical_features is None or (self.secondary is None and self.danger is None):
            return None
        return parts_of(texts, self.lexical, self.lexical_features)

    def further(
        self, texts: Sequence[str], probabilities: NDArray[np.float64], parts: Parts | None = None
    ) -> NDArray[np.float64]:
        """Probability ``(n, k)`` that each label is asked for, too; 0 for the best one and where it is not known.

        ``probabilities`` are the texts' own, of `scores_of`; ``parts``, of `parts`, saves judging sentences again.
        """
        parts = parts or self.parts(texts)
        if self.secondary is None or parts is None or not texts:
            return np.zeros_like(probabilities)
        found = self.secondary.probabilities(probabilities, parts.best())
        found[np.arange(len(probabilities)), probabilities.argmax(axis=1)] = 0.0
        return found

    def dangers(
        self, probabilities: NDArray[np.float64], parts: Parts | None, human_only: Collection[str]
    ) -> NDArray[np.float64]:
        """Probability ``(n,)`` that a person must answer: of the `DangerHead`, or the human-only labels' sum."""
        columns = np.array([label in human_only for label in self.labels])
        whole = np.asarray(probabilities[:, columns].sum(axis=1))
        if self.danger is None or parts is None:
            return whole
        return self.danger.probabilities(whole, parts.best_of_any(columns))

    def dangerous_sentence(self, text: str, human_only: Collection[str]) -> bool:
        """Whether one of several sentences of ``text`` is too dangerous, taken alone, for a rule to be overruled."""
        sentences = [text[start:end] for start, end in sentence_spans(text)]
        if len(sentences) < 2:
            return False
        dangers = self.dangers(self.scores(sentences).probabilities, self.parts(sentences), human_only)
        return bool(dangers.max() >= self.overruled_below)

    @property
    def raised_from(self) -> float:
        """The danger from which on the model raises the guard by itself."""
        return self.thresholds.human_only if self.danger is None else self.danger.threshold

    @property
    def overruled_below(self) -> float:
        """The danger below which rules that only mention something are overruled; 0: none ever is."""
        return 0.0 if self.danger is None else self.danger.overruled

    def to_files(self) -> dict[str, bytes]:
        """The model as plain arrays and JSON, nothing executable. Raises `ModelFormatError` for a format 1 model."""
        if not isinstance(self.dense, KernelHead):
            raise ModelFormatError("a model of format 1 can be read but not written; train it again")
        arrays: dict[str, NDArray[Any]] = {
            "centre": self.dense.projection.centre,
            "memory": self.dense.memory.astype(np.float16),
            "kernel_coefficients": self.dense.coefficients,
        }
        if self.dense.projection.axes is not None:
            arrays["axes"] = self.dense.projection.axes
        columns = {label: column for column, label in enumerate(self.labels)}
        settings: dict[str, Any] = {
            "format": FORMAT_VERSION,
            "labels": list(self.labels),
            "encoder": self.encoder.name,
            "fusion": list(self.fusion),
            "confidence_map": vars(self.confidence_map),
            "thresholds": {
                "guarantee": vars(self.thresholds.guarantee),
                "familiarity": self.thresholds.familiarity,
                "human_only": self.thresholds.human_only,
            },
            "remembered": [[columns[ticket.label], ticket.text] for ticket in self.remembered],
        }
        if self.secondary is not None:
            settings["secondary"] = vars(self.secondary)
        if self.danger is not None:
            settings["danger"] = vars(self.danger)
        if self.lexical is not None and self.lexical_features is not None:
            terms, frequencies = self.lexical_features.state()
            settings["terms"] = terms
            arrays["lexical_coefficients"] = self.lexical.coefficients.astype(np.float16)
            arrays["lexical_intercept"] = self.lexical.intercept
            arrays |= {f"frequencies_{name}": values for name, values in frequencies.items()}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        return {ARRAYS: buffer.getvalue(), SETTINGS: json.dumps(settings, ensure_ascii=False).encode()}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes], encoder: Encoder) -> ReasonModel:
        """The inverse of `to_files`; reads format 1 too. Raises `ModelFormatError`; never unpickles."""
        try:
            settings = json.loads(files[SETTINGS])
            arrays = _arrays(files[ARRAYS])
            return cls._from_parts(settings, arrays, encoder)
        except KeyError as error:
            raise ModelFormatError(f"the model has no {error}; train it again") from error
        except ModelFormatError:
            raise
        except (ValueError, TypeError, IndexError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise ModelFormatError(f"the model's files cannot be read ({error}); train it again") from error

    @classmethod
    def _from_parts(cls, settings: Any, arrays: Mapping[str, NDArray[Any]], encoder: Encoder) -> ReasonModel:
        version = settings["format"]
        if version not in (1, FORMAT_VERSION):
            raise ModelFormatError(
                f"model format {version} is none of 1 and {FORMAT_VERSION}, which this version reads; train it again"
            )
        if settings["encoder"] != encoder.name:
            raise ModelFormatError(f"the model was fitted on encoder '{settings['encoder']}', given '{encoder.name}'")
        lexical = features = None
        if terms := settings.get("terms"):
            features = LexicalFeatures.from_state(terms, {name: arrays[f"frequencies_{name}"] for name in terms})
            lexical = LinearHead(arrays["lexical_coefficients"].astype(np.float32), arrays["lexical_intercept"])
        labels, thresholds = tuple(settings["labels"]), settings["thresholds"]
        memory = arrays["memory"].astype(np.float32)
        dense: DenseHead
        confidence_map, remembered = ConfidenceMap(), list[Remembered]()
        if version == 1:
            dense = LogisticHead(LinearHead(arrays["dense_coefficients"], arrays["dense_intercept"]), memory)
        else:
            dense = KernelHead(Projection(arrays["centre"], arrays.get("axes")), memory, arrays["kernel_coefficients"])
            drawn = settings["confidence_map"]
            confidence_map = ConfidenceMap(drawn["method"], tuple((score, value) for score, value in drawn["knots"]))
            remembered = [Remembered(labels[column], text) for column, text in settings["remembered"]]
        return cls(
            labels=labels,
            encoder=encoder,
            dense=dense,
            lexical=lexical,
            lexical_features=features,
            fusion=tuple(settings["fusion"]),
            confidence_map=confidence_map,
            thresholds=Thresholds(
                Guarantee(**thresholds["guarantee"]), thresholds["familiarity"], thresholds["human_only"]
            ),
            remembered=tuple(remembered),
            secondary=SecondaryHead(**settings["secondary"]) if settings.get("secondary") else None,
            danger=DangerHead(**settings["danger"]) if settings.get("danger") else None,
        )


def _arrays(data: bytes) -> dict[str, NDArray[Any]]:
    if not zipfile.is_zipfile(io.BytesIO(data)):
        raise ModelFormatError(f"the model's {ARRAYS} is no npz archive; train it again")
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def encoder_name(files: Mapping[str, bytes]) -> str:
    """Which encoder the model in ``files`` needs. Raises `ModelFormatError`."""
    try:
        return str(json.loads(files[SETTINGS])["encoder"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFormatError(f"the model's {SETTINGS} does not name its encoder; train it again") from error
