"""A whole service over the starter model, the starter content and the sample, in a temporary home."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from desk.importer import import_file
from desk.order_table import load_orders
from service.app import create_app
from service.settings import Settings, load_settings
from service.wiring import Services, open_services

SAMPLE = Path(__file__).parents[2] / "desk" / "sample"


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
