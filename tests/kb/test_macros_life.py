import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.macro_life import PROGRAM, STARTER_AUTHOR, Checked, MacroLife, MacroStepError
from kb.macro_verdict import BrokenRule, RulesVersion, Verdict
from kb.macros import MacroStatus

OLD, NEW = RulesVersion("amazon", 1), RulesVersion("amazon", 2)
PASSES, BREAKS = Verdict((OLD,)), Verdict((OLD,), (BrokenRule("amazon", "R05", True, "gift", "no", "leave it out"),))
UNWRITTEN = MacroLife("macro parcel (en)")


def do(life: MacroLife, step: str, *arguments) -> MacroLife:
    return life.after(getattr(life, step)(*arguments))


def served(life: MacroLife = UNWRITTEN) -> MacroLife:
    number = life.newest.number if life.newest else None
    life = do(life, "write", "Ana", number)
    number = life.newest.number
    life = do(life, "check", number, "Ana", PASSES)
    life = do(life, "approve", number, "Ben")
    return do(life, "lock", number, "Ana", (OLD,))


def statuses(life: MacroLife) -> list[str]:
    return [version.status.value for version in life.versions]


def test_a_macro_is_written_checked_approved_by_another_person_and_locked():
    life = do(UNWRITTEN, "write", "Ana", None)
    assert statuses(life) == ["draft"]
    life = do(life, "check", 1, "Ana", PASSES)
    assert (statuses(life), life.versions[0].passed) == (["checked"], (OLD,))
    life = do(life, "approve", 1, "Ben")
    assert (statuses(life), life.versions[0].approver) == (["approved"], "Ben")
    life = do(life, "lock", 1, "Ana", (OLD,))
    assert life.serving == life.versions[0]


def test_the_locked_version_serves_until_the_edited_one_is_locked():
    life = served()
    life = do(life, "write", "Ben", 1)
    life = do(life, "check", 2, "Ben", PASSES)
    life = do(life, "approve", 2, "Cleo")
    assert life.serving.number == 1
    assert life.in_work.number == 2
    life = do(life, "lock", 2, "Ben", (OLD,))
    assert life.serving.number == 2
    assert statuses(life) == ["retired", "locked"]


def test_an_edit_of_a_version_in_work_takes_its_place_and_its_approval_is_void():
    life = do(do(do(UNWRITTEN, "write", "Ana", None), "check", 1, "Ana", PASSES), "approve", 1, "Ben")
    life = do(life, "write", "Ana", 1)
    assert statuses(life) == ["retired", "draft"]
    assert life.versions[1].approver is None
    with pytest.raises(MacroStepError, match="version 1 is retired"):
        life.lock(1, "Ben", (OLD,))


@pytest.mark.parametrize("name", ["Ana", " ana ", "ANA", "\uff21na"])
def test_the_author_cannot_approve_however_the_name_is_written(name):
    life = do(do(UNWRITTEN, "write", "Ana", None), "check", 1, "Ben", PASSES)
    with pytest.raises(MacroStepError, match="written by Ana: another person must approve it"):
        life.approve(1, name)


@pytest.mark.parametrize("name", ["", "  ", PROGRAM, "Paretodesk Starter", STARTER_AUTHOR, "x" * 101])
def test_nobody_and_the_program_cannot_act_as_a_person(name):
    with pytest.raises(MacroStepError, match=r"say who acts|give a person's"):
        UNWRITTEN.write(name, None)


def test_steps_out_of_order_say_what_to_do():
    draft = do(UNWRITTEN, "write", "Ana", None)
    checked = do(draft, "check", 1, "Ana", PASSES)
    approved = do(checked, "approve", 1, "Ben")
    retired = do(approved, "retire", "Cleo", "no longer sold")
    for life, step, arguments, advice in [
        (draft, "approve", (1, "Ben"), "check it again"),
        (draft, "lock", (1, "Ben", (OLD,)), "must pass the policy check"),
        (checked, "lock", (1, "Ben", (OLD,)), "another person than Ana must approve"),
        (approved, "approve", (1, "Cleo"), "was approved by Ben already: lock it"),
        (served(), "lock", (1, "Ben", (OLD,)), "serves already"),
        (served(), "approve", (1, "Ben"), "serves already"),
        (retired, "check", (1, "Ana", PASSES), "edit it to start anew"),
        (retired, "approve", (1, "Ana"), "edit the macro"),
        (retired, "retire", ("Ana", ""), "nothing to retire"),
        (draft, "approve", (7, "Ben"), "has no version 7; its versions: 1"),
        (draft, "write", ("Ben", None), "is there already, at version 1: edit it"),
        (served(draft), "write", ("Ben", 1), "is at version 2 by now"),
        (UNWRITTEN, "write", ("Ben", 1), "is at version none by now"),
    ]:
        with pytest.raises(MacroStepError, match=advice):
            getattr(life, step)(*arguments)


