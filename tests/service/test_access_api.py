"""Signing in, sessions, keys and who acts, over HTTP."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from desk.access.audit import verify
from desk.database import open_database
from desk.inbox import Desk, IncomingTicket
from desk.macro_library import MacroLibrary
from service.app import create_app
from service.routes.signing_in import own_path
from service.settings import SettingsError, load_settings
from service.wiring import Services, open_services

CONTENT = Path(__file__).parents[1] / "bot" / "content"
ORIGIN = {"Origin": "http://testserver"}
PASSWORD, OTHER = "seven quiet herons", "a bucket of green paint"
SECRET = "a-long-console-token"
TICKETS = "/v1/console/tickets"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    root = tmp_path_factory.mktemp("access")
    settings = load_settings(home=root / "home", models_store=root / "none", signing_key=root / "key", content=CONTENT)
    with open_services(settings) as services:
        yield services


@pytest.fixture
def services(opened: Services, tmp_path: Path) -> Iterator[Services]:
    """The opened parts over an empty database."""
    database = open_database(f"sqlite:///{tmp_path}/desk.db")
    yield replace(
        opened, database=database, desk=Desk(database), macros=MacroLibrary(database, opened.taxonomy),
        intake=type(opened.intake)(database),
    )  # fmt: skip
    database.close()


def client_of(services: Services, base_url: str = "http://testserver", **settings: object) -> TestClient:
    changed = replace(services, settings=services.settings.model_copy(update=settings))
    return TestClient(create_app(changed), base_url, raise_server_exceptions=False, follow_redirects=False)


@pytest.fixture
def client(services: Services) -> TestClient:
    return client_of(services)


@pytest.fixture
def people(client: TestClient):
    accounts = client.app.state.access.accounts
    accounts.add("root", "admin", by="test", password=PASSWORD)
    accounts.add("anna", "agent", by="test", password=PASSWORD, display_name="Anna B.")
    accounts.add("lea", "lead", by="test", password=PASSWORD)
    return accounts


def sign_in(client: TestClient, username: str = "anna", password: str = PASSWORD):
    return client.post("/login", json={"username": username, "password": password}, headers=ORIGIN)


def proof(client: TestClient) -> dict[str, str]:
    """What a page of ours sends with a request that changes something."""
    token = next((value for name, value in client.cookies.items() if name.endswith("paretodesk_request")), "")
    return ORIGIN | {"X-CSRF-Token": token}


def deliver(services: Services, number: str = "1") -> str:
    return services.desk.receive(IncomingTicket("test", number, "Where is my parcel?")).ticket_id


def test_on_this_machine_without_accounts_everything_is_open_and_requests_say_who_acts(client, services):
    ticket = deliver(services)
    assert client.get("/console").status_code == 200
    assert "audit:read" in client.get("/v1/me").json()["permissions"]
    url = f"{TICKETS}/{ticket}/correct"
    done = client.post(url, json={"agent": "ben", "reason": "not_received"})
    assert done.json()["state"]["confirmed_by"] == "agent:ben"
    assert client.post(url, json={"reason": "other"}, headers={"Origin": "https://evil.example"}).status_code == 403
    across = {"Sec-Fetch-Site": "cross-site"}
    assert client.post(url, json={"reason": "other"}, headers=across).status_code == 403
    assert client.get("/console", headers={"Host": "evil.example"}).status_code == 400


def test_the_first_account_closes_the_desk_without_a_restart(client):
    assert client.get(TICKETS).status_code == 200
    client.app.state.access.accounts.add("root", "admin", by="test", password=PASSWORD)
    refused = client.get(TICKETS)
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    sent = client.get("/console?x=1&y=2", headers={"Accept": "text/html"})
    assert (sent.status_code, sent.headers["location"]) == (303, "/login?next=%2Fconsole%3Fx%3D1%26y%3D2")
    assert client.get("/healthz").status_code == 200
    assert client.post("/v1/chat/sessions", json={"site": "demo"}).status_code == 201


def test_a_form_signs_in_and_leads_back_to_where_one_wanted_to_go(client, people):
    page = client.get("/login?next=/report%3Fa%3D1")
    assert 'value="/report?a=1"' in page.text
    form = {"username": " Anna ", "password": PASSWORD, "next": "/report?a=1"}
    done = client.post("/login", data=form, headers={"Origin": "null", "Sec-Fetch-Site": "same-origin"})
    assert (done.status_code, done.headers["location"]) == (303, "/report?a=1")
    session, token = done.headers.get_list("set-cookie")
    assert session.startswith("paretodesk=")
    assert "HttpOnly" in session
    assert "SameSite=lax" in session
    assert "Secure" not in session
    assert "HttpOnly" not in token
    assert client.get("/console").status_code == 200
    assert client.get("/v1/me").json()["account"]["role"] == "agent"


def test_a_wrong_password_shows_the_form_again_with_nothing_executed(client, people):
    form = {"username": '"><script>x', "password": "wrong", "next": "//evil.example"}
    again = client.post("/login", data=form, headers=ORIGIN)
    assert again.status_code == 401
    assert "the user name or the password is wrong" in again.text
    assert "<script>x" not in again.text
    assert "evil.example" not in again.text
    assert "set-cookie" not in again.headers


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "application/json"),
        (b"[]", "application/json"),
        (b'{"username": "a"}', "application/json"),
        (b'{"username": "a", "password": ["seven quiet herons"]}', "application/json"),
        (b"username=a", "application/x-www-form-urlencoded"),
        (b"\xff\xfe", "text/plain"),
        (b"username=a&password=" + b"x" * 1_001, "application/x-www-form-urlencoded"),
    ],
)
def test_what_is_no_sign_in_is_a_problem_that_does_not_repeat_it(client, people, content, kind):
    answer = client.post("/login", content=content, headers=ORIGIN | {"Content-Type": kind})
    assert answer.status_code == 422
    assert "username and password" in answer.json()["detail"]
    assert "herons" not in answer.text
    large = client.post("/login", content=b"x" * 30_000, headers=ORIGIN)
    assert large.status_code == 413


def test_another_site_can_neither_sign_somebody_in_nor_act_for_them(client, people, services):
    credentials = {"username": "anna", "password": PASSWORD}
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        assert client.post("/login", json=credentials, headers=headers).status_code == 403
    sign_in(client)
    url = f"{TICKETS}/{deliver(services)}/correct"
    good = proof(client)
    bad = [
        {},
        ORIGIN,
        {"X-CSRF-Token": good["X-CSRF-Token"]},
        good | {"X-CSRF-Token": "0" * 64},
        good | {"X-CSRF-Token": "\u00e9".encode()},
        good | {"Origin": "https://evil.example"},
        {"X-CSRF-Token": good["X-CSRF-Token"], "Sec-Fetch-Site": "same-site"},
    ]
    for headers in bad:
        assert client.post(url, json={"reason": "other"}, headers=headers).status_code == 403, headers
    assert client.post(url, json={"reason": "other"}, headers=good).status_code == 200
    by_site = {"X-CSRF-Token": good["X-CSRF-Token"], "Sec-Fetch-Site": "same-origin"}
    assert client.post(url, json={"reason": "not_received"}, headers=by_site).status_code == 200


def test_the_token_of_one_session_is_none_of_another(client, people, services):
    sign_in(client)
    first = proof(client)
    sign_in(client)
    assert client.post("/logout", headers=first).status_code == 403
    assert client.post("/logout", headers=proof(client)).status_code == 204


def test_signing_in_ends_the_session_before_and_signing_out_the_session(client, people):
    sign_in(client)
    first = client.cookies["paretodesk"]
    sign_in(client)
    second = client.cookies["paretodesk"]
    assert first != second
    client.cookies.clear()
    assert client.get("/v1/me", headers={"Cookie": f"paretodesk={first}"}).status_code == 401
    assert client.get("/v1/me", headers={"Cookie": f"paretodesk={second}"}).status_code == 200
    sign_in(client)
    held = client.cookies["paretodesk"]
    out = client.post("/logout", headers=proof(client))
    assert out.status_code == 204
    client.cookies.clear()
    assert client.get("/v1/me", headers={"Cookie": f"paretodesk={held}"}).status_code == 401


def test_beyond_this_machine_cookies_travel_encrypted_only_and_are_this_hosts(services, people):
    client = client_of(services, "https://desk.example", public_url="https://desk.example")
    done = client.post(
        "/login", json={"username": "anna", "password": PASSWORD}, headers={"Origin": "https://desk.example"}
    )
    assert done.status_code == 200
    for cookie in done.headers.get_list("set-cookie"):
        assert cookie.startswith("__Host-paretodesk")
        assert "Secure" in cookie
        assert "Path=/" in cookie
        assert "Domain" not in cookie
    assert client.get("/console").status_code == 200
    session = client.cookies["__Host-paretodesk"]
    client.cookies.clear()
    assert client.get("/console", headers={"Cookie": f"paretodesk={session}"}).status_code == 401


def test_behind_a_proxy_the_public_address_is_ours(services, people):
    client = client_of(services, "http://10.0.0.5:8000", public_url="https://desk.example")
    credentials = {"username": "anna", "password": PASSWORD}
    assert client.post("/login", json=credentials, headers={"Origin": "https://desk.example"}).status_code == 200
    assert client.post("/login", json=credentials, headers={"Origin": "https://evil.example"}).status_code == 403


def test_who_signed_in_acts_whatever_the_request_says(client, people, services):
    sign_in(client)
    url = f"{TICKETS}/{deliver(services)}"
    body = {"agent": "ben", "reason": "not_received", "why": "scan"}
    state = client.post(f"{url}/correct", json=body, headers=proof(client)).json()
    assert state["state"]["confirmed_by"] == "agent:anna"
    client.get(url)
    actors = {event["actor"] for event in client.get(url).json()["events"]}
    assert "agent:ben" not in actors
    assert 'data-agent="anna"' in client.get("/console").text


def test_the_second_pair_of_eyes_is_that_of_another_account(client, people):
    macro = {
        "id": "see-again", "locale": "en", "reason": "tracking_update", "title": "On its way",
        "body": "It is on its way.", "by": "somebody else",
    }  # fmt: skip
    sign_in(client, "lea")
    written = client.post("/v1/macros", json=macro, headers=proof(client))
    assert written.status_code == 201, written.text
    assert written.json()["author"] == "lea"
    url = "/v1/macros/en/see-again/versions/1"
    own = client.post(f"{url}/approve", json={"by": "not lea"}, headers=proof(client))
    assert own.status_code == 409
    sign_in(client, "anna")
    assert client.post(f"{url}/approve", json={"by": "root"}, headers=proof(client)).status_code == 403
    sign_in(client, "root")
    assert client.post(f"{url}/approve", json={}, headers=proof(client)).json()["approver"] == "root"


def test_without_accounts_a_macro_step_says_who_takes_it(client):
    refused = client.post("/v1/macros/en/none/retire", json={})
    assert (refused.status_code, "body.by" in refused.json()["detail"]) == (422, True)


def test_the_console_token_opens_everything_as_bearer_and_as_password(services, people):
    client = client_of(services, console_token=SECRET)
    for headers, auth in (({"Authorization": f"Bearer {SECRET}"}, None), ({}, ("anyone", SECRET))):
        assert client.get("/v1/users", headers=headers, auth=auth).status_code == 200
        assert client.get("/console", headers=headers | {"Accept": "text/html"}, auth=auth).status_code == 200
    assert client.get("/v1/users", headers={"Authorization": "Bearer wrong"}).status_code == 401
    ticket = deliver(services)
    url = f"{TICKETS}/{ticket}/correct"
    evil = {"Origin": "https://evil.example"}
    body = {"agent": "ben", "reason": "other"}
    assert client.post(url, json=body, headers=evil, auth=("a", SECRET)).status_code == 403
    done = client.post(url, json=body, headers={"Authorization": f"Bearer {SECRET}"})
    assert done.json()["state"]["confirmed_by"] == "agent:console token"


def test_beyond_this_machine_a_request_without_accounts_does_not_say_who_acts(services):
    client = client_of(services, console_token=SECRET, host="0.0.0.0", agent="Mia")
    bearer = {"Authorization": f"Bearer {SECRET}"}
    body = {"agent": "ben", "reason": "other"}
    done = client.post(f"{TICKETS}/{deliver(services)}/correct", json=body, headers=bearer)
    assert done.json()["state"]["confirmed_by"] == "agent:Mia"
    assert client.get("/console").headers["www-authenticate"].startswith("Basic")


def test_beyond_this_machine_without_anything_to_show_nobody_is_let_in(services):
    refused = client_of(services, host="0.0.0.0").get("/console")
    assert refused.status_code == 401
    assert "paretodesk users add" in refused.json()["detail"]


def test_a_key_does_what_its_scopes_say_from_anywhere_and_no_more(client, people, services):
    sign_in(client, "root")
    made = client.post("/v1/keys", json={"name": "Shop", "scopes": ["tickets:deliver"]}, headers=proof(client)).json()
    bearer = {"Authorization": f"Bearer {made['key']}", "Origin": "https://elsewhere.example"}
    listed = client.get("/v1/keys").json()
    assert made["key"] not in str(listed)
    client.cookies.clear()
    assert client.post("/v1/tickets", json={"body": "hello there"}, headers=bearer).status_code == 201
    assert client.get(TICKETS, headers=bearer).status_code == 403
    sign_in(client, "root")
    other = client.post(
        "/v1/keys", json={"name": "Tagger", "scopes": ["tickets:write", "tickets:read"]}, headers=proof(client)
    ).json()["key"]
    assert client.request("DELETE", f"/v1/keys/{made['id']}", headers=proof(client)).json()["revoked_at"]
    assert client.request("DELETE", "/v1/keys/K-none", headers=proof(client)).status_code == 404
    client.cookies.clear()
    assert client.post("/v1/tickets", json={"body": "hello there"}, headers=bearer).status_code == 401
    done = client.post(
        f"{TICKETS}/{deliver(services)}/correct", json={"reason": "other"}, headers={"Authorization": f"Bearer {other}"}
    )
    assert done.json()["state"]["confirmed_by"] == "key:Tagger"


def test_a_key_shown_on_an_open_desk_is_judged_as_a_key(client):
    _, shown = client.app.state.access.keys.add("small", ["reports:read"], by="test")
    assert client.get(TICKETS, headers={"Authorization": f"Bearer {shown}"}).status_code == 403
    assert client.get(TICKETS, headers={"Authorization": "Bearer pd_wrong"}).status_code == 401


def test_an_administrator_manages_accounts_and_each_change_holds_at_once(client, people, services):
    other = client_of(services)
    sign_in(other)
    assert other.get("/v1/reports/top-reasons").status_code == 403
    sign_in(client, "root")
    assert {user["username"] for user in client.get("/v1/users").json()["users"]} == {"root", "anna", "lea"}
    changed = client.patch("/v1/users/Anna", json={"role": "lead"}, headers=proof(client))
    assert changed.json()["role"] == "lead"
    assert other.get("/v1/reports/top-reasons").status_code == 200
    assert client.patch("/v1/users/anna", json={"enabled": False}, headers=proof(client)).json()["enabled"] is False
    assert other.get("/v1/me").status_code == 401
    assert sign_in(other).status_code == 401
    mistakes = [
        ("patch", "/v1/users/nobody", {"enabled": True}, 404),
        ("patch", "/v1/users/root", {"role": "agent"}, 422),
        ("patch", "/v1/users/root", {"role": "boss"}, 422),
        ("patch", "/v1/users/root", {"password": "short"}, 422),
        ("post", "/v1/users", {"username": "lea", "role": "lead", "password": OTHER}, 422),
        ("post", "/v1/users", {"username": "kim", "role": "agent", "password": "kim kim kim kim"}, 422),
        ("post", "/v1/keys", {"name": "x", "scopes": ["users:manage"]}, 422),
    ]
    for method, path, body, status in mistakes:
        answer = client.request(method, path, json=body, headers=proof(client))
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    kinds = [entry["kind"] for entry in client.get("/v1/audit?limit=4").json()["entries"]]
    assert kinds == ["sign_in_failed", "account_disabled", "role_changed", "signed_in"]
    assert client.get("/v1/audit/verification").json()["state"] == "intact"
    assert verify(services.database).findings == ()


def test_ones_own_password_is_changed_by_who_knows_it(client, people):
    sign_in(client)
    wrong = client.post("/v1/me/password", json={"current": OTHER, "new": "x" * 20}, headers=proof(client))
    assert wrong.status_code == 422
    done = client.post("/v1/me/password", json={"current": PASSWORD, "new": OTHER}, headers=proof(client))
    assert done.status_code == 204
    assert client.get("/v1/me").status_code == 401
    assert (sign_in(client).status_code, sign_in(client, password=OTHER).status_code) == (401, 200)


def test_too_many_attempts_are_told_when_to_try_again(client, people):
    answers = [sign_in(client, password="wrong") for _ in range(11)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert int(answers[-1].headers["retry-after"]) > 0
    assert sign_in(client).status_code == 429


@pytest.mark.parametrize(
    "asked",
    ["//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil", "javascript:alert(1)", "/a\r\nX: y", "",
     "console", "/\t/evil.example", "///evil.example", "//[", "//a\u2100b"],
)  # fmt: skip
def test_nobody_is_sent_to_another_site(asked):
    assert own_path(asked) == "/console"
    assert own_path("/report?a=//b") == "/report?a=//b"


def test_settings_of_access_are_checked_at_start(monkeypatch):
    for name, value, said in (
        ("PUBLIC_URL", "desk.example", "scheme and host"),
        ("PUBLIC_URL", "https://desk.example/path", "scheme and host"),
        ("OIDC_ISSUER", "http://idp.example", "https"),
        ("OIDC_ISSUER", "https://idp.example", "PARETODESK_OIDC_CLIENT_ID"),
        ("OIDC_ROLES", "admins=boss", "one of the roles agent, lead"),
        ("SESSION_HOURS", "0", "SESSION_HOURS"),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(f"PARETODESK_{name}", value)
            with pytest.raises(SettingsError, match=said):
                load_settings()
    with pytest.raises(SettingsError, match="16 characters"):
        load_settings(host="0.0.0.0", console_token="short")
    assert load_settings(public_url="https://desk.example").local is False
    assert "hunter2" not in repr(load_settings(console_token="hunter2" * 3, oidc_client_secret="hunter2"))
