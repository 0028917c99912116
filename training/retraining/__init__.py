"""From labelled tickets to a version that may serve: fit, judge against the champion, write the card, promote."""

from training.retraining.at_once import retrain, train_any
from training.retraining.from_snapshot import Retrained, RetrainingBusyError, retrain_from
from training.retraining.run import Plan
from training.retraining.versions import (
    REASONS_MODEL,
    Outcome,
    champion_encoder,
    data_hash,
    load_model,
    write_version,
)

__all__ = [
    "REASONS_MODEL",
    "Outcome",
    "Plan",
    "Retrained",
    "RetrainingBusyError",
    "champion_encoder",
    "data_hash",
    "load_model",
    "retrain",
    "retrain_from",
    "train_any",
    "write_version",
]
