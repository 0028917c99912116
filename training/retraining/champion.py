"""The serving version as a challenger meets it: its files, and up to which day it learned from the desk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from classifier.encoders import Encoder, encoder_by_name
from classifier.model import ModelFormatError, ReasonModel, encoder_name
from models.bundle import BundleError, BundleMissingError
from models.registry import Registry
from models.signing import SigningKey

LEARNED_UNTIL = "desk_tickets_until"
"""Certificate of a version: the last day it learned tickets of the desk from, None for the starter corpus alone."""
RUN = "run"
AGAINST = "against"
NOBODY = "nobody"


@dataclass(frozen=True)
class Champion:
    """``version`` is None where nothing serves, ``problem`` says why it cannot be opened."""

    version: str | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    learned_until: date | None = None
    certificates: Mapping[str, Any] = field(default_factory=dict)
    problem: str | None = None

    @property
    def label(self) -> str:
        """Its version, or `NOBODY`."""
        return self.version or NOBODY

    def model_on(self, encoder: Encoder) -> ReasonModel | None:
        """The model on ``encoder``, or on its own where it was fitted on another; None where nothing serves.

        Raises `ModelFormatError`, `EncoderError`.
        """
        if not self.files:
            return None
        name = encoder_name(self.files)
        return ReasonModel.from_files(self.files, encoder if name == encoder.name else encoder_by_name(name))


def champion_of(registry: Registry, key: SigningKey, name: str, version: str | None = None) -> Champion:
    """The serving version of ``name``, or another one as it would be met if it served."""
    try:
        bundle = registry.read(name, key, version)
        encoder_name(bundle.files)
    except BundleMissingError:
        return Champion()
    except (BundleError, ModelFormatError) as error:
        return Champion(problem=f"the champion could not be opened and was not compared: {error}")
    certificates = bundle.manifest.certificates
    # a version that does not say it may have learned from all that there was when it was made
    until: str | None = certificates.get(LEARNED_UNTIL, bundle.manifest.created_at)
    day = datetime.fromisoformat(until).date() if until else None
    return Champion(bundle.manifest.version, bundle.files, day, certificates)
