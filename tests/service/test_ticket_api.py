import json

TICKET = {
    "source": "shop", "external_id": "order-mail-1", "channel": "email", "subject": "Rechnung",
    "body": "Bitte schicken Sie mir die Rechnung mit unserer USt-IdNr.", "order_id": "026-1234567-1234567",
    "customer_name": "Anna Beispiel",
}  # fmt: skip


def test_a_delivered_ticket_is_stored_tagged_and_stays_one_when_delivered_again(client):
    first = client.post("/v1/tickets", json=TICKET)
    assert first.status_code == 201
    assert first.json()["state"]["reason"] == "invoice_request"
    again = client.post("/v1/tickets", json=TICKET)
    assert again.status_code == 200
    assert again.json()["id"] == first.json()["id"]
    assert again.json()["duplicate"] is True
    kinds = [event["kind"] for event in client.get(f"/v1/tickets/{first.json()['id']}").json()["events"]]
    assert kinds.count("received") == 1
    assert kinds.count("tagged") == 1


def test_the_idempotency_key_recognises_a_resent_ticket_without_an_id(client):
    body = {"body": "When will the blue jug be back in stock?"}
    first, second = (
        client.post("/v1/tickets", json=body, headers={"Idempotency-Key": "k-1"}).json()["id"] for _ in range(2)
    )
    third = client.post("/v1/tickets", json=body).json()["id"]
    assert first == second != third


def test_suggestions_are_rendered_for_the_order_or_say_what_is_missing(client):
    ticket = {
        "source": "t", "external_id": "s-1", "channel": "amazon", "body": "Where is my parcel? When does it arrive?",
        "order_id": "026-1234567-1234567", "customer_name": "Anna Example",
    }  # fmt: skip
    ticket_id = client.post("/v1/tickets", json=ticket).json()["id"]
    found = client.get(f"/v1/tickets/{ticket_id}/suggestions").json()
    ready = [macro for macro in found["macros"] if macro["text"]]
    assert ready, found
    assert "026-1234567-1234567" in ready[0]["text"]
    assert "{{" not in json.dumps(found)
    assert found["passages"][0]["reason"] == "tracking_update"

    unknown = ticket | {"external_id": "s-2", "order_id": "999-0000000-0000000"}
    ticket_id = client.post("/v1/tickets", json=unknown).json()["id"]
    macros = client.get(f"/v1/tickets/{ticket_id}/suggestions").json()["macros"]
    assert all(macro["text"] is None and macro["missing"] for macro in macros)


def test_an_impossible_time_is_refused_with_the_field(client):
    for moment in ("9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+05:00", "2026-01-01T00:00:00"):
        answer = client.post("/v1/tickets", json={"body": "hello there", "created_at": moment})
        assert answer.status_code == 422
        assert "created_at" in answer.json()["detail"]
    assert client.get("/report").status_code == 200


def test_an_unknown_ticket_is_a_404_problem(client):
    answer = client.get("/v1/tickets/T-NOTHERE")
    assert answer.status_code == 404
    assert "T-NOTHERE" in answer.json()["detail"]


def test_a_ticket_is_accepted_without_a_model_and_waits_as_undecided(settings, tmp_path):
    from fastapi.testclient import TestClient

    from service.app import create_app
    from service.wiring import open_services

    bare = settings.model_copy(update={"home": tmp_path / "home", "models_store": tmp_path / "no-models"})
    with open_services(bare) as services, TestClient(create_app(services)) as client:
        assert client.get("/readyz").json()["status"] == "degraded"
        accepted = client.post("/v1/tickets", json=TICKET)
        assert accepted.status_code == 201
        state = accepted.json()["state"]
        assert (state["decision"], state["reason"]) == ("undecided", None)
        session = client.post("/v1/chat/sessions", json={"site": "demo", "locale": "en"}).json()
        turn = client.post(
            f"/v1/chat/sessions/{session['session_id']}/messages",
            json={"text": "How can I return a lamp?"},
            headers={"Authorization": f"Bearer {session['token']}"},
        ).json()
        assert turn["act"] == "hand_off"


def test_a_ticket_that_waited_for_a_model_is_tagged_when_there_is_one(services):
    import time
    from datetime import timedelta

    from desk.inbox import IncomingTicket
    from service.job_kinds import working

    received = services.desk.receive(
        IncomingTicket("waiting", "w-1", "Wo bleibt meine Bestellung? Sie sollte da sein.")
    )
    assert services.desk.ticket(received.ticket_id).state.reason is None
    with working(services, sweep_every=0.05, settled_for=timedelta()):
        for _ in range(100):
            if services.desk.ticket(received.ticket_id).state.reason:
                break
            time.sleep(0.05)
    assert services.desk.ticket(received.ticket_id).state.reason == "tracking_update"
