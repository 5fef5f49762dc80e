"""`lib.accounts`: who gets in, who does not, and what neither is told."""

import logging
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import pytest
from argon2 import PasswordHasher
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from lib.accounts import passwords
from lib.accounts.granting import Granted
from lib.accounts.keys import SigningSettings
from lib.accounts.login import clear_failures, login
from lib.accounts.throttle import count_attempt
from lib.accounts.tokens import Signer
from lib.accounts.usernames import fold_username
from lib.database.settings import DatabaseSettings
from lib.database.transactions import TransactionalDatabase
from lib.errors import (
    DatabaseUnavailable,
    InvalidCredentials,
    InvalidRequest,
    NotFound,
    ServiceError,
    TooManyAttempts,
)
from lib.settings import Secret
from lib.web.networks import network_of
from tests.support import create_user, deadlocks

PASSWORD = "correct horse battery staple"
WRONG = "correct horse battery stable"
PRIVATE = Ed25519PrivateKey.generate().private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)
SIGNER = Signer(SigningSettings(private_key=Secret(PRIVATE.decode())))
CHEAP = PasswordHasher(memory_cost=64, time_cost=1, parallelism=1)


@dataclass(frozen=True)
class World:
    """A database with one user, ann, and ways to knock at its door."""

    database: TransactionalDatabase

    def login(
        self,
        username: object = "ann",
        password: object = PASSWORD,
        *,
        address: str = "192.0.2.1",
        now: datetime | None = None,
    ) -> Granted:
        """Log in, by default as ann with her password."""
        return login(
            self.database, SIGNER, username=username, password=password, address=address, now=now
        )

    def outcome(self, *args: Any, **kwargs: Any) -> str:
        """Return the code of the answer: OK, or that of the error."""
        try:
            self.login(*args, **kwargs)
        except ServiceError as error:
            return error.code
        return "OK"

    def rows(self, sql: str, **values: object) -> list[Any]:
        """Run any SQL and give what it answers."""
        with self.database.begin() as connection:
            result = connection.execute(text(sql), values)
            return [tuple(row) for row in result] if result.returns_rows else []

    def connections_in_use(self) -> int:
        """Return how many connections are checked out of the pool."""
        pool = self.database._open_pool()
        return self.database._settings.connections - pool._places.qsize()


@pytest.fixture
def empty(database: TransactionalDatabase) -> Iterator[World]:
    """Return a database without users."""
    world = World(TransactionalDatabase(database._settings))
    world.rows("truncate users, sessions, login_failures, login_networks cascade")
    yield world
    world.database.close()


@pytest.fixture
def world(empty: World) -> World:
    """Return a database with one user."""
    create_user(empty.database, username="ann", password=PASSWORD, role="editor")
    return empty


class UntouchableDatabase(TransactionalDatabase):
    """Fails the test when it is asked anything."""

    def __init__(self) -> None:
        super().__init__(DatabaseSettings())

    def begin(self) -> NoReturn:
        """Fail."""
        pytest.fail("a transaction was opened")


class UnreachableDatabase(TransactionalDatabase):
    """Is down."""

    def __init__(self) -> None:
        super().__init__(DatabaseSettings())

    def begin(self) -> NoReturn:
        """Fail as a database does that is down."""
        raise DatabaseUnavailable("down", retry_after_seconds=5)


def test_the_right_password_begins_a_session_of_a_week(world: World) -> None:
    issued = world.login()

    [(jti, lifetime)] = world.rows("select jti, expires_at - created_at from sessions")
    assert jti == issued.session_id
    assert lifetime == timedelta(days=7)


def test_a_wrong_password_begins_nothing(world: World) -> None:
    assert world.outcome(password=WRONG) == "INVALID_CREDENTIALS"
    assert world.rows("select * from sessions") == []


@pytest.mark.parametrize(
    "username", ["ann", "Ann", "ANN", "  ann ", "\uff41\uff4e\uff4e", "\u2003ann"], ids=ascii
)
def test_case_width_and_surrounding_spaces_of_a_username_do_not_matter(
    world: World, username: str
) -> None:
    assert world.outcome(username) == "OK"


@pytest.mark.parametrize(
    "username", ["\u0430nn", "a nn", "ann'--", "' or 1=1 --", "%", "ann\u0301", "nobody"], ids=ascii
)
def test_a_look_alike_and_sql_are_other_users(world: World, username: str) -> None:
    assert world.outcome(username) == "INVALID_CREDENTIALS"


