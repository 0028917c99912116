"""What else the widget does: streams, ratings, the page's order, and a page of its own."""

import urllib.error
import urllib.request
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from bot.ratings import Ratings
from desk.ledger import EventKind

Visit = Callable[..., Page]
STREAM = "text/event-stream"


def opened(page: Page) -> Page:
    page.locator(".launcher").click()
    expect(page.locator(".message.bot").first).to_be_visible()
    return page


def say(page: Page, text: str) -> None:
    page.locator("textarea").last.fill(text)
    page.keyboard.press("Enter")


def solved(page: Page) -> Page:
    """A conversation that ended well, on ``page``."""
    say(opened(page), "Where is my parcel?")
    page.get_by_role("button", name="Yes, thank you").click()
    expect(page.locator(".rating")).to_be_visible()
    return page


def session_of(page: Page) -> str:
    return page.evaluate("JSON.parse(sessionStorage['paretodesk:demo']).session.id")


# -- streaming ---------------------------------------------------------------------------------------------


def test_answers_are_asked_for_as_a_stream_and_a_second_attempt_in_one_piece(visit: Visit, shop):
    page = opened(visit())
    shop.failures[:] = [503]
    say(page, "I forgot my password")
    expect(page.locator(".message.bot").nth(1)).to_contain_text("forgotten password")
    first, second = shop.accepted
    assert first.startswith(STREAM)
    assert STREAM not in second


@pytest.mark.parametrize("cut", [60, 400])
def test_a_stream_that_breaks_off_leaves_no_half_answer_and_no_double_one(visit: Visit, shop, cut: int):
    page = opened(visit())
    heard = []

    def break_off(route):
        answer = route.fetch()
        heard.append(answer.headers["content-type"])
        if heard[-1].startswith(STREAM):
            route.fulfill(response=answer, body=answer.body()[:cut])
        else:
            route.fulfill(response=answer)

    page.route("**/messages", lambda route: break_off(route) if route.request.method == "POST" else route.continue_())
    say(page, "I forgot my password")
    expect(page.locator(".message.bot")).to_have_count(3, timeout=10_000)
    expect(page.locator(".message.customer")).to_have_count(1)
    assert [kind.split(";")[0] for kind in heard] == [STREAM, "application/json"]
    assert len({message["client_id"] for message in shop.received}) == 1


# -- ratings -----------------------------------------------------------------------------------------------


def test_after_a_solved_question_the_customer_rates_with_the_keyboard_and_the_number_is_on_record(visit: Visit, shop):
    page = visit()
    page.evaluate("window.rated = []; paretodesk.on('rating', (given) => window.rated.push(given)); 0")
    solved(page)
    expect(page.get_by_role("radio")).to_have_count(5)
    page.get_by_role("radio", name="1: Very dissatisfied").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.get_by_role("textbox", name="What could we do better? (optional)").fill("Quick <b>answer</b>")
    page.get_by_role("button", name="Send rating").click()
    expect(page.get_by_role("radio")).to_have_count(11)
    page.get_by_role("radio", name="9", exact=True).check()
    page.get_by_role("button", name="Send rating").click()
    expect(page.locator(".rating")).to_be_hidden()
    expect(page.get_by_role("log")).to_contain_text("Thank you for your rating.")
    expect(page.locator("textarea").last).to_be_focused()
    given = Ratings(shop.services.database).of(session_of(page))
    assert given.to_json() == {"csat": 4, "nps": 9, "comment": "Quick <b>answer</b>"}
    assert page.evaluate("window.rated") == [{"csat": 4, "comment": "Quick <b>answer</b>"}, {"nps": 9}]
    page.reload()
    expect(page.locator(".message.customer")).to_have_count(2)
    expect(page.locator(".rating")).to_be_hidden()


def test_who_does_not_want_to_rate_is_asked_once(visit: Visit):
    page = solved(visit())
    page.get_by_role("button", name="Do not rate").click()
    expect(page.locator(".rating")).to_be_hidden()
    say(page, "How do I return an article?")
    page.get_by_role("button", name="Yes, thank you").click()
    expect(page.locator(".message.bot").last).to_contain_text("glad to hear")
    expect(page.locator(".rating")).to_be_hidden()


