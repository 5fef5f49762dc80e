"""Places in the list, some five hundred movies apart, so that any page is near a known one.

Writers queue for no row any more: each appends what came and what went to `movie_moves`, and every
200th row of that lets its writer fold all of them into `movie_places` and `movie_folds`. At any
moment a place stands after `before` movies and what the moves before it come to; the total is the
folded one and what all moves come to. One statement sees one state of all, so both are exact.

The revision that runs meanwhile reads `movie_totals`, which becomes a view of the same columns. Its
triggers stay, with other functions: to drop them would keep readers out until the end.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# The moves have the movies' own keys and know no place, so that places may come and go meanwhile.
# Vacuumed early: each fold leaves dead rows behind, which a reader of all moves passes over.
_TABLES = """
create table movie_places (
    sort_key text collate "C" not null,
    imdb_id text not null,
    before bigint not null
) with (fillfactor = 40, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);
create index movie_places_before_idx on movie_places (before);
create table movie_moves (
    number bigint generated always as identity,
    sort_key text collate "C" not null,
    imdb_id text not null,
    delta smallint not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_insert_threshold = -1);
create table movie_folds (
    id smallint constraint movie_folds_pkey primary key,
    movies bigint not null,
    constraint movie_folds_only_row_check check (id = 1)
) with (fillfactor = 50);
"""

# Of a place with more than twice as many movies as it should have, every so many get a place of
# their own; one of two neighbours goes that together have less than half as many. A new place's
# number is counted in `movies` and corrected by the moves in one statement: both have to be of one
# moment.
_PLACING = """
create function split_movie_places() returns void
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    total bigint;
    per_place bigint;
begin
    select movies into total from movie_folds;
    per_place := greatest(500, total / 4000);
    with sized as (
        select *, coalesce(lead(before) over (order by sort_key, imdb_id), total) - before as movies
        from movie_places
    )
    insert into movie_places
    select start.sort_key, start.imdb_id, wide.before + start.place - (
        select coalesce(sum(delta), 0) from movie_moves
        where (sort_key, imdb_id) >= (wide.sort_key, wide.imdb_id)
            and (sort_key, imdb_id) < (start.sort_key, start.imdb_id))
    from (select * from sized where movies > 2 * per_place offset 0) wide, lateral (
        select sort_key, imdb_id, row_number() over (order by sort_key, imdb_id) - 1 as place
        from (
            select sort_key, imdb_id from movies
            where (sort_key, imdb_id) >= (wide.sort_key, wide.imdb_id)
            order by sort_key, imdb_id limit wide.movies - per_place / 2
        ) inside
    ) start
    where start.place > 0 and mod(start.place, per_place) = 0;
    with sized as (
        select ctid as at, row_number() over places as number,
            coalesce(lead(before) over places, total) - lag(before) over places as movies
        from movie_places window places as (order by sort_key, imdb_id)
    )
    delete from movie_places using sized
    where movie_places.ctid = sized.at and sized.movies < per_place / 2
        and mod(sized.number, 2) = 0;
end $$;

-- The first filling, what a truncate leaves, and the repair, should it ever be needed.
create function place_all_movies() returns void
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise 'movies are placed anew in a transaction that is read committed';
    end if;
    lock table movies in share row exclusive mode;  -- nobody has moves under way, and nobody folds
    delete from movie_moves;
    delete from movie_places;
    delete from movie_folds;
    insert into movie_places values ('', '', 0);
    insert into movie_folds select 1, count(*) from movies;
    perform split_movie_places();
end $$;
revoke execute on function split_movie_places(), place_all_movies() from public;
"""

# At commit, when the moves of all that a transaction did to movies are there. Who finds another
# folding goes on, and so does who has folded already in this transaction.
_FOLDING = """
create function fold_movie_moves() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    -- In one snapshot it would not see what the fold before it has left; within another trigger, as
    -- "set constraints all immediate" would have it, not all moves are there.
    if current_setting('transaction_isolation') <> 'read committed' or pg_trigger_depth() > 1 then
        return null;
    end if;
    perform from movie_folds where xmin <> pg_current_xact_id()::xid for update skip locked;
    if not found then
        return null;
    end if;
    with gone as (
        delete from movie_moves returning sort_key, imdb_id, delta
    ), shifted as (
        select at, sum(delta) over (order by sort_key, imdb_id, is_move) as shift
        from (
            select sort_key, imdb_id, 0 as is_move, ctid as at, 0 as delta from movie_places
            union all
            select sort_key, imdb_id, 1, null, delta from gone
        ) points
    ), moved as (
        update movie_places set before = before + shifted.shift
        from shifted where movie_places.ctid = shifted.at and shifted.shift <> 0
    )
    update movie_folds set movies = movies + (select coalesce(sum(delta), 0) from gone);
    perform split_movie_places();
    return null;
