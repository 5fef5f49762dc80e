"""Guesses at passwords and codes, over all the functions that could tell whether one is right."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import httpx
from sqlalchemy import text

from lib.accounts.throttle import FREE_FOR_NETWORK, FREE_FOR_PAIR
from lib.database.transactions import TransactionalDatabase
from tests.functions.people import NEW_PASSWORD, Admin, choose, code_of, log_in

if TYPE_CHECKING:
    from collections.abc import Callable

WRONG: Final = "correct horse battery stable"
ROUNDS: Final = 7


def come_through(free: int, seconds: float) -> int:
    """Return how many guesses in a row come through in some seconds: each waits twice as long."""
    return free + 1 + int(seconds + 1).bit_length()


def test_of_sixty_guesses_at_once_no_more_come_through_than_of_as_many_in_a_row(
    client: httpx.Client, admin: Admin
) -> None:
    ana = admin.welcome("ana")
    body = {"current_password": WRONG, "new_password": NEW_PASSWORD}
    ways: list[Callable[[], httpx.Response]] = [
        lambda: log_in(client, "ana", WRONG),
        lambda: client.post("/passwords.change", json=body, headers=ana),
        lambda: choose(client, "smc_guessed"),
    ]
    started = time.monotonic()

    with ThreadPoolExecutor(60) as threads:
        asked = [(turn % 3, threads.submit(ways[turn % 3])) for turn in range(60)]
        told = [(way, code_of(answer.result())) for way, answer in asked]

    seconds = time.monotonic() - started
    at_ana = [code for way, code in told if way < 2]
    tried = sum(code.startswith("401") for code in at_ana)
    assert tried <= come_through(FREE_FOR_PAIR, seconds)
    assert tried > 0
    assert sum(code.startswith("401") for _, code in told) <= come_through(
        FREE_FOR_NETWORK, seconds
    )
    assert {code for _, code in told} == {
        "401 INVALID_CREDENTIALS", "401 INVALID_CODE", "429 TOO_MANY_ATTEMPTS"
    }  # fmt: skip


def test_codes_that_are_guessed_make_their_network_wait(client: httpx.Client) -> None:
    started = time.monotonic()
    with ThreadPoolExecutor(8) as threads:
        told = list(threads.map(lambda _: code_of(choose(client, "smc_guessed")), range(60)))

    most = come_through(FREE_FOR_NETWORK, time.monotonic() - started)
    assert FREE_FOR_NETWORK < told.count("401 INVALID_CODE") <= most
    assert "429 TOO_MANY_ATTEMPTS" in told


def test_time_does_not_tell_who_exists_is_invited_or_disabled(
    client: httpx.Client, admin: Admin, database: TransactionalDatabase
) -> None:
    """It is the processor's, which the function shares with this test, and no other process.

    The shortest of some rounds are compared, as what else happens only adds to them.
    """
    admin.invite("invited")
    for name in ("known", "disabled"):
        admin.welcome(name)
    admin.post("/users.update", username="disabled", disabled=True)
    shortest = dict.fromkeys(("known", "disabled", "invited", "nobody"), 60.0)

    for _ in range(ROUNDS):
        for name in shortest:
            started = time.process_time()
            answer = log_in(client, name, WRONG)
            shortest[name] = min(shortest[name], time.process_time() - started)
            assert code_of(answer) == "401 INVALID_CREDENTIALS"
        with database.begin() as connection:
            connection.execute(text("delete from login_failures"))

    assert max(shortest.values()) < 1.5 * min(shortest.values()), shortest
