"""`paretodesk users`, `keys` and `audit`: who may come in, and who did what."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from desk.access.accounts import Account, Accounts
from desk.access.api_keys import ApiKey, ApiKeys
from desk.access.audit import Anchor, AuditEntry, entries, head, verify
from desk.access.roles import desk_roles
from desk.database import Database
from service.console_output import fail, note, out, print_json
from service.settings import load_settings
from service.wiring import open_desk

Json = Annotated[bool, typer.Option("--json", help="print JSON")]
Name = Annotated[str, typer.Argument(help="user name")]
Role = Annotated[str, typer.Option("--role", help=", ".join(desk_roles().granted))]
PasswordFile = Annotated[
    Path | None, typer.Option("--password-file", help="file with the password; asked for when left out")
]
Subject = Annotated[str | None, typer.Option("--subject", help="the identity provider's id of the person ('sub')")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    users = typer.Typer(help="Accounts of the people who work at the desk.", no_args_is_help=True)
    users.command("add")(add_user)
    users.command("list")(list_users)
    users.command("role")(set_role)
    users.command("password")(set_password)
    users.command("disable")(disable)
    users.command("enable")(enable)
    users.command("link")(link)
    app.add_typer(users, name="users")
    keys = typer.Typer(help="Keys of programs that work with the desk.", no_args_is_help=True)
    keys.command("add")(add_key)
    keys.command("list")(list_keys)
    keys.command("revoke")(revoke_key)
    app.add_typer(keys, name="keys")
    audit = typer.Typer(help="The log of who signed in, changed accounts and keys, or erased.", no_args_is_help=True)
    audit.command("list")(list_audit)
    audit.command("verify")(verify_audit)
    audit.command("anchor")(anchor_audit)
    app.add_typer(audit, name="audit")


def operator() -> str:
    """Who acts on the command line: the user of this machine."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a container may run as a number without a name
        return "cli"


def add_user(
    username: Name,
    role: Role = "agent",
    name: Annotated[str, typer.Option("--name", help="name that customers and colleagues read")] = "",
    password_file: PasswordFile = None,
    subject: Subject = None,
) -> None:
    """Add an account. From the first one on nobody is let in without signing in."""
    settings = load_settings()
    if subject is not None and not settings.oidc_issuer:
        fail("--subject: no identity provider is set up; set PARETODESK_OIDC_ISSUER first")
    password = None if subject is not None and password_file is None else _password(password_file)
    provider = (settings.oidc_issuer, subject) if subject is not None else None
    with _accounts() as accounts:
        made = accounts.add(
            username, role, by=operator(), password=password, display_name=name, provider=provider
        )  # fmt: skip
    note(f"added {made.username} ({made.role})")


def list_users(json: Json = False) -> None:
    """Every account, disabled ones too."""
    with _accounts() as accounts:
        found = accounts.all()
    if json:
        print_json([account.to_json() for account in found])
    elif not found:
        note("there is no account; everybody at this machine may do everything until 'paretodesk users add'")
    else:
        out.print(_users_table(found))


def set_role(username: Name, role: Annotated[str, typer.Argument(help=", ".join(desk_roles().granted))]) -> None:
    """Give an account another role; it holds from the next request on."""
    with _accounts() as accounts:
        account = accounts.change(username, by=operator(), role=role)
    note(f"{account.username} is {account.role}")


def set_password(username: Name, password_file: PasswordFile = None) -> None:
    """Give an account another password; its sessions end."""
    with _accounts() as accounts:
        accounts.get(username)
        account = accounts.change(username, by=operator(), password=_password(password_file))
    note(f"{account.username} has a new password, and has to sign in again")


def disable(username: Name) -> None:
    """Let an account in no more; its sessions end. What it did stays on record."""
    with _accounts() as accounts:
        account = accounts.change(username, by=operator(), enabled=False)
    note(f"{account.username} is disabled")


def enable(username: Name) -> None:
    """Let a disabled account in again."""
    with _accounts() as accounts:
        account = accounts.change(username, by=operator(), enabled=True)
    note(f"{account.username} may sign in")


def link(username: Name, subject: Annotated[str, typer.Argument(help="the identity provider's id ('sub')")]) -> None:
    """Let a person of the identity provider sign in to an account that is there."""
    issuer = load_settings().oidc_issuer
    if not issuer:
        fail("no identity provider is set up; set PARETODESK_OIDC_ISSUER first")
    with _accounts() as accounts:
        account = accounts.link(username, (issuer, subject), by=operator())
    note(f"{account.username} may sign in with {issuer}")


