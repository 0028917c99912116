"""The chat widget in a real browser, over the real conversations."""

import gzip
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from bot.widget import widget_script

Visit = Callable[..., Page]
LOCALES = ("en", "fr", "de", "es", "it")


def opened(page: Page) -> Page:
    page.locator(".launcher").click()
    expect(page.locator(".message.bot").first).to_be_visible()
    return page


def say(page: Page, text: str) -> None:
    page.locator("textarea").fill(text)
    page.keyboard.press("Enter")


def answers(page: Page) -> Locator:
    return page.locator(".message.bot")


def test_it_weighs_at_most_twenty_kilobytes_zipped_and_never_parses_html():
    source = widget_script()
    assert len(gzip.compress(source.encode())) < 20_000
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "DOMParser"):
        assert way not in source


def test_a_question_typed_with_the_keyboard_alone_is_answered_from_an_article(visit: Visit):
    page = visit()
    page.get_by_role("link", name="Link").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("textarea")).to_be_focused()
    expect(answers(page)).to_have_count(1)
    page.keyboard.type("Where is my parcel?")
    page.keyboard.press("Enter")
    expect(answers(page)).to_have_count(3)
    answer = answers(page).nth(1)
    expect(answer).to_contain_text("choose the order")
    expect(answer.locator("strong")).to_have_text("Your Orders")
    expect(answer.locator("li")).to_have_count(2)
    expect(answer).to_contain_text("From our help pages")


def test_escape_closes_and_gives_the_focus_back_to_the_launcher(visit: Visit):
    page = opened(visit())
    expect(page.locator("textarea")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".panel")).to_be_hidden()
    expect(page.locator(".launcher")).to_be_focused()


def test_a_reload_keeps_the_conversation_and_its_buttons(visit: Visit):
    page = opened(visit())
    say(page, "Where is my parcel?")
    expect(page.locator(".choices button")).to_have_count(2)
    before = page.locator(".message").all_inner_texts()
    page.reload()
    expect(page.locator(".message")).to_have_count(len(before))
    assert page.locator(".message").all_inner_texts() == before
    page.get_by_role("button", name="Yes, thank you").click()
    expect(answers(page).last).to_contain_text("I am glad to hear that")


def test_a_failed_message_is_sent_again_once_with_the_same_client_id(visit: Visit, shop):
    page = opened(visit())
    shop.failures[:] = [503]
    say(page, "I forgot my password")
    expect(page.locator(".message.customer .note")).to_have_text(
        "Not sent yet. I will try again as soon as you are online."
    )
    expect(answers(page).nth(1)).to_contain_text("forgotten password")
    expect(page.locator(".message.customer .note")).to_have_count(0)
    expect(page.locator(".message.customer")).to_have_count(1)
    assert len(shop.received) == 2
    assert shop.received[0]["client_id"] == shop.received[1]["client_id"]


def test_a_message_that_fails_twice_waits_for_the_customer_even_over_a_reload(visit: Visit, shop):
    page = opened(visit())
    shop.failures[:] = [500, 500]
    say(page, "I forgot my password")
    expect(page.locator(".message.customer .note")).to_contain_text("could not be sent")
    assert len(shop.received) == 2
    page.get_by_role("button", name="Try again").click()
    expect(answers(page).nth(1)).to_contain_text("forgotten password")
    assert len({message["client_id"] for message in shop.received}) == 1


def test_offline_messages_are_sent_when_the_connection_is_back(visit: Visit):
    page = opened(visit())
    page.context.set_offline(True)
    say(page, "I forgot my password")
    expect(page.locator(".message.customer .note")).to_contain_text("Not sent yet")
    page.context.set_offline(False)
    expect(answers(page).nth(1)).to_contain_text("forgotten password")


