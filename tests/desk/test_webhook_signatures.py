"""The signatures expected were made with `openssl dgst -hmac`; that of Standard Webhooks is its published example."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from standardwebhooks import Webhook

from desk.webhooks.signatures import TOLERANCE, HmacScheme, SignatureError, scheme_names, scheme_of

BODY = '{"ticket":{"id":1},"text":"Où est mon colis ? 📦"}'.encode()
KEY = "k3y-0f-7h3-t3st-4b9d2c"
NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
SIGNED = {
    "zendesk": {
        "x-zendesk-webhook-signature": "00atGNhXni3xTn6ycYkw8sRrO9RVe3aSJzy0qnP4y7A=",
        "x-zendesk-webhook-signature-timestamp": "2026-03-01T10:00:00Z",
        "x-zendesk-webhook-invocation-id": "8350205582",
    },
    "chatwoot": {
        "x-chatwoot-signature": "sha256=54012b96835c92a808ee18f6a680c81984a75a253a1d64af95e36ffc66cab79b",
        "x-chatwoot-timestamp": "1772359200",
        "x-chatwoot-delivery": "5c2d6e0f",
    },
    "zammad": {"x-hub-signature": "sha1=ba14cc52c8c38919ff4f0029814d0cbfd878d98d", "x-zammad-delivery": "d-1"},
    "shopify": {
        "x-shopify-hmac-sha256": "WMJuO+Z+Ca+ZWEMTX/XrxPh5oHHfqTCxO+srVsVL6uA=",
        "x-shopify-webhook-id": "b54557e4",
    },
}
STANDARD_KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
STANDARD_BODY = b'{"test": 2432232314}'
STANDARD = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
SENT = datetime.fromtimestamp(1614265330, tz=UTC)
TIMED = [name for name, headers in SIGNED.items() if any("timestamp" in header for header in headers)]


def verify(name, headers, body=BODY, keys=(KEY,), now=NOW, tolerance=TOLERANCE):
    return scheme_of(name).verify(keys, headers, body, now=now, tolerance=tolerance)


@pytest.mark.parametrize("name", SIGNED)
def test_a_signature_made_by_openssl_is_proven_and_names_the_delivery(name):
    proof = verify(name, SIGNED[name])
    assert proof.event_id == list(SIGNED[name].values())[-1]
    assert proof.replay_key


def test_the_published_example_of_standard_webhooks_is_proven():
    proof = verify("standard", STANDARD, STANDARD_BODY, [STANDARD_KEY], SENT)
    assert (proof.event_id, proof.replay_key) == ("msg_p5jXN8AQM9LWM0D4loKWxJek", None)


@pytest.mark.parametrize("name", SIGNED)
@pytest.mark.parametrize(
    "changed",
    [BODY + b" ", b" " + BODY, BODY + b"\n", BODY.replace(b":", b": ", 1), BODY.replace(b"1", b"2"), b"", BODY[:-1]],
)
def test_one_changed_byte_even_of_white_space_is_refused(name, changed):
    with pytest.raises(SignatureError):
        verify(name, SIGNED[name], changed)


@pytest.mark.parametrize("changed", [STANDARD_BODY + b" ", b'{"test":2432232314}', b"\xff" + STANDARD_BODY])
def test_one_changed_byte_is_refused_by_standard_webhooks_too(changed):
    with pytest.raises(SignatureError):
        verify("standard", STANDARD, changed, [STANDARD_KEY], SENT)


@pytest.mark.parametrize("name", SIGNED)
def test_every_header_of_the_proof_is_needed_and_a_wrong_one_is_refused(name):
    needed = [header for header in SIGNED[name] if "signature" in header or "hmac" in header]
    for header in needed:
        for value in (None, "", "nonsense", "sha256=", "sha1=zz", "é", "A" * 100_000, "9" * 40, "-1"):
            headers = {key: text for key, text in SIGNED[name].items() if key != header}
            with pytest.raises(SignatureError):
                verify(name, headers if value is None else headers | {header: value})


@pytest.mark.parametrize(
    "value", ["", "v1", "v1,", "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", ",,,", "v1a,AAAA v1,é", "v1,g0hM9S"]
)
def test_a_wrong_standard_signature_is_refused_whatever_its_form(value):
    with pytest.raises(SignatureError):
        verify("standard", STANDARD | {"webhook-signature": value}, STANDARD_BODY, [STANDARD_KEY], SENT)


@pytest.mark.parametrize("value", ["nan", "inf", "1e9", "-1614265330", "1614265330.0", "²", "9" * 30, "1614265331"])
def test_a_standard_time_that_was_not_signed_or_is_none_is_refused(value):
    with pytest.raises(SignatureError):
        verify("standard", STANDARD | {"webhook-timestamp": value}, STANDARD_BODY, [STANDARD_KEY], SENT)


def test_while_a_secret_is_being_changed_old_and_new_are_taken():
    for name, headers in SIGNED.items():
        for keys in ([KEY, "another-k3y-of-us"], ["another-k3y-of-us", KEY]):
            assert verify(name, headers, keys=keys)
        with pytest.raises(SignatureError):
            verify(name, headers, keys=["another-k3y-of-us"])
    other = "whsec_" + base64.b64encode(b"another secret of 24 byte").decode()
    assert verify("standard", STANDARD, STANDARD_BODY, [other, STANDARD_KEY], SENT)
    both = "v1,AAAA v1a,BBBB " + STANDARD["webhook-signature"]  # the sender signs with both of its keys
    assert verify("standard", STANDARD | {"webhook-signature": both}, STANDARD_BODY, [STANDARD_KEY], SENT)
    with pytest.raises(SignatureError):
        verify("standard", STANDARD, STANDARD_BODY, [other], SENT)


@pytest.mark.parametrize("name", TIMED)
@pytest.mark.parametrize("sign", [1, -1])
def test_the_tolerance_is_met_on_its_edge_and_not_a_second_beyond(name, sign):
    assert verify(name, SIGNED[name], now=NOW + sign * TOLERANCE)
    with pytest.raises(SignatureError, match="time"):
        verify(name, SIGNED[name], now=NOW + sign * (TOLERANCE + timedelta(seconds=1)))
    assert verify(name, SIGNED[name], now=NOW + sign * timedelta(minutes=9), tolerance=timedelta(minutes=10))


@pytest.mark.parametrize("sign", [1, -1])
def test_the_tolerance_holds_for_standard_webhooks(sign):
    assert verify("standard", STANDARD, STANDARD_BODY, [STANDARD_KEY], SENT + sign * TOLERANCE)
    with pytest.raises(SignatureError, match="time"):
        verify("standard", STANDARD, STANDARD_BODY, [STANDARD_KEY], SENT + sign * (TOLERANCE + timedelta(seconds=1)))


def test_schemes_without_a_time_are_told_apart_by_what_was_signed():
    other = BODY.replace(b"1", b"2")
    headers = {"x-hub-signature": "sha1=" + hmac.new(KEY.encode(), other, hashlib.sha1).hexdigest()}
    first, second = verify("zammad", SIGNED["zammad"]), verify("zammad", headers, other)
    assert first.replay_key != second.replay_key
    assert verify("zammad", SIGNED["zammad"] | {"x-zammad-delivery": "forged"}).replay_key == first.replay_key


@settings(max_examples=40, deadline=None)
@given(
    text=st.text(max_size=200),
    key=st.binary(min_size=8, max_size=64),
    name=st.from_regex(r"[!-~]{1,40}", fullmatch=True),
)
def test_what_the_standard_library_of_the_sender_signs_is_proven(text, key, name):
    secret = "whsec_" + base64.b64encode(key).decode()
    signature = Webhook(secret).sign(name, SENT, text.encode("utf-8", "replace").decode())
    headers = {"webhook-id": name, "webhook-timestamp": "1614265330", "webhook-signature": signature}
    assert verify("standard", headers, text.encode("utf-8", "replace"), [secret], SENT).event_id == name


def test_a_scheme_of_ones_own_is_described():
    scheme = HmacScheme(signature_header="X-Sig", algorithm="sha512", encoding="base64", timestamp_header="X-Time",
                        joined_by=":")  # fmt: skip
    content = b"1772359200000:" + BODY
    signature = base64.b64encode(hmac.new(KEY.encode(), content, hashlib.sha512).digest()).decode()
    headers = {"x-sig": signature, "x-time": "1772359200000"}  # milliseconds
    assert verify(scheme, headers).event_id is None


def test_an_unknown_scheme_names_those_that_there_are():
    with pytest.raises(ValueError, match="chatwoot"):
        scheme_of("github")
    with pytest.raises(ValidationError):
        HmacScheme(signature_header="X", algorithm="md5")
    assert scheme_names() == ("standard", "chatwoot", "shopify", "zammad", "zendesk")
