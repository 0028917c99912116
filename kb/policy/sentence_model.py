"""The sentence model: how likely some sentences break each rule that it has learned.

SentenceModelError   a model file cannot be used; the message says why and how to make one that can

Kernel ridge regression on labelled sentences. Two sentences are alike by their meaning (a Gaussian of the distance of
their vectors), more so if they name the same ideas of the word lists, and if both are or are not proactive:
``exp(-|x - y|²) (MEANING + cos(ideas)) (1 + SAME_KIND [same kind])``. One rule's score becomes a probability by a
logistic regression on scores of sentences that were held out (Platt 1999).
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from scipy import sparse
from scipy.special import expit

from classifier.encoders import Encoder, Vectors
from classifier.heads import Floats, Projection, gaussian
from kb.policy.readings import idea_names, lexicons_hash

STARTER_MODEL = Path(__file__).parent / "sentences.npz"
FORMAT: Literal[1] = 1
MEANING = 3.0
"""What meaning counts for beside ideas; 2 to 6 score alike in folds."""
SAME_KIND = 0.5
"""What the kind of message counts for; 0.5 and 1 score alike in folds."""
REFIT = "make one with `paretodesk macros fit-policy --out FILE`"


class SentenceModelError(ValueError):
    """A model file cannot be used."""


class LearnedRule(BaseModel):
    """How the model's score for one rule is read, and what it was worth on sentences that were held out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^R\d\d$")
    whole: bool
    """Judges the message in one piece; otherwise its sentences, alone and two by two."""
    slope: float = Field(gt=0)
    intercept: float
    warn_from: float = Field(ge=0, le=1)
    sure_from: float = Field(ge=0, le=1)
    """From this probability on a finding is as severe as the rule; 1 where the model never is so sure."""
    average_precision: float
    recall: float
    precision: float
    sure_recall: float
    sure_precision: float


class About(BaseModel):
    """What a model file says of itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int
    encoder: str
    examples: str
    """SHA-256 of the examples; see `kb.policy.examples.examples_hash`."""
    lexicons: str
    ideas: tuple[str, ...]
    seed: int
    learned_from: int
    fitted_with: str
    rules: tuple[LearnedRule, ...]


@dataclass(frozen=True)
class SentenceModel:
    """A fitted model. ``memory (m, p)`` are the learned sentences' projected vectors, ``ideas (m, 2 k)`` their ideas
    weighted by ``rarity (2 k,)`` and of unit length, ``proactive (m,)``, ``coefficients (m, rules)``."""

    about: About
    projection: Projection
    memory: Floats
    ideas: sparse.csr_matrix
    rarity: Floats
    proactive: NDArray[np.bool_]
    coefficients: Floats

    def probabilities(self, vectors: Vectors, told: NDArray[np.bool_], proactive: bool) -> NDArray[np.float64]:
        """``(n, rules)`` for sentence ``vectors (n, d)`` and the ideas ``told (n, 2 k)`` of the same pieces."""
        alike = similarity(
            gaussian(self.projection(vectors), self.memory),
            np.asarray((self.ideas @ weighted(told, self.rarity).T).T, dtype=np.float32),
            self.proactive[np.newaxis, :] == proactive,
        )
        scores = (alike @ self.coefficients).astype(np.float64)
        slopes = np.array([rule.slope for rule in self.about.rules])
        intercepts = np.array([rule.intercept for rule in self.about.rules])
        likely: NDArray[np.float64] = expit(scores * slopes + intercepts)
        return likely

    def check_fits(self, encoder: Encoder) -> None:
        """Raises `SentenceModelError` where the model was made for another encoder or other word lists."""
        if encoder.name != self.about.encoder:
            raise SentenceModelError(
                f"the policy model was made with encoder '{self.about.encoder}', not '{encoder.name}'; {REFIT}"
            )
        if self.about.ideas != idea_names() or self.about.lexicons != lexicons_hash():
            raise SentenceModelError(
                f"the policy model was made with other word lists than those of kb/policy/lexicons; {REFIT}"
            )


def weighted(told: NDArray[np.bool_], rarity: Floats) -> Floats:
    """Ideas weighted by ``rarity``, rows of unit length; a row without ideas stays zero."""
    rows = told * rarity
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(norms, 1e-6), dtype=np.float32)


def similarity(meaning: Floats, ideas: Floats, same_kind: NDArray[np.bool_]) -> Floats:
    """The kernel of the module's docstring, from its three parts ``(n, m)``."""
    return np.asarray(meaning * (MEANING + ideas) * (1.0 + SAME_KIND * same_kind), dtype=np.float32)


def save(model: SentenceModel, path: Path) -> None:
    """Write ``model`` as one npz file of plain arrays; the same model gives the same bytes."""
    ideas = model.ideas.tocsr()
    arrays = {
        "about": np.frombuffer(model.about.model_dump_json().encode(), dtype=np.uint8),
        "centre": model.projection.centre,
        "axes": _axes(model).astype(np.float16),
        "memory": model.memory.astype(np.float16),
        "ideas": ideas.data.astype(np.float16),
        "idea_columns": ideas.indices.astype(np.int16),
        "idea_rows": ideas.indptr.astype(np.int32),
        "rarity": model.rarity,
        "proactive": model.proactive,
        "coefficients": model.coefficients,
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    path.write_bytes(buffer.getvalue())


def _axes(model: SentenceModel) -> Floats:
    axes = model.projection.axes
    return np.eye(len(model.projection.centre), dtype=np.float32) if axes is None else axes


def load(path: Path) -> SentenceModel:
    """The model of `save`. Raises `SentenceModelError` when the file is not there, damaged, or of another format."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except FileNotFoundError as error:
        raise SentenceModelError(f"{path}: there is no policy model; {REFIT}") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise SentenceModelError(f"{path}: is no policy model ({error}); {REFIT}") from error
    try:
        about = About.model_validate_json(bytes(arrays["about"]))
        if about.format != FORMAT:
            raise SentenceModelError(f"{path}: has format {about.format}, this version reads {FORMAT}; {REFIT}")
        shape = (len(arrays["memory"]), 2 * len(about.ideas))
        model = SentenceModel(
            about,
            Projection(arrays["centre"], arrays["axes"].astype(np.float32)),
            arrays["memory"].astype(np.float32),
            sparse.csr_matrix(
                (arrays["ideas"].astype(np.float32), arrays["idea_columns"].astype(np.int32), arrays["idea_rows"]),
                shape,
            ),
            arrays["rarity"],
            arrays["proactive"],
            arrays["coefficients"],
        )
    except (KeyError, ValidationError) as error:
        raise SentenceModelError(f"{path}: is no policy model ({error}); {REFIT}") from error
    if model.coefficients.shape != (len(model.memory), len(about.rules)):
        raise SentenceModelError(f"{path}: its arrays do not fit together; {REFIT}")
    return model


@cache
def starter_model() -> SentenceModel:
    """The shipped model. Raises `SentenceModelError`."""
    return load(STARTER_MODEL)
