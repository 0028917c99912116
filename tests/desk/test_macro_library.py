import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from desk.database import Database, alembic_config, open_database
from desk.ledger import EventKind, events_of
from desk.macro_adoption import adopt
from desk.macro_library import MacroContentError, MacroLibrary, UnknownMacroError
from desk.macro_rows import life_of
from desk.macro_use import macro_usefulness
from desk.tables import events, macro_events, macro_versions, tickets
from kb.content import STARTER_CONTENT
from kb.macro_life import MacroStepError
from kb.macros import Macro, MacroFields, MacroStatus, load_macros
from kb.usefulness import Usefulness

BODY = "Hello {{ buyer.name }},\n\nyour order {{ order.id }} is with {{ shipment.carrier }}."
BREAKS = "Leave us 5 stars, {{ buyer.name }}, and we send you a voucher of 10 EUR."


def a_macro(body: str = BODY, locale: str = "en", file: str = "/content/en/parcel.md", **fields: object) -> Macro:
    stated = {
        "id": "parcel", "reason": "tracking_update", "locale": locale, "title": "Parcel", "marketplace": ("amazon",),
        "version": 1, "kind": "reply", "status": "draft", "author": "file author",
        "when": {"shipment.state": "shipped"},
    } | fields  # fmt: skip
    return Macro(MacroFields.model_validate(stated), body, Path(file), 1)


@pytest.fixture
def library(database: Database) -> MacroLibrary:
    return MacroLibrary(database)


def lock(library: MacroLibrary, body: str = BODY, based_on: int | None = None) -> int:
    number = library.write(a_macro(body), "Ana", based_on).life.number
    library.approve("parcel", "en", number, "Ben")
    library.lock("parcel", "en", number, "Ana")
    return number


def test_a_macro_goes_from_draft_to_serving_and_every_step_is_in_the_audit_log(library):
    before = datetime.now(UTC)
    saved = library.write(a_macro(), "Ana")
    assert (saved.life.status, saved.life.author, saved.verdict.passed) == (MacroStatus.CHECKED, "Ana", True)
    assert library.locked() == []
    library.approve("parcel", "en", 1, "Ben")
    assert library.lock("parcel", "en", 1, "Ana").life.approver == "Ben"
    [serving] = library.locked()
    assert (serving.body, serving.fields.when) == (BODY, {"shipment.state": ("shipped",)})
    log = library.history("parcel", "en")
    assert [(c.kind, c.actor, c.status_from, c.status_to) for c in log] == [
        ("drafted", "Ana", None, "draft"),
        ("checked", "Ana", "draft", "checked"),
        ("approved", "Ben", "checked", "approved"),
        ("locked", "Ana", "approved", "locked"),
    ]
    assert all(before <= change.at <= datetime.now(UTC) for change in log)
    assert [rules.rules for rules in log[1].rules] == ["amazon"]
    assert log[3].to_json()["rules"] == log[1].data["verdict"]["rules"]


def test_words_that_break_a_rule_stay_a_draft_and_say_which(library):
    saved = library.write(a_macro(BREAKS), "Ana")
    assert saved.life.status is MacroStatus.DRAFT
    assert "R05" in {found.rule for found in saved.verdict.broken}
    assert library.history("parcel", "en")[-1].kind == "blocked"
    assert library.version("parcel", "en").to_json()["check"]["passed"] is False
    with pytest.raises(MacroStepError, match="mend what it says"):
        library.approve("parcel", "en", 1, "Ben")


def test_the_author_cannot_approve_their_own_macro(library):
    library.write(a_macro(), "Ana")
    with pytest.raises(MacroStepError, match="another person"):
        library.approve("parcel", "en", 1, "ana ")
    assert [change.kind for change in library.history("parcel", "en")] == ["drafted", "checked"]


def test_an_edit_is_a_new_version_and_the_locked_one_serves_until_that_is_locked(library):
    lock(library)
    mark = library.mark()
    library.write(a_macro(f"{BODY} Thank you."), "Ben", 1)
    assert [macro.body for macro in library.locked()] == [BODY]
    [summary] = library.macros()
    assert (summary.serving, summary.in_work, summary.newest.fields.version) == (1, 2, 2)
    library.approve("parcel", "en", 2, "Ana")
    library.lock("parcel", "en", 2, "Ben")
    assert [macro.body for macro in library.locked()] == [f"{BODY} Thank you."]
    assert library.mark() != mark
    assert [v.life.status.value for v in library.versions("parcel", "en")] == ["retired", "locked"]