def test_a_person_is_one_press_away_and_the_reply_appears(visit: Visit, shop):
    page = opened(visit())
    page.clock.install()
    page.locator(".person").click()
    expect(answers(page).last).to_contain_text("Your reference is T-")
    expect(page.locator(".person")).to_be_hidden()
    [ticket] = [view.ticket for view in shop.desk.open_tickets() if view.ticket.body.startswith("Talk to a person")][
        -1:
    ]
    shop.desk.reply(ticket.id, "Hello, this is Anna. How can I help?", "agent:anna")
    page.clock.run_for(11_000)
    expect(page.locator(".message.agent")).to_contain_text("this is Anna")


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 800)])
def test_every_language_fits_the_screen(visit: Visit, locale: str, width: int, height: int):
    page = opened(visit(width, height, locale))
    expect(page.locator(".panel")).to_have_attribute("lang", locale)
    say(page, "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz" * 2)
    expect(page.locator(".message.customer")).to_be_visible()
    for name in (".panel", ".bubble", ".person", ".send", "header button", ".choices button"):
        for box in page.locator(name).evaluate_all("all => all.map(e => e.getBoundingClientRect().toJSON())"):
            assert box["left"] >= 0
            assert box["right"] <= width + 0.5, name
    assert page.locator(".log").evaluate("log => log.scrollWidth <= log.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def luminance(color: str) -> float:
    channels = [int(part) / 255 for part in color.removeprefix("rgb(").removesuffix(")").split(", ")]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_enough_contrast_in_light_and_dark(visit: Visit, scheme: str):
    page = opened(visit(color_scheme=scheme))
    say(page, "Where is my parcel?")
    expect(page.locator(".choices button")).to_have_count(2)
    colors = """(e) => { let b = e; const transparent = "rgba(0, 0, 0, 0)";
        while (getComputedStyle(b).backgroundColor === transparent) b = b.parentElement;
        return [getComputedStyle(e).color, getComputedStyle(b).backgroundColor]; }"""
    for name in (".bot .bubble", ".customer .bubble", ".note", ".choices button", ".person", "header h2", "textarea"):
        text, ground = (luminance(color) for color in page.locator(name).first.evaluate(colors))
        assert (max(text, ground) + 0.05) / (min(text, ground) + 0.05) >= 4.5, name


def test_it_is_labelled_for_screen_readers(visit: Visit):
    page = opened(visit(lang="de"))
    log = page.get_by_role("log", name="Gespräch")
    expect(log).to_have_attribute("aria-live", "polite")
    expect(page.get_by_role("dialog", name="Hilfe und Kontakt")).to_be_visible()
    expect(page.get_by_role("textbox", name="Ihre Nachricht")).to_be_visible()
    expect(page.get_by_role("button", name="Senden")).to_be_visible()
    expect(page.get_by_role("button", name="Mit einem Menschen sprechen")).to_be_visible()
    expect(log).to_contain_text("Assistent: ")


def test_the_page_steers_it_by_its_javascript_api(visit: Visit):
    page = visit()
    page.evaluate("window.seen = []; window.paretodesk.on('turn', (turn) => window.seen.push(turn.act)); 0")
    page.evaluate("window.paretodesk.open()")
    say(page, "Where is my parcel?")
    expect(answers(page)).to_have_count(3)
    assert page.evaluate("window.seen") == ["answer"]
    page.evaluate("window.paretodesk.setLocale('it')")
    expect(page.locator(".person")).to_have_text("Parlare con una persona")
    page.evaluate("window.paretodesk.close()")
    expect(page.locator(".launcher")).to_have_attribute("aria-label", "Apri la chat")


def test_it_follows_the_language_that_the_customer_writes(visit: Visit):
    page = opened(visit())
    say(page, "Wo ist mein Paket?")
    expect(answers(page).nth(1)).to_contain_text("Meine Bestellungen")
    expect(page.locator(".person")).to_have_text("Mit einem Menschen sprechen")


def test_a_session_that_the_desk_forgot_is_replaced_without_losing_the_message(visit: Visit):
    page = opened(visit())
    page.evaluate("sessionStorage['paretodesk:demo'] = sessionStorage['paretodesk:demo'].replace(/C-\\w+/, 'C-gone')")
    page.reload()
    expect(answers(page)).to_have_count(1)
    say(page, "I forgot my password")
    expect(answers(page).nth(1)).to_contain_text("forgotten password")
