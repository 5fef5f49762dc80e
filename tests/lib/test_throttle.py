"""`lib.throttle`: how failures add up to waits, and for whom."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text

from lib.db_transactions import TransactionalDatabase
from lib.errors import TooManyAttempts
from lib.tables import login_failures
from lib.throttle import (
    FREE_FOR_ADDRESS,
    FREE_FOR_USER,
    LONGEST_WAIT_SECONDS,
    Attempt,
    count_attempt,
    take_back,
    wait_seconds,
)

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def counters(database: TransactionalDatabase) -> Iterator[TransactionalDatabase]:
    """Give a database without any counters, in which transactions can be opened."""
    own = TransactionalDatabase(database._settings)
    with own.begin() as connection:
        connection.execute(text("truncate login_failures"))
    yield own
    own.close()


def attempt(
    counters: TransactionalDatabase,
    *,
    user: str = "ann",
    address: str = "192.0.2.1",
    after: float = 0,
) -> Attempt:
    """Count an attempt, some seconds after noon."""
    with counters.begin() as connection:
        return count_attempt(
            connection, username=user, address=address, now=NOON + timedelta(seconds=after)
        )


def refused_for(
    counters: TransactionalDatabase,
    *,
    user: str = "ann",
    address: str = "192.0.2.1",
    after: float = 0,
) -> int:
    """Give the seconds that an attempt is told to wait."""
    with pytest.raises(TooManyAttempts) as caught:
        attempt(counters, user=user, address=address, after=after)
    assert caught.value.headers == {"Retry-After": str(caught.value.retry_after_seconds)}
    assert str(caught.value.retry_after_seconds) in caught.value.message
    return caught.value.retry_after_seconds


def succeed(counters: TransactionalDatabase, counted: Attempt) -> None:
    with counters.begin() as connection:
        take_back(connection, counted)


def stored(counters: TransactionalDatabase) -> dict[str, int]:
    with counters.begin() as connection:
        rows = connection.execute(select(login_failures.c.subject, login_failures.c.failures))
        return {row.subject: row.failures for row in rows}


def test_waits_double_from_the_sixth_failure_of_a_user() -> None:
    waits = [wait_seconds(failures, free=5) for failures in range(1, 10)]

    assert waits == [0, 0, 0, 0, 0, 1, 2, 4, 8]


@given(st.integers(0, 2**31 - 1), st.integers(0, 100))
def test_no_wait_is_longer_than_15_minutes_or_shorter_than_the_one_before(
    failures: int, free: int
) -> None:
    wait = wait_seconds(failures, free=free)

    assert 0 <= wait <= wait_seconds(failures + 1, free=free) <= LONGEST_WAIT_SECONDS


def test_the_sixth_failure_of_a_user_is_followed_by_a_wait_that_ends(
    counters: TransactionalDatabase,
) -> None:
    for _ in range(FREE_FOR_USER + 1):
        attempt(counters)

    assert refused_for(counters) == 1
    assert attempt(counters, after=1)
    assert refused_for(counters, after=1) == 2


def test_the_wait_is_rounded_up_to_whole_seconds(counters: TransactionalDatabase) -> None:
    for _ in range(FREE_FOR_USER + 1):
        attempt(counters)

    assert refused_for(counters, after=0.999) == 1


def test_attempts_during_a_wait_neither_count_nor_prolong_it(
    counters: TransactionalDatabase,
) -> None:
    for _ in range(FREE_FOR_USER + 1):
        attempt(counters)
    before = stored(counters)

    for _ in range(50):
        refused_for(counters, after=0.5)

    assert stored(counters) == before
    assert attempt(counters, after=1)


def test_guessing_for_days_never_makes_a_wait_longer_than_15_minutes(
    counters: TransactionalDatabase,
) -> None:
    after, longest = 0.0, 0
    for turn in range(40):
        attempt(counters, address=f"192.0.2.{turn}", after=after)
        if turn >= FREE_FOR_USER:
            wait = refused_for(counters, address="198.51.100.1", after=after)
            longest, after = max(longest, wait), after + wait

    assert longest == LONGEST_WAIT_SECONDS
    assert attempt(counters, after=after)


def test_one_user_guessed_from_many_addresses_has_to_wait(counters: TransactionalDatabase) -> None:
    for turn in range(FREE_FOR_USER + 1):
        attempt(counters, address=f"192.0.2.{turn}")

    assert refused_for(counters, address="203.0.113.9") == 1
    assert attempt(counters, user="bob", address="203.0.113.9")


def test_many_users_guessed_from_one_address_have_to_wait_there_only(
    counters: TransactionalDatabase,
) -> None:
    for turn in range(FREE_FOR_ADDRESS + 1):
        attempt(counters, user=f"user {turn}")

    assert refused_for(counters, user="the next") == 1
    assert attempt(counters, user="the next", address="203.0.113.9")


def test_an_hour_without_an_attempt_forgets_the_failures(counters: TransactionalDatabase) -> None:
    for _ in range(FREE_FOR_USER + 1):
        attempt(counters)

    for _ in range(FREE_FOR_USER):
        attempt(counters, after=3602)

    assert set(stored(counters).values()) == {FREE_FOR_USER}


def test_a_success_clears_the_user_and_takes_one_from_the_address(
    counters: TransactionalDatabase,
) -> None:
    for _ in range(3):
        attempt(counters)

    succeed(counters, attempt(counters))

    assert stored(counters) == {"address:192.0.2.1": 3}


def test_who_has_one_password_cannot_clear_the_address_for_guessing_others(
    counters: TransactionalDatabase,
) -> None:
    for turn in range(FREE_FOR_ADDRESS):
        attempt(counters, user=f"user {turn}")

    own = attempt(counters, user="mallory")
    assert own.address_blocked_until is not None
    succeed(counters, own)
    attempt(counters, user="victim 1")
    assert refused_for(counters, user="victim 2") == 1
    attempt(counters, user="victim 2", after=1)
    refused_for(counters, user="mallory", after=1)


def test_a_success_leaves_a_wait_that_another_attempt_began(
    counters: TransactionalDatabase,
) -> None:
    own = attempt(counters, user="mallory")
    for turn in range(FREE_FOR_ADDRESS):
        attempt(counters, user=f"user {turn}")

    succeed(counters, own)

    assert refused_for(counters, user="mallory") == 1


def test_a_success_after_its_counter_was_swept_does_no_harm(
    counters: TransactionalDatabase,
) -> None:
    own = attempt(counters)
    succeed(counters, own)
    succeed(counters, own)

    assert stored(counters) == {"address:192.0.2.1": 0}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("2001:DB8:1:2::1", "2001:db8:1:2::2", True),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("::1", "::2", True),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("", "testclient", True),
        ("192.0.2.1:443", "no address", True),
        ("x" * 100_000, "\ud800\0", True),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_an_address_counts_as_itself_in_ipv4_and_with_its_64_bits_in_ipv6(
    counters: TransactionalDatabase,
    one: str,
    other: str,
    same: bool,  # noqa: FBT001
) -> None:
    attempt(counters, user="ann", address=one)
    attempt(counters, user="bob", address=other)

    addresses = [subject for subject in stored(counters) if subject.startswith("address:")]
    assert len(addresses) == (1 if same else 2)


def test_the_counters_hold_no_username(counters: TransactionalDatabase) -> None:
    attempt(counters, user="someone special")

    assert "someone special" not in str(stored(counters))


def test_what_is_forgotten_is_swept_a_few_at_a_time(counters: TransactionalDatabase) -> None:
    for turn in range(8):
        attempt(counters, user=f"user {turn}", address=f"192.0.2.{turn}")

    attempt(counters, user="later", address="198.51.100.1", after=7200)

    assert len(stored(counters)) == 16 - 10 + 2
