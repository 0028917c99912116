"""Verdicts as JSON and back, so that a run that goes on after a crash says the same to the last digit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from training.evaluation import Evaluation, LabelFigures, SliceFigures
from training.latency import Latency
from training.promotion import Comparison, ReasonComparison, SliceComparison, Verdict


def verdict_from_json(data: Mapping[str, Any]) -> Verdict:
    """The inverse of `Verdict.to_json` after a way through JSON."""
    return Verdict(
        promote=data["promote"],
        because=tuple(data["because"]),
        reasons=tuple(ReasonComparison(**row) for row in data["reasons"]),
        champion=_evaluation(data["champion"]) if data["champion"] else None,
        challenger=_evaluation(data["challenger"]),
        slices=tuple(SliceComparison(**row) for row in data["slices"]),
        newest=_comparison(data["newest"]) if data["newest"] else None,
        latency=Latency(**data["latency"]) if data["latency"] else None,
    )


def _comparison(data: Mapping[str, Any]) -> Comparison:
    return Comparison(
        champion=_evaluation(data["champion"]) if data["champion"] else None,
        challenger=_evaluation(data["challenger"]),
        reasons=tuple(ReasonComparison(**row) for row in data["reasons"]),
        slices=tuple(SliceComparison(**row) for row in data["slices"]),
        lost=data["lost"],
        won=data["won"],
        p_worse=data["p_worse"],
    )


def _evaluation(data: Mapping[str, Any]) -> Evaluation:
    slices = {
        name: {value: SliceFigures(**figures) for value, figures in data[name].items()}
        for name in ("per_language", "per_channel")
    }
    per_label = {label: LabelFigures(**figures) for label, figures in data["per_label"].items()}
    pairs = [(str(truth), str(best), int(n)) for truth, best, n in data["confusions"]]
    bins = [(float(said), float(right), int(n)) for said, right, n in data["reliability"]]
    return Evaluation(**{**data, **slices, "per_label": per_label, "confusions": pairs, "reliability": bins})