def add_key(
    name: Annotated[str, typer.Argument(help="the system that uses it")],
    scopes: Annotated[list[str], typer.Option("--scope", help=", ".join(sorted(desk_roles().for_keys)))],
    days: Annotated[int | None, typer.Option("--days", min=1, max=3650, help="works for so long")] = None,
    json: Json = False,
) -> None:
    """Make a key and print it, this once: stdout has the key alone."""
    expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
    with _database() as database:
        key, shown = ApiKeys(database).add(name, scopes, by=operator(), expires_at=expires_at)
    if json:
        print_json(key.to_json() | {"key": shown})
        return
    note(f"{key.id} for {key.name}; send it as bearer token. It is not shown again.")
    out.print(shown, markup=False, highlight=False, soft_wrap=True)


def list_keys(json: Json = False) -> None:
    """Every key without its secret, revoked and expired ones too."""
    with _database() as database:
        found = ApiKeys(database).all()
    if json:
        print_json([key.to_json() for key in found])
    elif not found:
        note("there is no key; make one with 'paretodesk keys add'")
    else:
        out.print(_keys_table(found))


def revoke_key(key: Annotated[str, typer.Argument(help="id or name of the key")]) -> None:
    """Let a key in no more, from the next request on."""
    with _database() as database:
        revoked = ApiKeys(database).revoke(key, by=operator())
    note(f"{revoked.id} ({revoked.name}) is revoked")


def list_audit(
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="so many entries, the newest")] = 50,
    json: Json = False,
) -> None:
    """The newest entries, newest first."""
    with _database() as database:
        found = entries(database, limit)
    if json:
        print_json([entry.to_json() for entry in found])
    else:
        out.print(_audit_table(found))


def verify_audit(
    anchor: Annotated[Path | None, typer.Option(help="file that 'audit anchor' wrote: tells a cut-off end")] = None,
    json: Json = False,
) -> None:
    """Check that every entry is as it was written; exit code 1 names each one that was changed or is missing."""
    known = Anchor.read(anchor) if anchor else None
    with _database() as database:
        verdict = verify(database, known)
    if json:
        print_json(
            {
                "intact": not verdict.findings,
                "entries": verdict.entries,
                "head": {"seq": verdict.head.seq, "hash": verdict.head.hash},
                "findings": [{"seq": found.seq, "problem": found.problem} for found in verdict.findings],
            }
        )
    else:
        for found in verdict.findings:
            out.print(found.problem, markup=False, highlight=False)
        state = f"{len(verdict.findings)} findings" if verdict.findings else "intact"
        out.print(f"{verdict.entries} entries, {state}; head {verdict.head.seq} {verdict.head.hash}", highlight=False)
    if verdict.findings:
        raise typer.Exit(1)


def anchor_audit(
    file: Annotated[Path, typer.Argument(help="file to write, where those who can write the database cannot")],
) -> None:
    """Write down the newest entry's number and hash, for 'audit verify --anchor'."""
    with _database() as database:
        newest = head(database)
    file.write_text(newest.model_dump_json() + "\n", encoding="utf-8")
    note(f"{file}: entry {newest.seq}")


@contextmanager
def _database() -> Iterator[Database]:
    with open_desk(load_settings()) as desk:
        yield desk.database


@contextmanager
def _accounts() -> Iterator[Accounts]:
    with _database() as database:
        yield Accounts(database)


def _password(file: Path | None) -> str:
    if file is None:
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        fail(f"{file}: not UTF-8; save the file as UTF-8")
    if len(lines) != 1:
        fail(f"{file}: has {len(lines)} lines; a password file has one, the password")
    return lines[0]


def _users_table(found: list[Account]) -> Table:
    table = Table("user", "name", "role", "signs in with", "state")
    for account in found:
        ways = [*(["password"] if account.has_password else []), *([account.provider] if account.provider else [])]
        state = "enabled" if account.enabled else "disabled"
        cells = (account.username, account.display_name, account.role, ", ".join(ways), state)
        table.add_row(*map(escape, cells))
    return table


def _keys_table(found: list[ApiKey]) -> Table:
    table = Table("id", "name", "scopes", "made by", "used", "state")
    now = datetime.now(UTC)
    for key in found:
        used = f"{key.used_at:%Y-%m-%d}" if key.used_at else "never"
        until = f" until {key.expires_at:%Y-%m-%d}" if key.expires_at else ""
        state = "revoked" if key.revoked_at else f"works{until}" if key.works(now) else "expired"
        cells = (key.id, key.name, ", ".join(sorted(key.scopes)), key.created_by, used, state)
        table.add_row(*map(escape, cells))
    return table


def _audit_table(found: list[AuditEntry]) -> Table:
    table = Table("#", "at", "what", "who", "about")
    for entry in found:
        about = ", ".join(f"{name}: {value}" for name, value in entry.data.items())
        cells = (str(entry.seq), f"{entry.at:%Y-%m-%d %H:%M:%S}", entry.kind, entry.actor, about)
        table.add_row(*map(escape, cells))
    return table
