"""The SQL of searches: a statement for each order, whatever is asked; all of it are parameters.

They are planned once for all values, as the project's statements are, so they say themselves what
bounds the work: which index gives the rows, in which steps, and how many at most. `+ 0` keeps a
condition off the indexes, of which a range whose ends are not known yet would read far too much.

By relevance: a hit's score is how many know it (votes), many times over where its title begins with
what is asked, some times where the title has all the words, as it is where people complete them.
Titles that are what is asked stand above all, films of the year that is asked for next. The best
are few and found in the index of the famous alone; each further step reads a larger index and is
taken only when the steps before it have not filled the page. A step has all hits of its scores.
"""

from typing import Final

from lib.catalogue.document import DOCUMENT
from lib.database.statement import Statement
from lib.search.filters import COLUMNS
from lib.web.paging import MOST_RECORDS

KNOWN: Final = 1_000  # votes, from which the partial indexes of the search rows begin
FAMOUS: Final = 100_000
# How many times: its title begins with the words, with the beginning of the last, or has them.
_BEGINS, _BEGINS_SO, _IN_TITLE = 64, 16, 8
# Above any votes and what they are multiplied by, where a year is asked for: titles that are just
# what is asked, of quite another year; films of that year; such titles of a year before or after,
# as films are often dated so; films of that year that begin so. And titles that are what is asked.
_OTHER_YEAR: Final = 1 << 38
_OF_YEAR: Final = 1 << 39
_NEXT_YEAR: Final = 1 << 40
_BEGINS_OF_YEAR: Final = 1 << 41
_EXACT: Final = 1 << 42
BEST: Final = 1 << 60

_BOUNDS: Final = "\n and ".join(
    f"{column} + 0 between :{column}_from::integer and :{column}_to::integer" for column in COLUMNS
)
# The title is what is asked, letter by letter or but for marks, whatever else is asked.
_IS_ASKED: Final = "loose = any(:loose_titles::text[])"
_WORDS: Final = """
    tokens @@ :indexed::tsquery and (tokens @@ :anywhere::tsquery) is not false
"""
_FILTERED: Final = "(tokens @@ :filters::tsquery) is not false"
# A hit, by whatever way a row was reached.
HIT: Final = f"""
    (({_WORDS}) or ({_IS_ASKED} and {_FILTERED})) and {_BOUNDS}
"""


def page_of(hits: str) -> str:
    """Return the SQL that answers a page.

    Args:
        hits: The name of a table with the hits in their order, up to one more than the page has:
            each with its `imdb_id` and the `value` that it is ordered by.
    """
    return f"""
        select string_agg(shown, ',' order by place) filter (where place <= :records::bigint),
            min(value::text) filter (where place = :records::bigint),
            min(imdb_id) filter (where place = :records::bigint),
            count(*) > :records::bigint,
            min(imdb_id) filter (where place = 1)
        from (
            select value, imdb_id, row_number() over () as place,
                (select {DOCUMENT} from movies where movies.imdb_id = hits.imdb_id) as shown
            from {hits} hits
        ) page
    """  # noqa: S608


# --- By relevance ---------------------------------------------------------------------------------

_NEXT: Final = "(score < :score::bigint or (score = :score::bigint and imdb_id > :imdb_id::text))"
_ORDER: Final = "order by score desc, imdb_id limit :records::bigint + 1"
_WEIGHT: Final = f"""
    case
        when (tokens @@ :title::tsquery) is not true then 1
        when loose ^@ any(:beginnings::text[])
            then case when tokens @@ :whole_words::tsquery then {_BEGINS} else {_BEGINS_SO} end
        else {_IN_TITLE}
    end
"""


def _score(above: str = "0") -> str:
    return f"{above} + votes::bigint * {_WEIGHT}"


def _rows(where: str, score: str) -> str:
    """Select the rows of a step that are none of the steps before."""
    return f"""
        select imdb_id, {score} as score from movie_search
        where {where} and not ({_IS_ASKED}) and {_BOUNDS}
    """  # noqa: S608


def _step(rows: str, lowest: int, highest: int) -> str:
    """Select the best rows whose scores are from the lowest to below the highest."""
    # Without `offset` the score would be reckoned anew wherever it is named.
    return f"""(
        select score, imdb_id from (select * from ({rows}) scored offset 0) step
        where :score::bigint >= {lowest} and score >= {lowest} and score < {highest} and {_NEXT}
        {_ORDER}
    )"""  # noqa: S608


