"""What people who look after the database may do there: the runbook's words, and no more.

On a server of its own, with roles as Cloud SQL makes them: an administrator who is no superuser,
has the predefined roles but may not hand them on, and is the migration's by membership.
"""

import json
import os
import re
import secrets
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

import functions_framework.aio
import pytest
from pg8000.exceptions import DatabaseError, InterfaceError
from pg8000.native import Connection

from lib.accounts import people
from lib.accounts.administration import (
    Actor,
    Changes,
    delete_user,
    invite_user,
    reset_password,
    update_user,
)
from lib.accounts.passwords import _is_affordable, hash_password
from lib.accounts.users import AdminSettings
from lib.database.tables import metadata
from lib.database.transactions import TransactionalDatabase
from lib.schema.migrating import migrate
from lib.schema.operators import RIGHTS, ROLE
from lib.settings import Secret
from local.functions import grants, read_functions
from local.postgres import EmbeddedPostgres, installation
from tests import held
from tests.support import ADMIN_PASSWORD, REFUSED, database_settings

ROOT: Final = Path(__file__).resolve().parents[2]
RUNBOOK: Final = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
ADMIN: Final = AdminSettings(username="admin", password=Secret(ADMIN_PASSWORD))
MIGRATE: Final = "fn-migrate@a-project.iam"
LOGIN: Final = "fn-login@a-project.iam"
ANA, BOB, CEM, DAN = (f"{name}@example.com" for name in ("ana", "bob", "cem", "dan"))
ONCALL: Final = "movies-oncall@example.com"
VIEWS: Final = {"movie_totals", "unsearched_movies"}

Enter = Callable[[str], Connection]


def statements() -> list[str]:
    """Return each SQL statement that the runbook shows, wherever it shows it."""
    text = RUNBOOK
    blocks = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    shell = re.findall(r"--sql='([^']*)'", text)
    plain = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    spans = re.findall(r"`((?:select|insert|update|delete|with) [^`]*)`", plain)
    return [
        " ".join(statement.split())
        for group in (*blocks, *shell, *spans)
        for statement in group.split(";")
        if statement.strip()
    ]


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    """Run a server whose roles are this module's alone; a role is the whole server's."""
    with (
        tempfile.TemporaryDirectory(prefix="movies-operators-") as folder,
        EmbeddedPostgres(Path(folder) / "postgres", durable=False) as postgres,
    ):
        yield postgres


@pytest.fixture(scope="module")
def password() -> str:
    return secrets.token_hex(8)


@pytest.fixture(scope="module")
def superuser(server: EmbeddedPostgres, password: str) -> Iterator[Connection]:
    """Make the database and everybody's users, as Terraform would have Cloud SQL do."""
    server.create_database("movies")
    at = database_settings(server.url("movies"))
    assert at.password is not None
    connection = Connection(
        user="postgres",
        password=at.password.reveal(),
        host=at.host,
        port=at.port,
        database="movies",
    )
    connection.run("create role cloudsqlsuperuser createrole createdb nologin")
    connection.run("grant pg_monitor, pg_signal_backend to cloudsqlsuperuser")
    for user in (MIGRATE, ANA, BOB, CEM, DAN, *users().values()):
        connection.run(f"create role \"{user}\" login password '{password}'")
    connection.run(f'grant cloudsqlsuperuser to "{MIGRATE}"')
    connection.run(f'create role "{ONCALL}" nologin')
    connection.run(f'grant "{ONCALL}" to "{CEM}"')
    connection.run(f'alter database movies owner to "{MIGRATE}"')
    connection.run(f'alter schema public owner to "{MIGRATE}"')
    yield connection
    connection.close()


def users() -> dict[str, str]:
    return {
        name: f"fn-{name.replace('_', '-')}@a-project.iam"
        for name, function in read_functions().items()
        if not isinstance(function.rights, str) and function.rights
    }


@pytest.fixture
def migrator(
    server: EmbeddedPostgres,
    superuser: Connection,  # noqa: ARG001  who made the users
    password: str,
) -> Iterator[TransactionalDatabase]:
    at = database_settings(server.url("movies"))
    settings = replace(at, user=MIGRATE, password=Secret(password))
    database = TransactionalDatabase(settings)
    yield database
    database.close()


