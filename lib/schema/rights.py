"""A database role for each function, with no more rights than it needs.

The migration makes them, and makes each deployed function's own database user a member of its role.
Rights are granted anew at each run, so that what `DATABASE_GRANTS` says is all there is to know; it
comes from each function's `function.yaml`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from lib.schema.settings import Grant

if TYPE_CHECKING:
    from sqlalchemy import Connection

_CALL: Final = "()"  # what the name of a function ends with, and that of a table does not


def grant_rights(connection: "Connection", grants: Mapping[str, Grant]) -> None:
    """Make the roles, give them their rights and nothing else, and make accounts their members.

    Args:
        connection: In a transaction, of a user that may create roles.
        grants: By function, which is what its role is called.
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
    for role, grant in grants.items():
        run(f"revoke all on all tables in schema public from {quote(role)}")
        run(f"revoke all on all functions in schema public from {quote(role)}")
        run(f"grant usage on schema public to {quote(role)}")
        for name, actions in grant.rights.items():
            kind = "function" if name.endswith(_CALL) else "table"
            run(f"grant {actions} on {kind} {quote(name.removesuffix(_CALL))} to {quote(role)}")


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
