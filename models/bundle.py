"""A bundle: one immutable folder with a model's files and a signed manifest that names every byte of them.

BundleError
    ├── BundleMissingError    there is no such bundle
    └── BundleRejectedError   a file, the manifest or the signature is not what was written; nothing was opened
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from models.signing import SigningKey

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
CARD = "card.md"
LAYOUT_VERSION = 1


class BundleError(RuntimeError):
    """A bundle cannot be used; the message says which, why, and what to do."""


class BundleMissingError(BundleError):
    """There is no bundle where one was asked for."""


class BundleRejectedError(BundleError):
    """The bundle's bytes are not those that were signed."""


@dataclass(frozen=True)
class Manifest:
    """What a bundle is: sha256 of each file, where it came from, what it scored.

    ``data_hash`` names the training data, ``libraries`` the versions it was fitted with, ``metrics`` the figures of
    its own evaluation, ``certificates`` the guarantees of its thresholds.
    """

    name: str
    version: str
    created_at: str
    files: dict[str, str]
    libraries: dict[str, str]
    data_hash: str
    metrics: dict[str, Any]
    certificates: dict[str, Any] = field(default_factory=dict)
    layout: int = LAYOUT_VERSION


@dataclass(frozen=True)
class Bundle:
    """A verified bundle: its manifest and the very bytes that were verified."""

    manifest: Manifest
    files: Mapping[str, bytes]


def write_bundle(folder: Path, manifest: Manifest, files: Mapping[str, bytes], card: str, key: SigningKey) -> None:
    """Write a new bundle at ``folder``; it appears whole or not at all. Raises `BundleError` if it exists."""
    if folder.exists():
        raise BundleError(f"{folder} exists already; versions are immutable, choose a new one")
    contents = {**files, CARD: card.encode()}
    signed = Manifest(**{**asdict(manifest), "files": {name: _digest(data) for name, data in sorted(contents.items())}})
    text = json.dumps(asdict(signed), indent=2, ensure_ascii=False, sort_keys=True).encode()
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=folder.parent))
    try:
        for name, data in {**contents, MANIFEST: text, SIGNATURE: key.sign(text).encode()}.items():
            with (draft / name).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        draft.chmod(0o755)
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def read_bundle(folder: Path, key: SigningKey) -> Bundle:
    """Read and verify a bundle: signature first, then each file's hash, over the bytes that are returned.

    Raises `BundleMissingError` or `BundleRejectedError`.
    """
    if not folder.is_dir():
        raise BundleMissingError(f"no model at {folder}; train one with 'paretodesk train' or choose another version")
    text = _read(folder / MANIFEST)
    if not key.verifies(text, _read(folder / SIGNATURE).decode("ascii", "replace").strip()):
        raise BundleRejectedError(
            f"{folder / MANIFEST}: the signature does not fit this desk's key; "
            "roll back to another version or train again"
        )
    try:
        manifest = Manifest(**json.loads(text))
    except (TypeError, ValueError) as error:
        raise BundleRejectedError(
            f"{folder / MANIFEST}: not a manifest that this version reads: {error}; train the model again"
        ) from error
    if manifest.layout != LAYOUT_VERSION:
        raise BundleRejectedError(f"{folder}: layout {manifest.layout} is not {LAYOUT_VERSION}; train the model again")
    if folder.name != manifest.version or folder.parent.name != manifest.name:
        raise BundleRejectedError(
            f"{folder}: the manifest is that of {manifest.name}/{manifest.version}; it was moved here, put it back"
        )
    files = {}
    for name, digest in manifest.files.items():
        data = _read(folder / name)
        if _digest(data) != digest:
            raise BundleRejectedError(
                f"{folder / name}: its content changed after it was signed; roll back to another version or train again"
            )
        files[name] = data
    return Bundle(manifest, files)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleRejectedError(f"{path} cannot be read ({error.strerror}); roll back or train again") from error


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
