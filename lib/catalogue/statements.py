"""The catalogue's SQL: every statement that reads or writes movies one by one or in pages.

Whoever writes takes locks in one order, here, in `lib.imports.statements`, in `lib.omdb.memory` and
in the triggers, so that nobody waits in a circle:

    movies (by imdb_id), import_items, imports, movie_checks (by imdb_id), omdb_answers

A check may be locked without its movie, where OMDb had nothing new; the order holds all the same,
as whoever has the movie asks for its check later than for any movie. The check of a movie that is
new comes after these; nobody else can want it. Of `omdb_answers` a statement waits for one row. For
the total and the places of the list nobody waits: each adds rows of their own to `movie_moves`, and
who folds them at commit takes rows that only who folds takes, and passes while another does. What
a movie is found by belongs to whoever has the movie; for words and facets nobody waits either.
"""

from typing import Final

from lib.catalogue.document import DOCUMENT
from lib.catalogue.merging import COLUMNS, assignments, differs
from lib.database.statement import Statement

ALTERNATIVES_LIMIT: Final = 50
# Not exists (...): that drops the order, and with it the index; at the list's end Postgres would
# then read every movie to find that none follows.
_A_MOVIE_BEFORE: Final = """
    (select true from movies where (sort_key, imdb_id) < (page.first_key, page.first_id)
     order by sort_key desc, imdb_id desc limit 1) is not null
"""
_A_MOVIE_AFTER: Final = """
    (select true from movies where (sort_key, imdb_id) > (page.last_key, page.last_id)
     order by sort_key, imdb_id limit 1) is not null
"""
# Kept by triggers, so that nobody counts: what was folded, and what came and went since.
TOTAL: Final = "(select movies from movie_totals)"


def _page_statement(rows: str, *, before: str, since: str = "", total: str = TOTAL) -> Statement:
    """Make a statement that answers one page.

    Args:
        rows: Selects the page's rows, in the list's order.
        before: An SQL condition: does a movie stand before the page?
        since: A clause with what came and went since the last fold, for `rows` and `total`.
        total: Tells how many movies there are.
    """
    return Statement(
        repeatable=True,
        sql=f"""
            {since} select
                page.movies, {total},
                page.first_key, page.first_id, page.last_key, page.last_id,
                {before},
                {_A_MOVIE_AFTER}
            from (
                select
                    string_agg(shown, ',') as movies,
                    (array_agg(sort_key))[1] as first_key, (array_agg(imdb_id))[1] as first_id,
                    (array_agg(sort_key))[count(*)] as last_key,
                    (array_agg(imdb_id))[count(*)] as last_id
                from (
                    select sort_key, imdb_id, {DOCUMENT} as shown from ({rows}) wanted
                ) shown
            ) page
        """,  # noqa: S608  built from this module's constants
    )


PAGE_AT: Final = _page_statement(
    # From the last place that surely is not beyond the start, whatever came since, it is some
    # hundreds of steps in the index alone. Of places where no movie stands between, the first.
    # To read the moves takes longer than all the rest, so what came and the total share that.
    since="""
        with since as materialized (
            select count(*) filter (where delta > 0) as came, coalesce(sum(delta), 0) as moved
            from movie_moves)
    """,
    total="(select movies + since.moved from movie_folds, since)",
    rows="""
        select wanted.* from since, lateral (
            select sort_key, imdb_id, before from movie_places
            where before <= greatest(:skipped::bigint - since.came, 0)
            order by before desc, sort_key, imdb_id limit 1
        ) place, lateral (
            select place.before + coalesce(sum(delta), 0) as number from movie_moves
            where (sort_key, imdb_id) < (place.sort_key, place.imdb_id)
        ) reached, lateral (
            select sort_key, imdb_id from movies
            where (sort_key, imdb_id) >= (place.sort_key, place.imdb_id)
            order by sort_key, imdb_id offset :skipped::bigint - reached.number limit 1
        ) start, lateral (
            select * from movies
            where (sort_key, imdb_id) >= (start.sort_key, start.imdb_id)
            order by sort_key, imdb_id limit :records::bigint
        ) wanted
    """,
    before="false",
)
PAGE_AFTER: Final = _page_statement(
    """
        select * from movies
        where (sort_key, imdb_id) > (:sort_key::text, :imdb_id::text)
        order by sort_key, imdb_id limit :records::bigint
    """,
    before=_A_MOVIE_BEFORE,
)
PAGE_BEFORE: Final = _page_statement(
    """
        select * from (
            select * from movies
            where (sort_key, imdb_id) < (:sort_key::text, :imdb_id::text)
            order by sort_key desc, imdb_id desc limit :records::bigint
        ) backwards order by sort_key, imdb_id
    """,
    before=_A_MOVIE_BEFORE,
)
LISTING: Final = (PAGE_AT, PAGE_AFTER, PAGE_BEFORE)


def merged_into(imdb_id: str) -> str:
    """Return the SQL of a table with the movie into which an id was merged, if there is one.

    Args:
        imdb_id: SQL, a text.
    """
    # Its ids are all read before one is chosen (offset 0): an order would lead Postgres to walk
    # through the whole table in that order.
    return f"""(
        select imdb_id from (
            select imdb_id from movies
            where aliases <> '{{}}' and aliases @> array[{imdb_id}::text] offset 0
        ) found order by imdb_id limit 1)"""  # noqa: S608  built from constants


