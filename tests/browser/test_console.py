"""Two colleagues at one desk, in a real browser over the real application."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from desk.access.accounts import Accounts
from desk.access.sessions import Sessions, request_token
from desk.inbox import IncomingTicket
from desk.routing.rules import STARTER_RULES
from service.app import create_app
from service.settings import load_settings
from service.wiring import Services, open_services

CONTENT = Path(__file__).parents[1] / "bot" / "content"
MEMBERS = """members:
  - {name: anna, teams: [first_line, german], languages: [de, en]}
  - {name: ben, teams: [first_line], languages: [en]}
"""
LONG = "Donaudampfschifffahrtsgesellschaftskapitänsmützenkartonverpackungsbeschädigung"
EXPECTED = ("401", "409", "422")
"""Answers that tests provoke; Chromium writes them to its console as errors."""

# WCAG 2: every visible text against the nearest opaque background, as the browser computes both
CONTRAST = """() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = (c) => c.slice(0, 3).map((v) => linear(v / 255))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const found = rgb(getComputedStyle(at).backgroundColor);
      if (found.length === 3 || found[3] === 1) return found;
    }
    return [255, 255, 255];
  };
  const poor = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    const said = walker.currentNode.textContent.trim();
    if (!said || !node.checkVisibility() || node.closest(":disabled, .visually-hidden, .skip, script")) continue;
    const [a, b] = [light(rgb(getComputedStyle(node).color)), light(behind(node))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) poor.push(`${ratio.toFixed(2)} ${node.tagName}.${node.className}: ${said.slice(0, 40)}`);
  }
  return poor;
}"""
NAMELESS = """() => [...document.querySelectorAll("button, select, input, textarea, summary")]
  .filter((node) => node.checkVisibility() && !node.ariaLabel && !node.labels?.length)
  .filter((node) => node.tagName === "SELECT" || !node.innerText?.trim())
  .map((node) => node.outerHTML.slice(0, 80))"""


class FixedTagger:
    """A tagger as the service holds it, that does not change while it serves."""

    problem = None

    def __init__(self, tagger) -> None:
        self.tagger, self.model_id = tagger, tagger.model_id
        self.tag, self.tag_many = tagger.tag, tagger.tag_many


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory, small_tagger) -> Iterator[Services]:
    root = tmp_path_factory.mktemp("console")
    rules = root / "routing.yaml"
    rules.write_text(STARTER_RULES.read_text(encoding="utf-8").replace("members: []\n", MEMBERS), encoding="utf-8")
    settings = load_settings(home=root, models_store=root / "none", content=CONTENT, routing=str(rules))
    with open_services(settings) as opened:
        people = Accounts(opened.database)
        for name, called in (("anna", "Anna Berg"), ("ben", "Ben Ode")):
            people.add(name, "agent", by="test", password="seven quiet herons", display_name=called)
        yield dataclasses.replace(opened, tagger=FixedTagger(small_tagger))


@pytest.fixture(scope="module")
def address(services: Services, serve) -> Iterator[str]:
    with serve(create_app(services)) as url:
        yield url


@pytest.fixture
def visit(browser: Browser, services: Services, address: str) -> Iterator[Callable[..., Page]]:
    """Opens the console as somebody who signed in; every error of the page fails the test."""
    contexts, errors = [], []

    def note(message) -> None:
        if message.type == "error" and not any(status in message.text for status in EXPECTED):
            errors.append(message.text)

    def open_page(name: str, width: int = 1280, **options) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 860}, **options)
        contexts.append(context)
        secret = Sessions(services.database).start(Accounts(services.database).get(name), "test")
        cookies = {"paretodesk": secret, "paretodesk_request": request_token(secret)}
        context.add_cookies([{"name": key, "value": value, "url": address} for key, value in cookies.items()])
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", note)
        page.goto(f"{address}/console")
        page.wait_for_load_state("networkidle")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture
def deliver(services: Services) -> Iterator[Callable[..., str]]:
    """A ticket that is tagged and routed; closed at the end, so that lists hold what the test put there."""
    made: list[str] = []

    def make(subject: str, body: str = "Where is my parcel? It was due on Monday.", **more) -> str:
        ticket = IncomingTicket("browser", subject, body, subject=subject, channel="amazon", **more)
        made.append(services.desk.receive(ticket).ticket_id)
        services.desk.tag(made[-1], services.tagger.tag(subject, body))
        services.router.route([made[-1]])
        return made[-1]

    yield make
    for ticket_id in made:
        if services.desk.ticket(ticket_id).state.status == "open":
            services.desk.correct_tag(ticket_id, "other", "agent:test")
            services.desk.resolve(ticket_id, "agent:test")


def opened(page: Page, subject: str) -> Page:
    page.locator("#list button", has_text=subject).first.click()
    expect(page.get_by_role("heading", name=subject, level=1)).to_be_visible()
    return page


def test_a_correction_asks_why_with_one_click_or_in_own_words(visit, deliver, services):
    ticket_id = deliver("Empty mat")
    page = opened(visit("anna"), "Empty mat")
    page.locator("#reason").select_option("not_received")
    page.get_by_role("button", name="Reason is right").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Marked delivered but not received")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert services.desk.ticket(ticket_id).state.confirmed_by is None
    page.get_by_role("button", name="Reason is right").click()
    dialog.get_by_role("button", name="Says delivered, yet nothing came").click()
    expect(page.get_by_text("Reason is now: Marked delivered but not received.")).to_be_visible()
    event = next(event for event in services.desk.events(ticket_id) if event.kind == "retagged")
    assert (event.actor, event.data["why"]) == ("agent:anna", "Says delivered, yet nothing came")
    page.locator("#reason").select_option("change_delivery")
    page.get_by_role("button", name="Reason is right").click()
    page.get_by_label("In your own words").fill("moved house")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Reason is now: Change delivery.")).to_be_visible()
    assert [event.data["why"] for event in services.desk.events(ticket_id) if event.kind == "retagged"][1:] == [
        "moved house"
    ]


def test_a_colleague_is_completed_asked_and_finds_the_note(visit, deliver, services):
    ticket_id = deliver("Which carrier")
    page = opened(visit("anna"), "Which carrier")
    page.keyboard.press("n")
    page.keyboard.type("Could @b")
    expect(page.get_by_role("option", name="@ben Ben Ode")).to_be_visible()
    page.keyboard.press("Enter")
    page.keyboard.type("or @cleo ask the carrier?")
    expect(page.get_by_label("Note", exact=True)).to_have_value("Could @ben or @cleo ask the carrier?")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#notice")).to_contain_text("Asked: Ben Ode. Nobody is called @cleo.")
    expect(page.locator(".note")).to_contain_text("Could @ben or @cleo ask the carrier?")
    ben = visit("ben")
    expect(ben.locator("#unread")).to_have_text("1")
    ben.get_by_role("button", name="Mentions").click()
    expect(ben.locator("#list")).to_contain_text("Anna Berg: Could @ben")
    opened(ben, "Which carrier")
    ben.get_by_role("button", name="Mark the note by Anna Berg as read").click()
    expect(ben.locator("#unread")).to_be_hidden()
    assert services.teamwork.unread("ben") == 0
    assert services.desk.ticket(ticket_id).state.mentioned == ("ben",)


def test_colleagues_see_each_other_and_the_slower_one_is_asked_before_sending(visit, deliver, services):
    ticket_id = deliver("Two at once")
    ben = opened(visit("ben"), "Two at once")
    with ben.expect_response("**/v1/presence"):
        ben.keyboard.press("r")
    anna = opened(visit("anna"), "Two at once")
    expect(anna.locator("#others")).to_contain_text("ben is replying")
    anna.get_by_label("Reply", exact=True).fill("Hello, it comes tomorrow.")
    ben.get_by_label("Reply", exact=True).fill("Hello, it arrives on Tuesday.")
    ben.get_by_role("button", name="Send, keep open").click()
    expect(ben.get_by_text("Sent.")).to_be_visible()
    anna.get_by_role("button", name="Send, keep open").click()
    dialog = anna.get_by_role("dialog")
    expect(dialog).to_contain_text("ben replied at")
    expect(dialog).to_contain_text("it arrives on Tuesday.")
    dialog.get_by_role("button", name="Read it first").click()
    expect(anna.locator("#ticket .message.ours")).to_contain_text("it arrives on Tuesday.")
    expect(anna.get_by_label("Reply", exact=True)).to_have_value("Hello, it comes tomorrow.")
    assert services.desk.ticket(ticket_id).state.replies == 1
    anna.get_by_role("button", name="Send, keep open").click()  # read by now
    expect(anna.get_by_text("Sent.")).to_be_visible()
    assert services.desk.ticket(ticket_id).state.replies == 2


def test_who_insists_sends_although_a_colleague_was_quicker(visit, deliver, services):
    ticket_id = deliver("Quick one")
    page = opened(visit("anna"), "Quick one")
    services.desk.reply(ticket_id, "Hello, I look into it.", "agent:ben")
    page.get_by_label("Reply", exact=True).fill("Hello, it comes tomorrow.")
    page.get_by_role("button", name="Send, keep open").click()
    page.get_by_role("button", name="Send mine, too").click()
    expect(page.get_by_text("Sent.")).to_be_visible()
    assert services.desk.ticket(ticket_id).state.replies == 2


def test_a_ticket_is_taken_made_urgent_put_off_and_brought_back(visit, deliver, services):
    ticket_id = deliver("Long story")
    page = opened(visit("anna"), "Long story")
    page.keyboard.press("a")
    expect(page.locator("#notice")).to_contain_text("It is yours.")
    page.get_by_role("combobox", name="Priority").last.select_option("urgent")
    expect(page.locator("#notice")).to_contain_text("Priority is urgent now.")
    page.get_by_role("button", name="Mine").click()
    expect(page.locator("#list")).to_contain_text("Long story")
    page.keyboard.press("s")
    page.get_by_role("button", name="Tomorrow morning").click()
    expect(page.locator("#list")).not_to_contain_text("Long story")
    state = services.desk.ticket(ticket_id).state
    assert (state.assignee, state.priority) == ("anna", "urgent")
    assert state.snoozed_until is not None
    page.get_by_role("button", name="Put off", exact=True).click()
    opened(page, "Long story")
    page.get_by_role("button", name="Bring it back").click()
    expect(page.locator("#notice")).to_contain_text("It is back.")
    page.get_by_role("button", name="Team", exact=True).click()
    expect(page.locator("#list")).to_contain_text("Long story")
    page.locator("#team").select_option("senior")
    expect(page.locator("#none")).to_have_text("Nothing waits in this team.")


def test_a_double_click_sends_one_reply_and_the_next_ticket_shows_that_it_went(visit, deliver, services):
    first, second = deliver("Pressed twice"), deliver("Waits behind it")
    services.desk.correct_tag(first, "tracking_update", "agent:anna")
    page = opened(visit("anna"), "Pressed twice")
    page.get_by_label("Reply", exact=True).fill("It comes tomorrow.")
    page.get_by_role("button", name="Send and close").dblclick()
    expect(page.locator("#notice")).to_contain_text("Sent.")
    page.wait_for_load_state("networkidle")
    replies = [event for event in services.desk.events(first) if event.kind == "replied"]
    assert len(replies) == 1
    assert not [event for event in services.desk.events(second) if event.kind == "replied"]


def test_who_was_signed_out_keeps_what_they_were_writing(visit, deliver):
    deliver("Half an answer")
    page = opened(visit("anna"), "Half an answer")
    page.get_by_label("Reply", exact=True).fill("Dear customer, we have")
    page.context.clear_cookies()
    page.get_by_role("button", name="Send, keep open").click()
    expect(page.locator("#notice")).to_contain_text("You were signed out.")
    expect(page.get_by_label("Reply", exact=True)).to_have_value("Dear customer, we have")


def test_every_shortcut_stands_in_the_help_and_works(visit, deliver):
    deliver("First of two")
    deliver("Second of two")
    page = visit("anna")
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard")
    for what in ("Next ticket", "Write a note", "Take the ticket", "Put the ticket off", "Next list"):
        expect(dialog).to_contain_text(what)
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    expect(page.get_by_role("heading", name="First of two")).to_be_visible()
    page.keyboard.press("j")
    expect(page.get_by_role("heading", name="Second of two")).to_be_visible()
    page.keyboard.press("]")
    expect(page.get_by_role("button", name="Mine")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("p")
    expect(page.locator("#priority")).to_be_focused()


def test_what_customers_and_colleagues_write_executes_nothing(visit, deliver, services):
    payload = '<img src=x onerror="window.pwned=1">'
    ticket_id = deliver(payload, payload, customer_name=payload)
    services.teamwork.note(ticket_id, f"@anna {payload}", "agent:ben")
    page = visit("anna")
    page.get_by_role("button", name="Mentions").click()
    opened(page, payload)
    expect(page.locator(".note")).to_contain_text(payload)
    assert page.evaluate("window.pwned") is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_long_words_fit_a_narrow_page_and_everything_is_readable_and_named(visit, deliver, services, scheme):
    ticket_id = deliver(LONG + scheme, LONG * 3, order_id=LONG, customer_name=LONG)
    services.teamwork.note(ticket_id, f"{LONG} @anna", "agent:ben")
    services.desk.reply(ticket_id, LONG, "agent:ben")
    page = opened(visit("anna", width=360, color_scheme=scheme), LONG + scheme)
    page.locator("#put-off summary").click()
    page.get_by_label("Note", exact=True).fill("@")
    page.get_by_label("Note", exact=True).press("b")
    for box in ("All", "Mentions"):
        page.get_by_role("button", name=box).first.click()
        expect(page.locator("#list")).to_contain_text(LONG)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert page.evaluate(CONTRAST) == []
        assert page.evaluate(NAMELESS) == []
    page.locator("#reason").select_option("change_delivery")
    expect(page.locator("#reason")).to_have_value("change_delivery")
    page.get_by_role("button", name="Reason is right").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert page.evaluate(CONTRAST) == []
    assert page.evaluate("document.querySelector('dialog').getBoundingClientRect().right") <= 360
