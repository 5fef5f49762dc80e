"""What `movies.random` answers: hits by chance, each with the same.

First some thousand places are drawn, of all that rows may have in the table's pages: most are
empty, each row has the same chance, and no more is read than these. Where too few hits are among
them, as few movies are hits, all hits are gathered and drawn from.
"""

from typing import Final

from lib.catalogue import search_filling
from lib.catalogue.document import DOCUMENT
from lib.catalogue.search_asking import WantedByChance
from lib.catalogue.search_attempts import Attempt, hit_values
from lib.catalogue.search_statements import GATHERED_BY, HIT
from lib.database.database import Database
from lib.database.statement import Query, Statement
from lib.web.answers import Answer

_DRAWN: Final = 4_000
_MOST_IN_PAGE: Final = 291  # rows; https://www.postgresql.org/docs/current/storage-page-layout.html
_GATHERED: Final = " union all ".join(
    f"select imdb_id from movie_search where :by::text = '{by}' and {hit}"  # noqa: S608
    for by, hit in {**GATHERED_BY, "all": "true"}.items()
)
DRAWING: Final = Statement(
    repeatable=True,
    sql=f"""
        with drawn as materialized (
            select imdb_id from movie_search where ctid = any(array(
                select format('(%s,%s)', floor(random() * pages),
                    1 + floor(random() * {_MOST_IN_PAGE}))::tid
                from generate_series(1, {_DRAWN}), (
                    select pg_relation_size('movie_search')
                        / current_setting('block_size')::integer as pages
                ) size
            )) and {HIT}
            order by random() limit :records::bigint
        ), gathered as materialized (
            select imdb_id from ({_GATHERED}) every
            where (select count(*) from drawn) < :records::bigint
            order by random() limit :records::bigint
        ), chosen as (
            select imdb_id from drawn where (select count(*) from drawn) = :records::bigint
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
    await search_filling.demand_done(database)
    query = Query(
        statement=DRAWING,
        values={**hit_values(Attempt(), wanted.filters), "records": wanted.records},
        read=lambda rows: f'{{"data": [{rows[0][0] or ""}]}}'.encode(),
    )
    return Answer(body=await database.ask(query), headers={"Cache-Control": "no-store"})
