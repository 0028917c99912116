"""Hazards named in passing, inside an ordinary question: the guard hears them."""

import pytest

from classifier.guard import starter_guard


@pytest.mark.parametrize(
    "message",
    [
        "how do I return a burning battery?",
        "the smoking charger: how do I send it back?",
        "the stool collapsed, how do I return it",
        "I need the invoice for court",
        "I can see copper wires, can I exchange it?",
        "Ich möchte den brennenden Akku zurückschicken",
        "Wie sende ich den geschmolzenen Adapter zurück?",
        "Puis-je renvoyer le chargeur qui fume ?",
        "Quiero devolver el cargador derretido",
        "Vorrei restituire l'adattatore fuso",
    ],
)
def test_a_hazard_as_an_attribute_raises_the_guard(message):
    assert "safety_or_counterfeit" in {hit.reason for hit in starter_guard().hits(message)}


@pytest.mark.parametrize(
    "message",
    [
        "My question is burning: when does the charger arrive?",
        "Is the phone case melted-chocolate brown or dark brown?",
        "I do not recall ordering a second charger",
        "Wo ist mein Ladegerät?",
        "Le câble est-il compatible avec mon téléphone ?",
    ],
)
def test_innocent_look_alikes_do_not(message):
    assert starter_guard().hits(message) == []
