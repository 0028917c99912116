"""The model that serves now: follows the registry's pointer, keeps the previous one when the new one will not open."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from classifier.encoders import Encoder, EncoderError, Vectors, encoder_by_name
from classifier.guard import starter_guard
from classifier.language import language_identifier
from classifier.model import ModelFormatError, ReasonModel, encoder_name
from classifier.tagger import Tag, Tagger
from classifier.taxonomy import Taxonomy
from models.bundle import BundleError
from models.registry import Registry
from models.signing import SigningError, SigningKey
from training.retraining import REASONS_MODEL

log = logging.getLogger("paretodesk.models")

LOOK_EVERY = 2.0
"""Seconds between looks at the pointer, so that a promotion or rollback serves within 5 s."""


class CurrentTagger:
    """A `Tagger` that switches to a newly promoted version by itself, between two tickets.

    Without a model that opens, every ticket is `undecided` and `problem` says why. ``threads`` are those of another
    encoder, should the model need one.
    """

    def __init__(
        self, registry: Registry, key_path: Path, encoder: Encoder, taxonomy: Taxonomy, threads: int | None = None
    ) -> None:
        self._registry, self._key_path, self._encoder, self._taxonomy = registry, key_path, encoder, taxonomy
        self._threads = threads
        self._switching = threading.Lock()
        self._looked = 0.0
        self._version: str | None = None
        self.problem: str | None = None
        self._tagger = self._unmodelled()
        self._look()

    @property
    def tagger(self) -> Tagger:
        """The tagger in force at this moment."""
        if time.monotonic() - self._looked > LOOK_EVERY and self._switching.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._switching.release()
        return self._tagger

    @property
    def model_id(self) -> str:
        """``name/version`` of the serving model, empty without one."""
        return self._tagger.model_id

    def tag(self, subject: str, body: str) -> Tag:
        """See `Tagger.tag`."""
        return self.tagger.tag(subject, body)

    def tag_many(self, tickets: Sequence[tuple[str, str]]) -> list[Tag]:
        """See `Tagger.tag_many`."""
        return self.tagger.tag_many(tickets)

    def tag_with_vectors(self, tickets: Sequence[tuple[str, str]]) -> tuple[list[Tag], Vectors | None]:
        """See `Tagger.tag_with_vectors`."""
        return self.tagger.tag_with_vectors(tickets)

    def _look(self) -> None:
        self._looked = time.monotonic()
        try:
            champion = self._registry.champion(REASONS_MODEL)
            if champion is None:
                self.problem = f"no model has been promoted in {self._registry.store}; run 'paretodesk train'"
                return
            if champion.version == self._version:
                return
            bundle = self._registry.read(REASONS_MODEL, SigningKey.read(self._key_path), champion.version)
            name = encoder_name(bundle.files)
            encoder = self._encoder if name == self._encoder.name else encoder_by_name(name, self._threads)
            model = ReasonModel.from_files(bundle.files, encoder)
        except (BundleError, ModelFormatError, SigningError, EncoderError) as error:
            self.problem = str(error)
            log.error("model not switched, %s keeps serving: %s", self.model_id or "none", error)
            return
        self._encoder, self._version, self.problem = encoder, champion.version, None
        self._tagger = Tagger(
            self._taxonomy, starter_guard(), language_identifier(), model, f"{REASONS_MODEL}/{champion.version}"
        )
        log.info("model %s serves", self.model_id)

    def _unmodelled(self) -> Tagger:
        return Tagger(self._taxonomy, starter_guard(), language_identifier(), None)