@pytest.fixture(autouse=True)
def migrated(migrator: TransactionalDatabase) -> None:
    migrate(migrator, ADMIN, grants=grants(users()), operators=[ANA, BOB, ONCALL])


@pytest.fixture
def enter(server: EmbeddedPostgres, password: str) -> Iterator[Enter]:
    """Log in as somebody, until the end of the test."""
    at = database_settings(server.url("movies"))
    entered = []

    def log_in(user: str) -> Connection:
        connection = Connection(
            user=user, password=password, host=at.host, port=at.port, database="movies"
        )
        entered.append(connection)
        return connection

    yield log_in
    for connection in entered:
        with suppress(InterfaceError, OSError):  # it was ended
            connection.close()


def pid_of(connection: Connection) -> int:
    [[pid]] = connection.run("select pg_backend_pid()")
    return int(pid)


@contextmanager
def refused() -> Iterator[None]:
    with pytest.raises(DatabaseError) as caught:
        yield
    assert caught.value.args[0]["C"] == REFUSED


def test_the_runbook_shows_what_these_tests_are_to_run() -> None:
    shown = "\n".join(statements())

    assert len(statements()) >= 12
    for word in ("delete from sessions", "end_database_session", "database_sessions", "login_net"):
        assert word in shown
    assert "pg_terminate_backend" not in shown  # of others it is refused


@pytest.mark.parametrize("statement", sorted(set(statements())))
@pytest.mark.parametrize("person", [ANA, CEM], ids=["by name", "by a group"])
def test_each_statement_of_the_runbook_is_theirs(enter: Enter, person: str, statement: str) -> None:
    other = pid_of(enter(LOGIN))
    operator = enter(person)
    operator.run("begin")

    operator.run(statement.replace("PID", str(other)).replace("…", "0"))

    operator.run("rollback")


def test_what_the_runbook_deletes_is_gone(enter: Enter, superuser: Connection) -> None:
    superuser.run("insert into sessions select 'x', id, now(), now() from users limit 1")
    superuser.run("insert into login_failures values ('pair:x', 9, now(), now())")
    operator = enter(ANA)

    operator.run("delete from sessions")
    operator.run("delete from login_failures")
    operator.run("delete from users where username = 'admin'")

    for table in ("sessions", "login_failures", "users"):
        assert superuser.run(f"select * from {table}") == []  # noqa: S608


@pytest.mark.parametrize(
    "statement",
    [
        "select password_hash from users",
        "select * from users",
        "copy users to stdout",
        "update audit_log set actor = 'x'",
        "update users set password_hash = 'x'",
        "insert into users (username, password_hash, role) values ('x', 'x', 'admin')",
        "insert into sessions (jti, user_id, expires_at) values ('x', 1, now())",
        "update sessions set expires_at = now()",
        "insert into movies (imdb_id, title, sort_key, type) values ('tt1234567', 'x', '', '')",
        "update movies set title = 'x'",
        "delete from movies",
        "truncate movies",
        "truncate sessions",
        "update movie_totals set movies = 0",
        "update movie_folds set movies = 0",
        "insert into movie_moves (sort_key, imdb_id, delta) values ('x', 'x', 1)",
        "select place_all_movies()",
        "update movie_search set votes = 0",
        "delete from words",
        "insert into movie_facets (facet, movies) values ('g/Mine', 1)",
        "update unsearched_movies set imdb_votes = 1",
        "select search_movies('{}')",
        "select gather_words(1)",
        "delete from imports",
        "delete from audit_log",
        "select sweep_audit_log()",
        "insert into api_keys select * from api_keys",
        "update omdb_budget set used = 0",
        "update login_networks set user_id = 1",
        "create table mine (n integer)",
        "create function mine() returns integer language sql as 'select 1'",
        "drop table sessions",
        "alter table users add column mine integer",
        "update alembic_version set version_num = '0001'",
        'grant movies_operators to "dan@example.com"',
        'set role "fn-login@a-project.iam"',
        "set role cloudsqlsuperuser",
        "create role mine",
        'alter function unusable_password_hashes() owner to "ana@example.com"',
    ],
)
def test_what_is_not_theirs_is_refused_by_postgres(enter: Enter, statement: str) -> None:
    with refused():
        enter(ANA).run(statement)


