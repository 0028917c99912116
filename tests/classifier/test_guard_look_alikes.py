"""Look-alikes hold for every rule of their reasons, in every language, and hide nothing beside them."""

from pathlib import Path

import pytest

from classifier.datafile import DataFileError, load_yaml
from classifier.guard import GuardRules, RuleGuard, starter_guard
from classifier.taxonomy import starter_taxonomy

FILE = """version: 1
look_alikes:
  - {{id: mugs, reasons: [{reason}], any: ['lawyer mug']}}
rules:
  - {{id: legal.lawyer.en, reason: legal_or_ip, languages: [en], any: ['lawyer']}}
  - {{id: legal.lawyer.de, reason: legal_or_ip, languages: [de], any: ['lawyer']}}
  - {{id: safety.lawyer.en, reason: safety_or_counterfeit, languages: [en], any: ['lawyer']}}
"""


def guard_from(folder: Path, reason: str) -> RuleGuard:
    path = folder / "guard.yaml"
    path.write_text(FILE.format(reason=reason), encoding="utf-8")
    return RuleGuard(load_yaml(path, GuardRules), starter_taxonomy())


def test_a_look_alike_silences_all_rules_of_its_reason_and_no_other(tmp_path: Path) -> None:
    guard = guard_from(tmp_path, "legal_or_ip")
    assert [hit.rule for hit in guard.hits("a lawyer mug")] == ["safety.lawyer.en"]
    assert len(guard.hits("a lawyer mug for my lawyer")) == 3


def test_a_look_alike_of_a_reason_that_is_not_human_only_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="tracking_update"):
        guard_from(tmp_path, "tracking_update")


@pytest.mark.parametrize(
    "message",
    [
        "Does the adapter have protection against overheating or short circuits?",
        "Il manque deux cartes dans le jeu « Le Procès des renards »",
        "Bitte beim Amtsgericht abgeben, ich arbeite dort am Empfang",
        "¿Lleva el cable protección contra cortocircuitos?",
        "La candela ha il colore rosso fuoco o più scuro?",
    ],
)
def test_what_only_sounds_dangerous_stays_silent(message: str) -> None:
    assert starter_guard().hits(message) == []


@pytest.mark.parametrize(
    "message",
    [
        "It has protection against overheating, and still the plug caught fire.",
        "Le jeu « Le Procès » est arrivé, mais mon avocat vous écrira pour le reste.",
        "Der Feuerlöscher kam zu spät, das Ladegerät hat gebrannt.",
    ],
)
def test_a_look_alike_does_not_hide_the_danger_beside_it(message: str) -> None:
    assert starter_guard().hits(message)
