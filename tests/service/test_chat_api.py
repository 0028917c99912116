import json

import pytest


def start(client, locale="en"):
    opened = client.post("/v1/chat/sessions", json={"site": "demo", "locale": locale})
    assert opened.status_code == 201
    data = opened.json()
    return f"/v1/chat/sessions/{data['session_id']}/messages", {"Authorization": f"Bearer {data['token']}"}


@pytest.mark.parametrize(
    ("locale", "question", "article"),
    [
        ("en", "How can I send an item back that I no longer want?", "return-an-article"),
        ("fr", "Bonjour, comment obtenir une facture avec TVA ?", "get-an-invoice"),
        ("de", "Ich habe mein Passwort vergessen und kann mich nicht anmelden", "sign-in-help"),
        ("es", "¿Cuándo volverá a estar disponible este producto?", "restock-and-preorder"),
        ("it", "Come faccio a restituire un articolo che non mi piace?", "return-an-article"),
    ],
)
def test_a_simple_question_is_answered_from_an_article_in_the_customers_language(client, locale, question, article):
    url, token = start(client, locale)
    turn = client.post(url, json={"text": question}, headers=token).json()
    assert turn["act"] == "answer", turn
    assert turn["messages"][0]["source"].startswith(f"article:{locale}/{article}")


@pytest.mark.parametrize(
    "message",
    [
        "The charger caught fire and burned my daughter's hand",
        "Mon avocat va vous mettre en demeure",
        "Ich habe einen A-bis-Z-Antrag gestellt",
        "Me han cobrado dos veces el mismo pedido",
        "Vi lascio una recensione da una stella",
    ],
)
def test_a_human_only_message_goes_to_a_person_who_finds_it_in_the_console(client, message):
    url, token = start(client)
    turn = client.post(url, json={"text": message}, headers=token).json()
    assert turn["act"] == "hand_off"
    assert message in client.get(f"/v1/tickets/{turn['ticket_id']}").json()["body"]


def test_a_resent_message_has_one_effect(client):
    url, token = start(client)
    message = {"text": "Can I still cancel my order?", "client_id": "m-1"}
    first, second = (client.post(url, json=message, headers=token).json() for _ in range(2))
    assert first["messages"] == second["messages"]
    history = client.get(url, headers=token).json()["messages"]
    assert len([entry for entry in history if entry["role"] == "customer"]) == 1


def test_the_turn_streams_as_server_sent_events(client):
    url, token = start(client)
    headers = token | {"Accept": "text/event-stream"}
    answer = client.post(url, json={"text": "How long does a refund take?"}, headers=headers)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [block.split("\n") for block in answer.text.strip().split("\n\n")]
    assert events[-1][0] == "event: turn"
    assert json.loads(events[-1][1].removeprefix("data: "))["messages"]


def test_only_the_sessions_own_token_opens_it(client):
    url, _ = start(client)
    _, other = start(client)
    assert client.get(url).status_code == 401
    wrong, unknown = client.get(url, headers=other), client.get("/v1/chat/sessions/C-none/messages", headers=other)
    assert wrong.status_code == unknown.status_code == 404
    assert wrong.json()["detail"] == unknown.json()["detail"] or "token" not in wrong.json()["detail"]


def test_a_site_that_is_not_served_is_refused(client):
    assert client.post("/v1/chat/sessions", json={"site": "elsewhere"}).status_code == 403


def test_empty_and_overlong_messages_are_explained(client):
    url, token = start(client)
    for text in ("   ", "x" * 4_001):
        answer = client.post(url, json={"text": text}, headers=token)
        assert answer.status_code == 422
        assert answer.json()["detail"]
