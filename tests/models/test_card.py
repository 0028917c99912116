from models.card import render_card

FIGURES = {"n": 40, "accuracy": 0.9, "macro_f1": 0.875, "coverage": 0.5, "selective_error": None}
LABEL = {"n": 40, "precision": 0.5, "recall": 0.25, "f1": 1 / 3, "coverage": 0.5, "selective_error": 0.05}
EVALUATION = {
    **FIGURES,
    "ece": 0.021,
    "guard_recall": 0.98,
    "guard_false_alarms": 0.03,
    "per_language": {"en": FIGURES},
    "per_label": {"thanks": LABEL},
    "confusions": [("thanks", "other", 3)],
}
GUARANTEE = {"target": 0.05, "delta": 0.05, "threshold": 0.91, "coverage": 0.62, "error": 0.03, "n": 400}
UNMET = {**GUARANTEE, "target": 0.02, "coverage": 0.0}


def card(**changes: object) -> str:
    given = {
        "name": "reasons",
        "version": "v1",
        "created_at": "2026-11-21",
        "data": {"learned from": "400 tickets"},
        "fit": {"encoder": "use"},
        "evaluation": EVALUATION,
        "guarantees": [GUARANTEE, UNMET],
        "verdict": {"promote": False, "because": ["macro-F1 fell", "thanks F1 falls"]},
    }
    return render_card(**{**given, **changes})


def test_the_card_tells_data_fit_figures_and_verdict() -> None:
    text = card()
    for line in (
        "# Model card: reasons v1",
        "- learned from: 400 tickets",
        "- encoder: use",
        "| en | 40 | 0.900 | 0.875 | 0.500 | - |",
        "| thanks | 40 | 0.500 | 0.250 | 0.333 | 0.500 | 0.050 |",
        "| thanks | other | 3 |",
        "Refused.",
        "- thanks F1 falls",
        "- At most 2% wrong cannot be guaranteed on this data: coverage 0.",
    ):
        assert line in text.splitlines()
    assert "At most 5% of tagged tickets wrong, with 95% confidence" in text
    assert "recall 0.980, false alarms 0.030" in text


def test_what_was_not_measured_is_not_claimed() -> None:
    text = card(evaluation=None, guarantees=[], verdict=None)
    assert "No guarantee was computed." in text
    assert "Measured" not in text
    assert "champion" not in text
    assert "guard" not in card(evaluation={**EVALUATION, "guard_recall": None})
