"""With which rights each thing is done about users and passwords, and that no more are needed.

So nobody who administers comes near a hash, and who sets passwords makes no users.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

import pytest
from sqlalchemy import text

from lib.accounts import access, audit_list, people
from lib.accounts.administration import (
    Actor,
    Changes,
    delete_user,
    invite_user,
    reset_password,
    update_user,
)
from lib.accounts.password_changes import change_password, set_password
from lib.accounts.roles import ROLES
from lib.database.faults import sqlstate
from lib.database.transactions import TransactionalDatabase
from lib.errors import DatabaseUnavailable, ServiceError
from lib.schema.settings import Grant
from lib.settings import Secret
from local.functions import read_functions
from tests.accounts.town import PASSWORD, Town
from tests.support import REFUSED

NEW: Final = "tall giraffes eat acacia leaves"
NAMES: Final = (
    "users_create", "users_list", "users_update", "users_reset_password", "users_delete",
    "audit_list", "passwords_change", "passwords_set",
)  # fmt: skip
RIGHTS: Final = {name: read_functions()[name].rights for name in NAMES}
BEYOND: Final = [
    *(
        (name, statement)
        for name in ("users_create", "users_list", "users_update", "users_reset_password",
                     "users_delete", "audit_list", "passwords_set")
        for statement in ("select password_hash from users", "select digest from sessions")
    ),
    *(
        (name, "update users set password_hash = 'x'")
        for name in ("users_create", "users_update", "users_reset_password", "users_delete")
    ),
    *(
        (name, "update users set role = 'admin'")
        for name in ("users_create", "users_reset_password", "users_delete", "passwords_change",
                     "passwords_set")
    ),
    *(
        (name, "insert into users (username, role) values ('eve', 'admin')")
        for name in RIGHTS if name != "users_create"
    ),
    *((name, "delete from users") for name in RIGHTS if name != "users_delete"),
    ("users_create", "insert into users (username, role, password_hash) values ('e', 'admin', '')"),
    ("users_create", "select digest from password_codes"),
    ("users_reset_password", "select digest from password_codes"),
    ("passwords_change", "select digest from password_codes"),
    ("passwords_set", "insert into password_codes (digest, user_id) values ('x', 1)"),
    ("users_update", "insert into sessions (jti, user_id, expires_at) values ('x', 1, now())"),
    ("users_update", "select digest from api_keys"),
    *((name, "delete from audit_log") for name in RIGHTS),
    *((name, "update audit_log set actor = 'x'") for name in RIGHTS),
    *((name, "select * from audit_log") for name in RIGHTS if name != "audit_list"),
]  # fmt: skip


@contextmanager
def role_of(town: Town, name: str, worker: str) -> Iterator[TransactionalDatabase]:
    """Give a database to whoever has just the rights of a function."""
    role, password = f"{name}_{worker}", secrets.token_hex(8)
    town.rows(f"create role {role} login password '{password}'")
    for table, action in Grant.of(name, {"user": role, "rights": RIGHTS[name]}).each():
        town.rows(f"grant {action} on {table} to {role}")
    settings = replace(town.database._settings, user=role, password=Secret(password))
    statements = (*people.LISTING, *audit_list.LISTING, *access.AUTHORIZING)
    database = TransactionalDatabase(settings, statements=statements)
    yield database
    database.close()
    town.rows(f"drop owned by {role}")
    town.rows(f"drop role {role}")


def perform(database: TransactionalDatabase, town: Town, name: str) -> object:
    """Do what a function of some name does, for ann."""
    claims = town.admit(town.log_in("ann").token)
    if name != "passwords_set":
        admit = access.check_permission(claims, roles=ROLES)
        assert database.answer(admit).role == "admin"
    ann = claims.user_id
    by = Actor(id=ann, address="192.0.2.1")
    actions: dict[str, Callable[[], object]] = {
        "users_create": lambda: invite_user(database, by, username="bob", role="editor"),
        "users_list": lambda: database.answer(people.list_users(state="active", role="viewer")),
        "users_update": lambda: update_user(
            database,
            by,
            username="ed",
            changes=Changes(role="viewer", disabled=True, new_username="eddie"),
        ),
        "users_reset_password": lambda: reset_password(
            database, by, username="ed", end_sessions=True
        ),
        "users_delete": lambda: delete_user(database, by, username="ed"),
        "audit_list": lambda: database.answer(audit_list.list_entries(actor="ann")),
        "passwords_change": lambda: change_password(
            database,
            user_id=ann,
            session_id="none",
            current_password=PASSWORD,
            new_password=NEW,
            address="192.0.2.1",
        ),
        "passwords_set": lambda: set_password(
            database,
            code=reset_password(town.database, by, username="ed").code,
            new_password=NEW,
            address="192.0.2.1",
        ),
    }
    return actions[name]()


@pytest.mark.parametrize("name", RIGHTS)
def test_it_is_done_with_these_rights(town: Town, worker_id: str, name: str) -> None:
    town.make_key()
    with role_of(town, name, worker_id) as database:
        perform(database, town, name)


@pytest.mark.parametrize(("name", "statement"), BEYOND)
def test_what_is_beyond_its_rights_the_database_refuses(
    town: Town, worker_id: str, name: str, statement: str
) -> None:
    with (
        role_of(town, name, worker_id) as database,
        pytest.raises(DatabaseUnavailable) as caught,
    ):
        run(database, statement)

    assert sqlstate(caught.value.__cause__ or caught.value) == REFUSED


def run(database: TransactionalDatabase, statement: str) -> Any:
    with database.begin() as connection:
        return connection.execute(text(statement)).one()


@pytest.mark.parametrize("how", ["disabled", "deleted"])
def test_who_is_gone_is_refused_from_the_next_request_on_by_token_key_and_refresh(
    town: Town, how: str
) -> None:
    granted, key = town.log_in("ed"), town.make_key("ed")
    town.admit(granted.token)
    town.admit(key.key)

    if how == "disabled":
        update_user(town.database, Actor(), username="ed", changes=Changes(disabled=True))
    else:
        delete_user(town.database, Actor(), username="ed")

    for come in (
        lambda: town.admit(granted.token),
        lambda: town.admit(key.key),
        lambda: town.refresh(granted.refresh_token),
        lambda: town.log_in("ed"),
    ):
        with pytest.raises(ServiceError) as caught:
            come()
        assert caught.value.status == 401


def test_after_a_change_of_password_only_the_session_that_changed_it_goes_on(town: Town) -> None:
    own, other = town.log_in("ed"), town.log_in("ed")
    claims = town.admit(own.token)

    change_password(
        town.database,
        user_id=claims.user_id,
        session_id=claims.session_id,
        current_password=PASSWORD,
        new_password=NEW,
        address="192.0.2.1",
    )

    assert town.admit(own.token).role == "editor"
    assert town.refresh(own.refresh_token).username == "ed"
    with pytest.raises(ServiceError) as caught:
        town.admit(other.token)
    assert caught.value.status == 401


def test_a_password_that_a_code_set_opens_and_every_session_before_it_is_over(town: Town) -> None:
    before = town.log_in("ed")
    code = reset_password(town.database, Actor(), username="ed").code

    set_password(town.database, code=code, new_password=NEW, address="192.0.2.1")

    with pytest.raises(ServiceError) as caught:
        town.admit(before.token)
    assert caught.value.status == 401
    assert town.admit(town.log_in("ed", password=NEW).token).role == "editor"
