"""Whether a delivery was signed with one of our secrets, over the raw bytes and in constant time.

SignatureError
    └── the delivery is not proven. Its message is for our log; the sender is told only that the proof failed
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict
from standardwebhooks import Webhook

from classifier.datafile import load_yaml
from desk import DeskError

SCHEMES = Path(__file__).parent / "schemes.yaml"
STANDARD = "standard"
TOLERANCE = timedelta(minutes=5)
"""How far the sender's clock may be from ours; the Standard Webhooks specification's figure."""
MILLISECOND_DIGITS = 13


class SignatureError(DeskError):
    """The delivery is not proven to come from who shares our secret."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A proven delivery. ``event_id`` is the sender's id for it, None where it sends none.

    ``replay_key`` names what was signed: the same again is a replay, whatever its unsigned headers say. None where the
    id itself is signed.
    """

    event_id: str | None
    replay_key: str | None


class HmacScheme(BaseModel):
    """A sender's way to sign: HMAC with ``algorithm`` over ``[time + joined_by +] body``, in ``signature_header``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    signature_header: str
    algorithm: Literal["sha1", "sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    timestamp_header: str | None = None
    joined_by: str = ""
    event_id_header: str | None = None

    def verify(
        self, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, *, now: datetime, tolerance: timedelta
    ) -> Proof:
        """The proof, if one of ``secrets`` made the signature. ``headers`` have lower-case names.

        Raises `SignatureError`.
        """
        content = body
        if self.timestamp_header is not None:
            sent_at = _needed(headers, self.timestamp_header)
            _check_time(sent_at, now, tolerance)
            content = sent_at.encode("latin-1", "replace") + self.joined_by.encode() + body
        shown = self._digest(_needed(headers, self.signature_header))
        right = [hmac.digest(secret.encode(), content, self.algorithm) for secret in secrets]
        if True not in [hmac.compare_digest(shown, digest) for digest in right]:  # each is compared, whichever fits
            raise SignatureError("no secret makes this signature")
        return Proof(_event_id(headers, self.event_id_header), hashlib.sha256(content).hexdigest())

    def check_secret(self, secret: str) -> None:
        """Any text may be a key."""

    def _digest(self, text: str) -> bytes:
        if not text.startswith(self.prefix):
            raise SignatureError(f"the signature does not begin with {self.prefix}")
        encoded = text.removeprefix(self.prefix).strip()
        try:
            return bytes.fromhex(encoded) if self.encoding == "hex" else base64.b64decode(encoded, validate=True)
        except ValueError as error:
            raise SignatureError(f"the signature is not {self.encoding}") from error


class StandardScheme:
    """Standard Webhooks 1.0 with symmetric keys: the id and the time are signed with the body."""

    def verify(
        self, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, *, now: datetime, tolerance: timedelta
    ) -> Proof:
        """The proof, if one of ``secrets`` made one of the signatures. Raises `SignatureError`."""
        event_id, sent_at, shown = (_needed(headers, f"webhook-{name}") for name in ("id", "timestamp", "signature"))
        if not (sent_at.isascii() and sent_at.isdigit()):
            raise SignatureError("the time is not in Unix seconds")
        moment = _check_time(sent_at, now, tolerance)
        try:
            text = body.decode("utf-8")
        except UnicodeDecodeError as error:
            raise SignatureError("the body is not UTF-8") from error
        right = [Webhook(secret).sign(event_id, moment, text).encode() for secret in secrets]
        offered = [signature.encode("utf-8", "replace") for signature in shown.split()]
        if True not in [hmac.compare_digest(one, other) for one in offered for other in right]:
            raise SignatureError("no secret makes any of the signatures")
        return Proof(_event_id(headers, "webhook-id"), None)

    def check_secret(self, secret: str) -> None:
        """A key is ``whsec_`` and base64. Raises ValueError; the library itself skips what is not base64."""
        encoded = secret.removeprefix("whsec_")
        try:
            base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
        except ValueError as error:
            raise ValueError("a Standard Webhooks secret is 'whsec_' and base64, as the sender shows it") from error


Scheme = HmacScheme | StandardScheme


class _SchemeFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    schemes: dict[str, HmacScheme]


@cache
def _shipped() -> dict[str, HmacScheme]:
    return load_yaml(SCHEMES, _SchemeFile).schemes


def scheme_names() -> tuple[str, ...]:
    """The signature schemes that we know by name."""
    return (STANDARD, *sorted(_shipped()))


def scheme_of(given: str | HmacScheme) -> Scheme:
    """The scheme by name, or the one that is described. Raises ValueError for an unknown name."""
    if isinstance(given, HmacScheme):
        return given
    if given == STANDARD:
        return StandardScheme()
    if given not in _shipped():
        names = ", ".join(scheme_names())
        raise ValueError(f"there is no signature scheme {given!r}; use one of {names}, or describe it")
    return _shipped()[given]


def _needed(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name.lower(), "").strip()
    if not value:
        raise SignatureError(f"there is no {name}")
    return value


def _event_id(headers: Mapping[str, str], name: str | None) -> str | None:
    return (headers.get(name.lower(), "").strip() or None) if name else None


def _check_time(text: str, now: datetime, tolerance: timedelta) -> datetime:
    try:
        if text.isascii() and text.isdigit():
            seconds = int(text[: MILLISECOND_DIGITS + 1])
            moment = datetime.fromtimestamp(seconds / 1000 if len(text) == MILLISECOND_DIGITS else seconds, tz=UTC)
        else:
            moment = datetime.fromisoformat(text)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise SignatureError("the time cannot be read") from error
    if abs(moment - now) > tolerance:
        raise SignatureError("the time is too far from ours")
    return moment
