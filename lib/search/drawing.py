"""What `movies.random` answers: hits by chance, each with the same.

Some hundred places are drawn, of all that rows may have in the table's pages: most are empty, each
row has the same chance, and no more is read than these. Where too few hits are among them, more
are drawn anew; where the most are too few, as few movies are hits, all of these are gathered.
"""

from typing import Final

from lib.catalogue.document import DOCUMENT
from lib.database.database import Database
from lib.database.statement import Query, Statement
from lib.search import filling
from lib.search.asking import WantedByChance
from lib.search.attempts import Attempt, hit_values
from lib.search.statements import GATHERED_BY, HIT
from lib.web.answers import Answer

_DRAWN: Final = (500, 4_000, 20_000)  # of a million movies one in twenty-five holds a row
_MOST_IN_PAGE: Final = 291  # rows; https://www.postgresql.org/docs/current/storage-page-layout.html
_GATHERED: Final = " union all ".join(
    f"select imdb_id from movie_search where :by::text = '{by}' and {hit}"  # noqa: S608
    for by, hit in {**GATHERED_BY, "all": "true"}.items()
)


def _is_short(*names: str) -> str:
    return " and ".join(f"(select count(*) from {name}) < :records::bigint" for name in names)  # noqa: S608


def _draw(name: str, places: int, *before: str) -> str:
    """Return the table of hits at so many places, when those drawn before were too few."""
    return f"""
        {name} as materialized (
            select imdb_id from movie_search where ctid = any(array(
                select format('(%s,%s)', floor(random() * pages),
                    1 + floor(random() * {_MOST_IN_PAGE}))::tid
                from generate_series(1, {places}), (
                    select pg_relation_size('movie_search')
                        / current_setting('block_size')::integer as pages
                ) size
                where {_is_short(*before) or "true"}
            )) and {HIT}
            order by random() limit :records::bigint
        )
    """  # noqa: S608


_DRAWS: Final = tuple(f"drawn_{places}" for places in _DRAWN)
DRAWING: Final = Statement(
    repeatable=True,
    sql=f"""
        with {
        ", ".join(
            _draw(name, places, *_DRAWS[:number])
            for number, (name, places) in enumerate(zip(_DRAWS, _DRAWN, strict=True))
        )
    }, gathered as materialized (
            select imdb_id from ({_GATHERED}) every
            where {_is_short(*_DRAWS)}
            order by random() limit :records::bigint
        ), chosen as (
            {
        " union all ".join(
            f"select imdb_id from {name} where not ({_is_short(name)})" for name in _DRAWS
        )
    }
            union all select imdb_id from gathered
        )
        select string_agg(
            (select {DOCUMENT} from movies where movies.imdb_id = chosen.imdb_id), ',')
        from chosen
    """,  # noqa: S608
)
STATEMENTS: Final = (DRAWING,)


async def draw(database: Database, wanted: WantedByChance) -> Answer:
    """Draw as many movies as are wanted, or answer all hits where there are fewer.

    Raises:
        DatabaseUnavailable: Not all films can be drawn yet.
    """
    await filling.demand_done(database)
    query = Query(
        statement=DRAWING,
        values={**hit_values(Attempt(), wanted.filters), "records": wanted.records},
        read=lambda rows: f'{{"data": [{rows[0][0] or ""}]}}'.encode(),
    )
    return Answer(body=await database.ask(query), headers={"Cache-Control": "no-store"})