@pytest.mark.parametrize(
    "username",
    [
        "",
        "  ",
        "x" * 101,
        "x" * 10_000,
        "an\0n",
        "ann\n",
        "\u202eann",
        "an\u200bn",
        "\ud800",
        None,
        7,
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_what_is_no_username_is_refused_before_the_database_is_asked(username: object) -> None:
    with pytest.raises(InvalidRequest) as caught:
        login(UntouchableDatabase(), SIGNER, username=username, password=PASSWORD, address="::1")

    assert set(caught.value.fields) == {"username"}


@pytest.mark.parametrize(
    "password", ["", "x" * 1025, "x" * 1_000_000, "\ud800", None, 7], ids=lambda v: ascii(v)[:20]
)
def test_what_is_no_password_is_refused_before_the_database_is_asked(password: object) -> None:
    with pytest.raises(InvalidRequest) as caught:
        login(UntouchableDatabase(), SIGNER, username="ann", password=password, address="::1")

    assert set(caught.value.fields) == {"password"}


@given(st.text(st.characters(), max_size=120))
def test_folding_a_username_twice_changes_nothing(username: str) -> None:
    try:
        folded = fold_username(username)
    except InvalidRequest:
        return
    assert fold_username(folded) == folded
    assert 1 <= len(folded) <= 100


@given(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20))
def test_a_username_is_one_user_whatever_its_case(username: str) -> None:
    assert fold_username(username) == fold_username(f" {username.casefold()} ")


def test_an_unknown_user_and_a_wrong_password_get_the_same_answer(world: World) -> None:
    with pytest.raises(InvalidCredentials) as unknown:
        world.login("nobody", WRONG)
    with pytest.raises(InvalidCredentials) as wrong:
        world.login("ann", WRONG)

    assert unknown.value.message == wrong.value.message
    assert unknown.value.headers == wrong.value.headers == {"WWW-Authenticate": "Bearer"}
    assert unknown.value.fields == wrong.value.fields == {}


def count_verifications(monkeypatch: pytest.MonkeyPatch, *, begun: Callable[[], object]) -> None:
    class Watched(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # type: ignore[override]  # noqa: A002
            begun()
            return super().verify(hash, password)

    monkeypatch.setattr(
        passwords, "_HASHER", Watched(memory_cost=19_456, time_cost=2, parallelism=1)
    )


@pytest.mark.parametrize("username", ["ann", "nobody"])
def test_an_unknown_user_costs_the_one_verification_that_a_known_one_costs(
    world: World, username: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    count_verifications(monkeypatch, begun=lambda: calls.append(1))

    world.outcome(username, WRONG)

    assert calls == [1]


def test_no_connection_is_held_while_argon2_works(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []
    count_verifications(monkeypatch, begun=lambda: held.append(world.connections_in_use()))

    world.login()

    assert held == [0]


def test_the_sixth_failure_is_followed_by_429_even_for_the_right_password(world: World) -> None:
    now = datetime.now(UTC)
    for _ in range(6):
        assert world.outcome(password=WRONG, now=now) == "INVALID_CREDENTIALS"

    with pytest.raises(TooManyAttempts) as caught:
        world.login(now=now)

    assert caught.value.headers == {"Retry-After": "1"}


def test_after_the_wait_the_true_owner_gets_in_and_starts_afresh(world: World) -> None:
    now = datetime.now(UTC)
    for _ in range(6):
        world.outcome(password=WRONG, now=now)
    assert world.outcome(now=now) == "TOO_MANY_ATTEMPTS"

    after = now + timedelta(seconds=1)
    assert world.outcome(now=after) == "OK"
    for _ in range(6):
        assert world.outcome(password=WRONG, now=after) == "INVALID_CREDENTIALS"


def test_logging_in_forgives_once_an_hour_or_neighbours_could_guess_as_often_as_one_logs_in(
    world: World,
) -> None:
    now = datetime.now(UTC)
    assert world.outcome(now=now) == "OK"
    for _ in range(5):
        world.outcome(password=WRONG, now=now)
    assert world.outcome(now=now) == "OK"
    assert world.outcome(password=WRONG, now=now) == "INVALID_CREDENTIALS"
    assert world.outcome(password=WRONG, now=now) == "TOO_MANY_ATTEMPTS"

    later = now + timedelta(minutes=50)  # so that what failed is not yet forgotten by itself
    assert world.outcome(password=WRONG, now=later) == "INVALID_CREDENTIALS"
    hour = now + timedelta(minutes=61)
    assert world.outcome(now=hour) == "OK"
    for _ in range(6):
        assert world.outcome(password=WRONG, now=hour) == "INVALID_CREDENTIALS"


def test_an_unknown_user_is_throttled_like_a_known_one(world: World) -> None:
    now = datetime.now(UTC)
    addresses = ["2001:db8:1:2::1"] * 8 + [f"198.51.100.{turn}" for turn in range(20)]

    def knock(username: str) -> list[str]:
        return [world.outcome(username, WRONG, now=now, address=where) for where in addresses]

    known, unknown = knock("ann"), knock("nobody")

    assert known == unknown
    assert known[:8] == ["INVALID_CREDENTIALS"] * 6 + ["TOO_MANY_ATTEMPTS"] * 2
    assert known[-6:] == ["INVALID_CREDENTIALS"] + ["TOO_MANY_ATTEMPTS"] * 5
    assert world.rows("select count(*) from login_failures where subject like 'user:%'") == [(2,)]
    assert world.rows(
        "select distinct failures from login_failures where subject like 'user:%'"
    ) == [(21,)]


@pytest.mark.parametrize(("networks", "looked_at"), [(1, 6), (60, 21)])
def test_of_sixty_wrong_guesses_at_once_no_more_are_looked_at_than_in_a_row(
    world: World, monkeypatch: pytest.MonkeyPatch, networks: int, looked_at: int
) -> None:
    verified: list[int] = []
    count_verifications(monkeypatch, begun=lambda: verified.append(1))
    now = datetime.now(UTC)

    def guess(turn: int) -> str:
        address = f"192.0.2.{turn % networks}"
        return world.outcome(password=WRONG, now=now, address=address)

    with ThreadPoolExecutor(20) as pool:
        outcomes = list(pool.map(guess, range(60)))

    assert len(verified) == looked_at
    refused = 60 - looked_at
    assert sorted(outcomes) == (
        ["INVALID_CREDENTIALS"] * looked_at + ["TOO_MANY_ATTEMPTS"] * refused
    )


def test_guesses_that_queue_for_a_counter_do_not_outlast_a_wait_that_began_meanwhile(
    world: World,
) -> None:
    for _ in range(5):
        world.outcome(password=WRONG)

    with ThreadPoolExecutor(1) as pool, world.database.begin() as connection:
        count_attempt(connection, username="ann", network=network_of("192.0.2.1"), known=False)
        queued = pool.submit(world.outcome, password=WRONG)
        time.sleep(1.2)  # longer than the wait that the sixth begins
        connection.commit()
        assert queued.result() == "TOO_MANY_ATTEMPTS"

    assert world.outcome(password=WRONG) == "INVALID_CREDENTIALS"


def test_twenty_right_logins_at_once_from_one_address_block_nobody_else(world: World) -> None:
    for turn in range(20):
        username = f"user {turn}"
        create_user(world.database, username=username, password=PASSWORD, role="viewer")

    with ThreadPoolExecutor(20) as pool:
        outcomes = list(pool.map(lambda turn: world.outcome(f"user {turn}"), range(20)))

    assert outcomes == ["OK"] * 20
    assert world.rows(
        "select failures from login_failures where subject = 'network:192.0.2.1'"
    ) == [(0,)]
    assert world.rows("select max(failures) from login_failures") == [(0,)]
    assert world.rows("select count(*) from sessions") == [(20,)]


def test_a_network_that_someone_logged_in_from_is_known_for_90_days(world: World) -> None:
    now = datetime.now(UTC)
    world.outcome(now=now)
    for turn in range(21):
        world.outcome(password=WRONG, now=now, address=f"198.51.100.{turn}")

    assert world.outcome(now=now, address="203.0.113.9") == "TOO_MANY_ATTEMPTS"
    assert world.outcome(now=now) == "OK"

    late = now + timedelta(days=90, seconds=1)
    for turn in range(21):
        world.outcome(password=WRONG, now=late, address=f"198.51.100.{turn}")
    assert world.outcome(now=late) == "TOO_MANY_ATTEMPTS"


def test_a_network_that_ann_logged_in_from_is_not_known_for_others(world: World) -> None:
    create_user(world.database, username="bob", password=PASSWORD, role="viewer")
    now = datetime.now(UTC)
    world.outcome(now=now)
    for turn in range(21):
        world.outcome("bob", WRONG, now=now, address=f"198.51.100.{turn}")

    assert world.outcome("bob", now=now) == "TOO_MANY_ATTEMPTS"


def test_a_failure_makes_no_network_known(world: World) -> None:
    world.outcome(password=WRONG)

    assert world.rows("select * from login_networks") == []


def test_ten_networks_a_user_are_kept_the_latest_ones_and_as_digests(world: World) -> None:
    now = datetime.now(UTC)
    for turn in range(12):
        moment = now + timedelta(minutes=turn)
        assert world.outcome(now=moment, address=f"2001:db8:1:{turn}::1") == "OK"
    world.outcome(now=now + timedelta(minutes=12), address="2001:db8:1:2::2")
    world.outcome(now=now + timedelta(minutes=13), address="2001:db8:2::1")

    kept = [f"2001:db8:1:{turn}::1" for turn in (2, *range(4, 12))] + ["2001:db8:2::1"]
    digests = {digest for (digest,) in world.rows("select network from login_networks")}
    assert digests == {network_of(address).digest for address in kept}


def test_a_login_sweeps_networks_of_others_that_are_too_old(world: World) -> None:
    create_user(world.database, username="bob", password=PASSWORD, role="viewer")
    now = datetime.now(UTC)
    world.outcome("bob", now=now - timedelta(days=91))

    world.outcome(now=now)

    assert world.rows("select count(*) from login_networks") == [(1,)]


def test_callers_without_an_address_are_no_network_that_is_known(world: World) -> None:
    assert world.outcome(address="") == "OK"
    assert world.rows("select * from login_networks") == []


def test_a_users_networks_go_with_the_user(world: World) -> None:
    world.outcome()
    world.rows("delete from users")

    assert world.rows("select * from login_networks") == []


def test_logins_of_one_user_from_many_networks_at_once_all_succeed(world: World) -> None:
    with ThreadPoolExecutor(8) as pool:
        for start in (0, 8, 0):
            outcomes = pool.map(
                lambda turn: world.outcome(address=f"192.0.2.{turn}"), range(start, start + 8)
            )
            assert list(outcomes) == ["OK"] * 8

    assert world.rows("select count(*) <= 16 from login_networks") == [(True,)]


def test_what_failed_for_a_user_is_cleared_whatever_the_spelling(world: World) -> None:
    now = datetime.now(UTC)
    for turn in range(21):
        world.outcome(password=WRONG, now=now, address=f"198.51.100.{turn}")

    assert clear_failures(world.database, username=" ANN ") == 22
    assert world.outcome(now=now) == "OK"


def test_a_user_is_let_in_from_an_address_that_nobody_elsewhere_can_block(world: World) -> None:
    clear_failures(world.database, username="ann", address="192.0.2.1")
    now = datetime.now(UTC)
    for turn in range(21):
        world.outcome(password=WRONG, now=now, address=f"198.51.100.{turn}")

    assert world.outcome(now=now, address="192.0.2.2") == "TOO_MANY_ATTEMPTS"
    assert world.outcome(now=now) == "OK"


def test_only_a_user_who_exists_is_cleared_and_only_from_an_address(world: World) -> None:
    with pytest.raises(NotFound):
        clear_failures(world.database, username="nobody")
    with pytest.raises(InvalidRequest):
        clear_failures(world.database, username="ann", address="home")


def test_logins_clearing_and_deleting_at_once_never_wait_for_each_other_in_a_circle(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "_HASHER", CHEAP)
    monkeypatch.setattr(passwords, "_NOBODY", CHEAP.hash("nobody"))
    names = ["ann", "bob", "cid"]

    def act(seed: int) -> set[str]:
        chance, told = random.Random(seed), set()  # noqa: S311
        for _ in range(50):
            name, address = chance.choice(names), f"2001:db8:1:{chance.randrange(4)}::1"
            match chance.randrange(20):
                case 0 | 1:
                    with suppress(NotFound):
                        clear_failures(world.database, username=name, address=address)
                case 2:
                    world.rows("delete from users where username = :name", name=name)
                case 3 | 4 | 5:
                    with suppress(ServiceError):
                        create_user(world.database, username=name, password=PASSWORD, role="viewer")
                case turn:
                    told.add(world.outcome(name, PASSWORD if turn > 9 else WRONG, address=address))
        return told

    before = deadlocks(world.database)
    with ThreadPoolExecutor(8) as pool:
        told = set().union(*pool.map(act, range(8)))

    assert deadlocks(world.database) == before
    # A machine that is busy otherwise may let one wait for too long.
    assert told - {"DATABASE_UNAVAILABLE"} <= {"OK", "INVALID_CREDENTIALS", "TOO_MANY_ATTEMPTS"}


def test_a_user_who_is_being_deleted_gets_no_token(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    deleting = threading.Event()

    def delete_slowly() -> None:
        with world.database.begin() as connection:
            connection.execute(text("delete from users"))
            deleting.set()
            time.sleep(0.5)  # while the login comes to its last transaction

    with ThreadPoolExecutor(1) as pool:

        def begun() -> None:
            pool.submit(delete_slowly)
            deleting.wait(5)

        count_verifications(monkeypatch, begun=begun)
        assert world.outcome() == "INVALID_CREDENTIALS"


def test_when_the_database_is_down_nobody_gets_in() -> None:
    with pytest.raises(DatabaseUnavailable):
        login(UnreachableDatabase(), SIGNER, username="ann", password=PASSWORD, address="192.0.2.1")


def test_a_hash_of_old_parameters_is_replaced_at_login(world: World) -> None:
    world.rows("update users set password_hash = :old", old=CHEAP.hash(PASSWORD))

    assert world.outcome() == "OK"

    [(stored,)] = world.rows("select password_hash from users")
    assert "m=19456,t=2,p=1" in stored
    assert world.outcome() == "OK"


def test_a_wrong_password_does_not_replace_a_hash_of_old_parameters(world: World) -> None:
    old = CHEAP.hash(PASSWORD)
    world.rows("update users set password_hash = :old", old=old)

    world.outcome(password=WRONG)

    assert world.rows("select password_hash from users") == [(old,)]


def test_a_password_changed_while_the_old_one_is_rehashed_stays_changed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.rows("update users set password_hash = :old", old=CHEAP.hash(PASSWORD))
    new = CHEAP.hash("a password that is new")

    def hash_slowly(password: str) -> str:
        world.rows("update users set password_hash = :new", new=new)
        return CHEAP.hash(password)

    monkeypatch.setattr(passwords, "hash_password", hash_slowly)

    world.login()

    assert world.rows("select password_hash from users") == [(new,)]


def test_many_logins_at_once_with_an_old_hash_all_succeed(world: World) -> None:
    world.rows("update users set password_hash = :old", old=CHEAP.hash(PASSWORD))

    with ThreadPoolExecutor(5) as pool:
        outcomes = list(pool.map(lambda _: world.outcome(), range(5)))

    assert outcomes == ["OK"] * 5


def test_a_user_deleted_while_argon2_works_gets_no_token(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    count_verifications(monkeypatch, begun=lambda: world.rows("delete from users"))

    assert world.outcome() == "INVALID_CREDENTIALS"


@pytest.mark.parametrize("stored", ["", "corrupt", "$2b$12$" + "x" * 53, "$argon2id$v=19$m=9"])
def test_a_corrupt_hash_is_401_to_the_caller_and_an_alarm_in_the_log(
    world: World, stored: str, caplog: pytest.LogCaptureFixture
) -> None:
    world.rows("update users set password_hash = :stored", stored=stored)

    assert world.outcome() == "INVALID_CREDENTIALS"

    assert [r.levelname for r in caplog.records if "alarm" in r.message] == ["ERROR"]


def test_the_log_tells_of_failures_without_names_or_passwords(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="lib")
    now = datetime.now(UTC)

    for _ in range(7):
        world.outcome("someone@example.org", WRONG, now=now)
    issued = world.login(address="198.51.100.1")

    messages = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert messages == ["login refused"] * 6 + ["login throttled"]
    written = " ".join(str(record.__dict__) for record in caplog.records)
    assert "192.0.2.1" in written
    for secret in ("someone@example.org", WRONG, PASSWORD, issued.token, "$argon2id$"):
        assert secret not in written


def test_a_login_sweeps_sessions_that_have_ended_but_no_others(world: World) -> None:
    kept = world.login()
    create_user(world.database, username="bob", password=PASSWORD, role="viewer")
    world.rows(
        "insert into sessions (jti, user_id, expires_at) select 'old' || n, id, "
        "now() - interval '1 hour' from users, generate_series(1, 150) n where username = 'bob'"
    )
    world.rows(
        "insert into sessions (jti, user_id, expires_at) select 'in leeway', id, "
        "now() - interval '20 seconds' from users where username = 'bob'"
    )

    world.login()
    assert world.rows("select count(*) from sessions where jti like 'old%'") == [(50,)]
    world.login()

    left = world.rows("select jti from sessions")
    assert len(left) == 4
    assert {(kept.session_id,), ("in leeway",)} < set(left)


def test_making_users_does_not_import_what_only_tokens_need() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import lib.accounts.login, sys; print('jwt' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == "False"


def test_asking_for_a_role_does_not_import_what_only_passwords_need() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import lib.accounts.access, sys; print('argon2' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == "False"
