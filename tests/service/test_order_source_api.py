"""What an agent sees of an order that another system knows, while that system answers and while it does not."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import load_settings
from service.wiring import open_services

CONTENT = Path(__file__).parents[1] / "bot" / "content"
ORDER = {"carrier": "DHL", "updated": "2026-03-01T08:00:00Z"}
FILE = """\
url: http://127.0.0.1:{port}/orders/{{order_id}}
orders: {{paths: {{shipment.carrier: carrier, as_of: updated}}}}
timeout_seconds: 0.5
attempts: 1
fresh_seconds: 0
stale_seconds: 3600
"""


@pytest.fixture(scope="module")
def erp():
    class Handler(BaseHTTPRequestHandler):
        status = 200

        def do_GET(self):
            body = json.dumps(ORDER).encode()
            self.send_response(type(self).status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield Handler, server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def client(erp, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    path = home / "orders.yaml"
    path.write_text(FILE.format(port=erp[1]), encoding="utf-8")
    settings = load_settings(
        home=home, content=CONTENT, models_store=home / "store", signing_key=home / "key", orders_http=path
    )
    with open_services(settings) as services, TestClient(create_app(services)) as opened:
        yield opened


def test_facts_come_from_the_other_system_and_a_ticket_is_shown_without_them_while_it_is_down(client, erp):
    handler = erp[0]
    ticket = {"body": "Where is it?", "order_id": "A-1", "customer_email": "anna@example.com", "external_id": "1"}
    first = client.get(f"/v1/tickets/{client.post('/v1/tickets', json=ticket).json()['id']}").json()
    assert first["facts"]["shipment.carrier"] == "DHL"
    assert first["order"] == {"as_of": "2026-03-01T08:00:00+00:00", "problem": None}
    handler.status = 503
    again = client.get(f"/v1/tickets/{first['id']}").json()
    assert again["facts"]["shipment.carrier"] == "DHL"  # the earlier answer, with its age
    assert again["order"]["as_of"] == "2026-03-01T08:00:00+00:00"
    other = client.post("/v1/tickets", json=ticket | {"external_id": "2", "order_id": "A-2"})
    assert other.status_code == 201
    shown = client.get(f"/v1/tickets/{other.json()['id']}").json()
    assert "shipment.carrier" not in shown["facts"]
    assert "answers 503" in shown["order"]["problem"]


def test_earlier_contacts_stand_beside_the_ticket_and_its_suggestions(client):
    made = [
        client.post("/v1/tickets", json={"body": f"text {day}", "customer_email": mail, "external_id": f"c{day}",
                                         "created_at": f"2026-03-0{day}T10:00:00Z"}).json()["id"]
        for day, mail in ((1, "ben@example.com"), (2, "eve@example.com"), (3, "Ben@example.com"))
    ]  # fmt: skip
    for path in ("", "/suggestions"):
        [contact] = client.get(f"/v1/tickets/{made[2]}{path}").json()["earlier_contacts"]
        assert contact["ticket_id"] == made[0]
        assert (contact["created_at"], contact["status"], contact["same"]) == (
            "2026-03-01T10:00:00+00:00", "open", ["customer"],
        )  # fmt: skip
