"""The real deep-chat from npm, in a real browser, over the real application."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

Visit = Callable[..., Page]
PACKAGE = "deep-chat@2.4.2"
PAGE = """<!doctype html><meta charset="utf-8"><title>Shop</title>
<script type="module" src="/deepChat.bundle.js"></script>
<deep-chat id="chat" style="width: 400px; height: 500px"
  connect='{"url": "/v1/clients/deep-chat", "additionalBodyProps": {"sender": "3a6ee0c6-50c3-4d8f-bd38-0a3c9b3b1d6e"}}'>
</deep-chat>"""


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script as npm delivers it; without npm, or where it reaches no registry, these tests are left out."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("npm")
    wanted = [npm, "install", "--ignore-scripts", "--no-save", "--prefix", str(folder), PACKAGE]
    try:
        done = subprocess.run(wanted, capture_output=True, text=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("npm does not answer")
    if done.returncode:
        pytest.skip(f"npm does not deliver {PACKAGE}: {done.stderr.strip().splitlines()[-1:]}")
    return folder / "node_modules" / "deep-chat" / "dist" / "deepChat.bundle.js"


@pytest.fixture
def chat(visit: Visit, shop, bundle: Path) -> Page:
    page = visit()
    page.add_init_script("window.alert = () => { window.pwned = 1; }")
    page.route(f"{shop.url}/deep", lambda route: route.fulfill(body=PAGE, content_type="text/html"))
    page.route("**/deepChat.bundle.js", lambda route: route.fulfill(path=bundle, content_type="text/javascript"))
    page.goto(f"{shop.url}/deep")
    page.wait_for_function("customElements.get('deep-chat') && document.querySelector('deep-chat').shadowRoot")
    page.locator("#text-input").wait_for()
    return page


def ask(page: Page, text: str) -> None:
    page.evaluate("text => document.getElementById('chat').submitUserMessage({text})", text)


def test_it_shows_our_answer_and_its_buttons_go_on_with_the_conversation(chat: Page):
    ask(chat, "Where is my parcel?")
    answer = chat.locator(".deep-chat-ai-message, .ai-message").first
    expect(answer).to_contain_text("Your Orders")
    expect(answer.locator("strong").first).to_have_text("Your Orders")
    chat.get_by_role("button", name="Yes, thank you").click()
    expect(chat.locator("#messages, #chat-view").first).to_contain_text("I am glad to hear that")


def test_a_person_takes_over_and_scripts_of_articles_run_nothing(chat: Page, payloads: list[str]):
    ask(chat, "How do I return an article?")
    expect(chat.locator("#chat-view").first).to_contain_text("print the label")
    chat.wait_for_timeout(300)
    assert chat.evaluate("window.pwned") is None
    chat.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=/x onerror=alert(1)>')")
    chat.wait_for_function("window.pwned === 1")  # the trap can snap
    chat.get_by_role("button", name="Talk to a person").click()
    expect(chat.locator("#chat-view").first).to_contain_text("Your reference is T-")
