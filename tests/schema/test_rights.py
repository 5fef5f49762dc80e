"""What each function's database role can and cannot do."""

import json
import re
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

import functions_framework.aio
import httpx
import pytest
from sqlalchemy import text

from lib.accounts import login
from lib.accounts.users import AdminSettings
from lib.catalogue.movie import Movie
from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.database.transactions import TransactionalDatabase
from lib.errors import DatabaseUnavailable
from lib.omdb.memory import STORE
from lib.schema.migrating import migrate
from lib.settings import Secret
from local.demo_omdb.server import DemoOmdb
from local.functions import grants, read_functions
from local.gateway import Gateway
from local.postgres import EmbeddedPostgres
from tests import held
from tests.support import ADMIN_PASSWORD, asks, database_settings, store

RIGHTS = {
    name: function.rights
    for name, function in read_functions().items()
    if isinstance(function.rights, Mapping)
}
ROOT = Path(__file__).resolve().parent.parent.parent
READER = next(name for name, rights in RIGHTS.items() if rights.get("movies") == "select")
WRITER = next(name for name, rights in RIGHTS.items() if "insert" in rights.get("movies", ""))
ADMIN = AdminSettings(username="admin", password=Secret(ADMIN_PASSWORD))


@pytest.fixture(scope="module")
def users(worker_id: str) -> dict[str, str]:
    """Name a database user for each function, as Cloud SQL names those of service accounts."""
    return {role: f"{role.replace('_', '-')}-{worker_id}@a-project.iam" for role in RIGHTS}


@pytest.fixture(scope="module")
def owned(postgres: EmbeddedPostgres, worker_id: str) -> Iterator[TransactionalDatabase]:
    """Return a database of this module's own, without any table."""
    name = f"roles_{worker_id}"
    postgres.create_database(name)
    database = TransactionalDatabase(database_settings(postgres.url(name)))
    yield database
    database.close()
    postgres.drop_database(name)


@pytest.fixture(scope="module")
def logins(
    postgres: EmbeddedPostgres, owned: TransactionalDatabase, users: dict[str, str], worker_id: str
) -> Iterator[dict[str, DatabaseSettings]]:
    """Migrate with the roles, and give each function's own way into the database."""
    password = secrets.token_hex(8)
    with owned.begin() as connection:
        for user in users.values():
            connection.exec_driver_sql(f"create role \"{user}\" login password '{password}'")
    migrate(owned, ADMIN, grants=grants(users))
    at = database_settings(postgres.url(f"roles_{worker_id}"))
    yield {
        role: DatabaseSettings(
            host=at.host, port=at.port, name=at.name, user=user, password=Secret(password)
        )
        for role, user in users.items()
    }
    with owned.begin() as connection:
        for user in users.values():
            connection.exec_driver_sql(f'drop role "{user}"')


def address(login: DatabaseSettings) -> str:
    user = (login.user or "").replace("@", "%40")
    password = login.password.reveal() if login.password else ""
    return f"postgresql+pg8000://{user}:{password}@{login.host}:{login.port}/{login.name}"


@pytest.fixture(scope="module")
def service(
    logins: dict[str, DatabaseSettings], environment: dict[str, str]
) -> Iterator[httpx.Client]:
    """Serve each function with no more than its own role."""
    apps = {}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        for name in read_functions():
            if name in logins:
                patch.setenv("DATABASE_URL", address(logins[name]))
            source = ROOT / "functions" / name / "main.py"
            apps[name] = functions_framework.aio.create_asgi_app(name, str(source))  # type: ignore[no-untyped-call]
    gateway = Gateway(apps, read_functions().values())
    with held.serving(gateway) as server, held.client(server.url) as client:
        yield client


@asks(
    "/login",
    "/movies.create",
    "/movies.import",
    "/movies.list",
    "/movies.get",
    "/movies.get_many",
    "/movies.search",
    "/movies.random",
    "/movies.delete/x",
    "/imports.list",
    "/imports.get",
)
def test_every_endpoint_works_with_no_more_than_its_own_role(
    service: httpx.Client, omdb: DemoOmdb
) -> None:
    omdb.latency = 0
    credentials = {"username": "admin", "password": ADMIN_PASSWORD}
    json_header = {"Content-Type": "application/json"}
    statuses = {
        "wrong password": service.post("/login", json={**credentials, "password": "x"}).status_code
    }
    token = service.post("/login", json=credentials).json()["data"]["token"]
    bearer = {"Authorization": f"Bearer {token}"}
    created = [service.post("/movies.create", json={"title": "Casablanca"}) for _ in range(2)]
    imported = service.post(
        "/movies.import",
        content=json.dumps({"imdb_ids": ["tt0034583", "tt0068646"]}),
        headers=json_header,
    )
    searched = service.post("/movies.import", json={"search": "Dune"})
    refreshed = service.post("/movies.import", json={"refresh": True, "older_than_days": 1})
    ticked = service.post("/movies.import", json={})
    statuses |= {
        "create": created[0].status_code,
        "create again": created[1].status_code,
        "import": imported.status_code,
        "search": searched.status_code,
        "refresh": refreshed.status_code,
        "tick": ticked.status_code,
        "list": service.get("/movies.list").status_code,
        "page": service.get("/movies.list?page=2&number_of_records=1").status_code,
        "get": service.get("/movies.get?title=casablanca").status_code,
        "get none": service.get("/movies.get?title=cassblanca").status_code,
        "get many": service.get("/movies.get_many?imdb_ids=tt0034583,tt0000009").status_code,
        "search found": service.get("/movies.search?query=casa&counts=true").status_code,
        "search corrected": service.get("/movies.search?query=cassblanca").status_code,
        "search sorted": service.get("/movies.search?sort=-year&counts=true").status_code,
        "random": service.get("/movies.random?type=movie").status_code,
        "delete": service.delete("/movies.delete/tt0034583", headers=bearer).status_code,
        "reports": service.get("/imports.list", headers=bearer).status_code,
        "report": service.get("/imports.get?id=1", headers=bearer).status_code,
    }

    assert statuses == {
        "wrong password": 401,
        "create": 201,
        "create again": 200,
        "import": 200,
        "search": 200,
        "refresh": 200,
        "tick": 200,
        "list": 200,
        "page": 200,
        "get": 200,
        "get none": 404,
        "get many": 200,
        "search found": 200,
        "search corrected": 200,
        "search sorted": 200,
        "random": 200,
        "delete": 204,
        "reports": 200,
        "report": 200,
    }