def test_languages_live_apart(library):
    lock(library)
    library.write(a_macro("Bonjour {{ buyer.name }}, votre commande {{ order.id }} est en route.", "fr"), "Ana")
    assert [(m.newest.locale, m.serving, m.in_work) for m in library.macros()] == [("en", 1, None), ("fr", None, 1)]


def test_an_edit_of_an_older_version_or_without_a_change_is_refused(library):
    lock(library)
    with pytest.raises(MacroStepError, match="says the same"):
        library.write(a_macro(f"\r\n{BODY}\n"), "Ben", 1)
    library.write(a_macro(f"{BODY} One."), "Ben", 1)
    with pytest.raises(MacroStepError, match="is at version 2 by now"):
        library.write(a_macro(f"{BODY} Two."), "Cleo", 1)
    with pytest.raises(MacroStepError, match="is there already"):
        library.write(a_macro(), "Cleo")


def test_a_retired_macro_serves_no_more_and_the_log_says_why(library):
    lock(library)
    library.retire("parcel", "en", "Cleo", "out of season")
    assert library.locked() == []
    last = library.history("parcel", "en")[-1]
    assert (last.actor, last.status_from, last.status_to, last.data) == (
        "Cleo", "locked", "retired", {"why": "out of season"},
    )  # fmt: skip


def test_mistakes_are_all_told_and_nothing_is_stored(library):
    with pytest.raises(MacroContentError) as caught:
        library.write(a_macro("{{ order.colour }}\n{ x }" + "y" * 20_001, reason="lunch", marketplace=("moon",)), "Ana")
    assert [mistake.split(":")[0] for mistake in caught.value.mistakes] == [
        "reason", "marketplace", "body", "body", "body",
    ]  # fmt: skip
    assert "line 2" in caught.value.mistakes[3]
    assert library.macros() == []


def test_unknown_macros_and_versions_are_named(library):
    for ask in (library.version, library.versions, library.history):
        with pytest.raises(UnknownMacroError, match=r"no macro nope \(en\)"):
            ask("nope", "en")
    lock(library)
    with pytest.raises(UnknownMacroError, match="has no version 9; its versions: 1"):
        library.version("parcel", "en", 9)


def test_words_and_audit_log_cannot_be_rewritten_behind_the_library(library):
    lock(library)
    for change, refusal in [
        (sa.update(macro_versions).values(body="x"), "final"),
        (sa.update(macro_versions).values(author="x"), "final"),
        (sa.delete(macro_versions), "final"),
        (sa.update(macro_events).values(actor="x"), "append-only"),
        (sa.delete(macro_events), "append-only"),
    ]:
        with pytest.raises(sa.exc.DBAPIError, match=refusal), library.database.session() as session:
            session.execute(change)
    assert library.version("parcel", "en").macro.body == BODY


