"""`lib.accounts.password_changes`: by the present password or a one-time code, and by no guess."""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

import pytest
from argon2 import PasswordHasher
from sqlalchemy import text

from lib.accounts import passwords
from lib.accounts.administration import Actor, Changes, invite_user, reset_password, update_user
from lib.accounts.keys import SigningSettings
from lib.accounts.login import login
from lib.accounts.password_changes import change_password, set_password
from lib.accounts.tokens import Signer
from lib.database.settings import DatabaseSettings
from lib.database.transactions import TransactionalDatabase
from lib.errors import (
    InvalidCode,
    InvalidCredentials,
    InvalidRequest,
    ServiceError,
    TooManyAttempts,
)
from tests.support import create_user, deadlocks

PASSWORD = "correct horse battery staple"
NEW = "tall giraffes eat acacia leaves"
WRONG = "correct horse battery stable"
HOME = "192.0.2.1"
CHEAP = PasswordHasher(memory_cost=64, time_cost=1, parallelism=1)


class UntouchableDatabase(TransactionalDatabase):
    """Fails the test when it is asked anything."""

    def __init__(self) -> None:
        super().__init__(DatabaseSettings())

    def begin(self) -> NoReturn:
        """Fail."""
        pytest.fail("a transaction was opened")


@dataclass(frozen=True)
class World:
    """A database with ann, who has three sessions."""

    database: TransactionalDatabase
    signer: Signer
    ann: int
    sessions: tuple[str, ...]

    def change(
        self,
        current: object = PASSWORD,
        new: object = NEW,
        *,
        address: str = HOME,
        now: datetime | None = None,
    ) -> str:
        """Change ann's password in her first session; return the code of the answer."""
        return outcome(
            lambda: change_password(
                self.database,
                user_id=self.ann,
                session_id=self.sessions[0],
                current_password=current,
                new_password=new,
                address=address,
                now=now,
            )
        )

    def set(
        self,
        code: object,
        new: object = NEW,
        *,
        address: str = HOME,
        now: datetime | None = None,
    ) -> str:
        """Set a password with a code; return the code of the answer."""
        return outcome(
            lambda: set_password(
                self.database, code=code, new_password=new, address=address, now=now
            )
        )

    def login(
        self,
        username: str = "ann",
        password: str = PASSWORD,
        *,
        address: str = HOME,
        now: datetime | None = None,
    ) -> str:
        """Log in; return the code of the answer."""
        return outcome(
            lambda: login(
                self.database,
                self.signer,
                username=username,
                password=password,
                address=address,
                now=now,
            )
        )

    def reset(self, username: str = "ann") -> str:
        """Make a code."""
        return reset_password(self.database, Actor(), username=username).code

    def update(self, username: str = "ann", **changes: Any) -> str:
        """Change a user; return the code of the answer."""
        return outcome(
            lambda: update_user(
                self.database, Actor(), username=username, changes=Changes(**changes)
            )
        )

    def rows(self, sql: str, **values: object) -> list[Any]:
        """Run any SQL and give what it answers."""
        with self.database.begin() as connection:
            result = connection.execute(text(sql), values)
            return [tuple(row) for row in result] if result.returns_rows else []

    def audit(self) -> list[tuple[str, str | None, str | None, str | None]]:
        """Return what the audit says of passwords, the oldest first."""
        return self.rows(
            "select action, actor, subject, address from audit_log "
            "where action like 'password.%' order by id"
        )


def outcome(action: Callable[[], object]) -> str:
    """Return the code of an answer: OK, or that of the error."""
    try:
        action()
    except ServiceError as error:
        return error.code
    return "OK"


@pytest.fixture
def world(database: TransactionalDatabase, private_key_pem: str) -> Iterator[World]:
    """Return a database with one user."""
    own = TransactionalDatabase(database._settings)
    ann = create_user(own, username="ann", password=PASSWORD, role="editor")
    sessions = tuple(f"{number:032x}" for number in range(3))
    world = World(
        own,
        Signer(SigningSettings.from_env({"TOKEN_PRIVATE_KEY": private_key_pem})),
        ann,
        sessions,
    )
    for session in sessions:
        world.rows(
            "insert into sessions (jti, user_id, expires_at) "
            "values (:session, :user_id, now() + interval '1 hour')",
            session=session,
            user_id=ann,
        )
    yield world
    own.close()


