"""What the functions of sessions and keys need, and that every right beyond it is refused."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final

import pytest

from lib.accounts import api_keys, ending, refreshing, sessions
from lib.accounts.roles import ROLES
from lib.accounts.tokens import Claims
from lib.accounts.users import AdminSettings
from lib.database.faults import sqlstate
from lib.database.transactions import TransactionalDatabase
from lib.errors import DatabaseUnavailable, InvalidRefreshToken
from lib.schema.migrating import migrate
from lib.schema.settings import Grant
from lib.settings import Secret
from local.functions import read_functions
from local.postgres import EmbeddedPostgres
from tests.accounts.town import (
    ADDRESS,
    GUARD,
    GUARD_WITH_KEYS,
    PASSWORD,
    REFRESH,
    SIGNER,
    STATEMENTS,
    Town,
)
from tests.support import REFUSED, database_settings

ADMIN: Final = AdminSettings(username="ed", password=Secret(PASSWORD))
RIGHTS: Final = {
    f"test_{name}": dict(function.rights)
    for name, function in read_functions().items()
    if name.startswith(("sessions_", "keys_")) or name == "imports_list"  # which takes keys
    if isinstance(function.rights, Mapping)
}


Enter = Callable[[str], TransactionalDatabase]


@pytest.fixture(scope="module")
def owned(postgres: EmbeddedPostgres, worker_id: str) -> Iterator[TransactionalDatabase]:
    """Return a database of this module's own."""
    name = f"account_rights_{worker_id}"
    postgres.create_database(name)
    database = TransactionalDatabase(database_settings(postgres.url(name)), statements=STATEMENTS)
    yield database
    database.close()
    postgres.drop_database(name)


@pytest.fixture(scope="module")
def enter(owned: TransactionalDatabase, worker_id: str) -> Iterator[Enter]:
    """Migrate with the roles, and give a way in as each, with all the statements that there are."""
    password = secrets.token_hex(8)
    users = {role: f"{role}_{worker_id}" for role in RIGHTS}
    bare = TransactionalDatabase(owned._settings)  # with no statement, as there is no table yet
    with bare.begin() as connection:
        for user in users.values():
            connection.exec_driver_sql(f"create role {user} login password '{password}'")
    grants = {role: Grant(user=users[role], rights=rights) for role, rights in RIGHTS.items()}
    migrate(bare, ADMIN, grants=grants)
    bare.close()
    entered = {
        role: TransactionalDatabase(
            replace(owned._settings, user=user, password=Secret(password), connections=1),
            statements=STATEMENTS,
        )
        for role, user in users.items()
    }
    yield entered.__getitem__
    for database in entered.values():
        database.close()
    with owned.begin() as connection:
        for user in users.values():
            connection.exec_driver_sql(f"drop role {user}")


@pytest.fixture
def town(owned: TransactionalDatabase, enter: Enter) -> Iterator[Town]:  # noqa: ARG001  migrated
    """Return what the owner can do; nobody has a session yet."""
    town = Town(owned)
    yield town
    town.rows("delete from sessions")
    town.rows("delete from api_keys")


def test_each_function_works_with_no_more_than_its_own_rights(town: Town, enter: Enter) -> None:
    begun = town.log_in()
    bearer = {"authorization": f"Bearer {begun.token}"}

    def admit(role: str) -> Claims:
        return enter(role).answer(GUARD.admit(bearer, roles=ROLES))

    asked = refreshing.refresh(REFRESH, SIGNER, refresh_token=begun.refresh_token, address=ADDRESS)
    refreshed = [enter("test_sessions_refresh").answer(asked) for _ in range(2)]  # and a repeat
    claims = admit("test_sessions_list")
    listed = enter("test_sessions_list").answer(sessions.list_sessions(claims, username="ed"))
    creating = api_keys.create_key(
        admit("test_keys_create"), name="ci", role="editor", expires_in_days=1, address=ADDRESS
    )
    made = enter("test_keys_create").answer(creating)
    keys = enter("test_keys_list").answer(
        api_keys.list_keys(admit("test_keys_list"), username="ed")
    )
    by_key = enter("test_imports_list").answer(
        GUARD_WITH_KEYS.admit({"authorization": f"Bearer {made.key}"}, roles=ROLES)
    )
    enter("test_keys_delete").answer(
        api_keys.delete_key(admit("test_keys_delete"), made.shown["id"], address=ADDRESS)
    )
    held = ending.end_held_session(refreshed[-1].refresh_token, address=ADDRESS)
    assert held
    enter("test_sessions_end").answer(held)
    claims = town.admit(town.log_in().token)
    enter("test_sessions_end").answer(ending.end_session(claims, address=ADDRESS))
    enter("test_sessions_end").answer(ending.end_all_sessions(claims, address=ADDRESS))

    assert refreshed[0].refresh_token == refreshed[1].refresh_token
    assert [one["id"] for one in listed.records] == [begun.session_id]
    assert keys.records == [made.shown]
    assert by_key.role == "editor"
    assert town.rows("select count(*) from sessions") == [(0,)]


def test_a_thief_is_found_with_the_rights_of_the_refresh(town: Town, enter: Enter) -> None:
    begun = town.log_in()
    town.refresh(begun.refresh_token)
    town.rows("update sessions set rotated_at = rotated_at - interval '11 seconds'")
    asked = refreshing.refresh(REFRESH, SIGNER, refresh_token=begun.refresh_token, address=ADDRESS)

    with pytest.raises(InvalidRefreshToken):
        enter("test_sessions_refresh").answer(asked)

    assert town.audited()[-1] == ("session.reused", "ed", begun.session_id)


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        *(
            (role, statement)
            for role in RIGHTS
            for statement in (
                "select password_hash from users",
                "update users set role = 'admin'",
                "update users set disabled_at = null",
                "insert into users (username, role) values ('x', 'admin')",
                "insert into sessions (jti, user_id, expires_at) select 'x', id, now() from users",
                "select * from audit_log",
                "update audit_log set actor = 'x'",
                "delete from audit_log",
                "truncate audit_log",
                "select sweep_audit_log()",
                "select * from password_codes",
                "delete from movies",
            )
        ),
        *((role, "update sessions set digest = 'x'") for role in RIGHTS if "refresh" not in role),
        *((role, "update api_keys set role = 'editor'") for role in RIGHTS),
        ("test_sessions_refresh", "select * from api_keys"),
        ("test_sessions_refresh", "update sessions set user_id = 1"),
        ("test_sessions_refresh", "update sessions set created_at = now()"),
        ("test_sessions_end", "select * from api_keys"),
        ("test_sessions_list", "select digest from sessions"),
        ("test_sessions_list", "delete from sessions"),
        ("test_keys_create", "delete from api_keys"),
        ("test_keys_list", "select digest from api_keys"),
        ("test_keys_list", "delete from api_keys"),
        ("test_keys_delete", "select digest from api_keys"),
        ("test_keys_delete", "insert into api_keys select * from api_keys"),
        ("test_imports_list", "delete from api_keys"),
        ("test_imports_list", "delete from sessions"),
    ],
)
def test_every_right_beyond_its_own_is_refused(enter: Enter, role: str, statement: str) -> None:
    with pytest.raises(DatabaseUnavailable) as caught, enter(role).begin() as connection:
        connection.exec_driver_sql(statement)

    assert sqlstate(caught.value.__cause__ or caught.value) == REFUSED
