import base64
import copy
import hashlib
import hmac
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from standardwebhooks import Webhook

from desk.database import DatabaseError
from desk.order_table import OrderTable
from desk.tables import deliveries, jobs, tickets
from desk.webhooks import Effect, PayloadError, SignatureError, deliver, load_sources

KEY = "k3y-0f-7h3-t3st-4b9d2c"
STANDARD_KEY = "whsec_" + base64.b64encode(b"a key of twenty-four byte").decode()
NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
SOURCES = """\
sources:
  erp:
    preset: generic
    secrets: [{secret_env: ERP_SECRET}]
    marketplace: amazon
  zendesk:
    preset: zendesk
    secrets: [{secret_env: DESK_SECRET}]
  chatwoot:
    preset: chatwoot
    secrets: [{secret_env: DESK_SECRET}]
  zammad:
    preset: zammad
    secrets: [{secret_env: DESK_SECRET}]
  shop:
    preset: shopify
    secrets: [{secret_env: DESK_SECRET}]
"""
GENERIC = {
    "type": "message.created",
    "ticket": {"id": 77, "subject": "Livraison", "order_id": "026-1234567-1234567", "language": "fr-FR"},
    "message": {"id": "m1", "text": "Où est mon colis ? 📦", "created_at": "2026-03-01T09:59:30Z"},
    "customer": {"email": "anna@example.com", "name": "Anna"},
}
CHATWOOT = {
    "event": "message_created", "id": 654, "content": "Where is my parcel?", "created_at": "2026-03-01 09:59:00 UTC",
    "message_type": "incoming", "private": False, "sender": {"id": 4, "name": "Ben", "email": "ben@example.com"},
    "conversation": {"id": 207, "channel": "Channel::WebWidget", "custom_attributes": {"order_id": "A-1"}},
}  # fmt: skip
ZAMMAD = {
    "ticket": {"id": 12, "title": "Broken lamp", "customer": {"email": "c@example.com", "firstname": "Chris"}},
    "article": {"id": 104, "sender": "Customer", "internal": False, "type": "email", "content_type": "text/html",
                "body": "<p>The lamp is <b>broken</b>.</p><p>Refund?</p>", "created_at": "2026-03-01T09:50:00.282Z",
                "created_by": {"email": "c@example.com"}},
}  # fmt: skip
ZENDESK = {
    "type": "zen:event-type:ticket.created", "id": "01H", "time": "2026-03-01T09:59:58.254571515Z",
    "detail": {"id": "35436", "subject": "Late", "description": "It is late.", "via": {"channel": "web"}}, "event": {},
}  # fmt: skip
COMMENT = {
    **ZENDESK, "type": "zen:event-type:ticket.comment_added", "id": "01J",
    "event": {"comment": {"id": "9", "body": "It is late.", "is_public": True, "author": {"is_staff": False}}},
}  # fmt: skip
SHOPIFY = {
    "name": "#1001", "updated_at": "2026-03-01T10:00:00+01:00", "created_at": "2026-02-20T10:00:00+01:00",
    "financial_status": "paid", "email": "anna@example.com", "shipping_address": {"zip": "10115"},
    "fulfillments": [{"tracking_company": "DHL", "tracking_number": "JJD1"}],
}  # fmt: skip


@pytest.fixture
def sources(tmp_path, monkeypatch):
    monkeypatch.setenv("ERP_SECRET", STANDARD_KEY)
    monkeypatch.setenv("DESK_SECRET", KEY)
    path = tmp_path / "webhooks.yaml"
    path.write_text(SOURCES, encoding="utf-8")
    return load_sources(path)


