"""The stages of a run on disk: each is done once, written whole and signed, and found again after a crash."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from models.bundle import CARD, BundleError, BundleMissingError, Manifest, read_bundle, write_bundle
from models.signing import SigningKey

RESULT = "result.json"


class Stages:
    """The finished stages of one run, each a signed bundle ``<folder>/<stage>``.

    Signed, because a model is made of them: who can write the folder must not get a model signed by writing it there.
    """

    def __init__(self, folder: Path, key: SigningKey) -> None:
        self.folder = folder
        self._key = key
        self.repeated: list[str] = []
        """Stages that lay there but could not be used, with why."""

    def once(self, stage: str, work: Callable[[], Mapping[str, bytes]]) -> Mapping[str, bytes]:
        """The files of a stage; ``work`` makes them unless they are there already."""
        if (found := self._found(stage)) is not None:
            return found
        files = work()
        manifest = Manifest(
            name=self.folder.name,
            version=stage,
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            files={}, libraries={}, data_hash="", metrics={},
        )  # fmt: skip
        write_bundle(self.folder / stage, manifest, files, "", self._key)
        return files

    def once_json(self, stage: str, work: Callable[[], Any]) -> Any:
        """`once` for a stage whose result is one JSON document."""
        files = self.once(stage, lambda: {RESULT: json.dumps(work(), ensure_ascii=False).encode()})
        return json.loads(files[RESULT])

    def forget(self, *stages: str) -> None:
        """Let stages be done again."""
        for stage in stages:
            shutil.rmtree(self.folder / stage, ignore_errors=True)

    def _found(self, stage: str) -> Mapping[str, bytes] | None:
        try:
            bundle = read_bundle(self.folder / stage, self._key)
        except BundleMissingError:
            return None
        except BundleError as error:
            self.repeated.append(f"{stage}: {error}")
            self.forget(stage)
            return None
        return {name: data for name, data in bundle.files.items() if name != CARD}
