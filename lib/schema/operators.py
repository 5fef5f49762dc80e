"""The role of the people who look after the database by hand, with what the runbook asks of them.

The migration makes it, and whoever `DATABASE_OPERATORS` names its members: who is named no longer
is one no longer. They read everything but password hashes, and change only what the runbook says.
"""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from lib.schema.rights import able_to_make_roles, make_role

if TYPE_CHECKING:
    from sqlalchemy import Connection

ROLE: Final = "movies_operators"
# A table that is not here is not theirs to read; a test asks for each new one.
RIGHTS: Final[Mapping[str, str]] = {
    "alembic_version": "select",
    "api_keys": "select, delete",
    "audit_log": "select, insert",
    "import_items": "select",
    "import_keys": "select",
    "imports": "select",
    "login_failures": "select, delete",
    "login_networks": "select, insert (user_id, network), update (last_login_at)",
    "movie_checks": "select",
    "movie_facets": "select",
    "movie_folds": "select",
    "movie_moves": "select",
    "movie_places": "select",
    "movie_search": "select",
    "movie_totals": "select",
    "movies": "select",
    "omdb_answers": "select",
    "omdb_budget": "select",
    "omdb_callers": "select",
    "omdb_source": "select",
    "password_codes": "select, insert, delete",
    "schema_work": "select",
    "search_moves": "select",
    "sessions": "select, delete",
    "unsearched_movies": "select",
    "users": (
        "select (id, username, role, created_at, disabled_at, password_set_at, changed_at, "
        "invited), insert (username, role), update (username, role, disabled_at, changed_at), "
        "delete"
    ),
    "words": "select",
}

# What they may know or do only in these words; which hash is usable, lib/accounts/passwords.py
# says. The functions run as their owner, who migrates: by
# Postgres's own rules it may end its own sessions, and those of others as a member of
# pg_signal_backend, which cloudsqlsuperuser is. To hand that role itself on would take its admin
# option, which nothing says Cloud SQL gives:
# https://www.postgresql.org/docs/current/predefined-roles.html
_FUNCTIONS: Final[Mapping[str, str]] = {
    "database_sessions()": """
        returns table (pid integer, username name, state text, since timestamptz, query text)
        language sql stable security definer set search_path = pg_catalog, pg_temp as $$
            select pid, usename, state, xact_start, query from pg_stat_activity
            where datname = current_database() and backend_type = 'client backend'
            order by xact_start nulls last, pid
        $$
    """,
    "end_database_session(process integer)": """
        returns boolean
        language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
            select coalesce(bool_or(pg_terminate_backend(pid)), false) from pg_stat_activity
            where pid = process and pid <> pg_backend_pid() and datname = current_database()
                and backend_type = 'client backend'
        $$
    """,
    "unusable_password_hashes()": """
        returns table (id bigint, username text)
        language sql stable security definer set search_path = public, pg_temp as $$
            select users.id, users.username from users
            where password_hash is not null and not coalesce((
                select said[1]::integer <= 65536 and said[2]::integer <= 8 and said[3]::integer <= 4
                from regexp_match(password_hash, '^[$]argon2id[$]v=19'
                    '[$]m=([0-9]{1,9}),t=([0-9]{1,9}),p=([0-9]{1,9})'
                    '[$][A-Za-z0-9+/]{11,86}[$][A-Za-z0-9+/]{22,86}$') said
            ), false)
        $$
    """,
}


def admit_operators(connection: "Connection", people: Collection[str]) -> None:
    """Make the role, give it its rights and nothing else, and make just these people its members.

    Args:
        connection: In a transaction, of the tables' owner, who may create roles.
        people: Their database users, which have to be there.
    """
    run = connection.exec_driver_sql
    quote = connection.dialect.identifier_preparer.quote_identifier
    with able_to_make_roles(connection):
        make_role(connection, ROLE)
        for member in _members(connection) - {*people}:
            run(f"revoke {ROLE} from {quote(member)}")
        for person in sorted(people):
            run(f"grant {ROLE} to {quote(person)}")
    for kind in ("tables", "sequences", "functions"):
        run(f"revoke all on all {kind} in schema public from {ROLE}")
    run(f"grant usage on schema public to {ROLE}")
    run(f"grant select on all sequences in schema public to {ROLE}")  # a dump has them
    for table in _tables(connection) & RIGHTS.keys():
        run(f"grant {RIGHTS[table]} on {quote(table)} to {ROLE}")
    for signature, body in _FUNCTIONS.items():
        # Made anew, and nothing depends on them: `or replace` refuses another result than there is,
        # be it a later release's. https://www.postgresql.org/docs/current/sql-createfunction.html
        run(f"drop function if exists public.{signature}")
        run(f"create function public.{signature} {body}")
        run(f"revoke execute on function public.{signature} from public")
        run(f"grant execute on function public.{signature} to {ROLE}")


def _members(connection: "Connection") -> set[str]:
    # Who made a role is its member, too, to administer it, since Postgres 16.
    found = connection.execute(
        text(
            "select pg_get_userbyid(member) from pg_auth_members "
            "where roleid = (select oid from pg_roles where rolname = :role) and not admin_option"
        ),
        {"role": ROLE},
    )
    return {str(name) for name in found.scalars()}


def _tables(connection: "Connection") -> set[str]:
    found = connection.execute(
        text(
            "select tablename from pg_tables where schemaname = 'public' "
            "union all select viewname from pg_views where schemaname = 'public'"
        )
    )
    return {str(name) for name in found.scalars()}
