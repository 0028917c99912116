"""`paretodesk macros`: the library of macros, and the steps by which one comes to be said."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from desk.macro_rows import MacroVersion
from kb.content import read_document
from kb.macro_life import person
from kb.macros import Macro, MacroFields, MacroStatus
from service.commands import policy_model
from service.commands.knowledge import check_messages
from service.console_output import note, out, print_json
from service.settings import load_settings
from service.wiring import open_macros

Json = Annotated[bool, typer.Option("--json", help="print JSON")]
Id = Annotated[str, typer.Argument(help="the macro's id")]
Locale = Annotated[str, typer.Option("--locale", "-l", help="its language")]
By = Annotated[str, typer.Option("--by", help="the person who acts")]
Number = Annotated[int | None, typer.Option("--version", min=1, help="the newest when left out")]
Read = Annotated[int, typer.Option("--version", min=1, help="the version that was read; it may not be the newest")]
File = Annotated[Path, typer.Argument(help="Markdown with front matter: id, reason, locale, title, marketplace, kind")]


class WrittenFields(MacroFields):
    """The front matter of a macro that a person writes: its version, status and people are the library's to give."""

    version: int = 1
    status: MacroStatus = MacroStatus.DRAFT
    author: str = "unnamed"


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    macros = typer.Typer(help="Macros: write, check, approve, lock, retire; policy check.", no_args_is_help=True)
    macros.command("list")(list_macros)
    macros.command("show")(show)
    macros.command("new")(new)
    macros.command("edit")(edit)
    macros.command("check")(check_messages)
    macros.command("recheck")(recheck)
    macros.command("approve")(approve)
    macros.command("lock")(lock)
    macros.command("retire")(retire)
    macros.command("history")(history)
    macros.command("fit-policy")(policy_model.fit_policy)
    app.add_typer(macros, name="macros")


def list_macros(
    locale: Annotated[str | None, typer.Option("--locale", "-l", help="only this language")] = None,
    reason: Annotated[str | None, typer.Option(help="only this contact reason")] = None,
    json: Json = False,
) -> None:
    """Every macro: the version that serves and the one in work."""
    with open_macros(load_settings()) as library:
        rows = [
            found.to_json()
            for found in library.macros()
            if locale in (None, found.newest.locale) and reason in (None, found.newest.reason)
        ]
    if json:
        print_json(rows)
        return
    if not rows:
        note("no such macros; `paretodesk kb sync` or a start of the service takes in those of the content folder")
        return
    table = Table("macro", "locale", "reason", "serves", "in work", "title")
    for row in rows:
        serving, work = row["serving"] or "-", row["in_work"]
        in_work = f"{work} ({row['status']})" if work else "-"
        cells = (row["id"], row["locale"], row["reason"], str(serving), in_work, row["title"])
        table.add_row(*map(escape, cells))
    out.print(table)


def show(
    macro_id: Id,
    locale: Locale = "en",
    version: Number = None,
    json: Json = False,
) -> None:
    """One version of a macro: its words, conditions, people and what the rules said."""
    with open_macros(load_settings()) as library:
        _tell(library.version(macro_id, locale, version), json)


def new(file: File, by: By, json: Json = False) -> None:
    """Save a new macro as a draft and check it; exit code 1 when a rule blocks it."""
    _write(file, by, json, edited=False)


def edit(
    file: File,
    by: By,
    base: Annotated[
        int | None, typer.Option("--base", min=1, help="the version edited; the newest when left out")
    ] = None,
    json: Json = False,
) -> None:
    """Save the next version of a macro and check it; the locked one serves until this one is locked.

    Exit code 1 when a rule blocks it.
    """
    _write(file, by, json, edited=True, base=base)


def recheck(macro_id: Id, by: By, locale: Locale = "en", version: Number = None, json: Json = False) -> None:
    """Check a saved version by the rules in force today; exit code 1 when a rule blocks it."""
    with open_macros(load_settings()) as library:
        number = library.version(macro_id, locale, version).life.number
        _tell_check(library.check(macro_id, locale, number, by), json)


