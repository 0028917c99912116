def deliver(client, external_id, body, **more):
    ticket = {"source": "console", "external_id": external_id, "channel": "amazon", "body": body, **more}
    return client.post("/v1/tickets", json=ticket).json()["id"]


def kinds(ticket):
    return [event["kind"] for event in ticket["events"]]


def test_confirming_correcting_replying_and_closing_are_events(client):
    ticket = deliver(client, "c-1", "Where is my parcel?", order_id="026-1234567-1234567", customer_name="Anna")
    opened = client.get(f"/v1/console/tickets/{ticket}").json()
    macro = next(m for m in opened["suggestions"]["macros"] if m["text"])
    base = f"/v1/console/tickets/{ticket}"
    confirmed = client.post(f"{base}/confirm", json={"agent": "anna"}).json()
    assert confirmed["state"]["confirmed_by"] == "agent:anna"
    answer = {"agent": "anna", "text": macro["text"], "macro": macro["macro_id"], "seconds": 42.0, "resolve": True}
    done = client.post(f"{base}/reply", json=answer).json()
    assert done["state"]["status"] == "resolved"
    assert kinds(done)[-4:] == ["tag_confirmed", "macro_sent", "handled", "resolved"]
    assert "suggested" in kinds(done)


def test_a_correction_keeps_who_and_why(client):
    ticket = deliver(client, "c-2", "Where is my parcel?")
    url = f"/v1/console/tickets/{ticket}/correct"
    after = client.post(url, json={"agent": "ben", "reason": "not_received", "why": "scan says delivered"}).json()
    event = next(event for event in after["events"] if event["kind"] == "retagged")
    assert (event["actor"], event["data"]["why"]) == ("agent:ben", "scan says delivered")
    assert client.post(url, json={"agent": "ben", "reason": "no_such_reason"}).status_code == 422


def test_a_reply_that_breaks_a_blocking_rule_is_not_sent(client):
    ticket = deliver(client, "c-3", "How do I return this?")
    text = "Hello, please write to me on WhatsApp +49 171 2345678 and I will refund you by PayPal."
    refused = client.post(f"/v1/console/tickets/{ticket}/reply", json={"agent": "a", "text": text})
    assert refused.status_code == 422
    assert {"R04", "R26"} <= {violation["rule"] for violation in refused.json()["violations"]}
    assert "replied" not in kinds(client.get(f"/v1/tickets/{ticket}").json())


def test_a_channel_called_like_the_lax_rules_is_judged_by_the_strictest(client):
    ticket = deliver(client, "c-generic", "How do I return this?", channel="generic")
    answer = {"agent": "a", "text": "Hello, you can call us at +49 171 2345678 about the return of your order."}
    refused = client.post(f"/v1/console/tickets/{ticket}/reply", json=answer)
    assert refused.status_code == 422
    assert [violation["rule"] for violation in refused.json()["violations"]] == ["R04"]


def test_an_undecided_ticket_cannot_be_closed_untagged(client):
    ticket = deliver(client, "c-4", "hmm")
    refused = client.post(f"/v1/console/tickets/{ticket}/resolve", json={"agent": "a"})
    assert refused.status_code == 409
    assert "untagged" in refused.json()["detail"]


def test_another_pages_requests_are_refused(client):
    ticket = deliver(client, "c-5", "Where is my parcel?")
    url = f"/v1/console/tickets/{ticket}/confirm"
    assert client.post(url, json={}, headers={"Origin": "https://evil.example"}).status_code == 403
    assert client.get("/console", headers={"Host": "evil.example"}).status_code == 400


def test_beyond_loopback_staff_routes_need_the_token(services):
    from dataclasses import replace

    from fastapi.testclient import TestClient

    from service.app import create_app

    secret = "a-long-console-token"
    guarded = replace(services, settings=services.settings.model_copy(update={"console_token": secret}))
    with TestClient(create_app(guarded)) as client:
        for path in ("/console", "/report", "/v1/console/tickets", "/v1/reports/top-reasons"):
            assert client.get(path).status_code == 401
            assert client.get(path, headers={"Authorization": "Bearer wrong"}).status_code == 401
            assert client.get(path, headers={"Authorization": f"Bearer {secret}"}).status_code == 200
            assert client.get(path, auth=("anyone", secret)).status_code == 200
        assert client.get("/healthz").status_code == 200