def test_they_end_a_migration_that_hangs(enter: Enter) -> None:
    hanging = enter(MIGRATE)
    hanging.run("begin")
    hanging.run("lock table alembic_version in exclusive mode")

    assert enter(ANA).run(f"select end_database_session({pid_of(hanging)})") == [[True]]

    with pytest.raises(Exception, match=r"terminat|network error|closed|reset"):
        hanging.run("select 1")


@pytest.mark.parametrize("other", [BOB, LOGIN])
def test_they_see_and_end_sessions_of_people_and_functions(enter: Enter, other: str) -> None:
    session, operator = enter(other), enter(ANA)
    session.run("begin")
    pid = pid_of(session)

    seen = operator.run("select username, state from database_sessions() where pid = :pid", pid=pid)
    ended = operator.run(f"select end_database_session({pid})")

    assert seen == [[other, "idle in transaction"]]
    assert ended == [[True]]
    with pytest.raises(Exception, match=r"terminat|network error|closed|reset"):
        session.run("select 1")


def test_a_superusers_session_is_not_theirs_to_end(enter: Enter, superuser: Connection) -> None:
    with refused():
        enter(ANA).run(f"select end_database_session({pid_of(superuser)})")


def test_nobody_ends_their_own_session_with_their_others(enter: Enter) -> None:
    forgotten, operator = enter(ANA), enter(ANA)

    ended = operator.run(
        "select end_database_session(pid) from database_sessions() where username = session_user "
        "order by 1"
    )

    assert ended == [[False], [True]]
    with pytest.raises(Exception, match=r"terminat|network error|closed|reset"):
        forgotten.run("select 1")


def test_a_session_that_is_gone_is_no_fault(enter: Enter) -> None:
    assert enter(ANA).run("select end_database_session(0)") == [[False]]


@pytest.mark.parametrize("somebody", [DAN, LOGIN])
@pytest.mark.parametrize(
    "call",
    ["select * from database_sessions()", "select end_database_session(0)",
     "select * from unusable_password_hashes()", "select * from imports"],
)  # fmt: skip
def test_what_is_theirs_is_nobody_elses(enter: Enter, somebody: str, call: str) -> None:
    with refused():
        enter(somebody).run(call)


