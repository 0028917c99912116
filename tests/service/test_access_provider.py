"""Signing in with an identity provider, a real one on this machine."""

import base64
import hashlib
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse
from fastapi.testclient import TestClient
from joserfc import jwt
from joserfc.jwk import RSAKey

from desk.access.audit import entries
from desk.database import open_database
from desk.inbox import Desk
from service.app import create_app
from service.settings import load_settings
from service.wiring import Services, open_services

CONTENT = Path(__file__).parents[1] / "bot" / "content"
ANNA = {"sub": "u-1", "preferred_username": "Anna.Berg", "name": "Anna Berg", "groups": ["staff", "desk-agents"]}


CLIENT, SECRET = "desk", "the secret of the desk"


@dataclass
class SmallProvider:
    """What a test may set: the claims of the person, and what is wrong with the token."""

    issuer: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)
    """Claims of the ID token that are put in, or with None taken out, after all else."""
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}))
    published: RSAKey | None = None
    calls_itself: str | None = None
    asked: list[dict[str, str]] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.get("/.well-known/openid-configuration")
        def discovery() -> dict[str, Any]:
            return {
                "issuer": self.calls_itself or self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
            }

        @app.get("/keys")
        def keys() -> dict[str, Any]:
            return {"keys": [(self.published or self.key).as_dict(private=False)]}

        @app.get("/authorize")
        def authorize(request: Request) -> RedirectResponse:
            asked = dict(request.query_params)
            self.asked.append(asked)
            code = secrets.token_urlsafe(16)
            self.codes[code] = asked
            back = urlencode({"code": code, "state": asked["state"], "iss": self.issuer})
            return RedirectResponse(f"{asked['redirect_uri']}?{back}", 302)

        @app.post("/token")
        async def token(request: Request) -> JSONResponse:
            sent = dict(parse_qsl((await request.body()).decode()))
            asked = self.codes.pop(sent.get("code", ""), None)
            proof = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
            digest = hashlib.sha256(sent.get("code_verifier", "").encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            if (
                asked is None
                or request.headers.get("authorization") not in (f"Basic {proof}", f"Basic {_quoted()}")
                or asked["code_challenge_method"] != "S256"
                or challenge != asked["code_challenge"]
                or sent.get("redirect_uri") != asked["redirect_uri"]
            ):
                return JSONResponse({"error": "invalid_grant"}, 400)
            now = int(time.time())
            claims = {
                "iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"],
                **self.claims, **self.changes,
            }  # fmt: skip
            claims = {name: value for name, value in claims.items() if value is not None}
            signed = jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)
            return JSONResponse({"access_token": "x", "token_type": "Bearer", "id_token": signed})

        return app


def _quoted() -> str:
    """RFC 6749, section 2.3.1 has the parts form-encoded first."""
    quoted = urlencode({"": CLIENT})[1:] + ":" + urlencode({"": SECRET})[1:]
    return base64.b64encode(quoted.encode()).decode()


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    root = tmp_path_factory.mktemp("provider")
    settings = load_settings(home=root / "home", models_store=root / "none", signing_key=root / "key", content=CONTENT)
    with open_services(settings) as services:
        yield services


@pytest.fixture
def provider(serve):
    running = SmallProvider()
    with serve(running.app()) as running.issuer:
        running.claims = dict(ANNA)
        yield running


@pytest.fixture
def client(opened: Services, provider, tmp_path: Path) -> Iterator[TestClient]:
    secret = tmp_path / "secret"
    secret.write_text(SECRET + "\n")
    database = open_database(f"sqlite:///{tmp_path}/desk.db")
    settings = opened.settings.model_copy(
        update={
            "oidc_issuer": provider.issuer,
            "oidc_client_id": CLIENT,
            "oidc_client_secret_file": secret,
            "oidc_roles": ("desk-agents=agent", "desk-leads=lead", "desk-admins=admin"),
        }
    )
    app = create_app(replace(opened, settings=settings, database=database, desk=Desk(database)))
    with TestClient(app, raise_server_exceptions=False, follow_redirects=False) as made:
        yield made
    database.close()


def begin(client: TestClient, goes_to: str = "/report") -> str:
    """To the provider and back: the path with which the browser comes back."""
    sent = client.get("/login/provider", params={"next": goes_to})
    assert sent.status_code == 303
    back = httpx.get(sent.headers["location"])
    assert back.status_code == 302
    url = urlsplit(back.headers["location"])
    assert (url.netloc, url.path) == ("testserver", "/login/provider/back")
    return f"{url.path}?{url.query}"


def sign_in(client: TestClient, goes_to: str = "/report"):
    return client.get(begin(client, goes_to))


def kinds(client: TestClient) -> list[str]:
    return [entry.kind for entry in entries(client.app.state.services.database)]