def test_people_are_managed_with_no_more_than_each_functions_own_role(
    service: httpx.Client,
) -> None:
    def post(path: str, **body: object) -> httpx.Response:
        return service.post(path, json=body, headers=headers)

    headers: dict[str, str] = {}
    token = post("/login", username="admin", password=ADMIN_PASSWORD).json()["data"]["token"]
    headers = {"Authorization": f"Bearer {token}"}
    made = post("/users.create", username="ana", role="editor")
    answers = [
        made,
        post("/passwords.set", code="smc_wrong", new_password=ADMIN_PASSWORD),
        post("/passwords.set", code=made.json()["data"]["code"], new_password=ADMIN_PASSWORD),
        post("/users.reset_password", username="ana", end_sessions=True),
        post("/users.update", username="ana", role="admin"),
        post("/users.update", username="ana", disabled=True, new_username="anna"),
        post("/passwords.change", current_password="a guess", new_password=ADMIN_PASSWORD),
        post("/passwords.change", current_password=ADMIN_PASSWORD, new_password=ADMIN_PASSWORD),
        service.get("/users.list?role=admin", headers=headers),
        service.get("/audit.list?since=2026-01-01", headers=headers),
        service.delete("/users.delete/anna", headers=headers),
    ]

    statuses = [answer.status_code for answer in answers]
    assert statuses == [201, 401, 204, 200, 200, 200, 401, 204, 200, 200, 204]


EVERY_TABLE = (
    "movies", "movie_totals", "movie_folds", "movie_moves", "movie_places", "movie_checks", "users",
    "sessions", "login_failures", "login_networks", "imports", "import_items", "import_keys",
    "omdb_budget", "omdb_answers", "omdb_source", "omdb_callers", "schema_work",
    "movie_search", "search_moves", "words", "movie_facets", "unsearched_movies",
    "password_codes", "api_keys", "audit_log",
    "alembic_version",
)  # fmt: skip
ACTIONS = ("select", "insert", "update", "delete", "truncate")


@asks("/login")
def test_a_user_is_let_in_with_the_rights_of_login(logins: dict[str, DatabaseSettings]) -> None:
    database = TransactionalDatabase(logins["login"])
    login.clear_failures(database, username="admin", address="198.51.100.7")
    with database.begin() as connection:
        known = connection.execute(text("select count(*) from login_networks")).scalar_one()
    database.close()

    assert known > 0