end $$;
create constraint trigger movie_moves_folded after insert on movie_moves
    deferrable initially deferred for each row when (mod(new.number, 200) = 0)
    execute function fold_movie_moves();
"""

# security definer: who may write movies need not be able to write the moves by themselves.
_LOGGING = """
create or replace function count_inserted_movies() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into movie_moves (sort_key, imdb_id, delta)
    select sort_key, imdb_id, 1 from new_movies;
    return null;
end $$;
create or replace function count_deleted_movies() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into movie_moves (sort_key, imdb_id, delta)
    select sort_key, imdb_id, -1 from old_movies;
    return null;
end $$;
create or replace function count_no_movies() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform place_all_movies();
    return null;
end $$;
create function count_renamed_movie() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into movie_moves (sort_key, imdb_id, delta)
    values (old.sort_key, old.imdb_id, -1), (new.sort_key, new.imdb_id, 1);
    return null;
end $$;
create trigger movies_renamed_total after update on movies for each row
    when ((old.sort_key, old.imdb_id) is distinct from (new.sort_key, new.imdb_id))
    execute function count_renamed_movie();
-- A page is walked to in the index alone as long as that is known to be up to date.
alter table movies set (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02);
"""

# Last, as nobody reads a list from here to the end.
_TOTAL = """
alter table movie_totals rename to movie_totals_before;
create view movie_totals as
    select id, movies + coalesce((select sum(delta) from movie_moves), 0) as movies
    from movie_folds;
-- With it, who may not write the total is told so, and not that nobody can.
create function keep_movie_totals() returns trigger language plpgsql as $$
begin
    raise 'the total is what the movies come to';
end $$;
create trigger movie_totals_kept instead of update on movie_totals
    for each row execute function keep_movie_totals();
do $$
declare reader text;
begin
    for reader in
        select case grantee when 0 then 'public' else grantee::regrole::text end
        from pg_class, aclexplode(relacl)
        where pg_class.oid = 'movie_totals_before'::regclass and privilege_type = 'SELECT'
    loop
        execute 'grant select on movie_totals to ' || reader;
    end loop;
end $$;
drop table movie_totals_before;
"""

_AS_BEFORE = """
lock table movies in access exclusive mode;
drop trigger movies_renamed_total on movies;
drop function count_renamed_movie();
drop view movie_totals;
drop function keep_movie_totals();
drop table movie_places, movie_moves, movie_folds;
drop function fold_movie_moves(), place_all_movies(), split_movie_places();
alter table movies reset (autovacuum_vacuum_scale_factor, autovacuum_vacuum_insert_scale_factor);
create table movie_totals (
    id smallint constraint movie_totals_pkey primary key,
    movies bigint not null,
    constraint movie_totals_only_row_check check (id = 1)
);
insert into movie_totals select 1, count(*) from movies;
create or replace function count_inserted_movies() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
declare inserted bigint;
begin
    select count(*) into inserted from new_movies;
    if inserted > 0 then
        update movie_totals set movies = movies + inserted;
    end if;
    return null;
end $$;
create or replace function count_deleted_movies() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
declare deleted bigint;
begin
    select count(*) into deleted from old_movies;
    if deleted > 0 then
        update movie_totals set movies = movies - deleted;
    end if;
    return null;
end $$;
create or replace function count_no_movies() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update movie_totals set movies = 0;
    return null;
end $$;
"""


def upgrade() -> None:
    """Place the movies that are there, and let what comes and goes be logged from then on."""
    run = op.get_bind().exec_driver_sql
    for statements in (_TABLES, _PLACING, _FOLDING):
        run(statements)
    run("select place_all_movies()")  # it keeps writers out until the end
    for statements in (_LOGGING, _TOTAL):
        run(statements)


def downgrade() -> None:
    """Keep the total in a row again."""
    op.get_bind().exec_driver_sql(_AS_BEFORE)
