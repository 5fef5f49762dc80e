"""`lib.accounts.throttle`: how failures add up to waits, and for whom."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text

from lib.accounts.throttle import (
    FREE_FOR_NETWORK,
    FREE_FOR_PAIR,
    FREE_FOR_SITE,
    FREE_FOR_USER,
    LONGEST_WAIT_SECONDS,
    Attempt,
    clear_user,
    count_attempt,
    take_back,
    wait_seconds,
)
from lib.database.account_tables import login_failures
from lib.database.transactions import TransactionalDatabase
from lib.errors import TooManyAttempts
from lib.web.networks import network_of

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def counters(database: TransactionalDatabase) -> Iterator[TransactionalDatabase]:
    """Return a database without any counters, in which transactions can be opened."""
    own = TransactionalDatabase(database._settings)
    with own.begin() as connection:
        connection.execute(text("truncate login_failures cascade"))
    yield own
    own.close()


def attempt(
    counters: TransactionalDatabase,
    *,
    user: str = "ann",
    address: str = "192.0.2.1",
    known: bool = False,
    after: float = 0,
) -> Attempt:
    """Count an attempt, some seconds after noon."""
    with counters.begin() as connection:
        return count_attempt(
            connection,
            username=user,
            network=network_of(address),
            known=known,
            now=NOON + timedelta(seconds=after),
        )


def refused_for(
    counters: TransactionalDatabase,
    *,
    user: str = "ann",
    address: str = "192.0.2.1",
    known: bool = False,
    after: float = 0,
) -> int:
    """Return the seconds that an attempt is told to wait."""
    with pytest.raises(TooManyAttempts) as caught:
        attempt(counters, user=user, address=address, known=known, after=after)
    assert caught.value.headers == {"Retry-After": str(caught.value.retry_after_seconds)}
    assert str(caught.value.retry_after_seconds) in caught.value.message
    return caught.value.retry_after_seconds


def succeed(counters: TransactionalDatabase, counted: Attempt, *, forgive: bool = False) -> None:
    with counters.begin() as connection:
        take_back(connection, counted, forgive=forgive)


def stored(counters: TransactionalDatabase) -> dict[str, int]:
    with counters.begin() as connection:
        rows = connection.execute(select(login_failures.c.subject, login_failures.c.failures))
        return {row.subject: row.failures for row in rows}


def by_kind(counters: TransactionalDatabase) -> dict[str, int]:
    """Return the counters of a single user in a single network."""
    return {subject.partition(":")[0]: number for subject, number in stored(counters).items()}


def test_waits_double_from_the_sixth_failure_of_a_user() -> None:
    waits = [wait_seconds(failures, free=5) for failures in range(1, 10)]

    assert waits == [0, 0, 0, 0, 0, 1, 2, 4, 8]


@given(st.integers(0, 2**31 - 1), st.integers(0, 100))
def test_no_wait_is_longer_than_15_minutes_or_shorter_than_the_one_before(
    failures: int, free: int
) -> None:
    wait = wait_seconds(failures, free=free)

    assert 0 <= wait <= wait_seconds(failures + 1, free=free) <= LONGEST_WAIT_SECONDS


@pytest.mark.parametrize("known", [False, True])
def test_the_sixth_failure_of_a_user_in_a_network_is_followed_by_a_wait_that_ends(
    counters: TransactionalDatabase,
    known: bool,  # noqa: FBT001
) -> None:
    for _ in range(FREE_FOR_PAIR + 1):
        attempt(counters, known=known)

    assert refused_for(counters, known=known) == 1
    assert attempt(counters, known=known, after=1)
    assert refused_for(counters, known=known, after=1) == 2


def test_the_wait_is_rounded_up_to_whole_seconds(counters: TransactionalDatabase) -> None:
    for _ in range(FREE_FOR_PAIR + 1):
        attempt(counters)

    assert refused_for(counters, after=0.999) == 1


def test_attempts_during_a_wait_neither_count_nor_prolong_it(
    counters: TransactionalDatabase,
) -> None:
    for _ in range(FREE_FOR_PAIR + 1):
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
    for turn in range(FREE_FOR_NETWORK + 1):
        attempt(counters, user=f"user {turn}")

    assert refused_for(counters, user="the next") == 1
    assert attempt(counters, user="the next", address="203.0.113.9")


def test_many_networks_of_one_site_have_to_wait_there_only(
    counters: TransactionalDatabase,
) -> None:
    for turn in range(FREE_FOR_SITE + 1):
        attempt(counters, user=f"user {turn}", address=f"2001:db8:1:{turn}::1")

    assert refused_for(counters, user="the next", address="2001:db8:1:ffff::1") == 1
    assert attempt(counters, user="the next", address="2001:db8:2:ffff::1")


def test_at_a_known_network_neither_strangers_nor_neighbours_make_anyone_wait(
    counters: TransactionalDatabase,
) -> None:
    for turn in range(FREE_FOR_USER + 1):
        attempt(counters, user="ann", address=f"198.51.100.{turn}")
    for turn in range(FREE_FOR_NETWORK + 1):
        attempt(counters, user=f"user {turn}", address="192.0.2.1")

    assert refused_for(counters, user="ann", address="203.0.113.9") == 1
    assert refused_for(counters, user="bob", address="192.0.2.1") == 1
    assert attempt(counters, user="ann", address="192.0.2.1", known=True)


def test_failures_at_a_known_network_count_for_their_user_there_only(
    counters: TransactionalDatabase,
) -> None:
    for _ in range(3):
        attempt(counters, address="2001:db8:1:2::1", known=True)

    assert by_kind(counters) == {"pair": 3}


def test_of_several_waits_the_longest_is_told(counters: TransactionalDatabase) -> None:
    for turn in range(FREE_FOR_USER + 1):
        attempt(counters, address=f"198.51.100.{turn}")
    attempt(counters, address="203.0.113.1", after=1)
    for turn in range(FREE_FOR_NETWORK + 1):
        attempt(counters, user=f"user {turn}", after=1)

    assert refused_for(counters, user="bob", after=1) == 1
    assert refused_for(counters, after=1) == 2


def test_an_hour_without_an_attempt_forgets_the_failures(counters: TransactionalDatabase) -> None:
    for _ in range(FREE_FOR_PAIR + 1):
        attempt(counters)

    for _ in range(FREE_FOR_PAIR):
        attempt(counters, after=3602)

    assert set(stored(counters).values()) == {FREE_FOR_PAIR}


def test_a_success_takes_one_from_each_counter(counters: TransactionalDatabase) -> None:
    for _ in range(3):
        attempt(counters, address="2001:db8:1:2::1")

    succeed(counters, attempt(counters, address="2001:db8:1:2::1"))

    assert by_kind(counters) == {"pair": 3, "user": 3, "network": 3, "site": 3}


def test_a_success_that_forgives_clears_the_user_in_this_network_only(
    counters: TransactionalDatabase,
) -> None:
    attempt(counters, address="203.0.113.9")
    for _ in range(3):
        attempt(counters)

    succeed(counters, attempt(counters), forgive=True)

    left = stored(counters)
    assert left.pop("network:192.0.2.1") == 3
    assert left.pop("network:203.0.113.9") == 1
    assert {kind.partition(":")[0]: number for kind, number in left.items()} == {
        "pair": 1,  # of the other network
        "user": 4,
    }


def test_who_logs_in_often_does_not_clear_the_user_for_whoever_guesses(
    counters: TransactionalDatabase,
) -> None:
    for turn in range(FREE_FOR_USER + 1):
        attempt(counters, address=f"198.51.100.{turn}")
    for _ in range(3):
        own = attempt(counters, address="203.0.113.9", after=1)
        succeed(counters, own, forgive=True)

    attempt(counters, address="198.51.100.99", after=1)
    assert refused_for(counters, address="198.51.100.98", after=1) == 2


def test_who_has_one_password_cannot_clear_the_network_for_guessing_others(
    counters: TransactionalDatabase,
) -> None:
    for turn in range(FREE_FOR_NETWORK):
        attempt(counters, user=f"user {turn}")

    own = attempt(counters, user="mallory")
    assert own.blocked_until["network:192.0.2.1"] is not None
    succeed(counters, own, forgive=True)
    attempt(counters, user="victim 1")
    assert refused_for(counters, user="victim 2") == 1
    attempt(counters, user="victim 2", after=1)
    refused_for(counters, user="mallory", after=1)


def test_a_success_leaves_a_wait_that_another_attempt_began(
    counters: TransactionalDatabase,
) -> None:
    own = attempt(counters, user="mallory")
    for turn in range(FREE_FOR_NETWORK):
        attempt(counters, user=f"user {turn}")

    succeed(counters, own)

    assert refused_for(counters, user="mallory") == 1


def test_a_success_after_its_counter_was_swept_does_no_harm(
    counters: TransactionalDatabase,
) -> None:
    own = attempt(counters)
    succeed(counters, own, forgive=True)
    succeed(counters, own)

    assert by_kind(counters) == {"user": 0, "network": 0}


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
        ("192.0.2.1:443", "no address", False),
        ("192.0.2.1:443", "192.0.2.1", True),
        ("64:ff9b::192.0.2.1", "2002:c000:201::1", True),
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

    addresses = [subject for subject in stored(counters) if subject.startswith("network:")]
    assert len(addresses) == (1 if same else 2)


def test_the_counters_hold_no_username(counters: TransactionalDatabase) -> None:
    attempt(counters, user="someone special")

    assert "someone special" not in str(stored(counters))


def test_a_user_who_is_cleared_waits_no_more_but_networks_do(
    counters: TransactionalDatabase,
) -> None:
    for turn in range(FREE_FOR_USER + 1):
        attempt(counters, address=f"198.51.100.{turn}")
    attempt(counters, address="192.0.2.1", known=True)
    attempt(counters, user="bob", address="192.0.2.1")
    for turn in range(FREE_FOR_NETWORK):
        attempt(counters, user=f"user {turn}", address="192.0.2.1")

    with counters.begin() as connection:
        assert clear_user(connection, "ann") == 1 + FREE_FOR_USER + 1 + 1
        assert clear_user(connection, "ann") == 0

    assert attempt(counters, address="198.51.100.0")
    assert refused_for(counters, address="192.0.2.1") == 1
    assert sum(subject.startswith("pair:") for subject in stored(counters)) == FREE_FOR_NETWORK + 2


def test_what_is_forgotten_is_swept_a_few_at_a_time(counters: TransactionalDatabase) -> None:
    for turn in range(8):
        attempt(counters, user=f"user {turn}", address=f"192.0.2.{turn}")

    attempt(counters, user="later", address="198.51.100.1", after=7200)

    assert len(stored(counters)) == 24 - 10 + 3


def test_by_default_waits_are_reckoned_by_the_clock_of_the_database(
    counters: TransactionalDatabase,
) -> None:
    def count() -> None:
        with counters.begin() as connection:
            count_attempt(connection, username="ann", network=network_of("192.0.2.1"), known=False)

    for _ in range(FREE_FOR_PAIR + 3):
        count()
        with counters.begin() as connection:
            connection.execute(
                text(
                    "update login_failures set blocked_until = "
                    "blocked_until - interval '2 seconds' where failures < :last"
                ),
                {"last": FREE_FOR_PAIR + 3},
            )
    with pytest.raises(TooManyAttempts) as caught:
        count()

    assert 3 <= caught.value.retry_after_seconds <= 4
