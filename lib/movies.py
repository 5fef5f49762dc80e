"""The catalogue: every statement that reads or writes movies.

Postgres makes the JSON: a page reaches the caller as the text that the database wrote, which costs
less than turning rows into objects and objects into JSON.

Whoever writes takes locks in one order, here, in `lib.imports.statements`, in `lib.omdb_memory` and
in the triggers, so that nobody waits in a circle:

    movies (by imdb_id), import_items, imports, movie_checks (by imdb_id), omdb_answers,
    movie_totals

A check may be locked without its movie, where OMDb had nothing new; the order holds all the same,
as whoever has the movie asks for its check later than for any movie. The check of a movie that is
new comes with the total; nobody else can want it. Of `omdb_answers` a statement waits for one row.
"""

import dataclasses
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lib.db import Database, Query, Rows, Statement
from lib.errors import MovieNotFound
from lib.merging import COLUMNS, assignments, differs
from lib.movie import Movie, title_key

log = logging.getLogger(__name__)

ALTERNATIVES_LIMIT: Final = 50

# What callers see of a movie, in this order (the rest is kept, but not shown).
SHOWN: Final = """
    imdb_id, title, type, year, year_end, rated, released, runtime_minutes, genres, directors,
    writers, actors, plot, languages, countries, awards, poster_url, ratings, metascore,
    imdb_rating, imdb_votes, box_office_usd, total_seasons, website, aliases,
    to_char(fetched_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as fetched_at
"""


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
# Kept by triggers, so that nobody counts.
TOTAL: Final = "(select movies from movie_totals)"


def _page_statement(rows: str, *, before: str) -> Statement:
    """Make a statement that answers one page.

    Args:
        rows: Selects the page's rows, in the list's order.
        before: An SQL condition: does a movie stand before the page?
    """
    return Statement(
        repeatable=True,
        sql=f"""
            select
                page.movies, {TOTAL},
                page.first_key, page.first_id, page.last_key, page.last_id,
                {before},
                {_A_MOVIE_AFTER}
            from (
                select
                    '[' || string_agg(shown, ',') || ']' as movies,
                    (array_agg(sort_key))[1] as first_key, (array_agg(imdb_id))[1] as first_id,
                    (array_agg(sort_key))[count(*)] as last_key,
                    (array_agg(imdb_id))[count(*)] as last_id
                from (
                    select sort_key, imdb_id,
                        (select to_json(shown)::text from (select {SHOWN}) shown) as shown
                    from ({rows}) wanted
                ) shown
            ) page
        """,  # noqa: S608  built from this module's constants
    )


