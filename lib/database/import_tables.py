"""The tables of imports and of what is known of OMDb, as the newest migration leaves them."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from lib.database.columns import count, metadata, moment

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
    count("page_attempts", SmallInteger()),
    moment("page_try_at"),
    Column("refresh_before", DateTime(timezone=True)),
    Column("due_only", Boolean, nullable=False, server_default=text("false")),
    Column("has_more", Boolean, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'open'")),
    Column("reason", Text),
    count("total"),
    count("imported"),
    count("updated"),
    count("unchanged"),
    count("not_found"),
    count("rejected"),
    count("failed"),
    moment("created_at"),
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
    count("attempts", SmallInteger()),  # faults that were this item's own
    count("misses", SmallInteger()),  # times that OMDb had no data, each on another day
    count("losses", SmallInteger()),  # leases that nothing came of: the process or OMDb was down
    moment("next_try_at"),
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
    moment("created_at"),
    Index(None, "created_at"),
)

# One row an API key: the calls that all instances together made since the day's window began.
omdb_budget: Final = Table(
    "omdb_budget",
    metadata,
    Column("key_digest", Text, primary_key=True),
    Column("state", Text, nullable=False, server_default=text("'open'")),
    moment("window_started_at"),
    Column("daily", Integer, nullable=False),
    count("share"),  # the calls that are the import's alone, and as many the creates'
    count("used"),
    count("used_by_imports"),  # among those
    count("granted"),  # to whoever asked last
    Column("probe_at", DateTime(timezone=True)),
    # Whether OMDb only asked for patience, so that what is used of the day stays used.
    Column("slowed_down", Boolean, nullable=False, server_default=text("false")),
    count("probes", SmallInteger()),
    moment("changed_at"),
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
    moment("since"),
    CheckConstraint("id = 1", name="only_row"),
)

# The calls to OMDb that each caller has caused in the hour that began with the first of them.
omdb_callers: Final = Table(
    "omdb_callers",
    metadata,
    Column("caller", Text, primary_key=True),
    Column("calls", Integer, nullable=False),
    moment("since"),
    Index(None, "since"),
)