def at_once(*steps: Callable[[], object]) -> list[str]:
    """Run the steps at the same moment and tell what became of each: `done`, or the error's message."""
    gate, told = threading.Barrier(len(steps)), []

    def work(step: Callable[[], object]) -> None:
        gate.wait()
        try:
            step()
        except MacroStepError as error:
            told.append(str(error))
        else:
            told.append("done")

    threads = [threading.Thread(target=work, args=(step,)) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(told, key=lambda text: text != "done")


def test_two_people_who_approve_at_once_are_one_approval(library):
    library.write(a_macro(), "Ana")
    told = at_once(*(lambda by=by: library.approve("parcel", "en", 1, by) for by in ("Ben", "Cleo")))
    approver = library.version("parcel", "en").life.approver
    assert told[0] == "done"
    assert f"was approved by {approver} already" in told[1]
    assert [change.kind for change in library.history("parcel", "en")].count("approved") == 1


def test_of_two_edits_or_two_new_macros_at_once_one_wins_and_the_other_is_told(library):
    told = at_once(*(lambda n=n: library.write(a_macro(f"{BODY} {n}."), f"P{n}") for n in (1, 2)))
    assert told[0] == "done"
    assert "already" in told[1] or "somebody else" in told[1]
    told = at_once(*(lambda n=n: library.write(a_macro(f"{BODY} {n}."), f"P{n}", 1) for n in (3, 4)))
    assert told[0] == "done"
    assert "by now" in told[1]
    assert len(library.versions("parcel", "en")) == 2


STEP = st.tuples(st.sampled_from(["write", "break", "check", "approve", "lock", "retire"]), st.sampled_from("ABC"))


@given(steps=st.lists(STEP, max_size=10))
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_is_stored_is_always_what_the_audit_log_alone_tells(library, steps):
    library.write(a_macro("Hello, it is on its way."), "Z") if not library.macros() else None
    for count, (step, by) in enumerate(steps):
        number = library.version("parcel", "en").life.number
        words = a_macro(f"{BREAKS if step == 'break' else BODY} {count}.{number}")
        try:
            match step:
                case "write" | "break":
                    library.write(words, by, number)
                case "check":
                    library.check("parcel", "en", number, by)
                case "approve":
                    library.approve("parcel", "en", number, by)
                case "lock":
                    library.lock("parcel", "en", number, by)
                case "retire":
                    library.retire("parcel", "en", by)
        except MacroStepError:
            continue
    told = life_of("parcel", library.history("parcel", "en"))
    assert list(told.versions) == [version.life for version in library.versions("parcel", "en")]
    assert [m.fields.version for m in library.locked()] == ([told.serving.number] if told.serving else [])


def test_shipped_macros_are_version_1_of_the_program_and_taken_in_once(library):
    shipped = load_macros(STARTER_CONTENT / "macros")
    assert adopt(library.database, shipped).imported == len(shipped)
    assert len(library.locked()) == len(shipped)
    found = library.version("tracking-update", "fr")
    assert (found.life.number, found.life.status, found.life.author) == (1, MacroStatus.LOCKED, "paretodesk starter")
    assert [(c.kind, c.actor) for c in library.history("tracking-update", "fr")] == [("imported", "paretodesk")]
    mark = library.mark()
    again = adopt(library.database, shipped)
    assert (again.imported, again.retired, again.own) == (0, 0, ())
    assert library.mark() == mark


def test_a_changed_file_is_the_next_version_and_a_lost_one_retires_its_macro(library):
    file = a_macro(status="locked", approver="Olga")
    adopt(library.database, [file])
    changed = replace(file, body=f"{BODY} New.")
    assert adopt(library.database, [changed]).imported == 1
    [serving] = library.locked()
    assert (serving.fields.version, serving.fields.author, serving.fields.approver) == (2, "file author", "Olga")
    assert adopt(library.database, []).retired == 1
    assert library.locked() == []
    assert adopt(library.database, [changed]).imported == 1
    assert adopt(library.database, [replace(file, fields=file.fields.model_copy(update={"status": MacroStatus.RETIRED}))
                                    ]).retired == 1  # fmt: skip
    assert library.locked() == []


def test_a_draft_in_a_file_does_not_serve(library):
    adopt(library.database, [a_macro()])
    assert library.locked() == []
    assert library.version("parcel", "en").life.status is MacroStatus.DRAFT


def test_a_macro_that_a_person_touched_is_left_to_the_library(library):
    file = a_macro(status="locked", approver="Olga")
    adopt(library.database, [file])
    library.write(a_macro(f"{BODY} Ours."), "Ana", 1)
    adopted = adopt(library.database, [replace(file, body=f"{BODY} Theirs.")])
    assert (adopted.imported, adopted.own) == (0, ("parcel (en)",))
    assert [macro.body for macro in library.locked()] == [BODY]
    assert adopt(library.database, []).retired == 0


def test_content_taken_in_by_several_processes_at_once_is_taken_in_once(library):
    file = a_macro(status="locked", approver="Olga")
    assert at_once(*(lambda: adopt(library.database, [file]) for _ in range(4))) == ["done"] * 4
    assert len(library.versions("parcel", "en")) == 1


def test_a_stored_macro_that_this_version_cannot_fill_does_not_serve_and_is_logged(library, caplog):
    lock(library)
    row = {"macro_id": "old", "locale": "en", "version": 1, "reason": "tracking_update", "title": "Old",
           "marketplace": ["any"], "kind": "reply", "conditions": {}, "body": "{{ order.forgotten }}", "author": "A",
           "written_at": datetime.now(UTC), "status": "locked", "approver": "B", "passed": []}  # fmt: skip
    with library.database.session() as session:
        session.execute(macro_versions.insert().values(row))
    assert [macro.id for macro in library.locked()] == ["parcel"]
    assert "macro old (en) does not serve" in caplog.text


def test_the_migration_leaves_a_filled_database_as_it_was(database_url):
    at = datetime(2026, 7, 1, 12, tzinfo=UTC)
    ticket = {"id": "T-1", "source": "test", "external_id": "1", "channel": "email", "subject": "", "body": "Where?",
              "created_at": at, "received_at": at}  # fmt: skip
    engine = sa.create_engine(database_url)
    with engine.begin() as connection:
        command.upgrade(alembic_config(connection), "0001")
        connection.execute(tickets.insert().values(ticket))
        connection.execute(events.insert().values(ticket_id="T-1", kind="received", at=at, actor="test", data={"a": 1}))
    engine.dispose()
    migrated = open_database(database_url)
    with migrated.session() as session:
        assert session.execute(sa.select(tickets.c.body, tickets.c.created_at)).one() == ("Where?", at)
        assert [(e.actor, e.data) for e in events_of(session, "T-1")] == [("test", {"a": 1})]
    assert lock(MacroLibrary(migrated)) == 1
    migrated.close()


def test_usefulness_counts_uses_and_first_contact_resolutions(database, desk, incoming):
    start = datetime.now(UTC) - timedelta(days=20)

    def ticket(name: str, *facts: tuple[EventKind, dict], order: str | None = None, days: float = 0) -> None:
        moment = start + timedelta(days=days)
        ticket_id = desk.receive(incoming(name, created_at=moment, order_id=order)).ticket_id
        for hours, (kind, data) in enumerate(facts, start=1):
            desk.record(ticket_id, kind, actor="agent:a", data=data, at=moment + timedelta(hours=hours))

    tagged = (EventKind.TAG_CONFIRMED, {"reason": "tracking_update"})
    sent = (EventKind.MACRO_SENT, {"macro": "parcel", "text": "x", "automatic": False})
    resolved, replied = (EventKind.RESOLVED, {}), (EventKind.REPLIED, {"text": "y"})
    ticket("settled", tagged, sent, resolved)
    ticket("still open", tagged, sent)
    ticket("two replies", tagged, sent, replied, resolved)
    ticket("came back", tagged, sent, resolved, order="O-1")
    ticket("again", order="O-1", days=5)
    ticket("came back late", tagged, sent, resolved, order="O-2")
    ticket("later", order="O-2", days=9)
    ticket("other macro", tagged, (EventKind.MACRO_SENT, {"macro": "refund", "text": "x"}), resolved)
    assert macro_usefulness(database) == {"parcel": Usefulness(5, 2), "refund": Usefulness(1, 1)}
    assert macro_usefulness(database, datetime.now(UTC) + timedelta(days=200)) == {}


def test_a_row_that_this_version_cannot_read_is_left_out_and_logged(library, caplog):
    files = [a_macro(status="locked", approver="Olga"), a_macro(id="other", status="locked", approver="Olga")]
    adopt(library.database, files)
    with library.database.session() as session:
        odd = macro_versions.update().where(macro_versions.c.macro_id == "other")
        session.execute(odd.values(approver="File Author"))
    assert adopt(library.database, [replace(file, body=f"{BODY} New.") for file in files]).imported == 1
    assert "macro other (en) cannot be read, so its file is not taken in" in caplog.text
    assert [found.newest.id for found in library.macros()] == ["parcel"]
    assert "macro other (en) version 1 cannot be read" in caplog.text


@pytest.mark.parametrize(
    ("fact", "value"), [("evidence.photos", "many"), ("order.date", "yes"), ("shipment.carrier", "unknown")]
)
def test_a_condition_whose_value_the_text_cannot_say_is_a_mistake_and_nothing_is_stored(library, fact, value):
    with pytest.raises(MacroContentError, match=f"when.{fact}"):
        library.write(a_macro(f"It is {{{{ {fact} }}}}.", when={fact: value}), "Ana")
    assert library.macros() == []
