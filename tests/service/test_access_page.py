"""Signing in and out in a real browser, whose own headers are the proof that is asked for."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from desk.access.accounts import Accounts
from desk.inbox import IncomingTicket
from service.app import create_app
from service.settings import load_settings
from service.wiring import Services, open_services

CONTENT = Path(__file__).parents[1] / "bot" / "content"
PASSWORD = "seven quiet herons"
ACT = """async ([url, withToken]) => {
  const token = document.cookie.match(/paretodesk_request=([^;]*)/)[1];
  const headers = {"Content-Type": "application/json", ...(withToken ? {"X-CSRF-Token": token} : {})};
  return (await fetch(url, {method: "POST", headers, body: JSON.stringify({reason: "other"})})).status;
}"""


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    root = tmp_path_factory.mktemp("page")
    settings = load_settings(home=root / "home", models_store=root / "none", signing_key=root / "key", content=CONTENT)
    with open_services(settings) as opened:
        Accounts(opened.database).add("anna", "admin", by="test", password=PASSWORD, display_name="Anna <b>B")
        yield opened


@pytest.fixture(scope="module")
def address(services: Services, serve) -> Iterator[str]:
    with serve(create_app(services)) as url:
        yield url


def test_an_agent_signs_in_acts_and_signs_out(browser: Browser, address: str, services: Services):
    ticket = services.desk.receive(IncomingTicket("page", "1", "Where is my parcel?")).ticket_id
    context = browser.new_context(viewport={"width": 360, "height": 800})
    page = context.new_page()
    page.goto(f"{address}/console")
    expect(page).to_have_url(f"{address}/login?next=%2Fconsole")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.get_by_label("User name").fill("anna")
    page.get_by_label("Password").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("the user name or the password is wrong")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{address}/console")
    url = f"/v1/console/tickets/{ticket}/correct"
    assert page.evaluate(ACT, [url, False]) == 403
    assert page.evaluate(ACT, [url, True]) == 200
    assert services.desk.ticket(ticket).state.confirmed_by == "agent:anna"
    assert "HttpOnly" not in page.evaluate("document.cookie")
    assert "paretodesk=" not in page.evaluate("document.cookie")
    page.get_by_role("button", name="Sign out Anna <b>B").click()
    expect(page).to_have_url(f"{address}/login")
    assert page.evaluate("fetch('/v1/me').then((answer) => answer.status)") == 401
    context.close()


def test_another_sites_form_does_not_reach_the_desk(browser: Browser, address: str, services: Services):
    ticket = services.desk.receive(IncomingTicket("page", "2", "Where is my jar?")).ticket_id
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{address}/login")
    page.get_by_label("User name").fill("anna")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{address}/console")
    other = address.replace("127.0.0.1", "localhost")  # another site to the browser
    page.goto(f"{other}/healthz")
    target = f"{address}/v1/console/tickets/{ticket}/correct"
    with page.expect_navigation():
        page.evaluate(
            "(target) => { const form = document.createElement('form'); form.method = 'post'; form.action = target;"
            "form.enctype = 'text/plain'; const field = document.createElement('input'); form.append(field);"
            'field.name = \'{"reason": "other", "why": "\'; field.value = \'"}\'; document.body.append(form);'
            "form.submit(); }",
            target,
        )
    assert page.evaluate("document.body.textContent").find('"status":40') >= 0
    assert services.desk.ticket(ticket).state.confirmed_by is None
    context.close()
