"""One order of locks for all who write movies: the rows of `movie_checks` before the total.

`lib.movies` has the whole order. Triggers of one event fire in the order of their names, so those
that keep the total get names that come after those of the checks. Nothing asks for the names, so
that this suits the revision that runs while it is applied.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_RENAMED = ("inserted", "deleted", "truncated")

_IN_ORDER = """
create or replace function note_inserted_movies() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into movie_checks
    select imdb_id, fetched_at, movie_due_at(year, fetched_at) from new_movies
    order by imdb_id
    on conflict (imdb_id) do update
        set checked_at = excluded.checked_at, due_at = excluded.due_at;
    return null;
end $$;
create or replace function note_deleted_movies() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform from movie_checks where imdb_id in (select imdb_id from old_movies)
    order by imdb_id for update;
    delete from movie_checks using old_movies where movie_checks.imdb_id = old_movies.imdb_id;
    return null;
end $$;
create or replace function note_no_movies() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform from movie_checks order by imdb_id for update;
    delete from movie_checks;
    return null;
end $$;
"""
_AS_BEFORE = """
create or replace function note_inserted_movies() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into movie_checks
    select imdb_id, fetched_at, movie_due_at(year, fetched_at) from new_movies
    on conflict (imdb_id) do update
        set checked_at = excluded.checked_at, due_at = excluded.due_at;
    return null;
end $$;
create or replace function note_deleted_movies() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    delete from movie_checks using old_movies where movie_checks.imdb_id = old_movies.imdb_id;
    return null;
end $$;
create or replace function note_no_movies() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    delete from movie_checks;
    return null;
end $$;
"""


def upgrade() -> None:
    """Let the triggers take their locks in that order."""
    run = op.get_bind().exec_driver_sql
    for what in _RENAMED:
        run(f"alter trigger movies_{what} on movies rename to movies_{what}_total")
    run(_IN_ORDER)


def downgrade() -> None:
    """Take the names and the functions back."""
    run = op.get_bind().exec_driver_sql
    for what in _RENAMED:
        run(f"alter trigger movies_{what}_total on movies rename to movies_{what}")
    run(_AS_BEFORE)