def test_a_rating_that_could_not_be_sent_stays_to_be_sent_again(visit: Visit):
    page = solved(visit())
    page.context.set_offline(True)
    page.get_by_role("radio", name="5: Very satisfied").check()
    page.get_by_role("button", name="Send rating").click()
    expect(page.locator(".rating .problem")).to_be_visible()
    page.context.set_offline(False)
    page.get_by_role("button", name="Send rating").click()
    expect(page.get_by_role("radio")).to_have_count(11)


def test_once_a_person_has_closed_the_ticket_the_rating_counts_for_it(visit: Visit, shop):
    page = opened(visit())
    page.clock.install()
    page.locator(".person").click()
    expect(page.locator(".person")).to_be_hidden()
    expect(page.locator(".rating")).to_be_hidden()
    newest = max(shop.desk.open_tickets(), key=lambda view: view.ticket.created_at).ticket
    shop.desk.reply(newest.id, "It is on its way again.", "agent:anna")
    shop.desk.correct_tag(newest.id, "tracking_update", "agent:anna")
    shop.desk.resolve(newest.id, "agent:anna")
    page.clock.run_for(11_000)
    expect(page.locator(".message.agent")).to_contain_text("on its way again")
    page.get_by_role("radio", name="2: Dissatisfied").check()
    page.get_by_role("button", name="Send rating").click()
    expect(page.get_by_role("radio")).to_have_count(11)
    [rated] = [event for event in shop.desk.events(newest.id) if event.kind is EventKind.RATED]
    assert (rated.actor, rated.data) == ("customer", {"csat": 2})


# -- the page's order --------------------------------------------------------------------------------------


def test_the_order_of_the_page_is_a_button_where_the_bot_asks_for_one_and_proves_nothing(visit: Visit, order):
    page = opened(visit())
    page.evaluate("id => paretodesk.setOrder(id)", order["id"])
    expect(page.get_by_role("button", name="My order")).to_have_count(0)
    say(page, "Where is my parcel?")
    page.get_by_role("button", name=f"My order {order['id']}").click()
    expect(page.locator(".message.customer").last).to_contain_text(order["id"])
    expect(page.locator(".message.bot").last).to_contain_text("e-mail address or postcode")
    expect(page.get_by_role("button", name="My order")).to_have_count(0)
    assert "JJD000390007882823456" not in page.locator(".log").inner_text()


# -- a page of its own -------------------------------------------------------------------------------------


def test_the_chat_has_a_page_of_its_own_that_fills_the_window_and_cannot_be_closed(visit: Visit):
    page = visit(500, 600, path="/chat/demo?locale=de")
    expect(page.locator(".message.bot").first).to_contain_text("Guten Tag")
    assert page.locator(".panel").bounding_box() == {"x": 0, "y": 0, "width": 500, "height": 600}
    expect(page.locator("header button")).to_be_hidden()
    page.locator("textarea").focus()
    page.keyboard.press("Escape")
    expect(page.locator(".panel")).to_be_visible()


def test_only_the_pages_of_the_settings_may_show_it_in_a_frame(shop):
    with urllib.request.urlopen(f"{shop.url}/chat/demo") as answer:
        policy = answer.headers["content-security-policy"]
        assert "set-cookie" not in answer.headers
    assert policy.endswith("frame-ancestors 'self' http://localhost:1")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{shop.url}/chat/elsewhere")


def test_no_cookie_is_set_and_the_token_is_on_record_only_as_a_hash(visit: Visit, shop):
    page = opened(visit())
    assert page.context.cookies() == []
    token = page.evaluate("JSON.parse(sessionStorage['paretodesk:demo']).session.token")
    assert len(token) >= 43
    with shop.services.database.engine.connect() as connection:
        dump = "\n".join(connection.connection.driver_connection.iterdump())
    assert session_of(page) in dump
    assert token not in dump
