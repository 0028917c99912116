"""A fitted model with what cross-validation said of it, as files: arrays and JSON, nothing executable."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict

import numpy as np

from classifier.abstention import Guarantee
from classifier.encoders import Encoder
from classifier.model import ReasonModel, Scores
from training.fitting import Fitted

OUT_OF_FOLD, FIGURES = "out_of_fold.npz", "fitted.json"


def fitted_to_files(fitted: Fitted) -> dict[str, bytes]:
    """The files of a fit."""
    buffer = io.BytesIO()
    scores = fitted.out_of_fold
    np.savez_compressed(buffer, probabilities=scores.probabilities, familiarity=scores.familiarity, truth=fitted.truth)
    figures = {
        "calibration_error": fitted.calibration_error,
        "calibration": fitted.calibration,
        "guarantees": [asdict(guarantee) for guarantee in fitted.guarantees],
    }
    return {**fitted.model.to_files(), OUT_OF_FOLD: buffer.getvalue(), FIGURES: json.dumps(figures).encode()}


def fitted_from_files(files: Mapping[str, bytes], encoder: Encoder) -> Fitted:
    """The inverse of `fitted_to_files`; the model is the one that will serve, with its arrays as they are stored."""
    model = ReasonModel.from_files(files, encoder)
    with np.load(io.BytesIO(files[OUT_OF_FOLD]), allow_pickle=False) as arrays:
        scores = Scores(arrays["probabilities"], arrays["familiarity"])
        truth = arrays["truth"]
    figures = json.loads(files[FIGURES])
    guarantees = tuple(Guarantee(**guarantee) for guarantee in figures["guarantees"])
    return Fitted(model, scores, truth, figures["calibration_error"], figures["calibration"], guarantees)
