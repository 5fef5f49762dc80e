"""A database role for each function, with no more rights than it needs.

The migration makes them, and makes each deployed function's own database user a member of its role.
Rights are granted anew at each run, so that this table is all there is to know.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from lib.settings import SettingsError

if TYPE_CHECKING:
    from sqlalchemy import Connection

_READ: Final = "select"
_WRITE: Final = "select, insert, update"
_ALL: Final = "select, insert, update, delete"

_CATALOGUE: Final = {"movies": _READ, "movie_totals": _READ}
_EDITORS: Final = {"users": "select (id, role)", "sessions": _READ}
_FETCHED: Final = {
    "movies": _WRITE,
    "movie_checks": "select, update",
    "omdb_budget": _WRITE,
    "omdb_source": _WRITE,
}
_ASKED: Final = {"omdb_answers": _ALL, "omdb_callers": _ALL}
_REPORTS: Final = {"imports": _READ, "import_items": _READ, **_EDITORS}

# Function -> table -> what it may do there. Triggers keep movie_totals and movie_checks in step
# with the rights of the tables' owner.
RIGHTS: Final[Mapping[str, Mapping[str, str]]] = {
    "movies_list": _CATALOGUE,
    "movies_get": _CATALOGUE,
    "movies_create": {**_FETCHED, **_ASKED, **_EDITORS},
    "movies_delete": {"movies": "select, delete", **_EDITORS},
    "movies_import": {
        **_FETCHED,
        "movie_totals": _READ,
        "imports": _WRITE,
        "import_items": _ALL,
        "import_keys": "select, insert, delete",
    },
    "imports_get": {**_REPORTS, "omdb_budget": _READ},
    "imports_list": _REPORTS,
    "login": {
        "users": "select, update (password_hash)",
        "sessions": _ALL,
        "login_failures": _ALL,
        "login_networks": _ALL,
    },
}
_CALLS_FUNCTIONS: Final = ("movies_create", "movies_import")


def grant_rights(connection: "Connection", members: Mapping[str, str]) -> None:
    """Make the roles, give them their rights and nothing else, and make accounts their members.

    Args:
        connection: In a transaction, of a user that may create roles.
        members: Function -> the database user that its deployment logs in as.

    Raises:
        SettingsError: A member is named for a function that has no role.
    """
    unknown = sorted(set(members) - set(RIGHTS))
    if unknown:
        raise SettingsError(
            f"DATABASE_GRANTS names {', '.join(unknown)}: expected some of {', '.join(RIGHTS)}"
        )
    run = connection.exec_driver_sql
    quote = connection.dialect.identifier_preparer.quote_identifier
    run("revoke create on schema public from public")
    run("revoke execute on all functions in schema public from public")
    # What later migrations make is nobody's until it stands in the table above.
    run("alter default privileges revoke execute on functions from public")
    run("alter default privileges revoke all on tables from public")
    with _able_to_make_roles(connection):
        for role in RIGHTS:
            _make(connection, role)
        for role, member in members.items():
            run(f"grant {quote(role)} to {quote(member)}")
    for role, rights in RIGHTS.items():
        run(f"revoke all on all tables in schema public from {quote(role)}")
        run(f"grant usage on schema public to {quote(role)}")
        for table, actions in rights.items():
            run(f"grant {actions} on {quote(table)} to {quote(role)}")
    for role in _CALLS_FUNCTIONS:
        run(f"grant execute on function movie_due_at to {quote(role)}")


@contextmanager
def _able_to_make_roles(connection: "Connection") -> Iterator[None]:
    # Cloud SQL makes a user an administrator by membership in this role; its attribute CREATEROLE
    # does not come with that: https://www.postgresql.org/docs/current/role-attributes.html
    borrowed = connection.execute(
        text(
            "select exists (select from pg_roles where rolname = 'cloudsqlsuperuser' "
            "and pg_has_role(oid, 'member')) and not (select rolsuper or rolcreaterole "
            "from pg_roles where rolname = current_user)"
        )
    ).scalar_one()
    if borrowed:
        connection.exec_driver_sql("set local role cloudsqlsuperuser")
    yield
    if borrowed:
        connection.exec_driver_sql("set local role none")


def _make(connection: "Connection", role: str) -> None:
    # Roles belong to the whole server: another database's migration may make it at the same time.
    there = connection.execute(
        text("select exists (select from pg_roles where rolname = :role)"), {"role": role}
    ).scalar_one()
    if not there:
        connection.exec_driver_sql(
            f"do $$ begin create role {role} nologin; "
            "exception when duplicate_object or unique_violation then null; end $$"
        )
