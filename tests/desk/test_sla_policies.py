from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from classifier.datafile import DataFileError
from desk.sla import ClockKind, load_policies, starter_policies
from desk.sla.policies import STARTER_POLICIES, Verdict
from desk.ticket_state import Priority

NOW = datetime(2026, 7, 3, 16, 30, tzinfo=UTC)  # a Friday, 18:30 in Paris
FIRST, NEXT, END = ClockKind.FIRST_RESPONSE, ClockKind.NEXT_RESPONSE, ClockKind.RESOLUTION
SMALL = """\
version: 1
calendars:
  - id: always
    always: true
  - id: office
    timezone: Europe/Paris
    country: FR
    hours: {mon: ["09:00-18:00"], tue: ["09:00-18:00"]}
policies:
  - id: everyone
    calendar: always
    targets: {first_response: 24 h}
"""


@pytest.fixture
def written(tmp_path):
    def write(*changes: tuple[str, str], more: str = "") -> object:
        text = SMALL + more
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "sla.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize(
    ("marketplace", "channel", "reason", "clock", "policy", "target"),
    [
        ("amazon.co.uk", "amazon", None, FIRST, "amazon-messages", "24 h"),
        (None, "Amazon", "a_to_z_claim", END, "amazon-a-to-z", "48 h"),
        ("amazon", "amazon", "a_to_z_claim", NEXT, "amazon-messages", "24 h"),
        ("amazon", "amazon", "return_request", FIRST, "amazon-return-request", "24 h"),
        ("amazon", "amazon", "refund_status", END, "amazon-refund", "2 business days"),
        ("Walmart US", "mail", None, NEXT, "walmart-messages", "48 h"),
        ("ebay.de", "mail", "not_received", FIRST, "ebay-item-not-received", "3 business days"),
        ("ebay.de", "mail", "product_question", FIRST, "everyone", "24 h"),
        ("PcComponentes", "mail", None, FIRST, "mirakl-messages", "24 h"),
        ("cdiscount", "mail", None, FIRST, "cdiscount-messages", "24 h"),
        ("cdiscount", "mail", "return_request", FIRST, "cdiscount-returns", "48 h"),
        ("nordhaus.example", "shopify", None, FIRST, "own-shop", "8 h"),
        (None, "chat", None, END, "own-shop", "27 h"),
        (None, "unknown", None, FIRST, "everyone", "24 h"),
        # an Amazon ticket that came through a chat is Amazon's
        ("amazon", "chat", None, FIRST, "amazon-messages", "24 h"),
    ],
)
def test_the_shipped_policies_hold_for_the_tickets_they_are_meant_for(
    marketplace, channel, reason, clock, policy, target
):
    policies = starter_policies()
    subject = replace(policies.subject(marketplace, channel), reason=reason)
    match = policies.match(clock, subject, NOW)
    assert (match.policy, match.written) == (policy, target)
    assert f"id: {policy}" in STARTER_POLICIES.read_text(encoding="utf-8").splitlines()[match.line - 1]
    chosen = [fit for fit in policies.explain(clock, subject, NOW) if fit.verdict is Verdict.CHOSEN]
    assert [(fit.line.id, fit.why) for fit in chosen] == [(policy, match.because)]


def test_an_urgent_ticket_of_the_shop_keeps_the_targets_that_urgency_does_not_change():
    policies = starter_policies()
    subject = replace(policies.subject(None, "web"), priority=Priority.URGENT)
    assert [policies.match(clock, subject, NOW).policy for clock in (FIRST, NEXT, END)] == [
        "own-shop-urgent",
        "own-shop-urgent",
        "own-shop",
    ]


def test_every_line_that_lost_says_why():
    policies = starter_policies()
    subject = replace(policies.subject("amazon", "amazon"), reason="return_request")
    why = {fit.line.id: (fit.verdict, fit.why) for fit in policies.explain(FIRST, subject, NOW)}
    assert why["amazon-return-request"] == (
        Verdict.CHOSEN,
        "reason is return_request and marketplace is amazon",
    )
    assert why["everyone"] == (Verdict.LESS_SPECIFIC, "amazon-return-request is more specific")
    assert why["amazon-refund"] == (Verdict.OTHER_TICKETS, "reason is return_request, not refund_status")
    assert why["walmart-messages"] == (Verdict.OTHER_TICKETS, "marketplace is amazon, not walmart")
    assert len(why) == len(policies.lines)


