import threading
import time

import pytest

from desk.combining import GATHERING, Combined
from desk.intake import TAG
from desk.jobs import jobs_in
from desk.tag_jobs import Delivery, Intake


def at_the_same_time(acts):
    """Outcomes of ``acts``, each in a thread of its own."""
    outcomes: list[object] = [None] * len(acts)

    def run(place: int) -> None:
        try:
            outcomes[place] = acts[place]()
        except Exception as error:  # noqa: BLE001
            outcomes[place] = error

    threads = [threading.Thread(target=run, args=[place]) for place in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def test_calls_that_come_while_one_is_served_are_served_together_each_with_its_answer():
    groups = []

    def together(asked):
        groups.append(len(asked))
        time.sleep(0.1)
        return [each * 10 for each in asked]

    combined = Combined(together, shared=OSError)
    assert at_the_same_time([lambda n=n: combined(n) for n in range(20)]) == [n * 10 for n in range(20)]
    assert sum(groups) == 20
    assert len(groups) < 6


def test_a_call_that_fails_does_not_fail_those_beside_it():
    def together(asked):
        time.sleep(0.05)
        if 3 in asked:
            raise ValueError("three")
        return list(asked)

    combined = Combined(together, shared=OSError)
    outcomes = at_the_same_time([lambda n=n: combined(n) for n in range(6)])
    assert [outcome for outcome in outcomes if not isinstance(outcome, ValueError)] == [0, 1, 2, 4, 5]
    assert isinstance(outcomes[3], ValueError)


def test_an_error_of_all_is_told_to_all_after_one_try():
    tries = []

    def together(asked):
        tries.append(len(asked))
        time.sleep(0.1)
        raise OSError("away")

    combined = Combined(together, shared=OSError)
    outcomes = at_the_same_time([lambda n=n: combined(n) for n in range(10)])
    assert all(isinstance(outcome, OSError) for outcome in outcomes)
    assert len(tries) < 5
    with pytest.raises(OSError, match="away"):
        combined(1)


def test_a_group_is_no_larger_than_its_limit():
    groups = []

    def together(asked):
        groups.append(len(asked))
        time.sleep(0.02)
        return list(asked)

    combined = Combined(together, shared=OSError, limit=3)
    assert at_the_same_time([lambda n=n: combined(n) for n in range(10)]) == list(range(10))
    assert max(groups) <= 3


def test_tickets_that_arrive_together_are_stored_once_each_with_one_job(desk, incoming):
    intake = Intake(desk.database)
    deliveries = [lambda n=n: intake.take(Delivery(incoming(str(n % 15)))) for n in range(45)]
    answers = [taken.received for taken in at_the_same_time(deliveries)]
    assert sum(not answer.duplicate for answer in answers) == 15
    by_delivery = {}
    for number, answer in enumerate(answers):
        assert by_delivery.setdefault(number % 15, answer.ticket_id) == answer.ticket_id
    assert desk.coverage().tickets == 15
    with desk.database.session(read_only=True) as session:
        assert sorted(job.key for job in jobs_in(session, kind=TAG)) == sorted(by_delivery.values())


def test_after_a_group_of_several_the_next_one_gathers_and_a_lone_caller_waits_for_nobody():
    groups = []

    def together(asked):
        groups.append(list(asked))
        return list(asked)

    combined = Combined(together, shared=OSError)
    began = time.monotonic()
    for n in range(20):
        combined(n)
    assert time.monotonic() - began < 20 * GATHERING / 2
    assert groups == [[n] for n in range(20)]
    groups.clear()
    slow = Combined(lambda asked: (time.sleep(0.02), together(asked))[1], shared=OSError)
    at_the_same_time([lambda n=n: [slow(n * 10 + again) for again in range(5)] for n in range(8)])
    assert sum(map(len, groups)) == 40
    assert max(map(len, groups)) == 8
