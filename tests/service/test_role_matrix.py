"""Every route against everybody: a real request is let in or refused as the route declares."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient

from desk.access.accounts import Accounts
from desk.access.roles import desk_roles
from desk.access.sessions import Sessions, request_token
from service.app import create_app
from service.route_table import RouteRow, matrix, route_table
from service.settings import load_settings
from service.wiring import Services, open_services

CONTENT = Path(__file__).parents[1] / "bot" / "content"
ROLES = desk_roles()
ORIGIN = "http://testserver"
PLACEHOLDERS = {"{locale}": "en", "{version}": "1"}
OWN_TOKEN = "send the session's token as bearer token"
"""What the chat says to who has no token of the chat; it is no affair of staff."""


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    root = tmp_path_factory.mktemp("matrix")
    settings = load_settings(home=root / "home", models_store=root / "none", signing_key=root / "key", content=CONTENT)
    with open_services(settings) as opened:
        people = Accounts(opened.database)
        for role in ROLES.granted:
            people.add(f"the-{role}", role, by="test", password="seven quiet herons")
        yield opened


@pytest.fixture(scope="module")
def client(services: Services) -> Iterator[TestClient]:
    with TestClient(create_app(services), raise_server_exceptions=False, follow_redirects=False) as opened:
        yield opened


def principals(services: Services, client: TestClient) -> dict[str, tuple[frozenset[str], object]]:
    """Everybody by name: what they may do, and what makes the headers that they send."""
    people, sessions = Accounts(services.database), Sessions(services.database)
    everybody: dict[str, tuple[frozenset[str], object]] = {"nobody": (frozenset(), dict)}
    for account in people.all():

        def signed_in(account=account) -> dict[str, str]:
            # a session of its own for every request, because one of them is to sign out
            secret = sessions.start(account, "test")
            token = request_token(secret)
            return {"Cookie": f"paretodesk={secret}", "Origin": ORIGIN, "X-CSRF-Token": token}

        everybody[account.role] = (ROLES.of(account.role), signed_in)
    for scope in sorted(ROLES.for_keys):
        _, shown = client.app.state.access.keys.add(f"key {scope}", [scope], by="test")
        everybody[f"key {scope}"] = (frozenset({scope}), lambda shown=shown: {"Authorization": f"Bearer {shown}"})
    return everybody


def request(client: TestClient, row: RouteRow, headers: dict[str, str]) -> tuple[int, str]:
    path = row.path
    for part in row.path.split("/"):
        if part.startswith("{"):
            path = path.replace(part, PLACEHOLDERS.get(part, "nothing"))
    client.cookies.clear()
    answer = client.request(row.method, path, headers=headers)
    is_problem = "problem+json" in answer.headers.get("content-type", "")
    return answer.status_code, answer.json().get("detail", "") if is_problem and answer.content else ""


def test_every_route_says_who_may_use_it(client):
    undeclared = [f"{row.method} {row.path}" for row in route_table(client.app) if not row.declared]
    assert undeclared == [], "declare allow(...) or public(...) at each of these"


def test_every_permission_named_at_a_route_is_one_that_there_is_and_each_is_used(client):
    named = {row.permission for row in route_table(client.app) if row.permission}
    assert named == set(ROLES.permissions)


def test_everybody_is_let_in_or_refused_as_declared(client, services):
    everybody = principals(services, client)
    wrong, count = [], 0
    for row in route_table(client.app):
        if row.path in {"/static", "/static-offline-docs"}:
            continue
        for name, (permissions, headers) in everybody.items():
            status, detail = request(client, row, headers())
            count += 1
            refused = status in {401, 403} and detail != OWN_TOKEN
            due = 0 if row.admits(permissions) else 401 if name == "nobody" else 403
            if (status if refused else 0) != due or status >= 500:
                wrong.append(f"{row.method} {row.path} as {name}: {status} {detail!r}, declared {row}")
    assert wrong == []
    assert count > 800


def test_what_is_shown_and_does_not_fit_is_refused_on_every_route_that_needs_something(client):
    for row in route_table(client.app):
        if row.permission is not None:
            for shown in ({"Authorization": "Bearer pd_no-such-key"}, {"Cookie": "paretodesk=nothing"}):
                assert request(client, row, shown)[0] == 401, (row, shown)


def test_a_route_that_declares_nothing_is_closed_to_everybody(services, monkeypatch):
    from service.routes import tags

    router = APIRouter(prefix="/v1")

    @router.get("/forgotten")
    def forgotten() -> str:
        return "everything"

    monkeypatch.setattr(tags, "router", router)
    app = create_app(services)
    assert [row.path for row in route_table(app) if not row.declared] == ["/v1/forgotten"]
    with TestClient(app) as opened:
        _, shown = app.state.access.keys.add("forgotten", ["tickets:read"], by="test")
        for headers in ({}, {"Authorization": f"Bearer {shown}"}):
            answer = opened.get("/v1/forgotten", headers=headers)
            assert answer.status_code == 403
            assert "everything" not in answer.text


def test_the_matrix_in_the_docs_is_the_one_of_the_application(client):
    path = Path(__file__).parents[2] / "docs" / "access-matrix.md"
    assert path.read_text(encoding="utf-8") == matrix(client.app, ROLES), "run make docs"
