"""The file that names the sources of webhooks: what it may say, and which secrets are none."""

import base64
import hashlib
import hmac
import json
from pathlib import Path

import pytest
import sqlalchemy as sa

from classifier.datafile import DataFileError
from desk.database import open_database
from desk.tables import tickets
from desk.webhooks import deliver, load_sources
from desk.webhooks.sources import preset_names, weakness

KEY = "k3y-0f-7h3-t3st-4b9d2c"
STANDARD_KEY = "whsec_" + base64.b64encode(b"a key of twenty-four byte").decode()


@pytest.fixture
def sqlite(tmp_path):
    opened = open_database(f"sqlite:///{tmp_path}/one.db")
    yield opened
    opened.close()


def load(tmp_path: Path, text: str):
    path = tmp_path / "webhooks.yaml"
    path.write_text(text, encoding="utf-8")
    return load_sources(path)


def test_a_mapping_of_ones_own_and_a_changed_preset_are_read(tmp_path, monkeypatch, sqlite):
    monkeypatch.setenv("OWN_SECRET", KEY)
    sources = load(tmp_path, """\
sources:
  own:
    signature: {signature_header: X-Sig, algorithm: sha256, encoding: hex}
    secrets: [{secret_env: OWN_SECRET}]
    channel: shop
    mapping:
      fields: {external_id: 'case[kind=return].no', body: "lines[-1].text", order_id: ["case[0]['order.no']"]}
  chat:
    preset: chatwoot
    secrets: [{secret_env: OWN_SECRET}]
    mapping: {fields: {order_id: conversation.custom_attributes.bestellnummer}}
""")  # fmt: skip
    body = json.dumps(
        {"case": [{"kind": "x", "order.no": "A-7"}, {"kind": "return", "no": 5}], "lines": [{}, {"text": "hi"}]}
    ).encode()
    headers = {"X-Sig": hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest()}
    done = deliver(sqlite, sources["own"], headers, body)
    with sqlite.session(read_only=True) as session:
        [row] = session.execute(sa.select(tickets)).all()
    assert (row.id, row.external_id, row.body, row.order_id, row.channel) == (done.ticket_id, "5", "hi", "A-7", "shop")
    assert sources["chat"].mapping.fields["order_id"] == ("conversation.custom_attributes.bestellnummer",)
    assert sources["chat"].mapping.fields["body"][0] == "content"


@pytest.mark.parametrize(
    ("lines", "line", "says"),
    [
        ("  a:\n    preset: freshworks\n    secrets: [{secret_env: OWN_SECRET}]", 3, "chatwoot"),
        ("  a:\n    preset: zammad\n    secrets: []", 4, "at least 1"),
        ("  a:\n    preset: zammad\n    secrets:\n    - {secret_env: NOT_THERE}", 5, "NOT_THERE is not set"),
        ("  a:\n    preset: zammad\n    secrets:\n    - {secret_file: /no/such}", 5, "cannot be read"),
        ("  a:\n    preset: zammad\n    secrets: [{secret_env: WEAK}]", 4, "WEAK holds a placeholder"),
        ("  a:\n    preset: zammad\n    secrets: [{secret: hunter2}]", 4, "secret"),
        ("  a:\n    preset: generic\n    secrets: [{secret_env: OWN_SECRET}]", 2, "whsec_"),
        ("  a:\n    secrets: [{secret_env: OWN_SECRET}]", 2, "external_id is needed"),
        ("  a:\n    preset: zammad\n    secrets: [{secret_env: OWN_SECRET}]\n    mapping: {fields: {boddy: x}}", 2,
         "no such field: boddy"),
        ("  a:\n    preset: zammad\n    secrets: [{secret_env: OWN_SECRET}]\n    mapping: {fields: {body: 'a[b'}}", 2,
         "is no path"),
        ("  'A b':\n    preset: zammad\n    secrets: [{secret_env: OWN_SECRET}]", 1, "a-z"),
        ("  a:\n    preset: zammad\n    tolerance_seconds: 1\n    secrets: [{secret_env: OWN_SECRET}]", 4, "10"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_file_is_told_with_its_line_and_never_the_secret(tmp_path, monkeypatch, lines, line, says):
    monkeypatch.setenv("OWN_SECRET", "k3y:0f-7h3-t3st-4b9d2c")
    monkeypatch.setenv("WEAK", "change-me-please-secret")
    with pytest.raises(DataFileError) as refused:
        load(tmp_path, "sources:\n" + lines)
    told = str(refused.value)
    assert says in told
    assert f"webhooks.yaml:{line}:" in told
    assert "4b9d2c" not in told
    assert "change-me" not in told


def test_a_secret_file_is_read_without_its_line_end_and_secrets_are_not_shown(tmp_path, monkeypatch):
    secret = tmp_path / "secret"
    secret.write_text(KEY + "\n")
    sources = load(tmp_path, f"sources:\n  a:\n    preset: zammad\n    secrets: [{{secret_file: {secret}}}]")
    assert sources["a"].secrets == (KEY,)
    assert KEY not in repr(sources)


@pytest.mark.parametrize(
    "secret",
    ["short", "a" * 40, "change-me-please-secret", "your-webhook-secret-here", "secret1234567890",
     "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
)  # fmt: skip
def test_placeholders_and_published_secrets_are_none(secret):
    assert weakness(secret)


@pytest.mark.parametrize(
    "secret", [KEY, STANDARD_KEY, "shpss_0123456789abcdef0123456789abcdef", "xWv4k2QqT8n1ZpL0sR+/Yu"]
)
def test_secrets_as_systems_make_them_are_taken(secret):
    assert weakness(secret) is None


def test_every_shipped_mapping_stands_in_the_guide():
    guide = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text(encoding="utf-8")
    assert [name for name in preset_names() if f"`{name}`" not in guide] == []
