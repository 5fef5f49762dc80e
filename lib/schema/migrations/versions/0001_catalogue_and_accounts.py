"""The catalogue, its total, and the accounts."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_MOVIES = """
create table movies (
    imdb_id text constraint movies_pkey primary key,
    title text not null,
    sort_key text collate "C" not null,
    type text not null,
    year smallint,
    year_end smallint,
    rated text,
    released date,
    runtime_minutes integer,
    genres text[] not null default '{}',
    directors text[] not null default '{}',
    writers text[] not null default '{}',
    actors text[] not null default '{}',
    plot text,
    languages text[] not null default '{}',
    countries text[] not null default '{}',
    awards text,
    poster_url text,
    ratings json not null default '[]',
    metascore smallint,
    imdb_rating numeric(3, 1),
    imdb_votes integer,
    box_office_usd bigint,
    total_seasons smallint,
    website text,
    dvd_released date,
    production text,
    season integer,
    episode integer,
    series_id text,
    created_at timestamptz not null default now(),
    fetched_at timestamptz not null default now(),
    changed_at timestamptz not null default now(),
    constraint movies_imdb_id_check check (imdb_id ~ '^tt[0-9]{7,10}$'),
    constraint movies_title_check check (length(title) between 1 and 500),
    constraint movies_sort_key_check check (length(sort_key) between 1 and 500),
    constraint movies_type_check check (type in ('movie', 'series', 'episode', 'game')),
    constraint movies_year_check check (year between 1850 and 2200),
    constraint movies_year_end_check check (year_end between year and 2200),
    constraint movies_runtime_minutes_check check (runtime_minutes > 0),
    constraint movies_metascore_check check (metascore between 0 and 100),
    constraint movies_imdb_rating_check check (imdb_rating between 0 and 10),
    constraint movies_imdb_votes_check check (imdb_votes >= 0),
    constraint movies_box_office_usd_check check (box_office_usd >= 0),
    constraint movies_total_seasons_check check (total_seasons > 0),
    constraint movies_series_id_check check (series_id ~ '^tt[0-9]{7,10}$')
);
create index movies_sort_key_imdb_id_idx on movies (sort_key, imdb_id);
"""

# The total is kept, not counted. A statement changes it once, by the rows that it really inserted
# or deleted; writers queue for this row until they commit, so writes are single statements.
# security definer: who may write movies need not be able to write the total by itself.
_TOTAL = """
create table movie_totals (
    id smallint constraint movie_totals_pkey primary key,
    movies bigint not null,
    constraint movie_totals_only_row_check check (id = 1)
);
insert into movie_totals values (1, 0);

create function count_inserted_movies() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
declare inserted bigint;
begin
    select count(*) into inserted from new_movies;
    if inserted > 0 then
        update movie_totals set movies = movies + inserted;
    end if;
    return null;
end $$;

create function count_deleted_movies() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
declare deleted bigint;
begin
    select count(*) into deleted from old_movies;
    if deleted > 0 then
        update movie_totals set movies = movies - deleted;
    end if;
    return null;
end $$;

create function count_no_movies() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update movie_totals set movies = 0;
    return null;
end $$;

create trigger movies_inserted after insert on movies
    referencing new table as new_movies
    for each statement execute function count_inserted_movies();
create trigger movies_deleted after delete on movies
    referencing old table as old_movies
    for each statement execute function count_deleted_movies();
create trigger movies_truncated after truncate on movies
    for each statement execute function count_no_movies();
"""

_ACCOUNTS = """
create table users (
    id bigint generated always as identity constraint users_pkey primary key,
    username text not null constraint users_username_key unique,
    password_hash text not null,
    role text not null,
    created_at timestamptz not null default now(),
    constraint users_role_check check (role in ('viewer', 'editor', 'admin')),
    constraint users_username_check check (length(username) between 1 and 100)
);
create table sessions (
    jti text constraint sessions_pkey primary key,
    user_id bigint not null
        constraint sessions_user_id_fkey references users (id) on delete cascade,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null
);
create index sessions_user_id_idx on sessions (user_id);
create index sessions_expires_at_idx on sessions (expires_at);
create table login_failures (
    subject text constraint login_failures_pkey primary key,
    failures integer not null,
    last_failed_at timestamptz not null,
    blocked_until timestamptz
);
create index login_failures_last_failed_at_idx on login_failures (last_failed_at);
"""


def upgrade() -> None:
    """Make every table of the first release."""
    for statements in (_MOVIES, _TOTAL, _ACCOUNTS):
        op.get_bind().exec_driver_sql(statements)


def downgrade() -> None:
    """Drop everything: there is nothing before the first release."""
    op.get_bind().exec_driver_sql("""
        drop table login_failures, sessions, users, movie_totals, movies;
        drop function count_inserted_movies(), count_deleted_movies(), count_no_movies();
    """)
