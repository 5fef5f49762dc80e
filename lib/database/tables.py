"""The tables, as the newest migration leaves them."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
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


def _count(column: str, width: Integer | None = None) -> Column[int]:
    return Column(column, width or Integer(), nullable=False, server_default=text("0"))


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
    _names("aliases"),  # other ids that OMDb answers with this movie
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

# Failed logins by subject: "pair:<hash of the name>:<hash of the network>", "user:<hash of the
# name>", "network:<name>" or "site:<name>".
login_failures: Final = Table(
    "login_failures",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_failed_at", DateTime(timezone=True), nullable=False),
    Column("blocked_until", DateTime(timezone=True)),
    Index(None, "last_failed_at"),
)

# Which networks a user has logged in from, as digests, and when that last forgave what had failed.
login_networks: Final = Table(
    "login_networks",
    metadata,
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("network", Text, primary_key=True),
    _moment("last_login_at"),
    _moment("forgiven_at"),
    Index(None, "last_login_at"),
)

# What was asked for in bulk, and how far it is. What is still to be done is the total without the
# six outcomes; `has_more` says that a search's pages or a refresh's movies are not all listed yet.
imports: Final = Table(
    "imports",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("types", ARRAY(Text), nullable=False),
    Column("search", Text),
    Column("search_type", Text),
    Column("search_year", SmallInteger),
    Column("next_page", Integer, nullable=False, server_default=text("1")),
    _count("page_attempts", SmallInteger()),
    _moment("page_try_at"),
    Column("refresh_before", DateTime(timezone=True)),
    Column("due_only", Boolean, nullable=False, server_default=text("false")),
    Column("has_more", Boolean, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'open'")),
    Column("reason", Text),
    _count("total"),
    _count("imported"),
    _count("updated"),
    _count("unchanged"),
    _count("not_found"),
    _count("rejected"),
    _count("failed"),
    _moment("created_at"),
    Column("worked_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    CheckConstraint("kind in ('fill', 'ids', 'search', 'refresh')", name="kind"),
    CheckConstraint("state in ('open', 'done', 'failed')", name="state"),
    Index(None, "fingerprint", unique=True, postgresql_where=text("state = 'open'")),
    Index(None, "finished_at"),
)

_WAITING: Final = text("state in ('pending', 'leased')")
_HAS_ERROR: Final = text("last_error is not null")

# One row an id. `next_try_at` of a leased item is the end of its lease.
import_items: Final = Table(
    "import_items",
    metadata,
    Column("import_id", BigInteger, primary_key=True, autoincrement=False),
    Column("imdb_id", Text, primary_key=True),
    Column("state", Text, nullable=False, server_default=text("'pending'")),
    _count("attempts", SmallInteger()),  # faults that were this item's own
    _count("misses", SmallInteger()),  # times that OMDb had no data, each on another day
    _count("losses", SmallInteger()),  # leases that nothing came of: the process or OMDb was down
    _moment("next_try_at"),
    Column("leased_by", Text),
    Column("last_error", Text),
    Column("answered_id", Text),
    Column("settled_at", DateTime(timezone=True)),
    CheckConstraint(
        "state in ('pending', 'leased', 'imported', 'updated', 'unchanged', 'not_found', "
        "'rejected', 'failed')",
        name="state",
    ),
    Index(
        "import_items_waiting_idx", "import_id", "next_try_at", "imdb_id", postgresql_where=_WAITING
    ),
    Index("import_items_errors_idx", "import_id", "last_error", postgresql_where=_HAS_ERROR),
)

# Which import a caller's idempotency key led to.
import_keys: Final = Table(
    "import_keys",
    metadata,
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("import_id", BigInteger, nullable=False),
    _moment("created_at"),
    Index(None, "created_at"),
)

# One row an API key: the calls that all instances together made since the day's window began.
omdb_budget: Final = Table(
    "omdb_budget",
    metadata,
    Column("key_digest", Text, primary_key=True),
    Column("state", Text, nullable=False, server_default=text("'open'")),
    _moment("window_started_at"),
    Column("daily", Integer, nullable=False),
    _count("share"),  # the calls that are the import's alone, and as many the creates'
    _count("used"),
    _count("used_by_imports"),  # among those
    _count("granted"),  # to whoever asked last
    Column("probe_at", DateTime(timezone=True)),
    # Whether OMDb only asked for patience, so that what is used of the day stays used.
    Column("slowed_down", Boolean, nullable=False, server_default=text("false")),
    _count("probes", SmallInteger()),
    _moment("changed_at"),
    CheckConstraint("state in ('open', 'spent', 'refused')", name="state"),
)

# When OMDb was last asked about a movie. Apart from the movie, so that a refresh which finds
# nothing new writes no movie. Triggers keep a row for each.
movie_checks: Final = Table(
    "movie_checks",
    metadata,
    Column("imdb_id", Text, primary_key=True),
    Column("checked_at", DateTime(timezone=True), nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Index("movie_checks_due_at_idx", "due_at", "imdb_id"),
)

# What OMDb answered to the questions of callers: the movie's id, or null for none. `source` stands
# for an OMDb and a key, `number` for the order in which answers came.
omdb_answers: Final = Table(
    "omdb_answers",
    metadata,
    Column("source", Text, primary_key=True),
    Column("question", Text, primary_key=True),
    Column("imdb_id", Text),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("number", BigInteger, Identity(always=True), nullable=False),
    Index(None, "expires_at"),
    Index(None, "number", unique=True),
)

# One row: which OMDb and key are asked, and since when; what was checked before is another's.
omdb_source: Final = Table(
    "omdb_source",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("source", Text, nullable=False),
    _moment("since"),
    CheckConstraint("id = 1", name="only_row"),
)

# The calls to OMDb that each caller has caused in the hour that began with the first of them.
omdb_callers: Final = Table(
    "omdb_callers",
    metadata,
    Column("caller", Text, primary_key=True),
    Column("calls", Integer, nullable=False),
    _moment("since"),
    Index(None, "since"),
)