def test_a_customer_can_be_told_when_to_expect_an_answer():
    policies = starter_policies()
    assert policies.expected_answer(NOW, "amazon") == NOW + timedelta(hours=24)
    # the shop's 8 hours begin on Monday at 9:00 in Paris
    assert policies.expected_answer(NOW) == datetime(2026, 7, 6, 15, tzinfo=UTC)
    assert policies.expected_answer(NOW, "ebay", "not_received") == datetime(2026, 7, 8, 16, 30, tzinfo=UTC)


def test_a_changed_target_judges_the_clocks_that_start_after_it(written):
    more = """\
  - {id: old, channel: [Web], calendar: always, until: 2026-06-30, targets: {first_response: 48 h}}
  - {id: new, channel: [web], calendar: always, since: 2026-07-01, targets: {first_response: 4 h}}
"""
    policies = load_policies(written(more=more))
    subject = policies.subject(None, "WEB")
    found = [policies.match(FIRST, subject, datetime(2026, 6, day, 23, tzinfo=UTC)).policy for day in (29, 30)]
    assert [*found, policies.match(FIRST, subject, NOW).policy] == ["old", "old", "new"]


LINE = "  - {id: x, channel: [web], calendar: always, targets: {first_response: 1 h}}\n"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("24 h", "soon", r"sla.yaml:12: policies.0.targets.first_response: .*'soon' is no duration; write it like"),
        ("24 h", "2 days", None),
        ("Europe/Paris", "Europe/Pariss", r"sla.yaml:6: calendars.1.timezone: .*unknown time zone 'Europe/Pariss'"),
        ("country: FR", "country: ZZ", r"sla.yaml:5: calendars.1: .*Country ZZ not available.*ISO 3166"),
        ("country: FR", "subdivision: BY", r"sla.yaml:5: calendars.1: .*a subdivision needs its country"),
        ("mon: [", "lun: [", r"sla.yaml:8: calendars.1.hours: .*unknown day lun"),
        ("09:00-18:00", "9-18", r"sla.yaml:8: calendars.1.hours: .*'9-18' is no opening"),
        ("always: true", "always: false", r"sla.yaml:3: calendars.0: .*state 'always: true', or timezone and hours"),
        ("calendar: always", "calendar: never", r"sla.yaml:10: everyone.calendar: unknown never; known: always"),
        ("first_response:", "reaction:", r"sla.yaml:12: policies.0.targets.reaction"),
        ("first_response:", "resolution:", r"sla.yaml:10: everyone.targets: some policy must state a first_response"),
        ("channel: [web]", "channel: []", r"sla.yaml:13: policies.1.channel"),
        ("channel: [web]", "marketplace: [amazn]", r"sla.yaml:13: x.marketplace: unknown amazn; add it under"),
        ("channel: [web]", "reason: [parcel]", r"sla.yaml:13: x.reason: unknown parcel; known: tracking_update"),
        ("channel: [web]", "priority: [asap]", r"sla.yaml:13: policies.1.priority.0"),
        ("id: x,", "id: everyone,", r"sla.yaml:9: policies: .*listed twice: everyone"),
        ("channel: [web], ", "", r"sla.yaml:13: x.policy: fits tickets that everyone fits and neither is more"),
        ("calendar: always, targets: {first_response: 1 h}", "calendar: office, targets: {first_response: 2 days}",
         r"sla.yaml:13: x.targets.first_response: 2 days can be read in two ways"),
        ("calendar: always, targets: {first_response: 1 h}", "calendar: office, targets: {resolution: 2 business days}",
         r"sla.yaml:13: x.targets.resolution: 2 business days needs a calendar whose days are open 00:00-24:00"),
        ("version: 1", "version: 2", r"sla.yaml:1: version"),
        ("always: true", "always: true\n    closed: [2026-01-01]", r"sla.yaml:3: calendars.0: "),
        ("id: x,", "id: x, at_risk: 1.5,", r"sla.yaml:13: policies.1.at_risk"),
        ("id: x,", "id: x, since: 2026-02-01, until: 2026-01-01,", r"sla.yaml:13: policies.1: .*lies before since"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_file_is_told_with_its_line_and_a_remedy(written, old, new, said):
    path = written((old, new), more=LINE)
    if said is None:
        load_policies(path)
        return
    with pytest.raises(DataFileError, match=said):
        load_policies(path)
