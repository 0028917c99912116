"""`paretodesk chat`: talk to the bot in the terminal."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from service.console_output import out
from service.settings import load_settings
from service.wiring import open_services


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("chat")(chat)


def chat(
    locale: Annotated[str, typer.Option(help="language to start in")] = "en",
    site: Annotated[str, typer.Option(help="site the customer is on")] = "demo",
) -> None:
    """Chat as a customer would; an empty line or Ctrl-D ends. Hand-offs become tickets in the console."""
    with open_services(load_settings(), serving=False) as services:
        started = services.conversations.start(site, locale)
        data = started.to_json()
        _say(data["messages"])
        while True:
            try:
                text = input("> ").encode("utf-8", "replace").decode("utf-8").strip()
            except EOFError:
                break
            if not text:
                break
            turn = services.conversations.say(data["session_id"], data["token"], text).to_json()
            _say(turn["messages"])
            for choice in turn.get("choices", []):
                out.print(f"  [{choice['value']}] {choice['label']}", markup=False)
            if ticket := turn.get("ticket_id"):
                out.print(f"(ticket {ticket})", markup=False)


def _say(messages: list[dict[str, Any]]) -> None:
    for message in messages:
        out.print(message["text"], markup=False, highlight=False)