PAGE_AT: Final = _page_statement(
    # The start is found in the index alone, from the nearer end; only the page's own rows are read
    # from the table. It is the limit that chooses: a condition would be tried at every step.
    """
        select wanted.* from movie_totals total, lateral (
            (select sort_key, imdb_id from movies order by sort_key, imdb_id
             offset :skipped::bigint
             limit case when :skipped::bigint <= total.movies / 2 then 1 else 0 end)
            union all
            (select sort_key, imdb_id from movies order by sort_key desc, imdb_id desc
             offset greatest(total.movies - 1 - :skipped::bigint, 0)
             limit case when :skipped::bigint > total.movies / 2
                         and :skipped::bigint < total.movies then 1 else 0 end)
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
    """Give the SQL of a table with the id of the movie that an id was merged into, if there is one.

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
        select to_json(shown)::text
        from (
            select {SHOWN} from movies where imdb_id = coalesce(
                (select imdb_id from movies where imdb_id = :imdb_id::text),
                {merged_into(":imdb_id")})
        ) shown
    """,  # noqa: S608
)
# The year belongs to what identifies a film, so it narrows; what is left is ordered by votes.
BY_TITLE: Final = Statement(
    repeatable=True,
    sql=f"""
        with named as materialized (
            select imdb_id, title, year, row_number() over
                (order by imdb_votes desc nulls last, imdb_id) as place
            from movies
            where sort_key = :sort_key::text and (:year::integer is null or year = :year::integer)
            order by place limit {ALTERNATIVES_LIMIT + 1}
        )
        select
            (select to_json(shown)::text from (select {SHOWN} from movies
             where imdb_id = (select imdb_id from named where place = 1)) shown),
            (select json_agg(json_build_object('imdb_id', imdb_id, 'title', title, 'year', year)
                             order by place)::text from named where place > 1),
            (select title from named where place = 1)
        where exists (select from named)
    """,  # noqa: S608
)
FINDING: Final = (BY_ID, BY_TITLE)

DELETE: Final = Statement(
    repeatable=False, sql="delete from movies where imdb_id = :imdb_id returning imdb_id"
)


def upserting(also: str = "") -> str:
    """Give the SQL that inserts or refreshes movies, and tells each and whether it is new.

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
        select created, (select to_json(shown)::text from (select {SHOWN}) shown) from written
    """  # noqa: S608


UPSERT: Final = Statement(repeatable=True, sql=upserting())


@dataclass(frozen=True, kw_only=True)
class Position:
    """Where a movie stands in the order of the list."""

    sort_key: str
    imdb_id: str


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page of the catalogue.

    Attributes:
        movies_json: The movies as a JSON array.
        total: How many movies the whole catalogue holds.
        first: Where the page begins; None when it is empty, as `last` then is.
        more_before: Whether movies stand before the page; only told for a page found by position.
    """

    movies_json: str
    total: int
    first: Position | None
    last: Position | None
    more_before: bool
    more_after: bool


@dataclass(frozen=True, kw_only=True)
class Found:
    """A movie as JSON, and the others of its title as a JSON array (None: not asked by title).

    Attributes:
        title: As the movie has it; None when not asked by title.
    """

    movie_json: str
    alternatives_json: str | None
    title: str | None = None

    def as_body(self) -> bytes:
        """Give the answer's body; who asked by title is told what else it might have meant."""
        if self.alternatives_json is None:
            return f'{{"data": {self.movie_json}}}'.encode()
        return f'{{"data": {self.movie_json}, "alternatives": {self.alternatives_json}}}'.encode()


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A movie as the catalogue now holds it, in JSON, and whether it is new there."""

    movie_json: str
    created: bool

    def as_body(self) -> bytes:
        """Give the answer's body."""
        return f'{{"data": {self.movie_json}}}'.encode()


def page_at(*, skipped: int, records: int) -> Query[Page]:
    """Ask for the page that begins after so many movies, in order of title."""
    return Query(statement=PAGE_AT, values={"skipped": skipped, "records": records}, read=_page)


def page_after(position: Position, *, records: int) -> Query[Page]:
    """Ask for the page of what follows a position, whether or not a movie still stands there."""
    return _page_beside(PAGE_AFTER, position, records)


def page_before(position: Position, *, records: int) -> Query[Page]:
    """Ask for the page of what leads up to a position, in order of title like any other."""
    return _page_beside(PAGE_BEFORE, position, records)


def by_id(imdb_id: str) -> Query[Found]:
    """Ask for the movie with this id; without one the answer is `MovieNotFound`."""

    def read(rows: Rows) -> Found:
        if not rows:
            raise _no_movie(imdb_id)
        return Found(movie_json=rows[0][0], alternatives_json=None)

    return Query(statement=BY_ID, values={"imdb_id": imdb_id}, read=read)


def by_title(title: str, *, year: int | None) -> Query[Found]:
    """Ask for the movie of a title that has most votes; else the answer is `MovieNotFound`."""

    def read(rows: Rows) -> Found:
        if not rows:
            of_year = "" if year is None else f" of the year {year}"
            raise MovieNotFound(f"No movie with this title{of_year} is in the catalogue.")
        [[movie_json, alternatives_json, found]] = rows
        return Found(
            movie_json=movie_json, alternatives_json=alternatives_json or "[]", title=found
        )

    return Query(statement=BY_TITLE, values={"sort_key": title_key(title), "year": year}, read=read)


def store(database: Database, movie: Movie) -> Stored:
    """Insert a movie or refresh it: what is known is never replaced by nothing."""
    return stored(movie, database.run(UPSERT, movies=as_records([movie])))


def stored(movie: Movie, rows: Rows) -> Stored:
    """Read what a statement of `upserting` answers for one movie."""
    [[created, movie_json]] = rows
    fields = {"imdb_id": movie.imdb_id, "created": created}
    log.info("movie stored", extra={"fields": fields})
    return Stored(movie_json=movie_json, created=created)


def deletion(imdb_id: str, *, user_id: int) -> Query[None]:
    """Ask to delete a movie; without one (any more) the answer is `MovieNotFound`.

    Args:
        user_id: Who deletes it, for the log.
    """

    def read(rows: Rows) -> None:
        if not rows:
            raise _no_movie(imdb_id)
        log.info("movie deleted", extra={"fields": {"imdb_id": imdb_id, "user_id": user_id}})

    return Query(statement=DELETE, values={"imdb_id": imdb_id}, read=read)


def _no_movie(imdb_id: str) -> MovieNotFound:
    return MovieNotFound(f"No movie with the id {imdb_id} is in the catalogue.")


def _page_beside(statement: Statement, position: Position, records: int) -> Query[Page]:
    return Query(
        statement=statement,
        values={**dataclasses.asdict(position), "records": records},
        read=_page,
    )


def _page(rows: Rows) -> Page:
    [[movies_json, total, first_key, first_id, last_key, last_id, before, after]] = rows
    return Page(
        movies_json=movies_json or "[]",
        total=total,
        first=_position(first_key, first_id),
        last=_position(last_key, last_id),
        more_before=before,
        more_after=after,
    )


def _position(sort_key: str | None, imdb_id: str | None) -> Position | None:
    if sort_key is None or imdb_id is None:
        return None
    return Position(sort_key=sort_key, imdb_id=imdb_id)


def as_records(movies: Sequence[Movie]) -> str:
    """Give movies as the JSON array that a statement makes rows of.

    Several of one id, as when a movie was asked for under several ids, become one: the last.
    """
    rows: dict[str, dict[str, object]] = {}
    aliases: dict[str, dict[str, None]] = {}
    for movie in movies:
        rows[movie.imdb_id] = _as_record(movie)
        aliases.setdefault(movie.imdb_id, {}).update(dict.fromkeys(movie.aliases))
    records = [{**row, "aliases": list(aliases[imdb_id])} for imdb_id, row in rows.items()]
    return json.dumps(records, ensure_ascii=False, default=str)


def _as_record(movie: Movie) -> dict[str, object]:
    return {**dataclasses.asdict(movie), "sort_key": title_key(movie.title)}
