"""Requests larger than anything we take are refused before they are read."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.problems import problem_response

MAX_BODY = 16 * 1024 * 1024
"""1,000 tickets of 16 kB each; one ticket may have 1 MB."""


class BodyLimit:
    """ASGI middleware: 413 as soon as a body is known, or found, to be larger than `MAX_BODY`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or refuse one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > MAX_BODY:
            refusal = problem_response(413, f"the request has {int(declared):,} bytes; the limit is {MAX_BODY:,}")
            await refusal(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            # A body without a declared length is cut off; its parser then answers 422.
            return message if seen <= MAX_BODY else {"type": "http.request", "body": b"", "more_body": False}

        await self.app(scope, counted, send)
