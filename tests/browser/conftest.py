"""The real application over small content and a small model, served on a free port, and a real Chromium."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from playwright.sync_api import Browser, Page, expect
from threadpoolctl import threadpool_limits

from classifier.encoders import UniversalEncoder
from classifier.features import feature_text
from classifier.model import ReasonModel
from classifier.taxonomy import Autonomy, starter_taxonomy
from desk.inbox import Desk
from desk.tables import orders
from service.app import create_app
from service.settings import load_settings
from service.wiring import Services, open_services
from training.fitting import Labelled, Settings, fit

SMALL = Path(__file__).parents[1] / "bot"
PAYLOADS = (Path(__file__).parent / "payloads.txt").read_text(encoding="utf-8").splitlines()
PAGE = """<!doctype html><html lang="{lang}"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Shop</title>
<body style="margin: 0; background: Canvas; color: CanvasText"><main><h1>Lamps</h1><a href="#x">Link</a></main>
<script async src="/widget.js" data-site="demo"></script></body></html>"""
POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; object-src 'none'"
expect.set_options(timeout=15_000)  # the first macro waits for the policy rules to be read
SHOP = 'Lumen & Co <img src=x onerror="alert(1)">'
RETURN = """## How do I return an article?

You can return an unused article within 30 days: open **Your Orders** and print the label.

"""


@dataclass
class Shop:
    """What a test may look at and disturb."""

    services: Services
    url: str = ""
    received: list[dict[str, Any]] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    """Accept headers of the messages."""
    failures: list[int] = field(default_factory=list)
    """Statuses that the next messages are answered with."""
    delay: float = 0
    """Seconds before a message is answered."""

    @property
    def desk(self) -> Desk:
        return self.services.desk


@pytest.fixture(scope="session")
def shop(serve, store_of, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("shop")
    store, key = store_of(folder, _model())
    settings = load_settings(
        home=folder / "home",
        models_store=store,
        signing_key=key,
        content=_content(folder / "content"),
        shop=SHOP,
        chat_nps=True,
        origins="http://localhost:1",
    )
    with open_services(settings) as services:
        services.tagger.tag("", "the first one waits for the model to be read")
        served = Shop(services)
        with serve(_app(served)) as url:
            served.url = url
            yield served


def _content(folder: Path) -> Path:
    """The small content of the conversation tests; the English return article tries to run scripts."""
    for source in (SMALL / "content").glob("*/*/*.md"):
        target = folder / source.relative_to(SMALL / "content")
        target.parent.mkdir(parents=True, exist_ok=True)
        text = source.read_text(encoding="utf-8")
        if source.name == "return.md" and source.parent.name == "en":
            # double braces are a macro's, and an article with any is refused
            tries = "\n".join(f"- {payload}" for payload in PAYLOADS if "{{" not in payload)
            text = text[: text.index("## ")] + RETURN + tries
        target.write_text(text, encoding="utf-8")
    return folder


def _model() -> ReasonModel:
    tickets = yaml.safe_load((SMALL / "tickets.yaml").read_text(encoding="utf-8"))
    rows = [(feature_text("", text), reason) for reason, texts in tickets.items() for text in texts]
    data = Labelled(*zip(*((text, reason, str(n)) for n, (text, reason) in enumerate(rows)), strict=True))
    settings = Settings(target_error=0.3, human_only=starter_taxonomy().with_autonomy(Autonomy.HUMAN_ONLY))
    with threadpool_limits(1):  # quicker for so few tickets
        return fit(data, UniversalEncoder(threads=1), settings).model


def _app(shop: Shop) -> FastAPI:
    app = create_app(shop.services)

    @app.get("/shop")
    def page(lang: str = "en") -> HTMLResponse:
        return HTMLResponse(PAGE.format(lang=lang), headers={"Content-Security-Policy": POLICY})

    @app.middleware("http")
    async def disturb(request: Request, call_next: Callable[[Request], Any]) -> Response:
        if request.method == "POST" and request.url.path.endswith("/messages"):
            shop.received.append(await request.json())
            shop.accepted.append(request.headers["accept"])
            await asyncio.sleep(shop.delay)
            if shop.failures:
                return JSONResponse({}, status_code=shop.failures.pop(0))
        response: Response = await call_next(request)
        return response

    return app


@pytest.fixture
def visit(browser: Browser, shop: Shop) -> Iterator[Callable[..., Page]]:
    """Opens the shop's page, or another path, in a fresh browser context; every error of the page fails the test."""
    contexts, errors = [], []
    shop.received.clear()
    shop.accepted.clear()
    shop.failures.clear()
    shop.delay = 0

    def open_page(width: int = 1280, height: int = 800, lang: str = "en", path: str = "/shop", **options: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, locale=lang, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{shop.url}{path}{'&' if '?' in path else '?'}lang={lang}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture
def order(shop: Shop) -> Iterator[dict[str, str]]:
    """An order that is on its way, whose buyer and carrier have hostile names; gone after the test."""
    found = {"id": "123-4567890-1234567", "email": "ada@example.org"}
    facts = {
        "order.id": found["id"],
        "order.fulfilment": "merchant",
        "buyer.name": "Ada <script>alert(1)</script>",
        "shipment.carrier": "DHL <img src=x onerror=alert(1)>",
        "shipment.tracking": "JJD000390007882823456",
        "shipment.status": "in_transit",
        "shipment.eta": (datetime.now(UTC) + timedelta(days=9)).date().isoformat(),
    }
    row = {"order_id": found["id"], "facts": facts, "buyer_email": found["email"], "postcode": "SW1A 1AA"}
    with shop.services.database.session() as session:
        session.execute(orders.insert().values(**row, as_of=datetime.now(UTC)))
    yield found
    with shop.services.database.session() as session:
        session.execute(orders.delete())


@pytest.fixture(scope="session")
def payloads() -> list[str]:
    """A hundred attempts to have a browser call alert or set window.pwned."""
    return PAYLOADS
