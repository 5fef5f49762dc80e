from collections import Counter
from dataclasses import dataclass

import pytest

from tests.ordering import LONG, arrange


@dataclass(frozen=True)
class Item:
    """A test, as far as it is looked at."""

    nodeid: str


TESTS = [
    Item(f"tests/{name}" if "::" in name else f"tests/{name}::test_{number}")
    for name in (*LONG, *(f"catalogue/test_{letter}.py" for letter in "abcdefghij"))
    for number in range(1 if "::" in name else 20)
]


def is_long(test: Item) -> bool:
    return any(name in test.nodeid for name in LONG)


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
def test_no_test_is_lost_or_run_twice(workers: int) -> None:
    assert Counter(arrange(TESTS, workers)) == Counter(TESTS)


@pytest.mark.parametrize("workers", [2, 3])
def test_each_worker_begins_with_what_takes_long_and_ends_with_what_does_not(workers: int) -> None:
    arranged, shares = arrange(TESTS, workers), []
    for number in range(workers):  # as pytest-xdist has it
        size = len(arranged) // (workers - number)
        shares.append(arranged[:size])
        arranged = arranged[size:]

    for share in shares:
        assert is_long(share[0])
        assert not is_long(share[-1])
        kinds = [is_long(test) for test in share]
        assert kinds == sorted(kinds, reverse=True)


def test_the_longest_comes_first_and_files_stay_whole() -> None:
    arranged = arrange(TESTS, 2)
    files = [test.nodeid.partition("::")[0] for test in arranged if is_long(test)]
    runs = [file for before, file in zip(["", *files], files, strict=False) if file != before]

    assert "test_its_own_tests_pass" in arranged[0].nodeid
    assert len(runs) <= len(set(files)) + 1  # one test of test_terraform.py goes alone


def test_without_what_takes_long_the_order_stays() -> None:
    few = [test for test in TESTS if not is_long(test)]

    assert arrange(few, 2) == few
