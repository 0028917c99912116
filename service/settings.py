"""Settings from the environment (`PARETODESK_*`), checked all at once at start."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cronsim import CronSim, CronSimError
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from kb.content import STARTER_CONTENT
from service.access_settings import LOOPBACK, AccessSettings


class SettingsError(ValueError):
    """Settings are wrong; the message lists every mistake with the name of its variable."""


class Settings(AccessSettings):
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
    sla: str = Field("", description="YAML file of service-level policies; empty: the shipped ones.")
    routing: str = Field("", description="YAML file of routing rules, teams and members; empty: the shipped one.")
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=1, le=65535, description="Port to listen on.")
    sites: Annotated[tuple[str, ...], NoDecode] = Field(
        ("demo",), description="Comma-separated ids of the sites whose pages may open chats."
    )
    origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Comma-separated origins (https://shop.example) that may embed the widget."
    )
    console_token: str = Field(
        "", repr=False, description="Secret that opens everything; beyond this machine it or an account is needed."
    )
    agent: str = Field("agent", description="Name that signs replies from the console.")
    shop: str = Field("Our shop", description="Name of the shop in macros.")
    webhooks: Path | None = Field(None, description="YAML file of the systems that may deliver signed webhooks.")
    clients: Path | None = Field(
        None, description="YAML file of other chat clients (Rasa's, deep-chat, Chatwoot) that may talk to the bot."
    )
    chat_nps: bool = Field(False, description="Whether the chat asks, after its rating, if customers would recommend.")
    orders_http: Path | None = Field(None, description="YAML file that says how to ask another system for an order.")
    imap_url: str = Field(
        "", description="Mailbox that tickets come from, imaps://user@host/INBOX; imap:// is STARTTLS; empty: none."
    )
    imap_password: str = Field("", repr=False, description="Password of the mailbox.")
    imap_password_file: Path | None = Field(None, description="File that holds the password of the mailbox.")
    smtp_url: str = Field("", description="Server that sends answers, smtps://user@host; smtp:// is STARTTLS.")
    smtp_password: str = Field("", repr=False, description="Password for sending; empty: the mailbox's.")
    smtp_password_file: Path | None = Field(None, description="File that holds the password for sending.")
    mail_from: str = Field(
        "", description="Address that answers come from, 'Our shop <support@shop.example>'; empty: the SMTP user."
    )
    mail_ca_file: Path | None = Field(None, description="Certificates of your own authority for mail servers (PEM).")
    shift_change: float = Field(
        0.05, ge=0, le=1, description="Alarm: change of a top-five reason's share of the tickets (0..1); 0: none."
    )
    shift_new_top_five: bool = Field(True, description="Alarm: whether a reason new among the top five rings.")
    shift_unfamiliar: float = Field(
        0.1, ge=0, le=1, description="Alarm: share of tickets unlike anything learned (0..1); 0: none."
    )
    shift_accuracy: float = Field(
        0.7, ge=0, le=1, description="Alarm: estimated share of tickets with the right best reason below this; 0: none."
    )
    retrain_schedule: str = Field(
        "",
        description="When a serving process retrains, as a cron expression in UTC such as '0 3 1 1,4,7,10,11,12 *'; "
        "empty: never by itself.",
    )
    threads: int = Field(
        0,
        ge=0,
        le=64,
        description="BLAS threads of encoder and models; 0: one while serving, as many as there are cores otherwise.",
    )

    @field_validator("sites", "origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("retrain_schedule")
    @classmethod
    def _has_dates(cls, value: str) -> str:
        if value:
            try:
                next(CronSim(value, datetime.now(UTC)))
            except (CronSimError, StopIteration) as error:
                remedy = "write minute, hour, day, month and weekday, such as '0 3 1 1,4,7,10,11,12 *'"
                raise ValueError(f"'{value}' has no dates ({error or 'none within fifty years'}); {remedy}") from error
        return value

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
        return self.host in LOOPBACK and not self.public_url


def load_settings(**overrides: object) -> Settings:
    """The settings in force; ``overrides`` (from command-line options) win. Raises `SettingsError`."""
    try:
        settings = Settings(**{name: value for name, value in overrides.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        lines = [
            f"PARETODESK_{'_'.join(map(str, m['loc'])).upper()}: {m['msg']}" if m["loc"] else str(m["msg"])
            for m in error.errors()
        ]
        raise SettingsError("settings are wrong:\n" + "\n".join(lines)) from error
    if not settings.local and 0 < len(settings.console_token) < 16:
        raise SettingsError(
            "settings are wrong:\nPARETODESK_CONSOLE_TOKEN: needs at least 16 characters where other machines "
            "reach the desk, because whoever guesses it can read tickets"
        )
    return settings
