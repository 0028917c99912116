"""One person's labels among those of others: real tickets, the real encoder, the real fit."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pytest
from sklearn.metrics import f1_score

from classifier.encoders import Encoder, Vectors
from training.corpus import Example
from training.fitting import FitError, Labelled, fit
from training.labels.influence import check_labellers, others_opinion, weigh_labellers
from training.labels.shares import ALWAYS_OF_REASON, SHARE_OF_REASON, beyond_share

REASONS = (
    "tracking_update", "return_request", "invoice_request", "payment_issue", "cancel_order", "product_question",
    "wrong_item", "warranty_or_repair",
)  # fmt: skip
EACH = 70
PEOPLE = ("ana", "ben", "cem", "dora", "eli")


@dataclass(frozen=True)
class Ticket:
    id: str
    reason: str
    group: str
    labelled_by: str | None
    text: str


@pytest.fixture(scope="module")
def honest(corpus: list[Example], taxonomy) -> list[Ticket]:
    """Tickets of eight reasons, a tenth from the corpus, the others labelled by five people in turn."""
    reasons = [reason for reason in REASONS if reason in taxonomy]
    taken: Counter[str] = Counter()
    found = []
    for example in sorted(corpus, key=lambda example: (len(example.body), example.id)):
        if example.locale == "en" and example.reason in reasons and not example.frozen and taken[example.reason] < EACH:
            turn = taken[example.reason]
            taken[example.reason] += 1
            who = None if turn % 10 == 9 else PEOPLE[turn % len(PEOPLE)]
            found.append(Ticket(example.id, example.reason, example.group, who, example.text))
    assert len(taken) >= 6
    assert min(taken.values()) >= 40
    return found


@pytest.fixture(scope="module")
def ticket_vectors(honest: list[Ticket], encoder: Encoder) -> Vectors:
    return encoder.encode([ticket.text for ticket in honest])


def flipped(tickets: list[Ticket], who: str, share_of_all: float, seed: int = 5) -> list[Ticket]:
    """``who`` gives another reason, at random, to so many of their tickets as are a share of all tickets."""
    draw = np.random.default_rng(seed)
    reasons = sorted({ticket.reason for ticket in tickets})
    mine = [i for i, ticket in enumerate(tickets) if ticket.labelled_by == who]
    changed = list(tickets)
    for i in draw.choice(mine, round(share_of_all * len(tickets)), replace=False):
        wrong = [reason for reason in reasons if reason != tickets[i].reason]
        changed[i] = replace(tickets[i], reason=str(draw.choice(wrong)))
    return changed


def macro_f1(tickets: list[Ticket], vectors: Vectors, encoder: Encoder, aside: frozenset[str], truth: list[Ticket]):
    """Of a model fitted on four fifths without ``aside``, on the last fifth with its true labels."""
    held = np.array([int(ticket.id.split("-")[-1]) % 5 == 0 for ticket in tickets])
    rows = [i for i, ticket in enumerate(tickets) if not held[i] and ticket.id not in aside]
    data = Labelled(*(tuple(getattr(tickets[i], name) for i in rows) for name in ("text", "reason", "group")))
    model = fit(data, encoder, vectors=vectors[rows]).model
    test = np.flatnonzero(held)
    best = model.scores_of([tickets[i].text for i in test], vectors[test]).probabilities.argmax(axis=1)
    return f1_score([truth[i].reason for i in test], [model.labels[i] for i in best], average="macro")


def test_honest_people_all_teach(honest: list[Ticket], ticket_vectors: Vectors) -> None:
    check = weigh_labellers(honest, ticket_vectors)
    assert check.refused == check.capped == ()
    assert check.put_aside == ()
    assert {finding.labeller for finding in check.findings} == set(PEOPLE)
    assert all(finding.judged > 40 for finding in check.findings)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_tenth_of_all_labels_flipped_at_random_by_one_person_is_refused(
    honest: list[Ticket], ticket_vectors: Vectors, encoder: Encoder, seed: int
) -> None:
    bad = flipped(honest, "cem", 0.10, seed)
    check = weigh_labellers(bad, ticket_vectors)
    assert check.refused == ("cem",)
    mine = {ticket.id for ticket in bad if ticket.labelled_by == "cem"}
    assert check.aside_ids == mine, "every label of theirs is put aside, nobody else's"
    assert {put.labeller for put in check.put_aside} == {"cem"}
    assert "contradict" in check.findings[0].because
    protected = macro_f1(bad, ticket_vectors, encoder, check.aside_ids, honest)
    assert protected > macro_f1(bad, ticket_vectors, encoder, frozenset(), honest), "flipped labels do harm"


def test_one_reason_called_another_by_one_person_is_refused_or_harmless(
    honest: list[Ticket], ticket_vectors: Vectors
) -> None:
    """Each reason is called the next one: an agent who flips on purpose, not at random."""
    order = sorted({ticket.reason for ticket in honest})
    following = dict(zip(order, order[1:] + order[:1], strict=True))
    bad = [
        replace(ticket, reason=following[ticket.reason]) if ticket.labelled_by == "ben" else ticket for ticket in honest
    ]
    assert weigh_labellers(bad, ticket_vectors).refused == ("ben",)


def test_two_who_flip_are_both_found_and_nobody_else(honest: list[Ticket], ticket_vectors: Vectors) -> None:
    bad = flipped(flipped(honest, "ana", 0.10), "eli", 0.10)
    assert set(weigh_labellers(bad, ticket_vectors).refused) == {"ana", "eli"}


def test_who_alone_labels_a_new_reason_contradicts_nobody(honest: list[Ticket], ticket_vectors: Vectors) -> None:
    new = honest[0].reason
    alone = [
        replace(ticket, labelled_by="dora", id=f"new-{i}") if ticket.reason == new else ticket
        for i, ticket in enumerate(honest)
    ]
    check = weigh_labellers(alone, ticket_vectors)
    assert "dora" not in check.refused
    assert {put.because.split(" of the ")[0] for put in check.put_aside} == {f"more than {SHARE_OF_REASON:.0%}"}


def test_a_reason_may_start_with_one_persons_examples_but_not_stay_theirs(honest: list[Ticket]) -> None:
    few = [Ticket(f"n{i}", "new_reason", f"n{i}", "dora", "") for i in range(ALWAYS_OF_REASON)]
    assert beyond_share([*honest, *few]) == ()
    many = [Ticket(f"n{i}", "new_reason", f"n{i}", "dora", "") for i in range(100)]
    others = [Ticket(f"o{i}", "new_reason", f"o{i}", "ana", "") for i in range(40)]
    aside = beyond_share([*honest, *many, *others])
    assert len(aside) == 60, "what stays is half of the reason's tickets"
    assert {put.labeller for put in aside} == {"dora"}
    assert aside == beyond_share([*honest, *many[::-1], *others]), "whichever order they come in"


def test_nobody_teaches_more_than_a_third_of_everything() -> None:
    tickets = [
        Ticket(f"t{i}", f"r{i // 5 % 50}", f"t{i}", "ana" if i % 5 < 2 else f"p{i % 5}", "") for i in range(5000)
    ]
    aside = beyond_share(tickets)
    kept = Counter(ticket.labelled_by for ticket in tickets if ticket.id not in {put.id for put in aside})
    assert kept["ana"] == 1500
    assert kept["ana"] / kept.total() == pytest.approx(1 / 3, abs=0.001)


def test_an_opinion_never_knows_the_labels_that_it_judges(honest: list[Ticket], ticket_vectors: Vectors) -> None:
    """What is said of a person's tickets stays the same whatever that person labelled them."""
    before, labels = others_opinion(honest, ticket_vectors)
    after, same = others_opinion(flipped(honest, "ana", 0.10), ticket_vectors)
    mine = [i for i, ticket in enumerate(honest) if ticket.labelled_by == "ana"]
    theirs = [i for i, ticket in enumerate(honest) if ticket.labelled_by == "ben"]
    assert labels == same
    assert before[mine] == pytest.approx(after[mine], abs=2e-3)
    assert np.abs(before[theirs] - after[theirs]).max() > 0.02


def test_findings_are_plain_data_and_few_labels_are_not_judged(honest: list[Ticket], ticket_vectors: Vectors) -> None:
    rare = [replace(ticket, labelled_by="fay") if i < 3 else ticket for i, ticket in enumerate(honest)]
    probabilities, labels = others_opinion(rare, ticket_vectors)
    data = check_labellers(rare, probabilities, labels).to_json()
    [fay] = [line for line in data["labellers"] if line["labeller"] == "fay"]
    assert (fay["n"], fay["judged"], fay["decision"]) == (3, 0, "kept")
    assert "too few" in fay["because"]
    assert set(data) == {"labellers", "put_aside"}


def test_tickets_and_vectors_must_be_as_many(honest: list[Ticket], ticket_vectors: Vectors) -> None:
    with pytest.raises(FitError, match="as many vectors"):
        weigh_labellers(honest, ticket_vectors[:-1])
