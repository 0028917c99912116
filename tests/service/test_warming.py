"""What a serving process makes ready in the background."""

import re

import pytest

from kb.policy import check, lexicon
from kb.policy.lexicon import starter_lexicons
from service.warming import warm_up
from service.wiring import Services

MESSAGES = {
    "en": "We cannot offer a discount, but your refund of 12 pounds is on its way. Please keep the broken cup for now.",
    "fr": "Nous ne pouvons pas vous accorder de remise, mais votre remboursement est en route. Gardez la tasse cassée.",
    "de": "Einen Rabatt können wir nicht geben, Ihre Erstattung ist aber unterwegs. Bitte behalten Sie die Tasse noch.",
    "es": "No podemos hacer un descuento, pero su reembolso está en camino. Guarde de momento la taza rota.",
    "it": "Non possiamo offrire uno sconto, ma il rimborso è in arrivo. Per ora tenga la tazza rotta.",
}


def test_no_message_waits_for_word_lists(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    starter_lexicons.cache_clear()
    warm_up(services).join(timeout=60)

    def late(*_: object) -> re.Pattern[str]:
        raise AssertionError("a pattern was made while a customer waited")

    monkeypatch.setattr(lexicon, "phrase_pattern", late)
    for locale, text in MESSAGES.items():
        assert not any(violation.blocks for violation in check(text, locale=locale))


def test_what_cannot_be_made_ready_stops_nothing(
    services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise OSError("a word list is gone")

    monkeypatch.setattr("service.warming.starter_lexicons", broken)
    warm_up(services).join(timeout=60)
    assert "a word list is gone" in caplog.text
