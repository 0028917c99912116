"""`paretodesk mailbox`."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import sqlalchemy as sa
import typer

from desk.mail import MailError
from desk.mail.accounts import MailAccountError, MailServer, imap_session, smtp_session
from desk.mail.fetching import read_folder
from desk.mail.polling import MailPoller
from desk.mail.receiving import Outcome
from desk.mail.replies import send_again
from desk.mail.sending import SendState, send_due
from desk.tables import mail_messages, mail_problems, outbox
from service.commands.deskwork import Json
from service.console_output import fail, note, out, print_json
from service.mailbox import MailDesk, mail_desk
from service.settings import load_settings
from service.wiring import open_desk

NOT_SENT = (SendState.FAILED, SendState.UNKNOWN)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    mailbox = typer.Typer(help="Tickets from a mailbox, answers by mail.", no_args_is_help=True)
    mailbox.command("check")(check)
    mailbox.command("fetch")(fetch)
    mailbox.command("send")(send)
    mailbox.command("problems")(problems)
    app.add_typer(mailbox, name="mailbox")


def check(json: Json = False) -> None:
    """Log in to both servers and say what is there, or what is wrong; exit code 1 then. Nothing is read or sent."""
    mail = mail_desk(load_settings())
    if mail.imap is None and mail.smtp is None:
        fail("no mailbox is set up: set PARETODESK_IMAP_URL and PARETODESK_SMTP_URL, see docs/mailbox.md")
    found: dict[str, Any] = {}
    for name, look in (("imap", _imap_facts), ("smtp", _smtp_facts)):
        server: MailServer | None = getattr(mail, name)
        if server is None:
            found[name] = None
            continue
        try:
            found[name] = {"server": f"{server.host}:{server.port}", "user": server.user, **look(server, mail)}
        except MailError as error:
            found[name] = {"server": f"{server.host}:{server.port}", "user": server.user, "problem": str(error)}
    if json:
        print_json(found)
    else:
        _show_check(found)
    if any(facts and facts.get("problem") for facts in found.values()):
        raise typer.Exit(1)


def fetch(
    once: Annotated[bool, typer.Option("--once", help="read what is there and stop")] = False, json: Json = False
) -> None:
    """Take new mail in as tickets; without --once until Ctrl-C. `paretodesk serve` does the same by itself."""
    settings = load_settings()
    mail = mail_desk(settings)
    mailbox, imap = mail.mailbox, mail.imap
    assert imap is not None  # noqa: S101  # mail.mailbox has raised otherwise
    with open_desk(settings) as desk:
        if not once:
            poller = MailPoller(desk.database, mailbox, imap)
            note(f"reading {imap.folder} of {imap.account}, Ctrl-C stops")
            with suppress(KeyboardInterrupt), poller.running():
                while True:
                    time.sleep(1)
            _tell(poller.taken, json)
            return
        with imap_session(imap) as client:
            taken = read_folder(desk.database, mailbox, client, imap.folder)
    _tell(taken, json)
    if taken[Outcome.UNREADABLE]:
        raise typer.Exit(1)


def send(
    again: Annotated[int | None, typer.Option(help="number of a mail that failed, or whose fate is unknown")] = None,
    json: Json = False,
) -> None:
    """Send queued answers now; exit code 1 when one could not be sent for good."""
    settings = load_settings()
    mail = mail_desk(settings)
    if mail.smtp is None:
        raise MailAccountError("PARETODESK_SMTP_URL: is not set; write it like smtps://user@host")
    with open_desk(settings) as desk:
        if again is not None:
            with desk.database.session() as session:
                if not send_again(session, again):
                    fail(f"--again {again}: no such mail has failed; see paretodesk mailbox problems")
        counts = send_due(desk.database, mail.smtp)
    if json:
        print_json({str(state): counts.get(state, 0) for state in SendState})
    else:
        out.print(_counted(counts) or "nothing to send", highlight=False)
    if any(counts.get(state) for state in NOT_SENT):
        raise typer.Exit(1)


def problems(
    save: Annotated[Path | None, typer.Option(help="folder to write mail that could not be read to, as .eml")] = None,
    json: Json = False,
) -> None:
    """Mail that could not be read, answers that were not sent, and automatic mail about no ticket."""
    aside = mail_messages.c.ticket_id.is_(None), mail_messages.c.direction == "in"
    with open_desk(load_settings()) as desk, desk.database.session(read_only=True) as session:
        unreadable = session.execute(sa.select(mail_problems).order_by(mail_problems.c.id)).all()
        query = sa.select(outbox).where(outbox.c.state.in_(NOT_SENT)).order_by(outbox.c.id)
        not_sent = session.execute(query).all()
        query = sa.select(mail_messages).where(*aside).order_by(mail_messages.c.id.desc()).limit(100)
        set_aside = session.execute(query).all()
    found = {
        "unreadable": [
            {"id": row.id, "ticket_id": row.ticket_id, "at": row.at.isoformat(), "problem": row.problem}
            for row in unreadable
        ],
        "not_sent": [
            {"id": row.id, "ticket_id": row.ticket_id, "to": row.recipient, "state": row.state, "problem": row.problem}
            for row in not_sent
        ],
        "set_aside": [
            {"at": row.at.isoformat(), "from": row.address, "kind": row.kind, "subject": row.subject}
            for row in set_aside
        ],
    }
    if save is not None:
        save.mkdir(parents=True, exist_ok=True)
        for row in unreadable:
            (save / f"{row.id}.eml").write_bytes(row.raw)
        note(f"{len(unreadable)} mails written to {save}")
    if json:
        print_json(found)
        return
    for name, lines in found.items():
        out.print(f"{name.replace('_', ' ')}: {len(lines)}", highlight=False)
        for line in lines:
            out.print("  " + "  ".join(str(value) for value in line.values()), highlight=False, markup=False)


def _imap_facts(server: MailServer, mail: MailDesk) -> dict[str, Any]:
    with imap_session(server) as client:
        folders = sorted(str(name) for _, _, name in client.list_folders())
        if server.folder not in folders:
            raise MailError(
                f"{server} has no folder {server.folder!r}; PARETODESK_IMAP_URL may name {', '.join(folders[:20])}"
            )
        status = client.folder_status(server.folder, ["MESSAGES", "UNSEEN"])
        return {
            "folder": server.folder,
            "messages": status[b"MESSAGES"],
            "unseen": status[b"UNSEEN"],
            "folders": folders,
            "idle": client.has_capability("IDLE"),
        }


def _smtp_facts(server: MailServer, mail: MailDesk) -> dict[str, Any]:
    with smtp_session(server):
        return {"from": mail.sender.mailbox if mail.sender else None, "encryption": server.encryption}


def _show_check(found: Mapping[str, Any]) -> None:
    for name, facts in found.items():
        if facts is None:
            out.print(f"{name}: not set up (PARETODESK_{name.upper()}_URL)", highlight=False)
        elif problem := facts.get("problem"):
            out.print(f"{name}: {problem}", highlight=False, markup=False)
        else:
            told = ", ".join(f"{key} {_shown(value)}" for key, value in facts.items())
            out.print(f"{name}: works; {told}", highlight=False, markup=False)


def _shown(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _tell(taken: Counter[Outcome], json: bool) -> None:
    if json:
        print_json({str(outcome): taken[outcome] for outcome in Outcome})
    else:
        out.print(_counted(taken) or "no new mail", highlight=False)


def _counted(counts: Mapping[Any, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
