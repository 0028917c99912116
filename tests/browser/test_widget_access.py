"""The widget measured by axe-core: no serious or critical violation in any of its states."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

Visit = Callable[..., Page]
SEVERE = {"serious", "critical"}


def check(page: Page) -> None:
    page.locator("paretodesk-chat").evaluate(
        "chat => Promise.all(chat.shadowRoot.getAnimations().map((animation) => animation.finished))"
    )
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    told = [f"{v['id']} ({v['impact']}): {[node['target'] for node in v['nodes']]}" for v in found]
    assert [line for line, v in zip(told, found, strict=True) if v["impact"] in SEVERE] == []


def test_axe_finds_what_is_wrong_inside_the_shadow_root(visit: Visit):
    page = visit()
    page.locator(".launcher").evaluate("button => button.removeAttribute('aria-label')")
    page.locator(".launcher").evaluate("button => button.removeAttribute('title')")
    with pytest.raises(AssertionError, match="button-name"):
        check(page)


@pytest.mark.parametrize(
    ("width", "height", "scheme", "lang"),
    [(1280, 800, "light", "en"), (1280, 800, "dark", "fr"), (320, 568, "light", "de")],
)
def test_nothing_serious_closed_open_answered_failed_and_rated(
    visit: Visit, shop, width: int, height: int, scheme: str, lang: str
):
    page = visit(width, height, lang, color_scheme=scheme)
    page.locator(".launcher").wait_for()
    check(page)
    page.locator(".launcher").click()
    expect(page.locator(".message.bot").first).to_be_visible()
    check(page)
    page.locator("textarea").fill(
        {"en": "Where is my parcel?", "de": "Wo ist mein Paket?", "fr": "Où est mon colis ?"}[lang]
    )
    page.keyboard.press("Enter")
    expect(page.locator(".choices button")).to_have_count(2)
    check(page)
    shop.failures[:] = [500, 500]
    page.locator(".choices button").first.click()
    expect(page.locator(".message.customer .problem")).to_be_visible()
    check(page)
    page.locator(".message.customer .problem button").click()
    expect(page.locator(".rating")).to_be_visible()
    check(page)
    page.locator(".rating input").last.check()
    check(page)
    page.locator(".rating .actions button").first.click()
    expect(page.locator(".rating input")).to_have_count(11)
    check(page)


def test_nothing_serious_while_the_desk_cannot_be_reached(visit: Visit):
    page = visit()
    page.context.set_offline(True)
    page.locator(".launcher").click()
    expect(page.get_by_role("alert")).to_be_visible()
    check(page)


def test_nothing_serious_on_the_page_of_the_chat(visit: Visit):
    page = visit(path="/chat/demo?locale=it")
    expect(page.locator(".message.bot").first).to_be_visible()
    check(page)