# A movie of that very id goes first.
BY_ID: Final = Statement(
    repeatable=True,
    sql=f"""
        select {DOCUMENT} from movies where imdb_id = coalesce(
            (select imdb_id from movies where imdb_id = :imdb_id::text),
            {merged_into(":imdb_id")})
    """,  # noqa: S608
)
# Each id as `BY_ID` finds it, and those under which it finds none. Each is looked up by itself: a
# join might be made with the whole table, and without the offset each would be looked up twice.
BY_IDS: Final = Statement(
    repeatable=True,
    sql=f"""
        select string_agg(shown, ',' order by place),
            string_agg('"' || id || '"', ',' order by place) filter (where shown is null)
        from (
            select id, place, (
                select {DOCUMENT} from movies where imdb_id = coalesce(
                    (select imdb_id from movies where imdb_id = asked.id),
                    {merged_into("asked.id")})
            ) as shown
            from unnest(string_to_array(:imdb_ids::text, ',')) with ordinality asked (id, place)
            offset 0
        ) found
    """,  # noqa: S608
)


def _named(films: str) -> Statement:
    """Make a statement that answers the first film of a title, and the others of it.

    Args:
        films: Selects those, each with `how` it was found and its `place`.
    """
    return Statement(
        repeatable=True,
        sql=f"""
            with named as materialized (
                {films} order by place limit {ALTERNATIVES_LIMIT + 1}
            ), first as materialized (select * from named where place = 1)
            select
                (select {DOCUMENT} from movies where imdb_id = (select imdb_id from first)),
                (select json_agg(json_build_object('imdb_id', imdb_id, 'title', title, 'year', year)
                                 order by place)::text
                 from named where place > 1),
                title, how
            from first
        """,  # noqa: S608
    )


def _by_title(names: str) -> Statement:
    """Make a statement that answers the films of names.

    Films of the first name go first; of each, who is equal in the title itself, then in its folded
    form, then who is in its loose form, which is equal in any case; then who has most votes. The
    year belongs to what identifies a film, so it narrows.

    Args:
        names: Selects the names that are looked for.
    """
    return _named(f"""
        select imdb_id, title, movies.year, how, row_number() over (
            order by name.place, how, film.folded = name.turned desc, votes desc, imdb_id
        ) as place
        from {names} as name (asked, folded, turned, loose, year, place)
        join movie_search film on film.loose = name.loose
            and (name.year is null or film.year = name.year)
        join movies using (imdb_id)
        cross join lateral (
            select case when movies.title = name.asked then 0
                when film.folded = name.folded then 1 else 2 end as how
        ) compared
    """)  # noqa: S608


BY_TITLE: Final = _by_title(
    "(values (:title::text, :folded::text, :turned::text, :loose::text, :year::integer, 1))"
)
BY_NAMES: Final = _by_title(
    """
        rows from (
            json_to_recordset(:names::json)
            as (title text, folded text, turned text, loose text, year integer)
        ) with ordinality
    """
)
# By the list's key, which movies have that have no search row yet.
BY_KEY: Final = _named("""
    select imdb_id, title, year, how, row_number() over
        (order by how, imdb_votes desc nulls last, imdb_id) as place
    from movies, lateral (select case when title = :title::text then 0 else 1 end as how) compared
    where sort_key = :sort_key::text and (:year::integer is null or year = :year::integer)
""")
FINDING: Final = (BY_ID, BY_TITLE, BY_NAMES)
# The audit's entry is of the same statement: lib/accounts/audit.py.
DELETE: Final = Statement(
    repeatable=False,
    sql="""
        with gone as (
            delete from movies where imdb_id = :imdb_id returning imdb_id, title
        ), written as (
            insert into audit_log (actor_id, action, subject, address, request_id, details)
            select :user_id::bigint, 'movie.deleted', imdb_id, :address::text, :request_id::text,
                json_build_object('title', title)
            from gone
        )
        select imdb_id from gone
    """,
)


def upserting(also: str = "") -> str:
    """Return the SQL that inserts or refreshes movies, and tells each and whether it is new.

    One parameter carries any number of movies, so that a batch costs one round trip as well.

    Args:
        also: Further clauses of the statement, beginning with a comma; they may read `written`.
    """
    return f"""
        with written as (
            insert into movies ({", ".join(COLUMNS)})
            select {", ".join(COLUMNS)} from json_populate_recordset(null::movies, :movies::json)
            order by imdb_id
            on conflict (imdb_id) do update set
            {assignments("excluded")},
            fetched_at = excluded.fetched_at,
            changed_at = case when {differs("excluded")} then now() else movies.changed_at end
            returning *, xmax = 0 as created
        ), due as materialized (
            select imdb_id, written.year from movie_checks join written using (imdb_id)
            where not written.created
                and (select count(*) from written) > 0  -- all of them, before the first check
            order by imdb_id for update of movie_checks
        ), checked as (
            update movie_checks
            set checked_at = now(), due_at = movie_due_at(due.year, now())
            from due where movie_checks.imdb_id = due.imdb_id
        ){also}
        select created, {DOCUMENT} from written
    """  # noqa: S608