def test_a_version_that_only_older_rules_passed_is_checked_again_before_it_is_locked():
    life = do(do(do(UNWRITTEN, "write", "Ana", None), "check", 1, "Ana", PASSES), "approve", 1, "Ben")
    with pytest.raises(MacroStepError, match="passed amazon rules version 1; in force are amazon rules version 2"):
        life.lock(1, "Ben", (NEW,))
    life = do(life, "check", 1, "Ana", Verdict((NEW,)))
    assert statuses(life) == ["approved"]
    assert do(life, "lock", 1, "Ben", (NEW,)).serving


def test_a_check_that_fails_takes_the_approval_back_but_leaves_what_serves():
    life = do(do(do(UNWRITTEN, "write", "Ana", None), "check", 1, "Ana", PASSES), "approve", 1, "Ben")
    life = do(life, "check", 1, "Ana", BREAKS)
    assert (statuses(life), life.versions[0].approver, life.versions[0].passed) == (["draft"], None, ())
    assert do(served(), "check", 1, "Ana", BREAKS).serving


def test_a_retired_macro_can_be_edited_back_to_life():
    life = do(served(), "retire", "Cleo", "out of season")
    assert life.serving is None
    assert served(life).serving.number == 2


def test_a_content_file_is_a_version_and_takes_the_place_of_the_one_before():
    life = do(UNWRITTEN, "take_in", MacroStatus.LOCKED, STARTER_AUTHOR, PROGRAM, "en/parcel.md")
    assert life.serving.author == STARTER_AUTHOR
    life = do(life, "take_in", MacroStatus.LOCKED, STARTER_AUTHOR, PROGRAM, "en/parcel.md")
    assert statuses(life) == ["retired", "locked"]
    assert do(life, "lose_file").serving is None


def test_events_of_a_version_that_was_never_written_are_refused():
    with pytest.raises(MacroStepError, match="never written"):
        UNWRITTEN.after([Checked(1, "Ana", PASSES)])


PEOPLE = st.sampled_from(["Ana", "Ben", "Cleo"])
NUMBERS = st.integers(1, 4)
STEP = st.one_of(
    st.tuples(st.just("write"), PEOPLE, st.none() | NUMBERS),
    st.tuples(st.just("check"), NUMBERS, PEOPLE, st.sampled_from([PASSES, BREAKS, Verdict((NEW,))])),
    st.tuples(st.just("approve"), NUMBERS, PEOPLE),
    st.tuples(st.just("lock"), NUMBERS, PEOPLE, st.sampled_from([(OLD,), (NEW,), (OLD, NEW)])),
    st.tuples(st.just("retire"), PEOPLE, st.just("")),
)


@given(st.lists(STEP, max_size=40))
def test_whatever_people_try_only_checked_words_that_two_people_saw_are_locked(steps):
    life = UNWRITTEN
    for name, *arguments in steps:
        before = life
        try:
            life = do(life, name, *arguments)
        except MacroStepError:
            continue
        assert [version.number for version in life.versions] == list(range(1, len(life.versions) + 1))
        assert sum(version.status is MacroStatus.LOCKED for version in life.versions) <= 1
        assert sum(version.open for version in life.versions) <= 1
        for old, new in zip(before.versions, life.versions, strict=False):
            assert old.author == new.author
            assert old.status is not MacroStatus.RETIRED or new == old
        if name == "lock":
            assert life.serving.passed
            assert set(arguments[2]) <= set(life.serving.passed)
        if life.serving:
            assert life.serving.approver not in (None, life.serving.author)
        if before.serving and not life.serving:
            assert name == "retire"