def test_after_a_change_the_new_password_opens_and_the_other_sessions_have_ended(
    world: World,
) -> None:
    code = world.reset()
    before = datetime.now(UTC)

    assert world.change() == "OK"

    assert world.rows("select jti from sessions") == [(world.sessions[0],)]
    [(set_at, changed_at)] = world.rows("select password_set_at, changed_at from users")
    assert set_at == changed_at >= before
    assert world.login() == "INVALID_CREDENTIALS"
    assert world.login(password=NEW) == "OK"
    assert world.set(code) == "INVALID_CODE"
    assert world.audit()[0] == ("password.changed", "ann", "ann", HOME)


def test_a_wrong_present_password_changes_nothing_and_is_told(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    before = world.rows("select * from users")

    with pytest.raises(InvalidCredentials) as caught:
        change_password(
            world.database,
            user_id=world.ann,
            session_id=world.sessions[0],
            current_password=WRONG,
            new_password=NEW,
            address=HOME,
        )

    assert caught.value.headers == {"WWW-Authenticate": "Bearer"}
    assert world.rows("select * from users") == before
    assert world.rows("select count(*) from sessions") == [(3,)]
    assert world.audit() == [("password.refused", "ann", "ann", HOME)]
    assert [record.message for record in caplog.records] == ["password refused"]


@pytest.mark.parametrize(
    "making",
    ["update users set disabled_at = now()", "delete from users"],
)
def test_who_is_gone_since_the_token_was_admitted_changes_nothing(
    world: World, making: str
) -> None:
    world.rows(making)
    before = world.rows("select * from users")

    assert world.change() == "INVALID_CREDENTIALS"
    assert world.rows("select * from users") == before


@pytest.mark.parametrize(
    ("current", "new", "field"),
    [
        (None, NEW, "current_password"),
        ("", NEW, "current_password"),
        ("x" * 1025, NEW, "current_password"),
        (PASSWORD, None, "new_password"),
        (PASSWORD, "fourteen chars", "new_password"),
        (PASSWORD, "passwordpassword", "new_password"),
        (PASSWORD, "\ud800" * 15, "new_password"),
    ],
    ids=ascii,
)
def test_what_is_no_password_is_refused_and_not_counted(
    world: World, current: object, new: object, field: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        change_password(
            world.database,
            user_id=world.ann,
            session_id=world.sessions[0],
            current_password=current,
            new_password=new,
            address=HOME,
        )

    assert set(caught.value.fields) == {field}
    assert world.rows("select * from login_failures") == []


def test_old_passwords_that_are_short_go_on(world: World) -> None:
    world.rows("update users set password_hash = :hash", hash=passwords.hash_password("8 chars!"))

    assert world.login(password="8 chars!") == "OK"
    assert world.change("8 chars!", "9 chars!!") == "INVALID_REQUEST"
    assert world.change("8 chars!") == "OK"


def test_of_many_changes_at_once_one_succeeds(world: World) -> None:
    with ThreadPoolExecutor(4) as pool:
        codes = list(pool.map(lambda turn: world.change(new=f"{NEW} {turn}"), range(4)))

    assert sorted(codes) == ["INVALID_CREDENTIALS"] * 3 + ["OK"]
    opened = [world.login(password=f"{NEW} {turn}") for turn in range(4)]
    assert [code == "OK" for code in codes] == [code == "OK" for code in opened]


def test_an_invited_user_chooses_a_password_with_the_code_and_is_let_in(world: World) -> None:
    _, issued = invite_user(world.database, Actor(), username="bob", role="viewer")
    assert world.login("bob") == "INVALID_CREDENTIALS"

    assert world.set(issued.code) == "OK"

    assert world.login("bob", NEW) == "OK"
    assert world.audit() == [("password.set", "bob", "bob", HOME)]


def test_a_code_ends_every_session_and_is_spent(world: World) -> None:
    code = world.reset()

    assert world.set(code) == "OK"

    assert world.rows("select * from sessions") == []
    assert world.login(password=NEW) == "OK"
    assert world.set(code, "another that is long enough") == "INVALID_CODE"
    assert world.login(password=NEW) == "OK"


def test_a_code_whose_password_is_refused_can_be_used_again_and_nothing_is_counted(
    world: World,
) -> None:
    _, issued = invite_user(world.database, Actor(), username="montgomery.burns", role="viewer")

    for refused in ("too short", "passwordpassword", "Montgomery-Burns", 7, ""):
        assert world.set(issued.code, refused) == "INVALID_REQUEST"

    assert world.rows("select * from login_failures") == []
    assert world.set(issued.code) == "OK"


@pytest.mark.parametrize("code", [None, 7, "", "x" * 201, ["smc_"]])
def test_what_is_no_code_is_refused_before_the_database_is_asked(code: object) -> None:
    with pytest.raises(InvalidRequest) as caught:
        set_password(UntouchableDatabase(), code=code, new_password=NEW, address=HOME)

    assert set(caught.value.fields) == {"code"}


def ruin(how: str, world: World, code: str) -> str:
    """Make a code worthless, and return what is sent for it."""
    match how:
        case "unknown":
            return "smc_" + "A" * 43
        case "in other letters":
            return code.swapcase()
        case "half of a pair":
            return code + "\ud800"
        case "expired":
            world.rows("update password_codes set expires_at = now()")
        case "replaced":
            world.reset()
        case "of a disabled user":
            world.rows("update users set disabled_at = now()")
        case "of a user who was disabled and enabled":
            world.update(disabled=True)
            world.update(disabled=False)
        case _:
            world.rows("delete from users")
    return code


@pytest.mark.parametrize(
    "how",
    [
        "unknown",
        "in other letters",
        "half of a pair",
        "expired",
        "replaced",
        "of a disabled user",
        "of a user who was disabled and enabled",
        "of a deleted user",
    ],
)
def test_all_codes_that_are_worthless_are_answered_alike(
    world: World, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    code = ruin(how, world, world.reset())
    caplog.clear()

    with pytest.raises(InvalidCode) as caught:
        set_password(world.database, code=code, new_password=NEW, address=HOME)

    assert caught.value.message == (
        "The code is not valid, or no longer: ask an administrator for a new one."
    )
    assert caught.value.headers == {"WWW-Authenticate": "Bearer"}
    assert world.audit() == [("password.refused", None, None, HOME)]
    assert [record.message for record in caplog.records] == ["code refused"]
    assert world.login(password=NEW) == "INVALID_CREDENTIALS"


def test_of_many_who_use_one_code_at_once_one_does(world: World) -> None:
    code = world.reset()

    with ThreadPoolExecutor(6) as pool:
        codes = list(pool.map(lambda turn: world.set(code, f"{NEW} {turn}"), range(6)))

    assert sorted(codes) == ["INVALID_CODE"] * 5 + ["OK"]
    assert world.login(password=f"{NEW} {codes.index('OK')}") == "OK"


def test_all_that_concerns_a_user_at_once_never_waits_in_a_circle(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "_HASHER", CHEAP)
    actions: list[Callable[[str], str]] = [
        lambda where: world.set(world.reset(), address=where),
        lambda where: world.login(password=NEW, address=where),
        lambda where: world.change(NEW, f"{NEW} again", address=where),
        lambda _: world.update(disabled=False, new_username="anna", role="viewer"),
        lambda _: world.update("anna", new_username="ann", role="admin"),
        lambda _: world.update(disabled=True),
        lambda _: outcome(
            lambda: reset_password(world.database, Actor(), username="ann", end_sessions=True)
        ),
    ]
    before = deadlocks(world.database)

    def act(turn: int) -> str:
        try:
            return actions[turn % len(actions)](f"198.51.100.{turn}")
        except ServiceError as error:  # of making a code
            return error.code

    with ThreadPoolExecutor(7) as pool:
        told = set(pool.map(act, range(140)))

    assert deadlocks(world.database) == before
    # A machine that is busy otherwise may let one wait for too long.
    assert told - {"DATABASE_UNAVAILABLE"} <= {
        "OK", "INVALID_CODE", "INVALID_CREDENTIALS", "LAST_ADMIN", "TOO_MANY_ATTEMPTS",
        "USER_NOT_FOUND",
    }  # fmt: skip


def count_hashes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have hashing be quick, and told of."""
    done: list[str] = []

    class Watched(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # type: ignore[override]  # noqa: A002
            done.append("verified")
            return super().verify(hash, password)

    hasher = Watched(memory_cost=64, time_cost=1, parallelism=1)
    monkeypatch.setattr(passwords, "_HASHER", hasher)
    monkeypatch.setattr(passwords, "_NOBODY", CHEAP.hash("nobody"))
    return done


@pytest.mark.parametrize(
    "making",
    [
        "update users set disabled_at = now()",
        "update users set password_hash = null",
        "delete from users",
    ],
)
def test_disabled_invited_and_unknown_users_cost_what_a_wrong_password_costs(
    world: World,
    making: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    verified = count_hashes(monkeypatch)
    world.rows(making)

    messages = set()
    for password in (PASSWORD, WRONG):
        with pytest.raises(InvalidCredentials) as caught:
            login(world.database, world.signer, username="ann", password=password, address=HOME)
        messages.add(caught.value.message)

    assert messages == {"The username or the password is wrong."}
    assert verified == ["verified"] * 2
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2


@pytest.mark.parametrize(("networks", "looked_at"), [(1, 6), (60, 21)])
def test_of_sixty_guesses_at_once_over_login_and_change_no_more_count_than_in_a_row(
    world: World, monkeypatch: pytest.MonkeyPatch, networks: int, looked_at: int
) -> None:
    verified = count_hashes(monkeypatch)
    now = datetime.now(UTC)

    def guess(turn: int) -> str:
        address = f"192.0.2.{turn % networks}"
        if turn % 2:
            return world.change(WRONG, address=address, now=now)
        return world.login(password=WRONG, address=address, now=now)

    with ThreadPoolExecutor(20) as pool:
        told = list(pool.map(guess, range(60)))

    assert len(verified) == looked_at
    refused = 60 - looked_at
    assert sorted(told) == ["INVALID_CREDENTIALS"] * looked_at + ["TOO_MANY_ATTEMPTS"] * refused


def test_of_sixty_codes_guessed_at_once_from_one_network_no_more_count_than_in_a_row(
    world: World,
) -> None:
    now = datetime.now(UTC)

    with ThreadPoolExecutor(20) as pool:
        told = list(pool.map(lambda turn: world.set(f"smc_{turn}", now=now), range(60)))

    assert sorted(told) == ["INVALID_CODE"] * 31 + ["TOO_MANY_ATTEMPTS"] * 29
    with pytest.raises(TooManyAttempts) as caught:
        set_password(world.database, code=world.reset(), new_password=NEW, address=HOME, now=now)
    assert caught.value.headers == {"Retry-After": "1"}
    assert world.login(address=HOME, now=now) == "TOO_MANY_ATTEMPTS"
    assert world.login(address="198.51.100.1", now=now) == "OK"


def test_right_codes_and_changes_leave_nothing_counted(world: World) -> None:
    for turn in range(5):
        assert world.set(world.reset(), f"{NEW} {turn}") == "OK"
    assert world.change(f"{NEW} 4") == "OK"

    assert world.rows("select distinct failures from login_failures") == [(0,)]


def test_no_password_and_no_code_is_ever_told(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="lib")
    code = world.reset()
    world.change(WRONG)
    world.change()
    world.set(code)
    world.set(world.reset(), "yet another that is long")

    audit = world.rows("select to_json(audit_log)::text from audit_log")
    told = f"{audit} {[record.__dict__ for record in caplog.records]}"
    for secret in (PASSWORD, WRONG, NEW, code, "yet another", "$argon2id$"):
        assert secret not in told
