"""A hundred ways to have a browser run a script: through articles, what people write, tickets and names."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from playwright.sync_api import Page, expect

from desk.inbox import IncomingTicket

Visit = Callable[..., Page]
HARMLESS = "a, p, ul, ol, li, br, strong, em, code, span, div"
TRAP = "for (const name of ['alert', 'confirm', 'prompt', 'print']) window[name] = () => { window.pwned = 1; };"


@contextmanager
def watched(page: Page, shop) -> Iterator[None]:
    """Nothing of the page's content may run, be fetched or lead away, although no policy of the page forbids it."""
    asked: list[str] = []
    page.context.add_init_script(TRAP)
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    yield
    page.mouse.move(600, 300)
    page.mouse.move(1000, 500)
    page.wait_for_timeout(300)
    assert page.evaluate("window.pwned") is None
    assert [url for url in asked if not url.startswith(shop.url)] == []
    # The trap must be able to snap.
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=/x onerror=alert(1)>')")
    page.wait_for_function("window.pwned === 1")


def foreign_elements(page: Page) -> int:
    """Elements in the log that light Markdown does not make."""
    everything = page.locator(".log .bubble *").count()
    return everything - page.locator(".log .bubble").locator(f":is({HARMLESS})").count()


def test_there_are_a_hundred_different_payloads(payloads: list[str]):
    assert len(set(payloads)) == len(payloads) == 100


def test_an_article_full_of_scripts_is_shown_as_text(visit: Visit, shop, payloads: list[str]):
    page = visit(bypass_csp=True)
    with watched(page, shop):
        page.locator(".launcher").click()
        page.locator("textarea").fill("How do I return an article?")
        page.keyboard.press("Enter")
        answer = page.locator(".message.bot").nth(1)
        expect(answer).to_contain_text(payloads[0])
        shown = answer.inner_text()
        marked = ("*", "`", "{{", "](https:")  # what Markdown makes something of, or the article does not hold
        whole = [payload for payload in payloads if not any(mark in payload for mark in marked)]
        assert len(whole) > 90
        assert [payload for payload in whole if payload not in shown] == []
        assert foreign_elements(page) == 0
        links = answer.locator("a")
        assert {link.get_attribute("href").split(":")[0] for link in links.all()} <= {"https"}
        assert {link.get_attribute("rel") for link in links.all()} <= {"noopener noreferrer"}
        page.reload()
        expect(page.locator(".message.bot").nth(1)).to_contain_text(payloads[0])


def test_customers_agents_and_the_names_of_a_shop_and_of_an_order_run_nothing(
    visit: Visit, shop, order, payloads: list[str]
):
    page = visit(bypass_csp=True)
    with watched(page, shop):
        page.locator(".launcher").click()
        expect(page.locator(".message.bot").first).to_contain_text('Lumen & Co <img src=x onerror="alert(1)">')
        for text in ("Where is my parcel?", f"{order['id']} {order['email']}"):
            answers = page.locator(".message.bot").count()
            page.locator("textarea").fill(text)
            page.keyboard.press("Enter")
            expect(page.locator(".message.bot")).not_to_have_count(answers)
            expect(page.locator(".typing")).to_have_count(0)
        page.locator(".person").click()
        expect(page.locator(".person")).to_be_hidden()
        for start in range(0, 100, 20):
            page.locator("textarea").fill("\n".join(payloads[start : start + 20]))
            page.keyboard.press("Enter")
            expect(page.locator(".message.customer").last).to_contain_text(payloads[start + 1])
        expect(page.locator(".typing")).to_have_count(0)
        newest = max(shop.desk.open_tickets(), key=lambda view: view.ticket.created_at)
        for start in range(0, 100, 10):
            shop.desk.reply(newest.ticket.id, "\n".join(payloads[start : start + 10]), "agent:<b onclick=alert(1)>")
        page.reload()
        expect(page.locator(".message.agent")).to_have_count(10)
        expect(page.locator(".message.agent").last).to_contain_text(payloads[99])
        assert foreign_elements(page) == 0


def test_tickets_and_customers_names_run_nothing_in_the_console(visit: Visit, shop, payloads: list[str]):
    for start in range(0, 100, 10):
        some = payloads[start : start + 10]
        ticket = IncomingTicket(
            "hostile", f"h-{start}", "\n".join(payloads), subject=" ".join(some), order_id=some[0][:60],
            customer_name=some[1], created_at=datetime(2020, 1, 1, tzinfo=UTC),
        )  # fmt: skip
        shop.desk.receive(ticket)
    page = visit(bypass_csp=True, path="/console")
    with watched(page, shop):
        entries = page.locator("#list button")
        expect(entries.first).to_be_visible()
        for number in range(3):
            entries.nth(number).click()
            expect(page.locator("main")).to_contain_text(payloads[14])
