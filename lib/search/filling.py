"""Whether every movie has its search row yet: a migration leaves that for afterwards.

Until then a search would keep silent about films, and read the rows there are without an index.
"""

from typing import Final
from weakref import WeakSet

from lib.database.database import Database
from lib.database.statement import Query, Statement
from lib.errors import DatabaseUnavailable

_RETRY_AFTER: Final = 60  # seconds
# The index is made when every row is there; see `work` of the migration that finding came with.
_IS_DONE: Final = Query(
    statement=Statement(
        repeatable=True,
        sql="""
            select coalesce((
                select indisvalid from pg_index
                where indexrelid = to_regclass('movie_search_tokens_idx')
            ), false)
        """,
    ),
    values={},
    read=lambda rows: bool(rows[0][0]),
)
_done: Final[WeakSet[Database]] = WeakSet()


async def is_done(database: Database) -> bool:
    """Tell whether every movie has its row; what once was done is not asked again."""
    if database not in _done and await database.ask_together(_IS_DONE):
        _done.add(database)
    return database in _done


async def demand_done(database: Database) -> None:
    """Raise `DatabaseUnavailable` until every movie has its row."""
    if not await is_done(database):
        raise DatabaseUnavailable(
            "Films are still being prepared to be searched for. Try again in some minutes.",
            retry_after_seconds=_RETRY_AFTER,
        )
