"""The ledger of imports, the budget of OMDb calls, and when each movie is due for a refresh.

It only adds, so that it suits the revision that runs while it is applied: movies which that
revision inserts get their row in `movie_checks` from a trigger.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_IMPORTS = """
create table imports (
    id bigint generated always as identity constraint imports_pkey primary key,
    kind text not null,
    fingerprint text not null,
    requested_by text not null,
    types text[] not null,
    search text,
    search_type text,
    search_year smallint,
    next_page integer not null default 1,
    page_attempts smallint not null default 0,
    page_try_at timestamptz not null default now(),
    refresh_before timestamptz,
    due_only boolean not null default false,
    has_more boolean not null,
    state text not null default 'open',
    reason text,
    total integer not null default 0,
    imported integer not null default 0,
    updated integer not null default 0,
    unchanged integer not null default 0,
    not_found integer not null default 0,
    rejected integer not null default 0,
    failed integer not null default 0,
    created_at timestamptz not null default now(),
    worked_at timestamptz,
    finished_at timestamptz,
    constraint imports_kind_check check (kind in ('fill', 'ids', 'search', 'refresh')),
    constraint imports_state_check check (state in ('open', 'done', 'failed'))
);
-- The same order twice at once is one import.
create unique index imports_fingerprint_idx on imports (fingerprint) where state = 'open';
create index imports_finished_at_idx on imports (finished_at);

-- next_try_at of a leased item is the end of its lease: one index finds what may be taken.
create table import_items (
    import_id bigint not null,
    imdb_id text not null,
    state text not null default 'pending',
    attempts smallint not null default 0,
    misses smallint not null default 0,
    losses smallint not null default 0,
    next_try_at timestamptz not null default now(),
    leased_by text,
    last_error text,
    answered_id text,
    settled_at timestamptz,
    constraint import_items_pkey primary key (import_id, imdb_id),
    constraint import_items_state_check check (state in ('pending', 'leased', 'imported', 'updated',
        'unchanged', 'not_found', 'rejected', 'failed'))
) with (fillfactor = 80);
create index import_items_waiting_idx on import_items (import_id, next_try_at, imdb_id)
    where state in ('pending', 'leased');
create index import_items_errors_idx on import_items (import_id, last_error)
    where last_error is not null;

create table import_keys (
    key text constraint import_keys_pkey primary key,
    fingerprint text not null,
    import_id bigint not null,
    created_at timestamptz not null default now()
);
create index import_keys_created_at_idx on import_keys (created_at);
"""

_BUDGET = """
create table omdb_budget (
    key_digest text constraint omdb_budget_pkey primary key,
    state text not null default 'open',
    window_started_at timestamptz not null default now(),
    daily integer not null,
    used integer not null default 0,
    granted integer not null default 0,
    probe_at timestamptz,
    probes smallint not null default 0,
    changed_at timestamptz not null default now(),
    constraint omdb_budget_state_check check (state in ('open', 'spent', 'refused'))
);
"""

# The newer a movie is, the sooner its votes, ratings and plot change.
_CHECKS = """
create function movie_due_at(year smallint, checked_at timestamptz) returns timestamptz
language sql immutable as $$
    select checked_at + case
        when year is null or year >= extract(year from checked_at at time zone 'UTC')
            then interval '7 days'
        when year >= extract(year from checked_at at time zone 'UTC') - 1 then interval '30 days'
        when year >= extract(year from checked_at at time zone 'UTC') - 5 then interval '90 days'
        else interval '180 days'
    end
$$;
create table movie_checks (
    imdb_id text constraint movie_checks_pkey primary key,
    checked_at timestamptz not null,
    due_at timestamptz not null
);
create index movie_checks_due_at_idx on movie_checks (due_at, imdb_id);

create function note_inserted_movies() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into movie_checks
    select imdb_id, fetched_at, movie_due_at(year, fetched_at) from new_movies
    on conflict (imdb_id) do update
        set checked_at = excluded.checked_at, due_at = excluded.due_at;
    return null;
end $$;
create function note_deleted_movies() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    delete from movie_checks using old_movies where movie_checks.imdb_id = old_movies.imdb_id;
    return null;
end $$;
create function note_no_movies() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    delete from movie_checks;
    return null;
end $$;
create trigger movies_inserted_note after insert on movies
    referencing new table as new_movies
    for each statement execute function note_inserted_movies();
create trigger movies_deleted_note after delete on movies
    referencing old table as old_movies
    for each statement execute function note_deleted_movies();
create trigger movies_truncated_note after truncate on movies
    for each statement execute function note_no_movies();

insert into movie_checks select imdb_id, fetched_at, movie_due_at(year, fetched_at) from movies;
"""


def upgrade() -> None:
    """Make the ledger, the budget and the checks."""
    for statements in (_IMPORTS, _BUDGET, _CHECKS):
        op.get_bind().exec_driver_sql(statements)


def downgrade() -> None:
    """Drop them; the movies stay."""
    op.get_bind().exec_driver_sql("""
        drop trigger movies_inserted_note on movies;
        drop trigger movies_deleted_note on movies;
        drop trigger movies_truncated_note on movies;
        drop function note_inserted_movies(), note_deleted_movies(), note_no_movies();
        drop table movie_checks, omdb_budget, import_keys, import_items, imports;
        drop function movie_due_at(smallint, timestamptz);
    """)
