"""Settings from the environment (`PARETODESK_*`), checked all at once at start."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from kb.content import STARTER_CONTENT

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class SettingsError(ValueError):
    """Settings are wrong; the message lists every mistake with the name of its variable."""


class Settings(BaseSettings):
    """Where things lie and who may talk to the service."""

    model_config = SettingsConfigDict(env_prefix="PARETODESK_", extra="forbid")

    home: Path = Field(Path("var"), description="Folder for the database, the index and locks.")
    database_url: str = Field("", description="SQLAlchemy URL; empty: SQLite in the home folder.")
    models_store: Path = Field(Path("models/store"), description="Folder of fitted models.")
    signing_key: Path = Field(
        Path.home() / ".config" / "paretodesk" / "signing.key",
        description="Key that signs models; keep it where those who can write the store cannot.",
    )
    content: Path = Field(STARTER_CONTENT, description="Folder of articles and macros.")
    chroma_url: str = Field(
        "", description="Address (http://host:port) of a Chroma server for the index; empty: in the home folder."
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=1, le=65535, description="Port to listen on.")
    sites: Annotated[tuple[str, ...], NoDecode] = Field(
        ("demo",), description="Comma-separated ids of the sites whose pages may open chats."
    )
    origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Comma-separated origins (https://shop.example) that may embed the widget."
    )
    console_token: str = Field(
        "", description="Secret of the console and the API; required beyond the loopback address."
    )
    agent: str = Field("agent", description="Name that signs replies from the console.")
    shop: str = Field("Our shop", description="Name of the shop in macros.")
    threads: int = Field(0, ge=0, le=64, description="BLAS threads of the encoder; 0: as many as there are cores.")

    @field_validator("sites", "origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @property
    def database(self) -> str:
        """The database URL in force."""
        return self.database_url or f"sqlite:///{self.home / 'desk.db'}"

    @property
    def index(self) -> Path:
        """Folder of the vector index."""
        return self.home / "index"

    @property
    def local(self) -> bool:
        """Whether only this machine can reach the service."""
        return self.host in LOOPBACK


def load_settings(**overrides: object) -> Settings:
    """The settings in force; ``overrides`` (from command-line options) win. Raises `SettingsError`."""
    try:
        settings = Settings(**{name: value for name, value in overrides.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        lines = [f"PARETODESK_{'_'.join(map(str, m['loc'])).upper()}: {m['msg']}" for m in error.errors()]
        raise SettingsError("settings are wrong:\n" + "\n".join(lines)) from error
    if not settings.local and len(settings.console_token) < 16:
        raise SettingsError(
            f"settings are wrong:\nPARETODESK_CONSOLE_TOKEN: needs at least 16 characters when listening on "
            f"{settings.host}, because everybody who reaches that address could read tickets"
        )
    return settings