@pytest.mark.parametrize("role", sorted(RIGHTS))
def test_a_role_has_the_rights_of_the_table_and_no_others(
    logins: dict[str, DatabaseSettings], role: str
) -> None:
    database = TransactionalDatabase(logins[role])
    with database.begin() as connection:
        had = {
            f"{action} {table}"
            for table in EVERY_TABLE
            for action in ACTIONS
            if connection.execute(
                text("select has_table_privilege(:table, :action)"),
                {"table": table, "action": action},
            ).scalar_one()
        }
    database.close()

    assert had == {
        f"{action} {table}"
        for table, actions in RIGHTS[role].items()
        for action in re.sub(r"\w+ \([^)]*\)", "", actions).split(", ")  # of whole tables only
        if action not in {"", "execute"}
    }


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        (role, statement)
        for role, statement in [
            ("movies_list", "delete from movies"),
            ("movies_list", "select * from users"),
            ("movies_list", "create table mine (n integer)"),
            ("movies_get", "update movies set title = 'x'"),
            ("movies_create", "delete from movies"),
            ("movies_create", "update movie_totals set movies = 0"),
            ("movies_create", "select * from movie_moves"),
            ("movies_delete", "select place_all_movies()"),
            ("movies_list", "update movie_places set before = 0"),
            ("movies_create", "delete from movie_search"),
            ("movies_create", "select search_movies('{}')"),
            ("movies_import", "update words set movies = 0"),
            ("movies_import", "update unsearched_movies set imdb_votes = 1"),
            ("movies_create", "select password_hash from users"),
            ("movies_create", "delete from sessions"),
            ("movies_import", "select * from omdb_callers"),
            (
                "movies_delete",
                "insert into sessions (jti, user_id, expires_at) values ('x', 1, now())",
            ),
            ("movies_delete", "update users set role = 'admin'"),
            ("movies_delete", "truncate movies"),
            ("movies_delete", "select password_hash from users"),
            ("imports_list", "select username from users"),
            ("movies_import", "select * from sessions"),
            ("movies_delete", "select * from login_networks"),
            ("login", "select * from movies"),
            ("login", "update users set role = 'admin'"),
            (
                "login",
                "insert into users (username, password_hash, role) values ('x', 'x', 'admin')",
            ),
            ("login", "select * from api_keys"),
            ("login", "select * from audit_log"),
            ("login", "delete from audit_log"),
            ("login", "update users set disabled_at = null"),
            ("movies_delete", "select digest from sessions"),
            ("movies_delete", "update audit_log set actor = 'x'"),
            ("movies_delete", "select sweep_audit_log()"),
            ("movies_create", "delete from api_keys"),
            ("movies_import", "delete from audit_log"),
            ("imports_get", "update imports set state = 'done'"),
            ("imports_list", "delete from import_items"),
        ]
        if role in RIGHTS
    ],
)
def test_what_a_role_may_not_do_is_refused_by_postgres(
    logins: dict[str, DatabaseSettings], role: str, statement: str
) -> None:
    database = TransactionalDatabase(logins[role])
    with pytest.raises(DatabaseUnavailable), database.begin() as connection:
        connection.exec_driver_sql(statement)
    database.close()


def test_a_second_migration_takes_back_what_was_granted_by_hand(
    owned: TransactionalDatabase, logins: dict[str, DatabaseSettings], users: dict[str, str]
) -> None:
    with owned.begin() as connection:
        connection.exec_driver_sql(f"grant delete on movies to {READER}")
    migrate(owned, ADMIN, grants=grants(users))
    database = TransactionalDatabase(logins[READER])

    with pytest.raises(DatabaseUnavailable), database.begin() as connection:
        connection.exec_driver_sql("delete from movies")
    database.close()


def test_a_table_that_a_later_migration_makes_is_nobodys(
    owned: TransactionalDatabase, logins: dict[str, DatabaseSettings]
) -> None:
    with owned.begin() as connection:
        connection.exec_driver_sql("create table later (n integer)")
    database = TransactionalDatabase(logins[READER])
    with pytest.raises(DatabaseUnavailable), database.begin() as connection:
        connection.exec_driver_sql("select * from later")
    database.close()
    with owned.begin() as connection:
        connection.exec_driver_sql("drop table later")


def test_the_total_follows_writes_of_a_role_that_may_not_write_it(
    owned: TransactionalDatabase, logins: dict[str, DatabaseSettings]
) -> None:
    with owned.begin() as connection:
        before = connection.exec_driver_sql("select movies from movie_totals").scalar_one()
    database = Database(logins[WRITER], statements=[STORE])
    store(database, Movie(imdb_id="tt7654321", title="A", type="movie"))
    database.close()

    with owned.begin() as connection:
        after = connection.exec_driver_sql("select movies from movie_totals").scalar_one()
        connection.exec_driver_sql("delete from movies where imdb_id = 'tt7654321'")
    assert after == before + 1


@pytest.mark.usefixtures("logins")  # the roles are there, whichever test comes first
def test_an_administrator_as_cloud_sql_makes_them_can_migrate(
    postgres: EmbeddedPostgres, owned: TransactionalDatabase, worker_id: str
) -> None:
    name, password = f"as_cloud_sql_{worker_id}", secrets.token_hex(8)
    postgres.create_database(name)
    administrator = database_settings(postgres.url(name))
    with owned.begin() as connection:
        run = connection.exec_driver_sql
        run(
            "do $$ begin create role cloudsqlsuperuser createrole; "
            "exception when duplicate_object or unique_violation then null; end $$"
        )
        for role in RIGHTS:
            run(f"grant {role} to cloudsqlsuperuser with admin option")
        run(f"create role {name} login password '{password}' in role cloudsqlsuperuser")
        run(f"create role member_{name}")
        run(f"alter database {name} owner to {name}")
    migrator = TransactionalDatabase(
        DatabaseSettings(
            host=administrator.host,
            port=administrator.port,
            name=name,
            user=name,
            password=Secret(password),
        )
    )
    migrate(migrator, ADMIN, grants=grants({READER: f"member_{name}"}))
    with migrator.begin() as connection:
        member = connection.exec_driver_sql(
            f"select has_table_privilege('member_{name}', 'movies', 'select')"
        ).scalar_one()
    migrator.close()
    postgres.drop_database(name)
    with owned.begin() as connection:
        connection.exec_driver_sql(f"drop role member_{name}")
        connection.exec_driver_sql(f"drop role {name}")

    assert member
