"""A secret from an environment variable or a file, never from a configuration file itself."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict


class SecretPlace(BaseModel):
    """Where a secret comes from: `secret_env` or `secret_file`, one of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    secret_env: str | None = None
    secret_file: Path | None = None

    @property
    def place(self) -> str:
        """Where it stands, for people."""
        if self.secret_env is not None:
            return f"the variable {self.secret_env}"
        return f"the file {(self.secret_file or Path()).expanduser()}"

    def read(self) -> str:
        """The secret, without spaces around. Raises ValueError, which names the place and never the secret."""
        if (self.secret_env is None) == (self.secret_file is None):
            raise ValueError("give either secret_env or secret_file")
        if self.secret_env is not None:
            secret = os.environ.get(self.secret_env, "").strip()
        else:
            try:
                secret = (self.secret_file or Path()).expanduser().read_text(encoding="utf-8").strip()
            except OSError as error:
                raise ValueError(f"{self.place} cannot be read: {error.strerror}") from error
            except UnicodeDecodeError as error:
                raise ValueError(f"{self.place} is not UTF-8 text") from error
        if not secret:
            raise ValueError(f"{self.place} is not set or empty")
        return secret
