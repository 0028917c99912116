"""A whole service over the starter model, the starter content and the sample, in a temporary home."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from desk.importer import import_file
from desk.order_table import load_orders
from service.app import create_app
from service.chat_clients import load_clients_file
from service.settings import Settings, load_settings
from service.wiring import Services, open_services

SAMPLE = Path(__file__).parents[2] / "desk" / "sample"
SMALL_CONTENT = Path(__file__).parents[1] / "bot" / "content"


@pytest.fixture(scope="session")
def settings(starter_store: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Settings:
    store, key = starter_store
    home = tmp_path_factory.mktemp("home")
    return load_settings(home=home, models_store=store, signing_key=key, agent="Anna", shop="Lamps & Jars")


@pytest.fixture(scope="session")
def services(settings: Settings) -> Iterator[Services]:
    with open_services(settings) as opened:
        load_orders(opened.database, SAMPLE / "orders.csv", rejects_path=settings.home / "orders.rejects.csv")
        import_file(opened.desk, SAMPLE / "tickets.csv", "sample", tagger=opened.tagger,
                    rejects_path=settings.home / "tickets.rejects.csv")  # fmt: skip
        yield opened


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    with TestClient(create_app(services), raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture(scope="session")
def client_of() -> Callable[[Services], AbstractContextManager[TestClient]]:
    """A client of the application over the given services, which answers errors instead of raising them."""

    @contextmanager
    def client(services: Services) -> Iterator[TestClient]:
        with TestClient(create_app(services), raise_server_exceptions=False) as opened:
            yield opened

    return client


@pytest.fixture(scope="module")
def small_services(small_model, store_of, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """The services over the small model and the small content, on a new database for each module."""
    root = tmp_path_factory.mktemp("small")
    store, key = store_of(root, small_model)
    with open_services(
        load_settings(home=root / "home", models_store=store, signing_key=key, content=SMALL_CONTENT)
    ) as opened:
        yield opened


@pytest.fixture
def configured(small_services: Services, tmp_path: Path) -> Callable[[str], Services]:
    """The small services with the chat clients of a file."""

    def configure(text: str) -> Services:
        path = tmp_path / "clients.yaml"
        path.write_text(text, encoding="utf-8")
        return replace(small_services, clients=load_clients_file(path))

    return configure