def test_the_dump_of_the_runbook_holds_every_table_but_the_users(
    server: EmbeddedPostgres, password: str, tmp_path: Path
) -> None:
    [command] = re.findall(r"`(pg_dump [^`]*)`", RUNBOOK)
    program, *arguments = shlex.split(command)
    port = str(database_settings(server.url("movies")).port)

    dumped = subprocess.run(  # noqa: S603
        [str(installation() / "bin" / program), *arguments],
        env={"PATH": os.defpath, "PGPORT": port, "PGPASSWORD": password},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (dumped.returncode, dumped.stderr) == (0, "")
    copied = re.findall(
        r"^COPY public\.(\w+) ", (tmp_path / "movies.sql").read_text(), re.MULTILINE
    )
    assert set(copied) == set(RIGHTS) - {"users"} - VIEWS


def test_who_is_named_no_longer_is_let_in_no_longer(
    enter: Enter, migrator: TransactionalDatabase
) -> None:
    migrate(migrator, ADMIN, operators=[BOB])

    for gone in (ANA, CEM):
        with refused():
            enter(gone).run("select * from movies")
    enter(BOB).run("select * from movies")

    migrate(migrator, ADMIN, operators=[])
    with refused():
        enter(BOB).run("select * from movies")


def test_the_deployed_migration_admits_whom_its_variable_names(
    server: EmbeddedPostgres, enter: Enter, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = server.url("movies").rpartition("@")[2]
    user = MIGRATE.replace("@", "%40")
    monkeypatch.setenv("DATABASE_URL", f"postgresql+pg8000://{user}:{password}@{place}")
    monkeypatch.setenv("DATABASE_OPERATORS", json.dumps([DAN]))
    source = ROOT / "functions" / "migrate" / "main.py"
    app = functions_framework.aio.create_asgi_app("migrate", str(source))  # type: ignore[no-untyped-call]

    with held.serving(app, "migrate") as served, held.client(served.url, timeout=30) as client:
        answer = client.post("/migrate")

    assert answer.status_code == 200
    enter(DAN).run("select * from movies")
    with refused():
        enter(ANA).run("select * from movies")


def test_a_migration_that_is_told_nothing_leaves_them_alone(
    enter: Enter, migrator: TransactionalDatabase
) -> None:
    migrate(migrator, ADMIN)

    enter(ANA).run("select * from movies")


def test_what_was_granted_by_hand_is_taken_back(
    enter: Enter, migrator: TransactionalDatabase, superuser: Connection
) -> None:
    superuser.run(f"grant update, delete on movies to {ROLE}")
    superuser.run(f"grant select on users to {ROLE}")

    migrate(migrator, ADMIN, operators=[ANA])

    for statement in ("delete from movies", "select * from users"):
        with refused():
            enter(ANA).run(statement)


@pytest.mark.parametrize(
    "other",
    [
        "database_sessions() returns table (pid integer) language sql as 'select 1'",
        "end_database_session(pid integer) returns text language sql as 'select null'",
        "unusable_password_hashes() returns setof bigint language sql as 'select 1::bigint'",
    ],
)
def test_functions_of_another_release_make_way(
    enter: Enter, migrator: TransactionalDatabase, other: str
) -> None:
    name = other.partition("(")[0]
    migration = enter(MIGRATE)
    migration.run(f"drop function {name}")
    migration.run(f"create function {other}")

    migrate(migrator, ADMIN, operators=[ANA])

    operator = enter(ANA)
    operator.run("select pid, username, state, since, query from database_sessions()")
    operator.run("select id, username from unusable_password_hashes()")
    assert operator.run("select end_database_session(0)") == [[False]]
    with refused():
        enter(DAN).run(f"select {name}({'0' if 'end' in name else ''})")


def test_it_is_known_of_every_table_what_is_theirs() -> None:
    assert set(RIGHTS) == {*metadata.tables, *VIEWS, "alembic_version"}


@pytest.mark.parametrize(
    "stored",
    [
        "one of today's",
        "x",
        "",
        "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGhhcyB0aGlzIQ",
        "$argon2id$v=19$m=65536,t=8,p=4$bm9ib2R5IGhhcyB0aGlzIQ$qFmS3x0lYpUu5vJ7d1c9oBt2eKzRwN4gHhX8aLiQ",
        "$argon2id$v=19$m=65537,t=2,p=1$bm9ib2R5IGhhcyB0aGlzIQ$qFmS3x0lYpUu5vJ7d1c9oBt2eKzRwN4gHhX8aLiQ",
        "$argon2id$v=19$m=19456,t=9,p=1$bm9ib2R5IGhhcyB0aGlzIQ$qFmS3x0lYpUu5vJ7d1c9oBt2eKzRwN4gHhX8aLiQ",
        "$argon2id$v=19$m=19456,t=2,p=5$bm9ib2R5IGhhcyB0aGlzIQ$qFmS3x0lYpUu5vJ7d1c9oBt2eKzRwN4gHhX8aLiQ",
        "$2b$12$abcdefghijklmnopqrstuv",
    ],
)
def test_they_find_the_very_hashes_that_log_in_nobody(
    enter: Enter, superuser: Connection, stored: str
) -> None:
    stored = hash_password(ADMIN_PASSWORD) if stored == "one of today's" else stored
    superuser.run("delete from users")
    superuser.run(
        "insert into users (username, password_hash, role) values ('x', :stored, 'viewer')",
        stored=stored,
    )

    superuser.run("insert into users (username, role) values ('invited', 'viewer')")

    found = enter(ANA).run("select username from unusable_password_hashes()")

    superuser.run("delete from users")
    assert found == ([] if _is_affordable(stored) else [["x"]])


def test_their_rights_are_enough_for_what_the_terminal_does_about_users(
    server: EmbeddedPostgres, superuser: Connection, password: str
) -> None:
    superuser.run("delete from users")
    settings = replace(database_settings(server.url("movies")), user=ANA, password=Secret(password))
    database = TransactionalDatabase(settings, statements=people.LISTING)

    invite_user(database, Actor(), username="x", role="editor")
    update_user(database, Actor(), username="x", changes=Changes(role="viewer", disabled=True))
    update_user(database, Actor(), username="x", changes=Changes(disabled=False))
    reset_password(database, Actor(), username="x", end_sessions=True)
    assert database.answer(people.list_users()).total_records == 1
    delete_user(database, Actor(), username="x")

    database.close()
    named = superuser.run(
        "select distinct details ->> 'database_user' from audit_log where subject = 'x'"
    )
    assert named == [[ANA]]
