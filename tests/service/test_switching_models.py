"""Promotion and rollback while a server answers: it switches by itself and drops nothing."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from typer.testing import CliRunner

from classifier.model import ReasonModel
from models.bundle import Manifest, write_bundle
from models.registry import Registry
from models.signing import SigningKey
from service.app import create_app
from service.cli import app
from service.settings import load_settings
from service.wiring import open_services
from training.retraining import REASONS_MODEL

CONTENT = Path(__file__).parents[1] / "bot" / "content"
PATIENCE = 60.0
"""Seconds after which a server that has not switched never will; docs/retraining.md has the time measured."""
Serve = Callable[[FastAPI], AbstractContextManager[str]]


class Client:
    """Asks for tags without a pause, and keeps each answer's status and model."""

    def __init__(self, address: str) -> None:
        self.answers: list[tuple[int, str]] = []
        self._address, self._stop = address, threading.Event()

    def ask(self) -> None:
        with httpx.Client(base_url=self._address, timeout=30) as client:
            while not self._stop.is_set():
                answer = client.post("/v1/tag", json={"id": "1", "body": "Where is my parcel?"})
                model = answer.json()["model"] if answer.status_code == 200 else answer.text
                self.answers.append((answer.status_code, model))

    def until(self, version: str) -> None:
        """Wait until the newest answer is of this version."""
        wanted, deadline = f"{REASONS_MODEL}/{version}", time.monotonic() + PATIENCE
        while not self.answers or self.answers[-1][1] != wanted:
            assert time.monotonic() < deadline, f"{wanted} does not answer, {self.answers[-1:]} does"
            time.sleep(0.05)

    @contextmanager
    def asking(self, threads: int) -> Iterator[None]:
        running = [threading.Thread(target=self.ask) for _ in range(threads)]
        for thread in running:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in running:
                thread.join(30)


def test_a_running_server_follows_promotion_and_rollback_without_a_failed_request(
    small_model: ReasonModel, store_of, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, key = store_of(tmp_path, small_model)
    guarantee = replace(small_model.thresholds.guarantee, threshold=0.99)
    other = replace(small_model, thresholds=replace(small_model.thresholds, guarantee=guarantee))
    registry, signing = Registry(store), SigningKey.read(key)
    manifest = Manifest(REASONS_MODEL, "second", "2026-11-22T00:00:00+00:00", {}, {}, "", {})
    write_bundle(registry.folder(REASONS_MODEL, "second"), manifest, other.to_files(), "card", signing)
    settings = {"HOME": tmp_path / "home", "MODELS_STORE": store, "SIGNING_KEY": key, "CONTENT": CONTENT}
    for name, value in settings.items():
        monkeypatch.setenv(f"PARETODESK_{name}", str(value))
    with open_services(load_settings()) as services, serve(create_app(services)) as address:
        client = Client(address)
        with client.asking(threads=3):
            client.until("small")
            assert CliRunner().invoke(app, ["promote", "second"]).stdout == "reasons/second serves\n"
            client.until("second")
            assert CliRunner().invoke(app, ["rollback"]).stdout == "reasons/small serves again\n"
            client.until("small")
    assert {status for status, _ in client.answers} == {200}
    assert {model for _, model in client.answers} == {"reasons/small", "reasons/second"}
    assert len(client.answers) > 20
