"""How many calls at once: with a clock of the test's own."""

import threading
from typing import Final

import pytest

from lib.imports.pace import FAULTS_IN_A_ROW, PAUSES, Pace


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


USUAL: Final = 0.1


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pace(clock: Clock) -> Pace:
    return Pace(16, clock=clock)


def call(pace: Pace, seconds: float = USUAL, *, failed: bool = False) -> None:
    assert pace.enter(lambda: False)
    pace.leave(seconds, failed=failed)


def test_it_begins_with_all_that_is_allowed(pace: Pace) -> None:
    assert pace.limit == 16
    for _ in range(100):
        call(pace)
    assert pace.limit == 16


def test_slow_answers_make_it_ask_for_less_and_quick_ones_for_more(
    pace: Pace, clock: Clock
) -> None:
    call(pace)
    for _ in range(3):
        clock.now += 1
        call(pace, 5.0)
    assert pace.limit == 6
    for _ in range(200):
        call(pace)
    assert pace.limit == 16


def test_calls_that_are_slow_together_are_one_event(pace: Pace) -> None:
    call(pace)
    for _ in range(16):
        call(pace, 5.0)
    assert pace.limit == 12


def test_an_omdb_that_is_always_slow_is_not_taken_for_one_in_trouble(
    pace: Pace, clock: Clock
) -> None:
    for _ in range(50):
        clock.now += 1
        call(pace, 3.0)
    assert pace.limit == 16


def test_a_fault_halves_it(pace: Pace, clock: Clock) -> None:
    call(pace, failed=True)
    assert pace.limit == 8
    clock.now += 1
    call(pace, failed=True)
    assert pace.limit == 4


def is_open(pace: Pace) -> bool:
    return pace.is_open


def has_given_up(pace: Pace) -> bool:
    return pace.given_up


def break_it(pace: Pace) -> None:
    for _ in range(FAULTS_IN_A_ROW):
        call(pace, failed=True)


def test_ten_faults_in_a_row_open_the_breaker(pace: Pace, clock: Clock) -> None:
    break_it(pace)
    assert is_open(pace)
    tries = iter([False, False, True])
    assert not pace.enter(lambda: next(tries))  # nobody gets in
    clock.now += PAUSES[0]
    call(pace)
    assert not is_open(pace)
    assert pace.limit >= 8


def test_one_good_answer_between_them_keeps_it_closed(pace: Pace) -> None:
    for _ in range(5):
        for _ in range(FAULTS_IN_A_ROW - 1):
            call(pace, failed=True)
        call(pace)
    assert not is_open(pace)


def test_it_gives_up_when_no_pause_was_long_enough(pace: Pace, clock: Clock) -> None:
    break_it(pace)
    for pause in PAUSES:
        assert not has_given_up(pace)
        clock.now += pause
        call(pace, failed=True)
    assert has_given_up(pace)
    assert not pace.enter(lambda: False)
    pace.reset()
    assert not has_given_up(pace)
    call(pace)


def test_what_says_nothing_about_omdb_changes_nothing(pace: Pace) -> None:
    for _ in range(30):
        assert pace.enter(lambda: False)
        pace.leave(9.0, failed=True, counts=False)
    assert (pace.limit, pace.faults) == (16, 0)


def test_after_doubt_one_call_decides(pace: Pace) -> None:
    pace.go_one_by_one()
    assert pace.limit == 1
    call(pace)
    assert pace.limit >= 8


def test_no_more_are_under_way_than_the_limit() -> None:
    pace = Pace(3)
    under_way, most, lock = [0], [0], threading.Lock()

    def work() -> None:
        for _ in range(20):
            assert pace.enter(lambda: False)
            with lock:
                under_way[0] += 1
                most[0] = max(most[0], under_way[0])
            threading.Event().wait(0.001)
            with lock:
                under_way[0] -= 1
            pace.leave(USUAL, failed=False)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 3
