"""A small desk with the chat's routes, served on a free port, and a real Chromium."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
import yaml
from fastapi import FastAPI, Header, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from playwright.sync_api import Browser, Page
from threadpoolctl import threadpool_limits

import bot
from bot import BotError, Conversations
from classifier.encoders import UniversalEncoder
from classifier.features import feature_text
from classifier.guard import starter_guard
from classifier.language import language_identifier
from classifier.tagger import Tagger
from classifier.taxonomy import Autonomy, starter_taxonomy
from desk.database import open_database
from desk.inbox import Desk
from desk.order_table import OrderTable
from kb.index import KnowledgeIndex
from kb.knowledge import KnowledgeBase
from training.fitting import Labelled, Settings, fit

SMALL = Path(__file__).parents[1] / "bot"
WIDGET = Path(bot.__file__).parent / "widget" / "widget.js"
PAGE = """<!doctype html><html lang="{lang}"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Shop</title>
<body><h1>Lamps</h1><a href="#x">Link</a>
<script async src="/widget.js" data-site="demo"></script></body></html>"""
POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; object-src 'none'"
PAYLOADS = """## How do I return an article?

You can return an unused article within 30 days: open **Your Orders** and print the label.

- <img src=x onerror="window.pwned=1">
- **<svg onload="window.pwned=1">** [link](javascript:window.pwned=1)

<script>window.pwned=1</script>
<iframe srcdoc="<script>parent.pwned=1</script>"></iframe>
"""


@dataclass
class Shop:
    """What a test may look at and disturb."""

    url: str = ""
    desk: Desk | None = None
    received: list[dict[str, Any]] = field(default_factory=list)
    failures: list[int] = field(default_factory=list)
    """Statuses that the next messages are answered with."""


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("shop")
    encoder = UniversalEncoder(threads=1)
    knowledge = KnowledgeBase.load(_content(folder / "content"))
    database = open_database(f"sqlite:///{folder}/desk.db")
    desk = Desk(database)
    with KnowledgeIndex.open(folder / "index", encoder) as index:
        knowledge.sync(index)
        source = OrderTable(database)
        conversations = Conversations(database, desk, _tagger(encoder), knowledge, source, shop="Lumen & Co")
        served = Shop(desk=desk)
        with _serving(_app(conversations, served)) as url:
            served.url = url
            yield served
    database.close()


def _content(folder: Path) -> Path:
    """The small content of the conversation tests; the English return article tries to run scripts."""
    for source in (SMALL / "content").glob("*/*/*.md"):
        target = folder / source.relative_to(SMALL / "content")
        target.parent.mkdir(parents=True, exist_ok=True)
        text = source.read_text(encoding="utf-8")
        if source.name == "return.md" and source.parent.name == "en":
            text = text[: text.index("## ")] + PAYLOADS
        target.write_text(text, encoding="utf-8")
    return folder


def _tagger(encoder: UniversalEncoder) -> Tagger:
    tickets = yaml.safe_load((SMALL / "tickets.yaml").read_text(encoding="utf-8"))
    rows = [(feature_text("", text), reason) for reason, texts in tickets.items() for text in texts]
    taxonomy = starter_taxonomy()
    data = Labelled(*zip(*((text, reason, str(n)) for n, (text, reason) in enumerate(rows)), strict=True))
    settings = Settings(target_error=0.3, human_only=taxonomy.with_autonomy(Autonomy.HUMAN_ONLY))
    with threadpool_limits(1):  # quicker for so few tickets
        model = fit(data, encoder, settings).model
    return Tagger(taxonomy, starter_guard(), language_identifier(), model, "small-1")


def _app(conversations: Conversations, shop: Shop) -> FastAPI:
    app = FastAPI()

    @app.exception_handler(BotError)
    def _refused(request: Request, error: BotError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, status_code=404)

    @app.get("/")
    def page(lang: str = "en") -> HTMLResponse:
        return HTMLResponse(PAGE.format(lang=lang), headers={"Content-Security-Policy": POLICY})

    @app.get("/widget.js")
    def widget() -> FileResponse:
        return FileResponse(WIDGET, media_type="text/javascript")

    @app.get("/favicon.ico")
    def icon() -> HTMLResponse:
        return HTMLResponse("")

    @app.post("/v1/chat/sessions", status_code=201)
    def start(body: dict[str, Any]) -> dict[str, Any]:
        return conversations.start(body["site"], body.get("locale")).to_json()

    @app.post("/v1/chat/sessions/{session_id}/messages")
    def say(session_id: str, body: dict[str, Any], authorization: str = Header()) -> Any:
        shop.received.append(body)
        if shop.failures:
            return JSONResponse({}, status_code=shop.failures.pop(0))
        token = authorization.removeprefix("Bearer ")
        return conversations.say(session_id, token, body["text"], body.get("client_id"), body.get("choice")).to_json()

    @app.get("/v1/chat/sessions/{session_id}/messages")
    def history(session_id: str, authorization: str = Header()) -> dict[str, Any]:
        entries = conversations.history(session_id, authorization.removeprefix("Bearer "))
        return {"messages": [entry.to_json() for entry in entries]}

    return app


@contextmanager
def _serving(app: FastAPI) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.02)
        assert thread.is_alive(), "the server did not start"
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def visit(browser: Browser, shop: Shop) -> Iterator[Callable[..., Page]]:
    """Opens the shop's page in a fresh browser context; every error of the page fails the test."""
    contexts, errors = [], []
    shop.received.clear()
    shop.failures.clear()

    def open_page(width: int = 1280, height: int = 800, lang: str = "en", **options: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, locale=lang, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{shop.url}/?lang={lang}")
        page.wait_for_function("window.paretodesk")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []
