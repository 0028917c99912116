"""The chat widget: its script, and a page of its own for links and frames."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.responses import HTMLResponse, Response

from bot.widget import widget_script
from service.pages import page
from service.problems import ProblemError
from service.routes.dependencies import ServicesDep, public

MAX_AGE = 300
"""Seconds that a browser uses the script without asking; a new version is everywhere after five minutes."""

POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; base-uri 'none'"
)

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class _Served:
    plain: bytes
    zipped: bytes
    etag: str


@cache
def _served() -> _Served:
    plain = widget_script().encode()
    return _Served(plain, gzip.compress(plain, mtime=0), f'"{hashlib.sha256(plain).hexdigest()[:20]}"')


@router.get("/widget.js", dependencies=[public("shops embed it")])
def widget(accept_encoding: Annotated[str, Header()] = "", if_none_match: Annotated[str, Header()] = "") -> Response:
    """The script."""
    served = _served()
    headers = {
        "Cache-Control": f"public, max-age={MAX_AGE}",
        "ETag": served.etag,
        "Vary": "Accept-Encoding",
        # A page that isolates itself may load scripts only where they say so.
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
    if served.etag in if_none_match:
        return Response(status_code=304, headers=headers)
    if "gzip" in accept_encoding:
        return Response(served.zipped, media_type="text/javascript", headers=headers | {"Content-Encoding": "gzip"})
    return Response(served.plain, media_type="text/javascript", headers=headers)


@router.get("/chat/{site}", dependencies=[public("customers chat")])
def chat_page(site: str, services: ServicesDep, locale: str = "") -> HTMLResponse:
    """The chat as a page of its own, which the pages of PARETODESK_ORIGINS may show in a frame."""
    settings = services.settings
    if site not in settings.sites:
        raise ProblemError(404, "this site is not served here; add it to PARETODESK_SITES")
    ancestors = " ".join(("'self'", *settings.origins))
    policy = f"{POLICY}; frame-ancestors {ancestors}"
    words = page("chat.html", site=site, locale=locale[:35], shop=settings.shop)
    return HTMLResponse(words, headers={"Content-Security-Policy": policy})
