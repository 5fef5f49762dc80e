"""A simulated day of guessing at the administrator's password: what gets through, and who gets in.

The clock of the statements is set. The one who guesses never pays for a hash, knows every rule, and
tries again the moment that a wait ends.
"""

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from argon2 import PasswordHasher
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from lib.accounts import login, passwords
from lib.accounts.keys import SigningSettings
from lib.accounts.throttle import FREE_FOR_USER, LONGEST_WAIT_SECONDS, count_attempt
from lib.accounts.tokens import Signer
from lib.database.transactions import TransactionalDatabase
from lib.errors import TooManyAttempts
from lib.settings import Secret
from lib.web.networks import network_of
from tests.support import ADMIN_PASSWORD, create_user

NOON: Final = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY: Final = 86_400.0
HOME: Final = "192.0.2.1"
PRIVATE: Final = Ed25519PrivateKey.generate().private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)
SIGNER: Final = Signer(SigningSettings(private_key=Secret(PRIVATE.decode())))


@dataclass
class Siege:
    """A database with an administrator, who has logged in at home, and someone who guesses."""

    database: TransactionalDatabase
    reached: int = 0  # guesses that would have come to a hash
    waits: list[int] = field(default_factory=list)

    def guess(self, after: float, address: str, *, known: bool = False) -> int:
        """Guess, some seconds after the beginning, and give the seconds that it is told to wait."""
        try:
            with self.database.begin() as connection:
                count_attempt(
                    connection,
                    username="admin",
                    network=network_of(address),
                    known=known,
                    now=NOON + timedelta(seconds=after),
                )
        except TooManyAttempts as refusal:
            self.waits.append(refusal.retry_after_seconds)
            return refusal.retry_after_seconds
        self.reached += 1
        return 0

    def log_in(self, after: float, address: str = HOME) -> float:
        """Log in as the administrator, coming back when told to, and give the seconds it took."""
        waited = 0.0
        while True:
            now = NOON + timedelta(seconds=after + waited)
            try:
                login.login(
                    self.database,
                    SIGNER,
                    username="admin",
                    password=ADMIN_PASSWORD,
                    address=address,
                    now=now,
                )
            except TooManyAttempts as refusal:
                waited += refusal.retry_after_seconds
            else:
                return waited


@pytest.fixture
def siege(database: TransactionalDatabase, monkeypatch: pytest.MonkeyPatch) -> Iterator[Siege]:
    monkeypatch.setattr(
        passwords, "_HASHER", PasswordHasher(memory_cost=64, time_cost=1, parallelism=1)
    )
    own = TransactionalDatabase(database._settings)
    create_user(own, username="admin", password=ADMIN_PASSWORD, role="admin")
    yield Siege(own)
    own.close()


Addresses = Callable[[int], str]


def thousand_networks(turn: int) -> str:
    return f"198.51.{turn // 250 % 4}.{turn % 250}"


def links_of_one_site(turn: int) -> str:
    return f"2001:db8:1:{turn % 65_536:x}::1"


def a_site_each_time(turn: int) -> str:
    return f"2001:db8:{turn % 65_536:x}::1"


def guesses(siege: Siege, addresses: Addresses, *, give_up_at: int) -> Iterator[float]:
    """Guess all day, and tell when the next guess comes.

    Args:
        give_up_at: The wait at which to pause instead, until all is forgotten.
    """
    after = 0.0
    for turn in itertools.count():
        yield after
        wait = siege.guess(after, addresses(turn))
        after += 3_600.5 if wait >= give_up_at else wait


@pytest.mark.parametrize(
    ("addresses", "give_up_at"),
    [
        (thousand_networks, 10_000),
        (links_of_one_site, 10_000),
        (a_site_each_time, 256),  # about the best that pausing can do
    ],
)
def test_the_administrator_gets_in_at_home_on_a_day_of_guessing(
    siege: Siege, addresses: Addresses, give_up_at: int
) -> None:
    chance = random.Random(10)  # noqa: S311
    moments = sorted(chance.uniform(0, DAY) for _ in range(100))
    siege.log_in(-60)
    attack = guesses(siege, addresses, give_up_at=give_up_at)

    took = []
    for moment in moments:
        while next(attack) < moment:
            pass
        took.append(siege.log_in(moment))

    assert len(took) == 100
    assert max(took) <= 60
    assert FREE_FOR_USER < siege.reached < 700


def test_the_administrator_gets_in_beside_neighbours_who_fail_for_others(siege: Siege) -> None:
    siege.log_in(-60)
    for turn in range(40):
        try:
            with siege.database.begin() as connection:
                count_attempt(
                    connection,
                    username=f"someone {turn}",
                    network=network_of(HOME),
                    known=False,
                    now=NOON,
                )
        except TooManyAttempts:
            break
    else:
        pytest.fail("the network was never told to wait")

    assert siege.log_in(0) == 0


def test_neighbours_guess_no_more_for_an_administrator_who_logs_in_all_the_time(
    siege: Siege,
) -> None:
    """In a quarter of a day, as each hour is like the others."""
    siege.log_in(-60)
    after, logins = 0.0, 0
    while after < DAY / 4:
        wait = siege.guess(after, HOME, known=True)
        if wait:
            # Before the next guess, at the moment at which that may come.
            after += wait
            logins += siege.log_in(after) == 0

    assert logins > 50
    assert 4 * siege.reached < 450


def test_an_administrator_who_was_never_here_waits_a_quarter_of_an_hour_at_most(
    siege: Siege,
) -> None:
    attack = guesses(siege, thousand_networks, give_up_at=10_000)
    while next(attack) < 20_000:
        pass

    assert max(siege.waits) == LONGEST_WAIT_SECONDS
    assert 0 < siege.log_in(20_000) <= LONGEST_WAIT_SECONDS


def test_clearing_lets_an_administrator_in_who_was_never_here(siege: Siege) -> None:
    attack = guesses(siege, thousand_networks, give_up_at=10_000)
    while next(attack) < 20_000:
        pass

    login.clear_failures(siege.database, username="admin")

    assert siege.log_in(20_000) == 0


def test_an_administrator_who_is_let_in_gets_in_however_quick_the_guesses_are(
    siege: Siege,
) -> None:
    login.clear_failures(siege.database, username="admin", address=HOME)
    for turn in range(FREE_FOR_USER + 2):
        siege.guess(0, thousand_networks(turn))

    assert siege.waits
    assert siege.log_in(0) == 0
