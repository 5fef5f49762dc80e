"""`lib.accounts.administration`: what administrators do about users, and what they cannot do."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from lib.accounts import audit_list, people
from lib.accounts.administration import (
    Actor,
    Changes,
    delete_user,
    invite_user,
    reset_password,
    update_user,
)
from lib.database.settings import DatabaseSettings
from lib.database.transactions import TransactionalDatabase
from lib.errors import (
    Forbidden,
    InvalidRequest,
    LastAdmin,
    OwnAccount,
    ServiceError,
    UsernameTaken,
    UserNotFound,
)
from tests.support import create_user

PASSWORD = "correct horse battery staple"
# How many times two administrators demote each other.
TIMES = 200 if os.environ.get("MOVIES_FULL_SIZE") else 20


class UntouchableDatabase(TransactionalDatabase):
    """Fails the test when it is asked anything."""

    def __init__(self) -> None:
        super().__init__(DatabaseSettings())

    def begin(self) -> Any:
        """Fail."""
        pytest.fail("a transaction was opened")


@dataclass(frozen=True)
class World:
    """A database with the administrator ann."""

    database: TransactionalDatabase
    ann: Actor

    def user(self, username: str, role: str = "viewer") -> Actor:
        """Make a user who has a password."""
        user_id = create_user(self.database, username=username, password=PASSWORD, role=role)
        return Actor(id=user_id, address="192.0.2.2")

    def invite(self, username: str = "bob", role: str = "viewer") -> tuple[dict[str, Any], str]:
        """Invite a user as ann."""
        user, code = invite_user(self.database, self.ann, username=username, role=role)
        return user, code.code

    def update(self, username: str, by: Actor | None = None, **changes: Any) -> dict[str, Any]:
        """Change a user, as ann unless it is said."""
        return update_user(
            self.database, by or self.ann, username=username, changes=Changes(**changes)
        )

    def begin_all(self, username: str) -> None:
        """Give a user a session, a key and a code."""
        self.rows(
            "with one as (select id from users where username = :name), "
            "session as (insert into sessions (jti, user_id, expires_at) "
            "select md5(random()::text), id, now() + interval '1 hour' from one), "
            "key as (insert into api_keys (id, digest, user_id, name, role, expires_at) "
            "select left(md5(random()::text), 12), 'x', id, 'x', 'viewer', now() from one) "
            "insert into password_codes (digest, user_id, purpose, expires_at) "
            "select md5(random()::text), id, 'reset', now() + interval '1 hour' from one",
            name=username,
        )

    def counts(self) -> tuple[int, int, int]:
        """Count sessions, keys and codes."""
        [(counted,)] = self.rows(
            "select array[(select count(*) from sessions), (select count(*) from api_keys), "
            "(select count(*) from password_codes)]"
        )
        sessions, keys, codes = counted
        return sessions, keys, codes

    def admins(self) -> list[str]:
        """Return who can administer."""
        found = self.rows(
            "select username from users where role = 'admin' and disabled_at is null "
            "and password_hash is not null order by username"
        )
        return [name for (name,) in found]

    def audit(self) -> list[tuple[str, str | None, str | None, Any]]:
        """Return what the audit says, the oldest first."""
        page = self.database.answer(audit_list.list_entries(number_of_records=100))
        return [
            (entry["action"], entry["actor"], entry["subject"], entry["details"])
            for entry in reversed(page.records)
        ]

    def rows(self, sql: str, **values: object) -> list[Any]:
        """Run any SQL and give what it answers."""
        with self.database.begin() as connection:
            result = connection.execute(text(sql), values)
            return [tuple(row) for row in result] if result.returns_rows else []


@pytest.fixture
def world(database: TransactionalDatabase) -> Iterator[World]:
    """Return a database with one administrator."""
    own = TransactionalDatabase(
        database._settings, statements=(*people.LISTING, *audit_list.LISTING)
    )
    ann = create_user(own, username="ann", password=PASSWORD, role="admin")
    yield World(own, Actor(id=ann, address="192.0.2.1"))
    own.close()


def test_an_invited_user_has_a_name_a_role_and_a_code_for_three_days_but_no_password(
    world: World,
) -> None:
    user, code = invite_user(world.database, world.ann, username=" BOB ", role="editor")

    assert user == {
        "username": "bob",
        "role": "editor",
        "state": "invited",
        "created_at": user["created_at"],
        "changed_at": user["created_at"],
        "password_set_at": None,
        "disabled_at": None,
    }
    assert datetime.fromisoformat(user["created_at"]).tzinfo == UTC
    in_three_days = datetime.now(UTC) + timedelta(hours=72)
    assert abs(code.expires_at - in_three_days) < timedelta(minutes=1)
    assert world.rows("select password_hash from users where username = 'bob'") == [(None,)]
    assert world.audit() == [("user.created", "ann", "bob", {"role": "editor"})]


def test_a_code_is_kept_as_its_digest_alone_and_shows_itself_nowhere(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="lib")
    _, code = invite_user(world.database, world.ann, username="bob", role="viewer")

    assert len(code.code) == len("smc_") + 43
    kept = world.rows("select to_json(password_codes)::text from password_codes")
    told = world.rows("select to_json(audit_log)::text from audit_log")
    assert code.code not in f"{kept} {told} {code!r} {[r.__dict__ for r in caplog.records]}"


@pytest.mark.parametrize("taken", ["ann", "ANN", "\uff41nn", "bob", "cid"])
def test_a_name_is_taken_in_whatever_state_its_user_is(world: World, taken: str) -> None:
    world.invite("bob")
    world.user("cid")
    world.update("cid", disabled=True)

    with pytest.raises(UsernameTaken):
        world.invite(taken)


def test_of_many_who_invite_one_user_at_once_one_does(world: World) -> None:
    def invite(_: int) -> str:
        try:
            return world.invite("bob")[1]
        except UsernameTaken:
            return ""

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(invite, range(8)))

    assert len([code for code in codes if code]) == 1
    assert world.counts() == (0, 0, 1)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"username": ""}, "username"),
        ({"username": 7}, "username"),
        ({"username": "b\0b"}, "username"),
        ({"role": "owner"}, "role"),
        ({"role": ""}, "role"),
    ],
)
def test_what_breaks_a_rule_is_refused_before_the_database_is_asked(
    values: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        invite_user(
            UntouchableDatabase(), Actor(), **{"username": "bob", "role": "viewer", **values}
        )

    assert set(caught.value.fields) == {field}


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({}, set()),
        ({"role": "owner"}, {"role"}),
        ({"new_username": ""}, {"new_username"}),
        ({"new_username": 7}, {"new_username"}),
        ({"role": ["admin"]}, {"role"}),
        ({"disabled": 1}, {"disabled"}),
        ({"disabled": "false"}, {"disabled"}),
    ],
)
def test_a_change_that_breaks_a_rule_is_refused_before_the_database_is_asked(
    changes: dict[str, Any], fields: set[str]
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        update_user(UntouchableDatabase(), Actor(), username="bob", changes=Changes(**changes))

    assert set(caught.value.fields) == fields


def test_role_name_and_state_are_changed_together_and_told(world: World) -> None:
    world.user("bob")

    user = world.update("Bob", role="editor", disabled=True, new_username="Robert")

    assert (user["username"], user["role"], user["state"]) == ("robert", "editor", "disabled")
    assert user["disabled_at"] is not None
    assert world.audit() == [
        ("user.updated", "ann", "bob", {"role": "editor", "disabled": True, "username": "robert"})
    ]


def test_what_is_so_already_is_neither_changed_nor_told(world: World) -> None:
    world.user("bob")
    before = world.rows("select * from users order by id")

    world.update("bob", role="viewer", disabled=False, new_username="BOB")

    assert world.rows("select * from users order by id") == before
    assert world.audit() == []


def test_who_is_disabled_loses_sessions_keys_and_codes_and_is_not_given_them_back(
    world: World,
) -> None:
    world.user("bob", "editor")
    world.user("cid", "editor")
    world.begin_all("bob")
    world.begin_all("cid")

    world.update("bob", disabled=True)
    assert world.counts() == (1, 1, 1)

    assert world.update("bob", disabled=False)["state"] == "active"
    assert world.counts() == (1, 1, 1)


def test_a_new_name_is_taken_or_free(world: World) -> None:
    world.user("bob")
    world.user("cid")

    with pytest.raises(UsernameTaken):
        world.update("bob", role="editor", new_username="CID")

    assert world.rows("select role from users where username = 'bob'") == [("viewer",)]
    assert world.update("cid", new_username="dan")["username"] == "dan"
    assert world.update("bob", new_username="cid")["username"] == "cid"


def test_a_reset_code_is_for_an_hour_and_the_only_one_and_what_there_is_goes_on(
    world: World,
) -> None:
    world.user("bob")
    world.begin_all("bob")

    code = reset_password(world.database, world.ann, username="BOB")

    in_an_hour = datetime.now(UTC) + timedelta(hours=1)
    assert abs(code.expires_at - in_an_hour) < timedelta(minutes=1)
    assert world.counts() == (1, 1, 1)
    assert world.audit() == [("user.reset", "ann", "bob", {"end_sessions": False})]


def test_a_reset_ends_sessions_where_that_is_asked_for(world: World) -> None:
    world.user("bob")
    world.begin_all("bob")

    reset_password(world.database, world.ann, username="bob", end_sessions=True)

    assert world.counts() == (0, 1, 1)


def test_who_is_still_invited_is_invited_again(world: World) -> None:
    world.invite("bob")

    code = reset_password(world.database, world.ann, username="bob")

    assert code.expires_at - datetime.now(UTC) > timedelta(hours=71)
    assert world.counts() == (0, 0, 1)


def test_with_a_user_goes_all_that_is_theirs_but_not_what_they_did(world: World) -> None:
    bob = world.user("bob", "admin")
    invite_user(world.database, bob, username="cid", role="viewer")
    world.begin_all("bob")

    delete_user(world.database, world.ann, username=" Bob ")

    assert world.counts() == (0, 0, 1)  # the code of cid, whom bob invited
    assert world.rows("select username from users order by id") == [("ann",), ("cid",)]
    assert world.audit() == [
        ("user.created", "bob", "cid", {"role": "viewer"}),
        ("user.deleted", "ann", "bob", {"role": "admin"}),
    ]


def test_there_is_no_user_of_that_name(world: World) -> None:
    with pytest.raises(UserNotFound):
        world.update("bob", role="editor")
    with pytest.raises(UserNotFound):
        reset_password(world.database, world.ann, username="bob")
    with pytest.raises(UserNotFound):
        delete_user(world.database, world.ann, username="bob")


@pytest.mark.parametrize("changes", [{"role": "editor"}, {"disabled": True}])
def test_nobody_takes_their_own_rights_away(world: World, changes: dict[str, Any]) -> None:
    world.user("bob", "admin")

    with pytest.raises(OwnAccount):
        world.update("ann", **changes)
    with pytest.raises(OwnAccount):
        delete_user(world.database, world.ann, username="ann")

    assert world.admins() == ["ann", "bob"]


def test_what_costs_nobody_their_rights_they_may_do_to_themselves(world: World) -> None:
    user = world.update("ann", role="admin", disabled=False, new_username="anna")

    assert (user["username"], user["state"]) == ("anna", "active")


@pytest.mark.parametrize("how", ["role", "disabled", "delete"])
def test_the_last_active_administrator_stays_whoever_acts(world: World, how: str) -> None:
    operator = Actor()
    world.invite("bob", "admin")
    world.user("cid", "admin")
    world.update("cid", disabled=True)

    with pytest.raises(LastAdmin):
        take_rights(world, "ann", how, operator)

    assert world.admins() == ["ann"]
    for gone in ("bob", "cid"):  # who are not active
        take_rights(world, gone, how, operator)


def take_rights(world: World, username: str, how: str, by: Actor) -> None:
    match how:
        case "role":
            world.update(username, by, role="viewer")
        case "disabled":
            world.update(username, by, disabled=True)
        case _:
            delete_user(world.database, by, username=username)


@pytest.mark.parametrize("how", ["role", "disabled", "delete"])
def test_who_has_just_lost_the_role_does_nothing_any_more(world: World, how: str) -> None:
    bob = world.user("bob", "admin")
    world.user("cid", "admin")
    take_rights(world, "bob", how, world.ann)

    with pytest.raises(Forbidden):
        invite_user(world.database, bob, username="eve", role="admin")
    with pytest.raises(Forbidden):
        reset_password(world.database, bob, username="cid")
    with pytest.raises(Forbidden):
        world.update("cid", bob, role="viewer")
    with pytest.raises(Forbidden):
        delete_user(world.database, bob, username="cid")

    assert world.counts() == (0, 0, 0)


@pytest.mark.parametrize("how", ["role", "disabled", "delete"])
def test_of_two_administrators_who_take_each_others_rights_at_once_one_is_left(
    world: World, how: str
) -> None:
    told: set[str] = set()
    with ThreadPoolExecutor(2) as pool:
        for turn in range(TIMES if how == "role" else TIMES // 4):
            world.rows("delete from users")
            one, other = world.user("one", "admin"), world.user("other", "admin")

            def act(username: str, by: Actor) -> str:
                try:
                    take_rights(world, username, how, by)
                except ServiceError as error:
                    return error.code
                return "OK"

            answers = [pool.submit(act, "one", other), pool.submit(act, "other", one)]
            codes = sorted(answer.result() for answer in answers)
            assert len(world.admins()) == 1, turn
            assert codes.count("OK") == 1, turn
            told |= {*codes}

    assert told <= {"OK", "LAST_ADMIN"}


def test_operators_are_named_by_their_database_user(world: World) -> None:
    invite_user(world.database, Actor(), username="bob", role="viewer")

    [(_, actor, _, details)] = world.audit()
    assert actor is None
    assert details == {"role": "viewer", "database_user": "postgres"}


def names(page: people.Page) -> list[str]:
    return [user["username"] for user in page.records]


def test_users_are_listed_by_name_page_after_page(world: World) -> None:
    made = ["ann", *(f"user {turn:02}" for turn in range(23)), "Ärmel".casefold(), "ß ẞ".casefold()]
    for name in made[1:]:
        world.invite(name)

    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = world.database.answer(people.list_users(cursor=cursor, number_of_records=10))
        assert (page.total_records, page.number_of_records) == (len(made), 10)
        seen += names(page)
        cursor = page.next_cursor
        if cursor is None:
            break

    assert seen == sorted(made)


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, ["ann", "bob", "cid", "dan"]),
        ({"username": " BOB "}, ["bob"]),
        ({"username": "nobody"}, []),
        ({"role": "editor"}, ["bob", "dan"]),
        ({"state": "active"}, ["ann", "bob"]),
        ({"state": "invited"}, ["cid"]),
        ({"state": "disabled"}, ["dan"]),
        ({"role": "editor", "state": "disabled"}, ["dan"]),
        ({"role": "viewer", "state": "disabled"}, []),
    ],
)
def test_filters_narrow_the_list_and_its_total(
    world: World, filters: dict[str, str], found: list[str]
) -> None:
    world.user("bob", "editor")
    world.invite("cid")
    world.invite("dan", "editor")
    world.update("dan", disabled=True)

    page = world.database.answer(people.list_users(**filters))  # type: ignore[arg-type]

    assert names(page) == found
    assert (page.total_records, page.next_cursor) == (len(found), None)


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"role": "owner"}, "role"),
        ({"state": "gone"}, "state"),
        ({"username": ""}, "username"),
        ({"cursor": ""}, "cursor"),
        ({"cursor": "a"}, "cursor"),
        ({"cursor": "QU5O"}, "cursor"),  # of "ANN", which is no name in its folded form
        ({"cursor": "YW5u="}, "cursor"),
        ({"cursor": "\u0663"}, "cursor"),
        ({"cursor": "A" * 10_000}, "cursor"),
    ],
)
def test_what_no_list_of_users_can_be_asked_for(parameters: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        people.list_users(**parameters)  # type: ignore[arg-type]

    assert set(caught.value.fields) == {field}


def test_the_audit_is_read_newest_first_page_after_page_by_whom_what_and_since_when(
    world: World,
) -> None:
    bob = world.user("bob", "admin")
    for turn in range(7):
        by = bob if turn % 2 else world.ann
        invite_user(world.database, by, username=f"user {turn}", role="viewer")
    delete_user(world.database, bob, username="user 0")

    def subjects(**asked: Any) -> list[str]:
        page = world.database.answer(audit_list.list_entries(**asked))
        return [entry["subject"] for entry in page.records]

    first = world.database.answer(audit_list.list_entries(number_of_records=3))
    second = world.database.answer(
        audit_list.list_entries(number_of_records=3, cursor=first.next_cursor)
    )
    assert [entry["subject"] for entry in first.records] == ["user 0", "user 6", "user 5"]
    assert [entry["subject"] for entry in second.records] == ["user 4", "user 3", "user 2"]
    assert first.total_records is None
    assert set(first.records[0]) == {
        "id", "at", "actor", "action", "subject", "address", "request_id", "details",
    }  # fmt: skip
    assert first.records[0]["address"] == "192.0.2.2"
    assert subjects(actor=" BOB ") == ["user 0", "user 5", "user 3", "user 1"]
    assert subjects(actor="BOB", action="user.deleted") == ["user 0"]
    assert subjects(actor="nobody") == []
    assert len(subjects(since=datetime.now(UTC).date().isoformat())) in {0, 8}  # around midnight
    assert subjects(since=(datetime.now(UTC) + timedelta(minutes=1)).isoformat()) == []


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"action": "user.made"}, "action"),
        ({"actor": ""}, "actor"),
        ({"since": ""}, "since"),
        ({"since": "yesterday"}, "since"),
        ({"since": "2026-02-30"}, "since"),
        ({"since": "2026-05-01T12:00:00"}, "since"),
        ({"since": "20260501"}, "since"),
        ({"since": "0000-01-01"}, "since"),
        ({"since": "0001-01-01T00:00:00+23:59"}, "since"),
        ({"since": "2026-05-01T12:00:00+99:00"}, "since"),
        ({"since": "\u0662026-05-01"}, "since"),
        ({"cursor": "0"}, "cursor"),
        ({"cursor": "-1"}, "cursor"),
        ({"cursor": "9" * 19}, "cursor"),
        ({"cursor": "1" * 10_000}, "cursor"),
    ],
)
def test_what_no_audit_can_be_asked_for(parameters: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        audit_list.list_entries(**parameters)  # type: ignore[arg-type]

    assert set(caught.value.fields) == {field}


@pytest.mark.parametrize("since", ["0001-01-01", "9999-12-31", "2026-05-01T12:00:00.5+14:00"])
def test_any_day_there_is_can_be_asked_for(world: World, since: str) -> None:
    world.database.answer(audit_list.list_entries(since=since))


def test_a_code_is_unlike_any_other(world: World) -> None:
    made = [reset_password(world.database, world.ann, username="ann") for _ in range(5)]

    assert len({code.code for code in made}) == 5
