from pathlib import Path

import pytest

from kb.content import ContentError
from kb.macro_verdict import judge
from kb.macros import load_macro, load_macros


def test_a_macro_knows_its_facts_and_its_condition(write_macro, tmp_path):
    write_macro(when="{shipment.state: [not_shipped], order.gift: true}")
    [macro] = load_macros(tmp_path / "macros")
    assert macro.facts == ("buyer.name", "order.id", "shipment.carrier")
    assert macro.unmet({"shipment.state": "not_shipped", "order.gift": True}) == ()
    assert macro.unmet({"shipment.state": "shipped", "order.gift": True}) == ("shipment.state",)
    assert macro.unmet({"order.gift": False}) == ("shipment.state", "order.gift")


def test_all_mistakes_are_reported_at_once_with_file_and_line(write_macro, tmp_path):
    own = write_macro("a", approver="ana ")
    nobody = write_macro("b", approver="")
    unknown = write_macro("c", body="Hello\n\n{{ order.nr }} and {{ order.id | date }}\n{ order }")
    condition = write_macro("d", when="{shipment.status: [on_the_moon], order.colour: red}")
    with pytest.raises(ContentError) as error:
        load_macros(tmp_path / "macros")
    text = str(error.value)
    assert f"{own}:12: approver: Value error, must be another person than the author" in text
    assert f"{nobody}:12: approver: Value error, a macro that is locked names who approved it" in text
    assert f"{unknown}:16: body: unknown placeholder 'order.nr'" in text
    assert f"{unknown}:16: body: 'order.id' is of type id, not 'date'" in text
    assert f"{unknown}:17: body: a brace outside of a placeholder" in text
    assert f"{condition}:8: when.shipment.status: unknown on_the_moon" in text
    assert f"{condition}:8: when.order.colour: unknown fact" in text
    assert len(error.value.mistakes) == 7


def test_a_draft_needs_no_approver(write_macro, tmp_path):
    write_macro(status="draft", approver="")
    [macro] = load_macros(tmp_path / "macros")
    assert not macro.usable
    assert not macro.locked


def test_plural_forms_are_checked_for_the_language_when_a_macro_is_loaded(write_macro, tmp_path):
    forms = {
        "a": "{{ evidence.photos | one: # photo }}",
        "b": "{{ evidence.photos | one: # photo | few: # photos | other: # photos }}",
        "c": "{{ item.title | one: # photo | other: # photos }}",
        "d": "{{ evidence.photos | one: | other: # photos }}",
        "e": "{{ evidence.photos | one: # photo | one: # photo | other: # photos }}",
        "f": "{{ evidence.photos | int | one: # photo }}",
    }
    for name, body in forms.items():
        write_macro(name, body=body)
    with pytest.raises(ContentError) as error:
        load_macros(tmp_path / "macros")
    said = [mistake.split("body: ")[1] for mistake in error.value.mistakes]
    assert said == [
        "'evidence.photos' has no words for other; 'en' needs one, other",
        "'evidence.photos' has plural forms that 'en' does not know: few",
        "'item.title' is of type text; only a number (int) has plural forms",
        "'evidence.photos' has no words for one; 'en' needs one, other",
        "'evidence.photos' words a plural form twice",
        "'evidence.photos' is of type int, not 'int | one: # photo'",
    ]


def test_french_words_for_millions_are_allowed_but_not_needed(write_macro, tmp_path):
    write_macro("a", locale="fr", body="{{ evidence.photos | one: # photo | other: # photos }}")
    write_macro("b", locale="fr", body="{{ evidence.photos | one: # photo | many: # de photos | other: # photos }}")
    assert len(load_macros(tmp_path / "macros")) == 2


def test_the_example_of_the_guide_is_a_macro_that_passes_the_check(tmp_path):
    guide = (Path(__file__).parents[2] / "docs" / "macros.md").read_text(encoding="utf-8")
    example = guide.split("```markdown\n")[1].split("```")[0]
    life = "status: draft\nversion: 1\nauthor: Ana\n---\nHello"
    file = tmp_path / "photos-received.md"
    file.write_text(example.replace("---\nHello", life), encoding="utf-8")
    assert judge(load_macro(file)).passed