def signed(name, payload, event_id="e1", at=NOW):
    """Headers and body as the system sends them, signed here with nothing but the standard library."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload, ensure_ascii=False).encode()
    seconds = str(int(at.timestamp()))

    def mac(content, algorithm="sha256"):
        return hmac.new(KEY.encode(), content, algorithm)

    def in_base64(content):
        return base64.b64encode(mac(content).digest()).decode()

    match name:
        case "erp":
            content = f"{event_id}.{seconds}.".encode() + body
            key = base64.b64decode(STANDARD_KEY.removeprefix("whsec_"))
            signature = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
            headers = {
                "Webhook-Id": event_id, "Webhook-Timestamp": seconds, "Webhook-Signature": f"v1,{signature}",
            }  # fmt: skip
        case "zendesk":
            headers = {
                "X-Zendesk-Webhook-Signature": in_base64(at.isoformat().encode() + body),
                "X-Zendesk-Webhook-Signature-Timestamp": at.isoformat(),
                "X-Zendesk-Webhook-Invocation-Id": event_id,
            }
        case "chatwoot":
            headers = {
                "X-Chatwoot-Signature": "sha256=" + mac(seconds.encode() + b"." + body).hexdigest(),
                "X-Chatwoot-Timestamp": seconds,
                "X-Chatwoot-Delivery": event_id,
            }
        case "zammad":
            headers = {"X-Hub-Signature": "sha1=" + mac(body, "sha1").hexdigest(), "X-Zammad-Delivery": event_id}
        case _:
            headers = {
                "X-Shopify-Hmac-Sha256": in_base64(body), "X-Shopify-Webhook-Id": event_id,
                "X-Shopify-Topic": "orders/updated",
            }  # fmt: skip
    return headers, body


@pytest.fixture
def send(database, sources):
    def act(name, payload, event_id="e1", at=NOW, **headers):
        given, body = signed(name, payload, event_id, at)
        return deliver(database, sources[name], given | headers, body, now=at)

    return act


def changed(payload, **parts):
    """A copy with members replaced, ``article__internal=True`` naming a nested one."""
    copied = copy.deepcopy(payload)
    for path, value in parts.items():
        *outer, last = path.split("__")
        inside = copied
        for step in outer:
            inside = inside[step]
        inside[last] = value
    return copied


def stored(database, table):
    with database.session(read_only=True) as session:
        return session.execute(sa.select(table)).all()


def test_the_signature_made_here_is_that_of_the_senders_library():
    headers, body = signed("erp", GENERIC)
    assert Webhook(STANDARD_KEY).sign("e1", NOW, body.decode()) == headers["Webhook-Signature"]


@pytest.mark.parametrize(
    ("name", "payload", "expected"),
    [
        ("erp", GENERIC, ("77", "Livraison", "Où est mon colis ? 📦", "anna@example.com", "unknown")),
        ("chatwoot", CHATWOOT, ("207", "", "Where is my parcel?", "ben@example.com", "chat")),
        ("zammad", ZAMMAD, ("12", "Broken lamp", "The lamp is broken.\n\nRefund?", "c@example.com", "email")),
        ("zendesk", ZENDESK, ("35436", "Late", "It is late.", None, "web")),
    ],
)
def test_a_customers_first_message_opens_a_ticket_with_its_job_in_one_go(send, desk, database, name, payload, expected):
    done = send(name, payload)
    assert done.effect is Effect.TICKET_OPENED
    ticket = desk.ticket(done.ticket_id).ticket
    assert (ticket.external_id, ticket.subject, ticket.body, ticket.customer_email, ticket.channel) == expected
    assert ticket.source == name
    assert [(job.kind, job.key, job.payload) for job in stored(database, jobs)] == [
        ("tag", done.ticket_id, {"ticket_id": done.ticket_id})
    ]
    assert {row.ticket_id for row in stored(database, deliveries)} == {done.ticket_id}
    assert NOW - ticket.created_at < timedelta(minutes=11)


def test_what_the_payload_does_not_say_stands_in_the_configuration(send, desk):
    ticket = desk.ticket(send("erp", GENERIC).ticket_id).ticket
    assert (ticket.marketplace, ticket.language, ticket.order_id) == ("amazon", "fr", "026-1234567-1234567")


def test_a_further_message_a_reply_and_a_note_go_to_the_ticket_and_reopen_it(send, desk):
    ticket_id = send("chatwoot", CHATWOOT).ticket_id
    reply = changed(CHATWOOT, id=655, message_type="outgoing", content="It comes tomorrow.", sender__name="Anna")
    assert send("chatwoot", reply, "e2").effect is Effect.REPLY_RECORDED
    note = changed(reply, id=656, private=True, content="Called DHL.")
    assert send("chatwoot", note, "e3").effect is Effect.NOTE_RECORDED
    desk.correct_tag(ticket_id, "tracking_update", "agent:anna")
    desk.resolve(ticket_id, "agent:anna")
    later = datetime.now(UTC) + timedelta(seconds=1)
    again = changed(CHATWOOT, id=657, content="It did not come.", created_at=int(later.timestamp()) + 5)
    done = send("chatwoot", again, "e4", later)
    assert (done.effect, done.ticket_id) == (Effect.MESSAGE_ADDED, ticket_id)
    state = desk.ticket(ticket_id).state
    assert (str(state.status), state.contacts, state.replies, state.reopenings) == ("open", 2, 1, 1)
    said = [(str(event.kind), event.actor) for event in desk.events(ticket_id)]
    assert said[:3] == [("received", "chatwoot"), ("replied", "agent:Anna"), ("noted", "agent:Anna")]


def test_a_reply_to_a_ticket_that_is_not_known_has_no_effect(send, database):
    done = send("chatwoot", changed(CHATWOOT, message_type="outgoing"))
    assert (done.effect, stored(database, tickets)) == (Effect.IGNORED, [])


@pytest.mark.parametrize("name", ["erp", "chatwoot", "zammad", "zendesk"])
def test_a_repeated_delivery_and_a_replay_under_another_id_have_no_effect(send, desk, database, sources, name):
    payload = {"erp": GENERIC, "chatwoot": CHATWOOT, "zammad": ZAMMAD, "zendesk": ZENDESK}[name]
    first = send(name, payload)
    before = len(stored(database, deliveries))
    for event_id, at in (("e1", NOW), ("e1", NOW + timedelta(seconds=30))):
        assert send(name, payload, event_id, at).effect is Effect.DUPLICATE
    if name != "erp":  # there the id is signed, so that changing it breaks the proof
        headers, body = signed(name, payload)
        id_header = list(headers)[-1]
        replayed = deliver(database, sources[name], headers | {id_header: "forged"}, body, now=NOW)
        assert replayed.effect is Effect.DUPLICATE
        assert not [row for row in stored(database, deliveries) if "forged" in row.event_id]
    assert len(desk.events(first.ticket_id)) == 1
    assert len(stored(database, deliveries)) <= before + 1  # a retry of another time is signed anew


def test_a_message_that_two_webhooks_of_one_system_tell_is_taken_once(send, desk):
    first = send("chatwoot", CHATWOOT, "account-webhook")
    assert send("chatwoot", CHATWOOT | {"account": {"id": 2}}, "inbox-webhook").effect is Effect.DUPLICATE
    assert desk.ticket(first.ticket_id).state.contacts == 1


@pytest.mark.parametrize("order", [(ZENDESK, COMMENT), (COMMENT, ZENDESK)])
def test_zendesk_tells_of_a_first_message_twice_and_it_is_one(send, desk, order):
    first, second = (send("zendesk", event, event["id"]) for event in order)
    assert (first.effect, second.effect) == (Effect.TICKET_OPENED, Effect.DUPLICATE)
    assert desk.ticket(first.ticket_id).state.contacts == 1
    later = changed(COMMENT, event__comment__id="10", time="2026-03-01T10:30:00Z")
    assert send("zendesk", later, "x", NOW + timedelta(hours=1)).effect is Effect.MESSAGE_ADDED


def test_the_same_event_from_eight_threads_at_once_is_one_ticket(database, sources, desk):
    headers, body = signed("chatwoot", CHATWOOT)

    def one(_):
        return deliver(database, sources["chatwoot"], headers, body, now=NOW)

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(one, range(8)))
    assert sorted(answer.effect for answer in done) == [Effect.DUPLICATE] * 7 + [Effect.TICKET_OPENED]
    assert len(stored(database, tickets)) == len(stored(database, jobs)) == 1


def test_eight_different_messages_of_a_new_conversation_at_once_are_one_ticket_with_all_of_them(send, desk, database):
    def one(number):
        payload = changed(CHATWOOT, id=number, content=f"line {number}")
        return send("chatwoot", payload, f"d{number}")

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(one, range(8)))
    assert sorted(answer.effect for answer in done) == [Effect.MESSAGE_ADDED] * 7 + [Effect.TICKET_OPENED]
    [ticket] = stored(database, tickets)
    assert desk.ticket(ticket.id).state.contacts == 8


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("chatwoot", {"event": "conversation_typing_on"}),
        ("zendesk", {"type": "zen:event-type:user.deleted", "id": "1"}),
        ("zammad", {"ticket": {"id": 1}, "article": None}),
        ("zammad", changed(ZAMMAD, article__sender="System")),
        ("erp", {}),
        ("shop", {"id": 1}),
    ],
)
def test_events_without_meaning_here_are_acknowledged_and_noted(send, database, name, payload):
    headers = {"X-Shopify-Topic": "products/create"} if name == "shop" else {}
    done = send(name, payload, **headers)
    assert done.effect is Effect.IGNORED
    assert done.why
    assert stored(database, deliveries)
    assert stored(database, tickets) == []


@pytest.mark.parametrize(
    ("name", "payload", "where"),
    [
        ("erp", changed(GENERIC, ticket__id=None), "ticket.id"),
        ("erp", changed(GENERIC, ticket__id={"x": 1}), "ticket.id"),
        ("erp", changed(GENERIC, message__text=" \n"), "message.text"),
        ("erp", changed(GENERIC, message__text=["a"]), "message.text"),
        ("erp", changed(GENERIC, message__created_at="yesterday"), "message.created_at"),
        ("erp", changed(GENERIC, message__id="m" * 501), "message.id"),
        ("erp", changed(GENERIC, ticket__id="7" * 501), "ticket.id"),
        ("erp", changed(GENERIC, message__text="x" * 1_100_000), "message.text"),
        ("erp", b"[1]", "body"),
        ("erp", b"not json", "body"),
        ("erp", b'{"a": "\xff"}', None),  # Standard Webhooks signs text
        ("chatwoot", b'{"a": "\xff"}', "body"),
        ("chatwoot", b"[" * 200_000, "body"),
        ("chatwoot", b'{"id": ' + b"9" * 5000 + b"}", "body"),
        ("shop", {"updated_at": "2026-03-01"}, "order"),
    ],
)
def test_a_payload_that_lacks_something_is_refused_with_the_path_and_leaves_nothing(
    send, database, name, payload, where
):
    with pytest.raises((PayloadError, SignatureError)) as refused:
        send(name, payload)
    assert where is None or where in str(refused.value)
    assert stored(database, deliveries) == stored(database, tickets) == []


def test_what_a_database_cannot_hold_is_replaced_and_time_ahead_of_ours_is_now(send, desk):
    payload = changed(GENERIC, message__text="a\x00b \ud800 ok", message__created_at="2026-03-09T00:00:00Z")
    body = json.dumps(payload).encode()
    ticket = desk.ticket(send("erp", body).ticket_id).ticket
    assert ticket.body == "a\ufffdb \ufffd ok"
    assert ticket.created_at == NOW


def test_an_order_of_a_shop_becomes_facts_and_older_news_do_not_overwrite_them(send, database):
    assert send("shop", SHOPIFY).effect is Effect.ORDER_UPDATED
    orders = OrderTable(database)
    found = orders.verify("#1001", "10115")
    assert found is not None
    assert found.facts["payment.status"] == "captured"
    assert found.facts["shipment.tracking"] == "JJD1"
    assert found.as_of == datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
    older = SHOPIFY | {"updated_at": "2026-02-27T10:00:00+01:00", "financial_status": "pending"}
    assert send("shop", older, "e2").effect is Effect.IGNORED
    newer = {"name": "#1001", "updated_at": "2026-03-01T09:30:00Z", "financial_status": "refunded"}
    assert send("shop", newer, "e3").effect is Effect.ORDER_UPDATED
    merged = orders.facts("#1001")
    assert (merged.facts["payment.status"], merged.facts["shipment.tracking"]) == ("refunded", "JJD1")
    assert merged.buyer_email == "anna@example.com"


def test_a_failure_half_way_leaves_nothing_so_that_the_sender_may_try_again(send, database, monkeypatch):
    with monkeypatch.context() as patched:

        def fails(*_args, **_options):
            raise sa.exc.OperationalError("INSERT", {}, Exception("disk full"))

        patched.setattr("desk.webhooks.delivery.enqueue", fails)
        with pytest.raises(DatabaseError):
            send("erp", GENERIC)
    assert stored(database, tickets) == stored(database, deliveries) == []
    assert send("erp", GENERIC).effect is Effect.TICKET_OPENED