# A year that is a part of the title, as of "Blade Runner 2049", comes before one that is not. Then
# comes the title as it is written, but for marks, but for its article.
_CLOSENESS: Final = f"""
    case
        when loose = :whole::text then {3 * _EXACT}
        when :year::integer > 0 and abs(year - :year::integer) > 1 then {_OTHER_YEAR}
        when :year::integer > 0 and year <> :year::integer then {_NEXT_YEAR}
        when loose = :main::text then {2 * _EXACT}
        else {_EXACT}
    end
    + case when year = :year::integer then {1 << 34} else 0 end
    + case when folded = :folded::text then {1 << 33} else 0 end
    + case when folded = :folded::text and :text::text = (
        select title from movies where movies.imdb_id = movie_search.imdb_id
    ) then {1 << 32} else 0 end
"""  # noqa: S608
_ASKED: Final = f"""
    select imdb_id, {_CLOSENESS} + votes as score from movie_search
    where {_IS_ASKED} and {_FILTERED} and {_BOUNDS}
"""  # noqa: S608
_YEARS_OWN: Final = f"""
    case when loose ^@ any(:beginnings::text[]) then {_BEGINS_OF_YEAR} else {_OF_YEAR} end
"""
_OF_ITS_YEAR: Final = _rows(
    f":year::integer > 0 and {_WORDS} and (tokens @@ :in_year::tsquery)", _score(_YEARS_OWN)
)
_NOT_OF_ITS_YEAR: Final = "(tokens @@ :in_year::tsquery) is not true"
_REST: Final = f"{_WORDS} and {_NOT_OF_ITS_YEAR}"
_IN_TITLES: Final = f"""
    tokens @@ :title_indexed::tsquery and (tokens @@ :title::tsquery) is not false
    and {_NOT_OF_ITS_YEAR}
"""
_NOT_IN_TITLE: Final = "(tokens @@ :title::tsquery) is not true"
_STEPS: Final = (
    _step("table asked", _EXACT, BEST),
    _step("table of_its_year", _BEGINS_OF_YEAR, _EXACT),
    _step("table asked", _NEXT_YEAR, _BEGINS_OF_YEAR),
    _step("table of_its_year", _OF_YEAR, _NEXT_YEAR),
    _step("table asked", _OTHER_YEAR, _OF_YEAR),
    # No film that is not famous reaches these scores, and then none whose title has not the words.
    _step(_rows(f"votes >= {FAMOUS} and {_REST}", _score()), FAMOUS * _BEGINS, _OTHER_YEAR),
    _step(
        f"{_rows(f'votes >= {KNOWN} and {_IN_TITLES}', _score())} union all "
        + _rows(f"votes >= {FAMOUS} and {_REST} and {_NOT_IN_TITLE}", _score()),
        FAMOUS,
        FAMOUS * _BEGINS,
    ),
    _step(_rows(f"votes >= {KNOWN} and {_REST}", _score()), KNOWN * _BEGINS, FAMOUS),
    _step(_rows(_REST, _score()), 0, KNOWN * _BEGINS),
)
BY_RELEVANCE: Final = Statement(
    repeatable=True,
    sql=f"""
        with asked as materialized ({_ASKED}), of_its_year as materialized ({_OF_ITS_YEAR}),
        hits as materialized (
            select score as value, imdb_id from ({" union all ".join(_STEPS)}) steps
            limit :records::bigint + 1
        )
        {page_of("hits")}
    """,  # noqa: S608
)


# --- By a column ----------------------------------------------------------------------------------

# How many rows of an order are looked at, for each of the page, before the hits are gathered by an
# index of what is asked, and sorted.
_WALKED: Final = 200
# What gathers the hits: an index of what is asked. Each is begun only when it is named.
GATHERED_BY: Final = {
    "tokens": HIT,
    "votes": f"votes between :votes_from::integer and :votes_to::integer and {_BOUNDS}",
    "released": f"released between :released_from::integer and :released_to::integer and {_BOUNDS}",
}
# In the order of votes the best known come first: they have an index of their own.
_BY_TIERS: Final = (
    ("tokens", f"votes >= {KNOWN} and {HIT}"),
    ("tokens", f"votes + 0 < {KNOWN} and {HIT}"),
    *((by, hit) for by, hit in GATHERED_BY.items() if by != "tokens"),
)
_PAGE: Final = ":records::bigint + 1"  # with one more, which tells that there is another page
_IS_SHORT: Final = "(select count(*) from {}) <= :records::bigint"
SMALL: Final = frozenset({"year", "rating"})  # columns of two bytes
SORT_COLUMNS: Final = {
    "title": "sort_key",
    "year": "year",
    "released": "released",
    "imdb_rating": "rating",
    "imdb_votes": "votes",
}