def approve(macro_id: Id, by: By, version: Read, locale: Locale = "en", json: Json = False) -> None:
    """Approve a checked version, as another person than its author."""
    with open_macros(load_settings()) as library:
        _tell(library.approve(macro_id, locale, version, by), json)


def lock(macro_id: Id, by: By, version: Read, locale: Locale = "en", json: Json = False) -> None:
    """Let an approved version serve, within seconds and without a restart."""
    with open_macros(load_settings()) as library:
        _tell(library.lock(macro_id, locale, version, by), json)


def retire(
    macro_id: Id,
    by: By,
    locale: Locale = "en",
    why: Annotated[str, typer.Option(help="for the audit log")] = "",
    json: Json = False,
) -> None:
    """Take a macro out of service, with any version in work."""
    with open_macros(load_settings()) as library:
        _tell(library.retire(macro_id, locale, by, why), json)


def history(macro_id: Id, locale: Locale = "en", json: Json = False) -> None:
    """The audit log: who did what when, from which status to which, by which rules."""
    with open_macros(load_settings()) as library:
        changes = [change.to_json() for change in library.history(macro_id, locale)]
    if json:
        print_json(changes)
        return
    table = Table("version", "when", "who", "what", "from", "to", "rules passed")
    for change in changes:
        rules = ", ".join(f"{found['rules']} {found['version']}" for found in change["rules"])
        moment = change["when"][:16].replace("T", " ")
        row = (change["version"], moment, change["who"], change["what"], change["from"] or "-", change["to"], rules)
        table.add_row(*(escape(str(cell)) for cell in row))
    out.print(table)


def _write(file: Path, by: str, json: bool, *, edited: bool, base: int | None = None) -> None:
    fields, body, _ = read_document(file, WrittenFields)
    if stated := sorted({"version", "status", "author", "approver"} & fields.model_fields_set):
        note(f"{file}: {', '.join(stated)} not read: the library gives them")
    given = {"version": 1, "status": MacroStatus.DRAFT, "author": person(by), "approver": None}
    macro = Macro(MacroFields(**{**fields.model_dump(), **given}), body, file, 1)
    with open_macros(load_settings()) as library:
        if edited and base is None:
            base = library.version(macro.id, macro.locale).life.number
        _tell_check(library.write(macro, by, base if edited else None), json)


def _tell_check(version: MacroVersion, json: bool) -> None:
    _tell(version, json)
    if version.verdict and not version.verdict.passed:
        raise typer.Exit(1)


def _tell(version: MacroVersion, json: bool) -> None:
    data = version.to_json()
    if json:
        print_json(data)
        return
    people = f"written by {data['author']}" + (f", approved by {data['approver']}" if data["approver"] else "")
    out.print(f"[bold]{data['id']}[/] ({data['locale']}) version {data['version']}: {data['status']}, {escape(people)}")
    conditions = "; ".join(f"{name} is {' or '.join(values)}" for name, values in data["when"].items())
    about = f"{data['title']} | {data['reason']} | {', '.join(data['marketplace'])} | {data['kind']}"
    out.print(f"{about}{f' | when {conditions}' if conditions else ''}", markup=False, highlight=False)
    out.print()
    out.print(data["body"], markup=False, highlight=False, soft_wrap=True)
    if not version.verdict:
        return
    out.print()
    rules = ", ".join(map(str, version.verdict.rules))
    out.print(f"{'passes' if version.verdict.passed else 'is blocked by'} {rules}", markup=False, highlight=False)
    for found in version.verdict.broken:
        severity = "block" if found.blocks else "warning"
        by = "" if found.probability is None else f", by the model, {found.probability:.0%}"
        line = f"{found.rules} {found.rule} ({severity}{by}): {found.text!r}: {found.message} {found.remedy}"
        out.print(line, markup=False, highlight=False, soft_wrap=True)
