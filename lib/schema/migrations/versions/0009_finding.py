"""What films are found by: a narrow row beside each movie, its words, and the numbers of facets.

It only adds, so that it suits the revision that runs while it is applied: of movies which that
revision writes the triggers make the rows as well. Those that are there get theirs afterwards, see
`work`, the best known first, so that these lie together; until then they are not found.
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# There are no nulls: 0 is unknown. Lexemes of `tokens` are a title's words, "@" and people's words,
# "#", a letter, "/" and what can be filtered by: no word begins with such a mark. Facets are such
# values as they are shown. Which of both came (1) and went (-1) is in `search_moves`
# until `gather_words` counts it.
_TABLES = """
create table movie_search (
    imdb_id text constraint movie_search_pkey primary key,
    sort_key text collate "C" not null,
    folded text collate "C" not null,
    loose text collate "C" not null,
    votes integer not null,
    released integer not null,
    year smallint not null,
    runtime smallint not null,
    rating smallint not null,
    facets text[] not null,
    tokens tsvector not null
) with (fillfactor = 90);
create index movie_search_sort_key_imdb_id_idx on movie_search (sort_key, imdb_id);
create index movie_search_folded_idx on movie_search (folded);
create index movie_search_loose_idx on movie_search (loose);
create index movie_search_votes_imdb_id_idx on movie_search (votes, imdb_id);
create index movie_search_released_imdb_id_idx on movie_search (released, imdb_id);
create index movie_search_year_imdb_id_idx on movie_search (year, imdb_id);
create index movie_search_rating_imdb_id_idx on movie_search (rating, imdb_id);
create table search_moves (
    tokens tsvector not null,
    facets text[] not null,
    delta smallint not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);
create table words (
    word text collate "C" constraint words_pkey primary key,
    movies bigint not null,
    deletes text[] not null generated always as (deletions(word)) stored
);
create index words_deletes_idx on words using gin (deletes) with (fastupdate = off);
create table movie_facets (
    facet text collate "C" constraint movie_facets_pkey primary key,
    movies bigint not null
);
"""

# security definer: who may write movies need not be able to write these by themselves. All of a
# statement's movies at once, as to begin a query for each takes longer than all that it does.
_TRIGGERS = """
create function search_movies(imdb_ids text[]) returns void language plpgsql as $$
begin
    with written as (
        insert into movie_search (
            imdb_id, sort_key, folded, loose, votes, released, year, runtime, rating, facets, tokens
        )
        select
            imdb_id, sort_key, folded, loose_title(title),
            coalesce(imdb_votes, 0),
            coalesce(to_char(released, 'YYYYMMDD')::integer, 0),
            coalesce(year, 0),
            least(coalesce(runtime_minutes, 0), 32767),
            coalesce(imdb_rating * 10, 0),
            shown || case when year > 0 then array['e/' || year / 10 * 10] end,
            array_to_tsvector(array_remove(array_remove(array_remove(
                folded_words(folded)
                || string_to_array('@' || array_to_string(folded_words(people), ' @'), ' ')
                || tags
                || array[
                    '#y/' || year, '#e/' || year / 10 * 10, '#i/' || floor(imdb_rating),
                    '#m/' || case
                        when runtime_minutes > 0 then least(runtime_minutes, 600) / 10 * 10 end
                ], null), ''), '@'))
        from (
            select *, fold_title(title) as folded from movies
            where imdb_id = any(imdb_ids) offset 0
        ) movie, lateral (
            select
                array_agg(kind || '/' || value) filter (where kind in ('g', 'l', 'c', 't', 'r'))
                    as shown,
                string_agg(tag, ' ') filter (where kind in ('d', 'w', 'a')) as people,
                array_agg('#' || kind || '/' || tag) as tags
            from (
                select kind, value, left(fold_title(value), 200) as tag
                from (
                    select 'd' as kind, unnest(directors) as value
                    union all select 'w', unnest(writers)
                    union all select 'a', unnest(actors)
                    union all select 'g', unnest(genres)
                    union all select 'l', unnest(languages)
                    union all select 'c', unnest(countries)
                    union all values ('t', type), ('r', rated)
                ) given
                where value <> '' offset 0
            ) tagged
        ) named
        on conflict (imdb_id) do update set
            sort_key = excluded.sort_key, folded = excluded.folded, loose = excluded.loose,
            votes = excluded.votes, released = excluded.released, year = excluded.year,
            runtime = excluded.runtime, rating = excluded.rating, facets = excluded.facets,
            tokens = excluded.tokens
        returning old.tokens as gone, old.facets as gone_facets,
            new.tokens as came, new.facets as came_facets
    )
    insert into search_moves (tokens, facets, delta)
    select moves.* from written, lateral (
        values (gone, gone_facets, -1), (came, came_facets, 1)
    ) moves (tokens, facets, delta)
    where tokens is not null and (gone, gone_facets) is distinct from (came, came_facets);
end $$;
create function unsearch_movies(imdb_ids text[]) returns void language plpgsql as $$
begin
    with gone as (
        delete from movie_search where imdb_id = any(imdb_ids) returning tokens, facets
    )
    insert into search_moves (tokens, facets, delta) select tokens, facets, -1 from gone;
end $$;

create function search_inserted_movies() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform search_movies(array(select imdb_id from new_movies));
    return null;
