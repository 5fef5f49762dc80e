"""A database role for each function, with no more rights than it needs.

The migration makes them, and makes each deployed function's own database user a member of its role.
Rights are granted anew at each run, so that what `DATABASE_GRANTS` says is all there is to know; it
comes from each function's `function.yaml`.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from lib.database.faults import sqlstate
from lib.schema.settings import Grant

if TYPE_CHECKING:
    from sqlalchemy import Connection

log = logging.getLogger(__name__)

_CALL: Final = "()"  # what the name of a function ends with, and that of a table does not
_GONE: Final = ("42P01", "42703", "42883")  # there is no such table, column, function


def grant_rights(
    connection: "Connection", grants: Mapping[str, Grant], *, schema_is_newer: bool = False
) -> tuple[str, ...]:
    """Make the roles, give them their rights and nothing else, and make accounts their members.

    Args:
        connection: In a transaction, of a user that may create roles.
        grants: By function, which is what its role is called.
        schema_is_newer: The schema may have lost what a right names. Such a right is left out; of
            a schema that is ours it is a mistake, and no right is given.

    Returns:
        What was left out.
    """
    run = connection.exec_driver_sql
    quote = connection.dialect.identifier_preparer.quote_identifier
    run("revoke create on schema public from public")
    run("revoke execute on all functions in schema public from public")
    # What later migrations make is nobody's until a function's folder asks for it.
    run("alter default privileges revoke execute on functions from public")
    run("alter default privileges revoke all on tables from public")
    with able_to_make_roles(connection):
        for role, grant in grants.items():
            make_role(connection, role)
            run(f"grant {quote(role)} to {quote(grant.user)}")
    left_out = []
    for role, grant in grants.items():
        run(f"revoke all on all tables in schema public from {quote(role)}")
        run(f"revoke all on all functions in schema public from {quote(role)}")
        run(f"grant usage on schema public to {quote(role)}")
        for name, action in grant.each():
            kind = "function" if name.endswith(_CALL) else "table"
            right = f"{action} on {kind} {quote(name.removesuffix(_CALL))}"
            if not _grant(connection, f"grant {right} to {quote(role)}", may_miss=schema_is_newer):
                left_out.append(f"{role}: {action} on {name}")
                log.warning("right left out", extra={"fields": {"right": left_out[-1]}})
    return tuple(left_out)


def _grant(connection: "Connection", statement: str, *, may_miss: bool) -> bool:
    """Grant, and tell whether that was done: what it names may be missing in a newer schema."""
    if not may_miss:
        connection.exec_driver_sql(statement)
        return True
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(statement)
    except DBAPIError as error:
        if sqlstate(error) not in _GONE:
            raise
        return False
    return True


@contextmanager
def able_to_make_roles(connection: "Connection") -> Iterator[None]:
    """Be, for the length of the block, whoever may make roles and members of them."""
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


def make_role(connection: "Connection", role: str) -> None:
    """Make a role that nobody logs in as, unless it is there."""
    # Roles belong to the whole server: another database's migration may make it at the same time.
    there = connection.execute(
        text("select exists (select from pg_roles where rolname = :role)"), {"role": role}
    ).scalar_one()
    if not there:
        connection.exec_driver_sql(
            f"do $$ begin create role {role} nologin; "
            "exception when duplicate_object or unique_violation then null; end $$"
        )
