"""The key that says a bundle is ours. It lives outside the store, so that whoever can write models cannot sign them.

SigningError
    └── the key is missing, unreadable or too short
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

KEY_BYTES = 32
REMEDY = "copy it again from where the model was trained, or remove it and train again (a new key is made then)"


class SigningError(RuntimeError):
    """The signing key cannot be used; the message says where it was looked for and what to do."""


@dataclass(frozen=True)
class SigningKey:
    """A secret for HMAC-SHA256 signatures."""

    secret: bytes

    def __repr__(self) -> str:
        return "SigningKey(secret=<hidden>)"

    def sign(self, content: bytes) -> str:
        """Hex signature of ``content``."""
        return hmac.new(self.secret, content, hashlib.sha256).hexdigest()

    def verifies(self, content: bytes, signature: str) -> bool:
        """Whether ``signature`` is ours, in constant time."""
        return hmac.compare_digest(self.sign(content).encode(), signature.encode())

    @classmethod
    def read(cls, path: Path) -> SigningKey:
        """The key in a file of hex digits. Raises `SigningError`."""
        try:
            secret = bytes.fromhex(path.read_text(encoding="ascii").strip())
        except FileNotFoundError as error:
            raise SigningError(
                f"no signing key at {path}; copy it from where the model was trained, "
                "or train a model here (a key is made then)"
            ) from error
        except (OSError, ValueError) as error:
            raise SigningError(f"the signing key at {path} cannot be read as hex digits: {error}; {REMEDY}") from error
        if len(secret) < KEY_BYTES:
            raise SigningError(f"the signing key at {path} has {len(secret)} bytes, {KEY_BYTES} are needed; {REMEDY}")
        return cls(secret)

    @classmethod
    def read_or_create(cls, path: Path) -> SigningKey:
        """The key at ``path``, made there with owner-only access when there is none yet."""
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Written whole before it has its name: whoever starts at the same moment reads a full key, the first one.
            descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=".key-")
            try:
                with os.fdopen(descriptor, "w", encoding="ascii") as file:
                    file.write(secrets.token_hex(KEY_BYTES) + "\n")
                with suppress(FileExistsError):
                    os.link(draft, path)
            finally:
                os.unlink(draft)
        return cls.read(path)
