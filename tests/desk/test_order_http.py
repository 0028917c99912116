"""Order facts from another system, which is a real HTTP server in a thread of this process."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.datafile import DataFileError
from desk import DeskError
from desk.earlier_contacts import earlier_contacts
from desk.inbox import IncomingTicket
from desk.order_cache import CachedOrders, OrderSources
from desk.order_http import MAX_ANSWER, HttpOrders, HttpOrderSettings, load_http_orders
from desk.order_table import OrderAnswerError, OrderSourceDownError, OrderTable
from desk.tables import orders, upsert

ORDER = {
    "data": {
        "number": 1001, "placed": "2026-02-20", "channel": "AFN", "updated": "2026-03-01T08:00:00Z",
        "parcels": [{"carrier": "DPD", "no": "X"}, {"carrier": "DHL", "no": "JJD1"}], "paid": True,
        "customer": {"mail": "anna@example.com", "address": {"zip": 10115}},
    }
}  # fmt: skip
PATHS = {
    "order.date": "data.placed", "order.fulfilment": ["data.fulfilment", "data.channel"], "as_of": "data.updated",
    "shipment.carrier": "data.parcels[-1].carrier", "shipment.tracking": "data.parcels[-1].no",
    "payment.status": "data.paid", "buyer.email": "data.customer.mail", "buyer.postcode": "data.customer.address.zip",
}  # fmt: skip
VALUES = {"order.fulfilment": {"afn": "amazon", "mfn": "merchant"}, "payment.status": {"true": "captured"}}


@dataclass
class Shop:
    """The other system: what it was asked, and what it answers; ``answers`` are used up before ``answer``."""

    url: str = ""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    answer: Callable[[str], tuple[int, bytes]] = lambda path: (200, json.dumps(ORDER).encode())
    answers: list[tuple[int, bytes]] = field(default_factory=list)
    redirect: str | None = None
    delay: float = 0.0


@pytest.fixture
def shop():
    known = Shop()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            known.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            time.sleep(known.delay)
            status, body = known.answers.pop(0) if known.answers else known.answer(self.path)
            self.send_response(status)
            if known.redirect:
                self.send_header("Location", known.redirect)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            try:
                self.wfile.write(body)
            except OSError:
                return  # who asked has gone

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    known.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield known
    server.shutdown()
    server.server_close()
    thread.join()


def source(shop, path="/orders/{order_id}", **more):
    asked = {"url": shop.url + path, "orders": {"paths": PATHS, "values": VALUES}, "timeout_seconds": 0.5} | more
    return HttpOrders(HttpOrderSettings.model_validate(asked), wait=lambda seconds: None)


def test_facts_are_read_in_our_words_with_the_moment_they_are_of(shop):
    found = source(shop).facts(" 1001 ")
    assert found is not None
    assert found.facts == {
        "order.id": "1001", "order.date": "2026-02-20", "order.fulfilment": "amazon", "shipment.carrier": "DHL",
        "shipment.tracking": "JJD1", "payment.status": "captured",
    }  # fmt: skip
    assert found.as_of == datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
    assert "10115" not in repr(found)


def test_a_fact_needs_its_buyers_proof(shop):
    orders_of_shop = source(shop)
    assert orders_of_shop.verify("1001", "ANNA@example.com")
    assert orders_of_shop.verify("1001", "10115")
    assert orders_of_shop.verify("1001", "10116") is None


@pytest.mark.parametrize(("status", "found"), [(404, None), (410, None), (200, "data")])
def test_an_unknown_order_is_none(shop, status, found):
    shop.answer = lambda path: (status, b'{"data": null}')
    assert source(shop, found=found).facts("77") is None


def test_the_order_id_stays_one_part_of_the_address_and_the_secret_goes_only_there(shop, monkeypatch):
    monkeypatch.setenv("SHOP_TOKEN", "s3cret")
    headers = {"Authorization": {"prefix": "Bearer ", "secret_env": "SHOP_TOKEN"}, "X-Shop": {"value": "7"}}
    asker = source(shop, headers=headers)
    for order_id in ("a/../b", "1?admin=1", "1#x", "%2e%2e", "ü 1", "@evil.example", "\r\nX-Evil: 1", "//evil"):
        asker.facts(order_id)
        path, sent = shop.asked[-1]
        assert path.startswith("/orders/")
        assert path.count("/") == 2
        assert unquote(path.removeprefix("/orders/")) == order_id.strip()
        assert (sent["authorization"], sent["x-shop"], "x-evil" in sent) == ("Bearer s3cret", "7", False)
    before = len(shop.asked)
    for order_id in ("", " ", ".", "..", "x" * 501):
        assert asker.facts(order_id) is None
    assert len(shop.asked) == before
    assert "s3cret" not in repr(asker.settings)


@settings(max_examples=40, deadline=None)
@given(st.text(min_size=1, max_size=50))
def test_no_order_id_changes_host_or_path(order_id):
    made = HttpOrderSettings.model_validate({"url": "https://erp.example/o/{order_id}/x", "orders": {"paths": PATHS}})
    request = made.request(order_id)
    assert request.host == "erp.example"
    assert request.selector.count("/") == 3
    assert request.selector.isascii()


def test_a_redirect_is_not_followed_so_that_the_secret_stays_here(shop):
    shop.redirect = shop.url + "/elsewhere"
    shop.answer = lambda path: (302, b"")
    with pytest.raises(OrderSourceDownError, match="answers 302"):
        source(shop).facts("1")
    assert len(shop.asked) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_failure_is_tried_again_and_a_lasting_one_told(shop, status):
    shop.answers = [(status, b"")]
    assert source(shop).facts("1")
    assert len(shop.asked) == 2
    shop.answer = lambda path: (status, b"")
    with pytest.raises(OrderSourceDownError, match=f"127.0.0.1 answers {status}"):
        source(shop, attempts=3).facts("1")
    assert len(shop.asked) == 5


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, b"", "answers 401; check its secret"),
        (400, b"", "answers 400"),
        (200, b"<html>", "not answer in JSON"),
        (200, b"\xff\xff", "not answer in JSON"),
        (200, b"[" * 100_000, "not answer in JSON"),
        (200, b'{"data": {"placed": {"day": 1}}}', "data.placed: is an object"),
        (200, b'{"data": {"updated": "long ago"}}', "as_of"),
        (200, b" " * (MAX_ANSWER + 1), "more than 1,048,576 bytes"),
    ],
)
def test_an_answer_that_cannot_be_used_says_why_and_is_not_asked_for_again(shop, status, body, said):
    shop.answer = lambda path: (status, body)
    with pytest.raises(OrderSourceDownError, match=said):
        source(shop).facts("1")
    assert len(shop.asked) == 1


def test_a_slow_and_an_absent_system_are_down(shop):
    shop.delay = 2
    with pytest.raises(OrderSourceDownError, match=r"within 0\.1 s"):
        source(shop, timeout_seconds=0.1).facts("1")
    absent = HttpOrderSettings.model_validate({"url": "http://127.0.0.1:1/{order_id}", "orders": {"paths": PATHS}})
    with pytest.raises(OrderSourceDownError, match="cannot be reached"):
        HttpOrders(absent, wait=lambda seconds: None).facts("1")


# -- remembering ---------------------------------------------------------------------------------------------


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def test_an_answer_is_used_again_while_fresh_and_stands_in_with_its_time_while_the_system_is_down(shop):
    clock = Clock()
    cached = CachedOrders(source(shop, attempts=1), fresh=60, stale=3600, clock=clock)
    first = cached.facts("1")
    assert cached.facts(" 1 ") is first
    assert len(shop.asked) == 1
    shop.answer = lambda path: (503, b"")
    clock.now += 61
    assert cached.facts("1") is first
    assert first.as_of == datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
    with pytest.raises(OrderSourceDownError):
        cached.facts("2")
    assert len(shop.asked) == 2  # known to be down: it is not asked for each order
    clock.now += 3600
    with pytest.raises(OrderSourceDownError):
        cached.facts("1")
    shop.answer = lambda path: (404, b"")
    clock.now += 60
    assert cached.facts("1") is None


def test_a_bad_answer_about_one_order_keeps_nobody_from_the_next(shop):
    cached = CachedOrders(source(shop, attempts=1), fresh=60, stale=3600, clock=Clock())
    good = shop.answer
    shop.answer = lambda path: (200, b"<html>") if path.endswith("/2") else good(path)
    with pytest.raises(OrderAnswerError, match="does not answer in JSON"):
        cached.facts("2")
    assert cached.facts("1") is not None


def test_while_the_system_is_down_a_wrong_proof_and_an_unknown_order_look_the_same(shop):
    clock = Clock()
    cached = CachedOrders(source(shop, attempts=1), fresh=60, stale=3600, clock=clock)
    assert cached.verify("1", "10115")
    shop.answer = lambda path: (503, b"")
    clock.now += 61
    assert cached.verify("1", "10115")
    told = []
    for order_id in ("1", "2"):
        with pytest.raises(OrderSourceDownError) as refused:
            cached.verify(order_id, "99999")
        told.append(str(refused.value))
    assert told[0] == told[1]


def test_unknown_orders_are_remembered_as_long_as_known_ones(shop):
    clock = Clock()
    cached = CachedOrders(source(shop), fresh=60, stale=3600, clock=clock)
    shop.answer = lambda path: (404, b"")
    for seconds in (0, 30, 29):
        clock.now += seconds
        assert cached.facts("1") is None
    assert len(shop.asked) == 1


def test_the_table_is_asked_first_then_the_other_system(shop, database):
    row = {"order_id": "5", "facts": {"order.date": "2026-01-01"}, "postcode": "10115", "as_of": datetime.now(UTC)}
    with database.session() as session:
        session.execute(upsert(session, orders), [{"buyer_email": None} | row])
    both = OrderSources([OrderTable(database), source(shop, attempts=1)])
    assert both.facts("5").facts["order.date"] == "2026-01-01"
    assert shop.asked == []
    assert both.facts("6").facts["order.date"] == "2026-02-20"
    assert both.verify("5", "nobody@example.com") is None
    asked = len(shop.asked)
    assert both.verify("5", "10115").facts["order.date"] == "2026-01-01"
    assert len(shop.asked) == asked + 1  # the same work for a known order as for an unknown one
    shop.answer = lambda path: (500, b"")
    assert both.facts("5").facts["order.date"] == "2026-01-01"
    assert both.verify("5", "10115")
    for order_id, proof in (("5", "nobody@example.com"), ("7", "10115")):
        with pytest.raises(DeskError, match="answers 500"):
            both.verify(order_id, proof)


# -- the file ------------------------------------------------------------------------------------------------

GOOD = "url: https://erp.example/{order_id}\norders:\n  paths: {order.date: date}\n"


def load(tmp_path, text):
    path = tmp_path / "orders.yaml"
    path.write_text(text, encoding="utf-8")
    return load_http_orders(path)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (GOOD.replace("erp.example", "{order_id}.example"), 1, "not in the host"),
        (GOOD.replace("/{order_id}", "/orders"), 1, "{order_id} must stand"),
        (GOOD.replace("https", "file"), 1, "whole address"),
        (GOOD.replace("erp.", "me:pw@erp."), 1, "no password"),
        (GOOD.replace("order.date:", "OrderDate:"), 3, "not a fact name"),
        (GOOD.replace("date: date", "date: 'a[b'"), 3, "is no path"),
        (GOOD + "headers:\n  Authorization: {secret_env: NOT_THERE_1}\n", 5, "NOT_THERE_1 is not set"),
        (GOOD + "headers:\n  Authorization: {secret_file: /no/such}\n", 5, "cannot be read"),
        (GOOD + "timeout_seconds: 0\n", 4, "greater than 0"),
        (GOOD + "retry: 3\n", 4, "not permitted"),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_line(tmp_path, text, line, says):
    with pytest.raises(DataFileError) as refused:
        load(tmp_path, text)
    assert says in str(refused.value)
    assert f"orders.yaml:{line}:" in str(refused.value)


def test_the_file_of_the_guide_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv("ERP_TOKEN", "t0ken")
    guide = (Path(__file__).parents[2] / "docs" / "orders.md").read_text(encoding="utf-8")
    assert load(tmp_path, guide.split("```yaml\n")[1].split("```")[0]).settings.orders.paths["order.date"]


# -- earlier contacts ----------------------------------------------------------------------------------------


def test_earlier_contacts_are_those_of_the_order_or_the_customer_newest_first(desk):
    def receive(number, day, **more):
        made = IncomingTicket("t", str(number), f"text {number}", created_at=datetime(2026, 3, day, tzinfo=UTC), **more)
        return desk.receive(made).ticket_id

    both = receive(1, 1, order_id="A", customer_email="Anna@Example.com", subject="first")
    same_order = receive(2, 2, order_id="A", customer_email="partner@example.com")
    same_customer = receive(3, 3, customer_email="anna@example.com")
    receive(4, 4, order_id="B", customer_email="b@example.com")
    asked = receive(5, 5, order_id="A", customer_email="anna@example.com")
    receive(6, 6, order_id="A")
    desk.correct_tag(both, "tracking_update", "agent:a")
    desk.resolve(both, "agent:a")
    found = earlier_contacts(desk.database, desk.ticket(asked).ticket)
    assert [(contact.ticket_id, contact.same) for contact in found] == [
        (same_customer, ("customer",)), (same_order, ("order",)), (both, ("order", "customer")),
    ]  # fmt: skip
    assert (found[-1].reason, found[-1].status, found[-1].subject) == ("tracking_update", "resolved", "first")
    assert len(earlier_contacts(desk.database, desk.ticket(asked).ticket, limit=1)) == 1
    assert earlier_contacts(desk.database, desk.ticket(receive(7, 7)).ticket) == []
