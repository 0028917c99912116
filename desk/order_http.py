"""`OrderSource` over another system's HTTP API: where to ask, with which secret, and which JSON path is which fact."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator

from classifier.datafile import load_yaml
from desk.json_path import PathText, find
from desk.order_facts import FactPaths, OrderDataError
from desk.order_table import OrderAnswerError, OrderFacts, OrderSourceDownError, prove
from desk.secret_source import SecretPlace
from desk.ticket import MAX_FIELD

PLACE: Final = "{order_id}"
MAX_ANSWER = 1024 * 1024
"""Bytes; an order with hundreds of items has about 200 kB."""
UNKNOWN_STATUSES = frozenset({404, 410})
RETRY_STATUSES = frozenset({429, 500, 502, 503, 504})
FIRST_WAIT = 0.2
"""Seconds before the second attempt, doubled for each further one: an agent waits for the answer."""


class HeaderValue(SecretPlace):
    """A header: ``value`` as it stands, or ``prefix`` and a secret."""

    value: str | None = None
    prefix: str = ""

    @model_validator(mode="after")
    def _readable(self) -> HeaderValue:
        self.text()
        return self

    def text(self) -> str:
        """What to send. Raises ValueError, which names the place and never the secret."""
        if self.value is not None and (self.secret_env is not None or self.secret_file is not None):
            raise ValueError("give either value, or secret_env or secret_file")
        text = self.value if self.value is not None else self.prefix + self.read()
        if not text or not text.isascii() or not text.isprintable():
            raise ValueError("a header holds printable ASCII text")
        return text


class HttpOrderSettings(BaseModel):
    """How one system is asked. ``url`` holds ``{order_id}`` in its path or query; its host is fixed.

    ``found``: a path without which the answer knows no order, for systems that answer an unknown one with 200.
    ``timeout_seconds`` holds for each of ``attempts``. ``fresh_seconds``: how long an answer is used again;
    ``stale_seconds``: how long it may stand in, with its age, while the system is down.
    """

    model_config = ConfigDict(extra="forbid")

    url: str
    headers: dict[str, HeaderValue] = {}
    orders: FactPaths
    found: PathText | None = None
    timeout_seconds: float = Field(3.0, gt=0, le=30)
    attempts: int = Field(2, ge=1, le=5)
    fresh_seconds: int = Field(300, ge=0, le=86_400)
    stale_seconds: int = Field(86_400, ge=0, le=7 * 86_400)
    _sent: dict[str, str] = PrivateAttr(default_factory=dict)

    @field_validator("url")
    @classmethod
    def _fixed_host(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("write the whole address, such as https://erp.example/orders/{order_id}")
        if parts.username or parts.password:
            raise ValueError("put no password into the address; use headers with secret_env or secret_file")
        if PLACE in parts.netloc or PLACE not in parts.path + parts.query:
            raise ValueError(f"{PLACE} must stand in the path or in the query, and not in the host")
        if parts.fragment or not value.isascii() or any(ch.isspace() for ch in value):
            raise ValueError("the address holds a fragment, a space or a letter that is not ASCII")
        return value

    @model_validator(mode="after")
    def _headers(self) -> HttpOrderSettings:
        self._sent = {"Accept": "application/json"} | {name: given.text() for name, given in self.headers.items()}
        return self

    def request(self, order_id: str) -> Request:
        """The request for an order, its id encoded so that it stays one part of the address."""
        return Request(self.url.replace(PLACE, quote(order_id, safe="", errors="replace")), headers=self._sent)  # noqa: S310


class NoRedirects(HTTPRedirectHandler):
    """A redirect would carry the secret to a host that nobody configured."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """None: the redirect becomes the answer, a status that is no success."""
        return None


class HttpOrders:
    """`OrderSource` over HTTP, without memory; see `desk.order_cache.CachedOrders`. Safe between threads."""

    def __init__(self, settings: HttpOrderSettings, wait: Callable[[float], None] = time.sleep) -> None:
        self.settings = settings
        self._wait = wait
        self._host = urlsplit(settings.url).hostname
        self._opener = build_opener(ProxyHandler({}), NoRedirects)

    def facts(self, order_id: str) -> OrderFacts | None:
        """The facts for internal use; None for an unknown order. Raises `OrderSourceDownError`."""
        asked = order_id.strip()
        if not asked or asked in (".", "..") or len(asked) > MAX_FIELD:
            return None  # no system has such an id, and dots would change the address
        for attempt in range(self.settings.attempts):
            if attempt:
                self._wait(FIRST_WAIT * 2 ** (attempt - 1))
            try:
                return self._ask(asked)
            except _TryAgainError as error:
                problem = str(error)
        raise OrderSourceDownError(f"the order system at {self._host} {problem}")

    def verify(self, order_id: str, email_or_postcode: str) -> OrderFacts | None:
        """The facts if the e-mail address or the postcode is the buyer's. Raises `OrderSourceDownError`."""
        return prove(self.facts(order_id), email_or_postcode)

    def _ask(self, order_id: str) -> OrderFacts | None:
        timeout = self.settings.timeout_seconds
        try:
            with self._opener.open(self.settings.request(order_id), timeout=timeout) as answer:
                body = answer.read(MAX_ANSWER + 1)
        except HTTPError as error:
            error.close()
            if error.code in UNKNOWN_STATUSES:
                return None
            if error.code in RETRY_STATUSES:
                raise _TryAgainError(f"answers {error.code}") from error
            remedy = "; check its secret" if error.code in (401, 403) else ""
            raise OrderSourceDownError(f"the order system at {self._host} answers {error.code}{remedy}") from error
        except TimeoutError as error:
            raise _TryAgainError(f"does not answer within {timeout:g} s") from error
        except URLError as error:
            late = isinstance(error.reason, TimeoutError)
            raise _TryAgainError(f"does not answer within {timeout:g} s" if late else "cannot be reached") from error
        except (HTTPException, OSError) as error:
            raise _TryAgainError("breaks off its answer") from error
        return self._read(order_id, body)

    def _read(self, order_id: str, body: bytes) -> OrderFacts | None:
        if len(body) > MAX_ANSWER:
            raise OrderAnswerError(f"the order system at {self._host} answers with more than {MAX_ANSWER:,} bytes")
        try:
            document = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise OrderAnswerError(f"the order system at {self._host} does not answer in JSON") from error
        if self.settings.found is not None and find(document, self.settings.found) is None:
            return None
        try:
            found = self.settings.orders.read(document, order_id)
        except OrderDataError as error:
            raise OrderAnswerError(f"the order system at {self._host}: {error}") from error
        return found


class _TryAgainError(Exception):
    """A failure that the next attempt may not meet."""


def load_http_orders(path: Path) -> HttpOrders:
    """The source that ``path`` describes. Raises `DataFileError` with file and line."""
    return HttpOrders(load_yaml(path, HttpOrderSettings))