end $$;
-- No nested loops: that a statement's rows can be many is not known when this is planned.
create function search_updated_movies() returns trigger
language plpgsql security definer set search_path = public, pg_temp set enable_nestloop = off as $$
declare
    changed text[] := array(
        select imdb_id from new_movies after left join old_movies before using (imdb_id)
        where (
            before.title, before.sort_key, before.type, before.year, before.rated, before.released,
            before.runtime_minutes, before.genres, before.directors, before.writers, before.actors,
            before.languages, before.countries, before.imdb_rating, before.imdb_votes
        ) is distinct from (
            after.title, after.sort_key, after.type, after.year, after.rated, after.released,
            after.runtime_minutes, after.genres, after.directors, after.writers, after.actors,
            after.languages, after.countries, after.imdb_rating, after.imdb_votes
        ));
begin
    if changed <> '{}' then
        perform unsearch_movies(array(
            select imdb_id from old_movies except select imdb_id from new_movies));
        perform search_movies(changed);
    end if;
    return null;
end $$;
create function search_deleted_movies() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform unsearch_movies(array(select imdb_id from old_movies));
    return null;
end $$;
create function search_no_movies() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    delete from movie_search;
    delete from search_moves;
    delete from words;
    delete from movie_facets;
    return null;
end $$;
create trigger movies_inserted_search after insert on movies
    referencing new table as new_movies
    for each statement execute function search_inserted_movies();
create trigger movies_updated_search after update on movies
    referencing old table as old_movies new table as new_movies
    for each statement execute function search_updated_movies();
create trigger movies_deleted_search after delete on movies
    referencing old table as old_movies
    for each statement execute function search_deleted_movies();
create trigger movies_truncated_search after truncate on movies
    for each statement execute function search_no_movies();
"""

# Not when a movie is written, as all movies have the same words. One gathers at a time, and whoever
# else would goes on; of a word's coming and its going the later may be gathered first.
_GATHERING = """
create function gather_words(most integer) returns bigint
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    gathered bigint;
begin
    begin
        lock table words in share update exclusive mode nowait;
    exception when lock_not_available then
        return 0;
    end;
    with taken as materialized (
        delete from search_moves where ctid = any(array(select ctid from search_moves limit most))
        returning tokens, facets, delta
    ), counted_words as (
        select ltrim(lexeme, '@') as word, sum(delta) as delta from taken, unnest(tokens)
        where not starts_with(lexeme, '#') group by 1
    ), counted_facets as (
        select facet, sum(delta) as delta from taken, unnest(facets) facet group by 1
    ), merged_words as (
        merge into words using counted_words counted on words.word = counted.word
        when matched and words.movies + counted.delta = 0 then delete
        when matched then update set movies = words.movies + counted.delta
        when not matched and counted.delta <> 0 then
            insert (word, movies) values (counted.word, counted.delta)
    ), merged_facets as (
        merge into movie_facets using counted_facets counted on movie_facets.facet = counted.facet
        when matched and movie_facets.movies + counted.delta = 0 then delete
        when matched then update set movies = movie_facets.movies + counted.delta
        when not matched and counted.delta <> 0 then
            insert (facet, movies) values (counted.facet, counted.delta)
    )
    select count(*) into gathered from taken;
    return gathered;
end $$;
"""

# What `work` writes, to have rows of movies that have not been written since.
_FILLING = """
create view unsearched_movies as select imdb_id, imdb_votes from movies;
create function search_unsearched_movie() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform search_movies(array[old.imdb_id]);
    return new;
end $$;
create function gather_filled_words() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform gather_words(1000);
    return null;
end $$;
create trigger unsearched_movies_searched instead of update on unsearched_movies
    for each row execute function search_unsearched_movie();
create trigger unsearched_movies_gathered after update on unsearched_movies
    for each statement execute function gather_filled_words();
revoke execute on function
    search_movies(text[]), unsearch_movies(text[]), gather_words(integer) from public;
"""


def _fill(name: str, condition: str) -> dict[str, str]:
    return {
        "fill": name,
        "table": "unsearched_movies",
        "key": "imdb_id",
        "set": "imdb_votes = imdb_votes",  # a trigger makes the row
        "where": f"{condition} and not exists "
        "(select from movie_search where movie_search.imdb_id = unsearched_movies.imdb_id)",
    }


def _index(name: str, limit: int, condition: str = "") -> dict[str, str]:
    columns = f"using gin (tokens) with (gin_pending_list_limit = {limit}) {condition}"
    return {"index": name, "table": "movie_search", "columns": columns.strip()}


# Made of what is there an index takes a fifth of the time, and less room.
work = [
    _fill("search of the famous", "imdb_votes >= 100000"),
    _fill("search of the known", "imdb_votes >= 1000"),
    _fill("search of the others", "true"),
    _index("movie_search_famous_idx", 64, "where votes >= 100000"),
    _index("movie_search_known_idx", 64, "where votes >= 1000"),
    _index("movie_search_tokens_idx", 256),
]


def upgrade() -> None:
    """Make the tables and the triggers."""
    for statements in (_TABLES, _TRIGGERS, _GATHERING, _FILLING):
        op.get_bind().exec_driver_sql(statements)


def downgrade() -> None:
    """Drop them: films are found by their keys alone."""
    op.get_bind().exec_driver_sql("""
        drop trigger movies_inserted_search on movies;
        drop trigger movies_updated_search on movies;
        drop trigger movies_deleted_search on movies;
        drop trigger movies_truncated_search on movies;
        drop view unsearched_movies;
        drop table movie_search, search_moves, words, movie_facets;
        drop function search_inserted_movies(), search_updated_movies(), search_deleted_movies(),
            search_no_movies(), search_unsearched_movie(), gather_filled_words(),
            search_movies(text[]), unsearch_movies(text[]), gather_words(integer);
    """)