def _walk(name: str, column: str, behind: str, order: str, *, gate: str = "true") -> str:
    """Return the tables that lead to `name`: the hits behind a place in an order.

    Args:
        behind: An SQL condition with `{}` for the column: what is behind that place.
        order: The order, of the table's columns, which an index has.
        gate: An SQL condition that is evaluated once: whether they are wanted at all.
    """
    is_short = _IS_SHORT.format(f"{name}_head")
    all_walked = f"(select count(*) from {name}_walked) < {_WALKED} * ({_PAGE})"  # noqa: S608
    gathered = _gather(column, behind, order, f"{is_short} and not {all_walked} and {gate}")
    return f"""
        {name}_walked as materialized (
            select * from (
                select imdb_id, {column} as value, ({HIT}) as is_hit from movie_search
                where {behind.replace("{}", column)} and {gate}
                order by {order} limit {_WALKED * (MOST_RECORDS + 1)}  -- a plan knows this number
            ) most limit {_WALKED} * ({_PAGE})
        ), {name}_head as materialized (
            select imdb_id, value from {name}_walked where is_hit limit {_PAGE}
        ), {name} as materialized (
            select * from {name}_head where not {is_short} or {all_walked}
            union all
            select * from ({gathered} limit {_PAGE}) gathered
        )
    """  # noqa: S608


def _gather(column: str, behind: str, order: str, gate: str) -> str:
    """Select the hits that an index of what is asked finds, in their order."""
    off_index = f"{column} || ''" if column == "sort_key" else f"{column} + 0"
    ways = _BY_TIERS if order.startswith("votes desc") else tuple(GATHERED_BY.items())
    return " union all ".join(
        f"""(
            select imdb_id, {column} as value from movie_search
            where :by::text = '{by}' and {gate} and {hit} and {behind.replace("{}", off_index)}
            order by {order} limit {_PAGE}
        )"""  # noqa: S608
        for by, hit in ways
    )


def _sorted(column: str, *, descending: bool) -> Statement:
    kind = "text" if column == "sort_key" else "smallint" if column in SMALL else "integer"
    sign, way = ("<", "desc") if descending else (">", "asc")
    behind = f"({{}}, imdb_id) {sign} (:value::{kind}, :imdb_id::text)"
    order = f"{column} {way}, imdb_id {way}"
    hits = "hits"
    if column == "sort_key":
        tables = [_walk("hits", column, behind, order)]
    elif descending:  # the unknown is 0, and last by itself
        behind += f" and {{}} >= :{column}_from::integer"
        tables = [_walk("hits", column, behind, order)]
    else:
        behind += f" and {{}} <= :{column}_to::integer"
        gate = f"(:{column}_from::integer = 0 and {_IS_SHORT.format('known')})"
        # No `= 0`: then the order would be that of the ids alone, and the index for that read.
        unknown = "({}, imdb_id) > (0, :unknown_after::text) and {} <= 0"
        tables = [
            _walk("known", column, behind, order),
            _walk("unknown", column, unknown, order, gate=gate),
        ]
        hits = f"(select * from known union all select * from unknown limit {_PAGE})"  # noqa: S608
    return Statement(repeatable=True, sql=f"with {', '.join(tables)} {page_of(hits)}")


BY_COLUMN: Final = {
    (sort, descending): _sorted(column, descending=descending)
    for sort, column in SORT_COLUMNS.items()
    for descending in (False, True)
}


# --- All hits, in no order ------------------------------------------------------------------------


def counted_rows(most: int) -> str:
    """Return the SQL of the facets of so many hits, the best known first where the index has them.

    What is asked is found by the index of the famous, of the known, of all, as far as it takes.
    """
    own = f"{_WORDS} and not ({_IS_ASKED}) and {_BOUNDS}"
    steps = [
        ("tokens", f"{_IS_ASKED} and {_FILTERED} and {_BOUNDS}"),
        ("tokens", f"votes >= {FAMOUS} and {own}"),
        ("tokens", f"votes >= {KNOWN} and votes + 0 < {FAMOUS} and {own}"),
        ("tokens", f"votes + 0 < {KNOWN} and {own}"),
        *((by, hit) for by, hit in GATHERED_BY.items() if by != "tokens"),
        ("all", "true"),
    ]
    parts = [
        f"(select facets from movie_search where :by::text = '{by}' and {where} limit {most})"  # noqa: S608
        for by, where in steps
    ]
    return f"select facets from ({' union all '.join(parts)}) steps limit {most}"  # noqa: S608
