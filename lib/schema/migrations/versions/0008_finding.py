"""What films are found by: a narrow row beside each movie, its words, and the numbers of facets.

It only adds, so that it suits the revision that runs while it is applied: of movies which that
revision writes the triggers make the rows as well. Those that are there get theirs afterwards, see
`work`, the best known first, so that these lie together; until then they are not found.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# As `lib.catalogue.folding`. plpgsql, as it evaluates such expressions without a query for each.
_FOLDING = r"""
create function fold_title(title text) returns text
language plpgsql immutable strict parallel safe as $$
declare
    folded text collate "C" := title;
begin
    -- Most are no more than this.
    if title ~ '^[!-_a-~]+( [!-_a-~]+)*$' and octet_length(title) <= 500 then
        return lower(folded);
    end if;
    if octet_length(title) = length(title) then
        folded := translate(lower(folded), E'`\t\n\v\f\r', '''     ');
        folded := regexp_replace(folded, '[\u0001-\u001f\u007f]+', '', 'g');
    else
        folded := translate(folded,
            E'‘’‚‛ʹʻʼʽˈ′‵‹›`´΄᾽᾿῾＇｀“”„‟ʺ˝″‶«»〃〝〞〟＂‐‑‒–—―⁃−﹘﹣－➖⸺⸻·•‧∙⋅・･。｡⁄∕⧸／'
            '\t\n\v\f\r\u0085\u1680\u2028\u2029™℠®©',
            repeat('''', 21) || repeat('"', 15) || repeat('-', 14) || repeat('.', 9)
            || repeat('/', 4) || repeat(' ', 9));
        folded := regexp_replace(folded, '([¼-¾⅐-⅟↉]|[²³¹⁰⁴-⁹]+)', ' \1', 'g');
        folded := casefold(normalize(folded, nfkd) collate pg_unicode_fast);
        folded := translate(folded,
            'øłđðħı⁄🅐🅑🅒🅓🅔🅕🅖🅗🅘🅙🅚🅛🅜🅝🅞🅟🅠🅡🅢🅣🅤🅥🅦🅧🅨🅩🅰🅱🅲🅳🅴🅵🅶🅷🅸🅹🅺🅻🅼🅽🅾🅿🆀🆁🆂🆃🆄🆅🆆🆇🆈🆉',
            'olddhi/abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz');
        folded := replace(replace(replace(folded, 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th');
        folded := regexp_replace(normalize(folded, nfkd),
            '[\u0001-\u001f\u007f-\u009f\u00ad\u061c\u0640\u180b-\u180f\u200b-\u200f\u202a-\u202e'
            '\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb\U000e0001-\U000e007f'
            '\U000e0100-\U000e01ef'
            '\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f'
            '\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0711\u0730-\u074a'
            '\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed]+',
            '', 'g');
        folded := normalize(folded, nfc);
    end if;
    folded := rtrim(left(btrim(regexp_replace(folded, ' +', ' ', 'g')), 500));
    return case folded when '' then left(title, 500) else folded end;
end $$;

-- The words of a folded text, by their parts and by all of them together; and all as one text.
create function folded_words(folded text) returns text[]
language plpgsql immutable strict parallel safe as $$
declare
    words text collate "C" := folded;
begin
    if words !~ '[^a-z0-9 ]' then
        return string_to_array(words, ' ');
    end if;
    words := replace(replace(words, '&', ' and '), '+', ' and ');
    return string_to_array(
        regexp_replace(words collate pg_c_utf8, '[[:punct:]]', ' ', 'g') || ' '
        || regexp_replace(words collate pg_c_utf8, '[[:punct:]]+', '', 'g'), ' ');
end $$;
create function loose_title(title text) returns text
language plpgsql immutable strict parallel safe as $$
declare
    folded text collate "C" := fold_title(title);
    bare text collate "C" := folded;
begin
    if position(',' in folded) > 0 then
        bare := regexp_replace(bare, '^(.*[^ ,]) ?, ?'
            '(the|an?|les?|la|l''|une?|el|l[oa]s|una|il|lo|gli|der|die|das|eine?|den|det|het|de)$',
            '\2 \1');
    end if;
    bare := regexp_replace(bare, '^(the|an?) (?=.)', '');
    bare := replace(replace(bare, '&', 'and'), '+', 'and');
    bare := regexp_replace(bare collate pg_c_utf8, '[ [:punct:]]+', '', 'g');
    return case bare when '' then folded else bare end;
end $$;
create function deletions(word text) returns text[]
language sql immutable strict parallel safe return (
    select array_agg(distinct shorter) from (
        select word as shorter
        union all
        select overlay(word placing '' from place for 1) from generate_series(1, length(word)) place
        where length(word) between 3 and 24
    ) shortened);
revoke execute on function
    fold_title(text), folded_words(text), loose_title(text), deletions(text) from public;
"""

# There are no nulls: 0 is unknown. Lexemes of `tokens` are a title's words, "@" and people's words,
# and "#", a letter, "/" and what can be filtered by: no word begins with such a mark. Facets are the
# same values as they are shown. What tokens and facets came (1) and went (-1) is in `search_moves`,
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
create function search_movies(imdb_ids text[]) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
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
            coalesce(least(runtime_minutes, 32767), 0),
            coalesce(imdb_rating * 10, 0),
            shown || case when year > 0 then array['e/' || year / 10 * 10] end,
            array_to_tsvector(array_remove(array_remove(array_remove(
                folded_words(folded)
                || string_to_array('@' || array_to_string(folded_words(people), ' @'), ' ')
                || tags
                || array[
                    '#y/' || year, '#e/' || year / 10 * 10, '#i/' || floor(imdb_rating),
                    '#m/' || least(runtime_minutes, 600) / 10 * 10
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
create function unsearch_movies(imdb_ids text[]) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
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
create function search_updated_movies() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    changed text[] := array(
        select imdb_id from (
            select imdb_id, title, sort_key, type, year, rated, released, runtime_minutes, genres,
                directors, writers, actors, languages, countries, imdb_rating, imdb_votes
            from new_movies
            except
            select imdb_id, title, sort_key, type, year, rated, released, runtime_minutes, genres,
                directors, writers, actors, languages, countries, imdb_rating, imdb_votes
            from old_movies
        ) changes);
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

# Of a million movies a minute's work. One gathers at a time, so that nobody waits in a circle; of a
# word's coming and its going the later may be gathered first.
_GATHERING = """
create function gather_words(most integer) returns bigint
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    gathered bigint;
begin
    lock table words in share update exclusive mode;
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
    perform gather_words(2000);
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
    for statements in (_FOLDING, _TABLES, _TRIGGERS, _GATHERING, _FILLING):
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
            search_movies(text[]), unsearch_movies(text[]), gather_words(integer),
            deletions(text), loose_title(text), folded_words(text), fold_title(text);
    """)
