"""Bundles of a few bytes, signed with a real key."""

from collections.abc import Callable
from pathlib import Path

import pytest

from models.bundle import Manifest, write_bundle
from models.registry import Registry
from models.signing import SigningKey

FILES = {"arrays.npz": b"\x00\x01\x02" * 100, "model.json": b'{"format": 1}'}


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return SigningKey.read_or_create(tmp_path / "keys" / "signing.key")


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "store")


@pytest.fixture
def write(registry: Registry, key: SigningKey) -> Callable[..., Path]:
    """Writes a bundle and says where."""

    def one(version: str = "v1", name: str = "reasons", **changes: object) -> Path:
        fields = {
            "created_at": "2026-11-21T00:00:00+00:00",
            "files": {},
            "libraries": {"numpy": "2"},
            "data_hash": "abc",
            "metrics": {"accuracy": 0.9},
        }
        manifest = Manifest(name=name, version=version, **{**fields, **changes})
        folder = registry.folder(name, version)
        write_bundle(folder, manifest, FILES, "# Card\n", key)
        return folder

    return one
