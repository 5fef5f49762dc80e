"""The tables, as the newest migration leaves them: all of them are in `metadata`."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Identity,
    Index,
    Integer,
    Numeric,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSON

from lib.database import account_tables, import_tables, search_tables
from lib.database.columns import count, metadata, moment, names

__all__ = [
    "account_tables",
    "import_tables",
    "metadata",
    "movie_folds",
    "movie_moves",
    "movie_places",
    "movies",
    "schema_work",
    "search_tables",
]

movies: Final = Table(
    "movies",
    metadata,
    Column("imdb_id", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("sort_key", Text(collation="C"), nullable=False),
    Column("type", Text, nullable=False),
    Column("year", SmallInteger),
    Column("year_end", SmallInteger),
    Column("rated", Text),
    Column("released", Date),
    Column("runtime_minutes", Integer),
    names("genres"),
    names("directors"),
    names("writers"),
    names("actors"),
    Column("plot", Text),
    names("languages"),
    names("countries"),
    Column("awards", Text),
    Column("poster_url", Text),
    # json and not jsonb: the order of an object's members is kept for the reader.
    Column("ratings", JSON, nullable=False, server_default=text("'[]'")),
    Column("metascore", SmallInteger),
    Column("imdb_rating", Numeric(3, 1)),
    Column("imdb_votes", Integer),
    Column("box_office_usd", BigInteger),
    Column("total_seasons", SmallInteger),
    Column("website", Text),
    Column("dvd_released", Date),
    Column("production", Text),
    Column("season", Integer),
    Column("episode", Integer),
    Column("series_id", Text),
    names("aliases"),  # other ids that OMDb answers with this movie
    moment("created_at"),
    moment("fetched_at"),
    moment("changed_at"),
    Column("document", Text),  # its JSON, which a trigger keeps; lib/catalogue/document.py
    Column("document_version", SmallInteger),
    CheckConstraint("imdb_id ~ '^tt[0-9]{7,10}$'", name="imdb_id"),
    CheckConstraint("length(title) between 1 and 500", name="title"),
    CheckConstraint("length(sort_key) between 1 and 500", name="sort_key"),
    CheckConstraint("type in ('movie', 'series', 'episode', 'game')", name="type"),
    CheckConstraint("year between 1850 and 2200", name="year"),
    CheckConstraint("year_end between year and 2200", name="year_end"),
    CheckConstraint("runtime_minutes > 0", name="runtime_minutes"),
    CheckConstraint("metascore between 0 and 100", name="metascore"),
    CheckConstraint("imdb_rating between 0 and 10", name="imdb_rating"),
    CheckConstraint("imdb_votes >= 0", name="imdb_votes"),
    CheckConstraint("box_office_usd >= 0", name="box_office_usd"),
    CheckConstraint("total_seasons > 0", name="total_seasons"),
    CheckConstraint("series_id ~ '^tt[0-9]{7,10}$'", name="series_id"),
    Index(None, "sort_key", "imdb_id"),
    Index(None, "aliases", postgresql_using="gin", postgresql_where=text("aliases <> '{}'")),
)

# Keys in the order of the list, some five hundred movies apart or more, and how many movies stood
# before each when the moves were last folded.
movie_places: Final = Table(
    "movie_places",
    metadata,
    Column("sort_key", Text(collation="C"), nullable=False),
    Column("imdb_id", Text, nullable=False),
    Column("before", BigInteger, nullable=False),
    Index(None, "before"),
)

# The movies that came (1) and went (-1) since then: triggers write them.
movie_moves: Final = Table(
    "movie_moves",
    metadata,
    Column("number", BigInteger, Identity(always=True), nullable=False),
    Column("sort_key", Text(collation="C"), nullable=False),
    Column("imdb_id", Text, nullable=False),
    Column("delta", SmallInteger, nullable=False),
)

# One row: how many movies there were then. The view `movie_totals` adds the moves to it.
movie_folds: Final = Table(
    "movie_folds",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("movies", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="only_row"),
)

# How far that has come which a migration leaves for afterwards, one row a piece: what is done of
# the total, and up to which key.
schema_work: Final = Table(
    "schema_work",
    metadata,
    Column("revision", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("position", Text, nullable=False, server_default=text("''")),
    count("done", BigInteger()),
    Column("total", BigInteger, nullable=False),
    Column("finished_at", DateTime(timezone=True)),
)
