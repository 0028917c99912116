import pytest

from kb.content import ContentError
from kb.macros import load_macros


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
    assert f"{nobody}:12: approver: Value error, a macro that is approved names who approved it" in text
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
