"""The tables, as the newest migration leaves them."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Numeric,
    SmallInteger,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSON

metadata: Final = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    }
)


def _names(column: str) -> Column[list[str]]:
    return Column(column, ARRAY(Text), nullable=False, server_default=text("'{}'"))


def _moment(column: str) -> Column[object]:
    return Column(column, DateTime(timezone=True), nullable=False, server_default=func.now())


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
    _names("genres"),
    _names("directors"),
    _names("writers"),
    _names("actors"),
    Column("plot", Text),
    _names("languages"),
    _names("countries"),
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
    _moment("created_at"),
    _moment("fetched_at"),
    _moment("changed_at"),
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
)

# One row that triggers keep: how many movies there are, so that no request counts them.
movie_totals: Final = Table(
    "movie_totals",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("movies", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="only_row"),
)

users: Final = Table(
    "users",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("username", Text, nullable=False, unique=True),  # folded, see accounts.fold_username
    Column("password_hash", Text, nullable=False),
    Column("role", Text, nullable=False),
    _moment("created_at"),
    CheckConstraint("role in ('viewer', 'editor', 'admin')", name="role"),
    CheckConstraint("length(username) between 1 and 100", name="username"),
)

# One row a token issued: deleting it revokes the token before it expires.
sessions: Final = Table(
    "sessions",
    metadata,
    Column("jti", Text, primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    _moment("created_at"),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Index(None, "user_id"),
    Index(None, "expires_at"),
)

# Failed logins by subject: "user:<hash of the name>" or "address:<ip>".
login_failures: Final = Table(
    "login_failures",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_failed_at", DateTime(timezone=True), nullable=False),
    Column("blocked_until", DateTime(timezone=True)),
    Index(None, "last_failed_at"),
)