def test_a_person_comes_back_with_the_role_of_their_group(client, provider):
    assert client.get("/console", headers={"Accept": "text/html"}).headers["location"].startswith("/login?")
    assert "/login/provider?next=/report" in client.get("/login?next=/report").text
    done = sign_in(client)
    assert (done.status_code, done.headers["location"]) == (303, "/report")
    account = client.get("/v1/me").json()["account"]
    assert (account["username"], account["display_name"], account["role"]) == ("anna.berg", "Anna Berg", "agent")
    asked = provider.asked[-1]
    assert (asked["code_challenge_method"], asked["response_type"], asked["scope"]) == (
        "S256", "code", "openid profile email",
    )  # fmt: skip
    assert len(asked["nonce"]) > 20
    assert len(asked["state"]) > 20
    assert kinds(client) == ["signed_in", "account_added"]


def test_the_role_follows_the_groups_at_each_sign_in(client, provider):
    sign_in(client)
    provider.claims |= {"groups": ["desk-leads", "desk-agents"], "preferred_username": "another.name"}
    sign_in(client)
    account = client.get("/v1/me").json()["account"]
    assert (account["username"], account["role"]) == ("anna.berg", "lead")
    provider.claims["groups"] = ["staff"]
    refused = sign_in(client)
    assert refused.status_code == 403
    assert "gives no role" in refused.text


def test_a_disabled_account_is_not_let_in(client):
    sign_in(client)
    client.app.state.access.accounts.disable("anna.berg", by="test")
    assert client.get("/v1/me").status_code == 401
    refused = sign_in(client)
    assert (refused.status_code, "disabled" in refused.text) == (403, True)


def test_an_account_made_here_is_not_taken_over_by_its_name_but_can_be_linked(client, provider):
    accounts = client.app.state.access.accounts
    accounts.add("anna.berg", "agent", by="test", password="seven quiet herons")
    assert sign_in(client).status_code == 403
    accounts.link("anna.berg", (provider.issuer, "u-1"), by="test")
    assert sign_in(client).status_code == 303
    assert client.get("/v1/me").json()["account"]["provider"] == provider.issuer


def test_an_answer_counts_once_and_only_in_the_browser_that_asked(client):
    path = begin(client)
    jar = dict(client.cookies)
    client.cookies.clear()
    stolen = client.get(path)
    assert (stolen.status_code, "set-cookie" in stolen.headers) == (400, False)
    for name, value in jar.items():
        client.cookies.set(name, value)
    assert client.get(path).status_code == 400  # it was used up by the other browser's try
    path = begin(client)
    assert client.get(path).status_code == 303
    assert client.get(path).status_code == 400
    for query in ("", "?state=x&code=y", "?state=" + "x" * 600):
        assert client.get(f"/login/provider/back{query}").status_code in (400, 422)


def test_another_providers_answer_or_a_refusal_does_not_count(client):
    path = begin(client)
    state = parse_qs(urlsplit(path).query)["state"][0]
    mixed = client.get("/login/provider/back", params={"state": state, "code": "x", "iss": "https://evil.example"})
    assert mixed.status_code == 403
    state = parse_qs(urlsplit(begin(client)).query)["state"][0]
    refused = client.get("/login/provider/back", params={"state": state, "error": "<b>access_denied"})
    assert (refused.status_code, "<b>access" in refused.text) == (403, False)
    assert client.get("/v1/me").status_code == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"},
        {"aud": "another program"},
        {"aud": ["desk", "other"]},
        {"azp": "other"},
        {"nonce": "another"},
        {"nonce": None},
        {"exp": 1},
        {"exp": None},
        {"iat": 4_000_000_000},
        {"sub": None},
    ],
    ids=str,
)
def test_a_token_that_was_not_made_for_this_sign_in_is_not_believed(client, provider, changes):
    provider.changes = changes
    refused = sign_in(client)
    assert refused.status_code == 503
    assert "set-cookie" not in refused.headers
    assert client.get("/v1/me").status_code == 401


def test_a_signature_of_another_key_is_not_believed_and_a_changed_key_is_found(client, provider):
    sign_in(client)
    other = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
    provider.published, provider.key = provider.key, other
    assert sign_in(client).status_code == 503
    provider.published = None
    assert sign_in(client).status_code == 303


def test_a_provider_that_calls_itself_otherwise_or_is_gone_breaks_nothing_else(client, provider):
    provider.calls_itself = "https://other.example"
    answer = client.get("/login/provider")
    assert (answer.status_code, "calls itself" in answer.text) == (503, True)
    assert client.get("/healthz").status_code == 200
    assert client.post("/v1/chat/sessions", json={"site": "demo"}).status_code == 201
    provider.calls_itself = None
    path = begin(client)
    provider.codes.clear()
    assert client.get(path).status_code == 503
    assert client.get("/v1/me").status_code == 401


def test_without_a_provider_there_is_nothing_to_go_to(opened):
    with TestClient(create_app(opened)) as plain:
        assert plain.get("/login/provider").status_code == 404
