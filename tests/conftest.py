"""What the tests of several packages share: databases, the real encoder, corpus, models and browser."""

import json
import os
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psycopg
import pytest
import uvicorn
from fastapi import FastAPI
from filelock import FileLock
from playwright.sync_api import Browser, sync_playwright

from classifier.encoders import Encoder, UniversalEncoder
from classifier.guard import starter_guard
from classifier.language import language_identifier
from classifier.model import ReasonModel
from classifier.tagger import Tagger
from classifier.taxonomy import Autonomy, Taxonomy, starter_taxonomy
from models.bundle import Manifest, write_bundle
from models.registry import Registry
from models.signing import SigningKey
from training.corpus import STARTER_CORPUS, Example, as_labelled, load_corpus
from training.fitting import Settings, fit
from training.retraining import REASONS_MODEL, load_model, retrain

SMALL_REASONS = (
    "tracking_update",
    "return_request",
    "product_question",
    "invoice_request",
    "thanks",
    "safety_or_counterfeit",
    "legal_or_ip",
    "other",
)
SMALL_SHARE = 12
SERVERS = ("postgres@127.0.0.1:5432/test", "root@127.0.0.1:5432/test")


@pytest.fixture(scope="session")
def postgres_server() -> str:
    """``USER@HOST:PORT/NAME`` of a PostgreSQL server. None reachable: skip, or fail where CI promises one."""
    why = ""
    for server in SERVERS:
        try:
            psycopg.connect(f"postgresql://{server}", connect_timeout=3).close()
        except psycopg.OperationalError as error:
            why = str(error).strip().splitlines()[0]
        else:
            return server
    message = f"no PostgreSQL server at 127.0.0.1:5432: {why}"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of an empty schema of its own, dropped at the end."""
    schema = f"paretodesk_test_{uuid.uuid4().hex[:16]}"
    with psycopg.connect(f"postgresql://{postgres_server}", autocommit=True) as connection:
        connection.execute(f'CREATE SCHEMA "{schema}"')
        try:
            # durability is the server's affair; waiting for its disk would double the time of the suite
            yield f"postgresql+psycopg://{postgres_server}?options=-csearch_path%3D{schema}%20-csynchronous_commit%3Doff"
        finally:
            connection.execute("SET client_min_messages TO warning")
            connection.execute(f'DROP SCHEMA "{schema}" CASCADE')


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of both kinds."""
    return f"sqlite:///{tmp_path}/desk.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    return UniversalEncoder(threads=2)


@pytest.fixture(scope="session")
def taxonomy() -> Taxonomy:
    return starter_taxonomy()


@pytest.fixture(scope="session")
def human_only(taxonomy: Taxonomy) -> frozenset[str]:
    return taxonomy.with_autonomy(Autonomy.HUMAN_ONLY)


@pytest.fixture(scope="session")
def corpus(taxonomy: Taxonomy) -> list[Example]:
    return load_corpus(STARTER_CORPUS, taxonomy)


@pytest.fixture(scope="session")
def small_examples() -> list[Example]:
    """The first English tickets of a few reasons; read by itself, so that a slip elsewhere costs nothing."""
    examples = []
    for reason in SMALL_REASONS:
        lines = (STARTER_CORPUS / "en" / f"{reason}.jsonl").read_text(encoding="utf-8").split("\n")
        for number, row in enumerate(map(json.loads, lines[:SMALL_SHARE])):
            channel, subject = row["channel"], row.get("subject") or ""
            name = f"{reason}-{number}"
            examples.append(Example(name, reason, "en", channel, subject, row["body"], name))
    assert set(Counter(example.reason for example in examples).values()) == {SMALL_SHARE}
    return examples


@pytest.fixture(scope="session")
def small_model(encoder: Encoder, small_examples: list[Example], human_only: frozenset[str]) -> ReasonModel:
    """Fitted on a hundred tickets; a third of its tags may be wrong, so that so few can certify it."""
    settings = Settings(target_error=0.3, human_only=human_only)
    return fit(as_labelled(small_examples), encoder, settings).model


@pytest.fixture(scope="session")
def small_tagger(taxonomy: Taxonomy, small_model: ReasonModel) -> Tagger:
    return Tagger(taxonomy, starter_guard(), language_identifier(), small_model, "reasons/small-1")


@pytest.fixture(scope="session")
def starter_store(
    corpus: list[Example], encoder: Encoder, human_only: frozenset[str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """The store and the key file of the starter model: a minute or two, once for all workers.

    Only for what a small model cannot show.
    """
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    store, key, done = root / "starter" / "store", root / "starter" / "signing.key", root / "starter.done"
    with FileLock(root / "starter.lock"):
        if not done.exists():
            retrain(corpus, encoder, Registry(store), SigningKey.read_or_create(key), human_only=human_only)
            done.touch()
    return store, key


@pytest.fixture(scope="session")
def starter_model(starter_store: tuple[Path, Path]) -> ReasonModel:
    store, key = starter_store
    return load_model(Registry(store), SigningKey.read_or_create(key), REASONS_MODEL)[0]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A real Chromium, one for the whole run: Playwright's sync API allows one instance at a time."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def serve() -> Callable[[FastAPI], AbstractContextManager[str]]:
    """Serves an application on a free port until the block ends; the block gets its address."""

    @contextmanager
    def served(app: FastAPI) -> Iterator[str]:
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", ws="none"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            thread.join(0.02)
            assert thread.is_alive(), "the server did not start"
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        server.should_exit = True
        thread.join(10)

    return served


@pytest.fixture(scope="session")
def store_of() -> Callable[[Path, ReasonModel], tuple[Path, Path]]:
    """Makes a model the serving version of a new store in a folder; gives the store and the key file."""

    def store(folder: Path, model: ReasonModel) -> tuple[Path, Path]:
        registry, key = Registry(folder / "store"), folder / "signing.key"
        manifest = Manifest(REASONS_MODEL, "small", "2026-11-22T00:00:00+00:00", {}, {}, "", {})
        files = model.to_files()
        write_bundle(registry.folder(REASONS_MODEL, "small"), manifest, files, "card", SigningKey.read_or_create(key))
        registry.promote(REASONS_MODEL, "small")
        return folder / "store", key

    return store
