"""The tables that films are found by, as the newest migration leaves them; triggers keep them."""

from typing import Final

from sqlalchemy import BigInteger, Column, Computed, Index, Integer, SmallInteger, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, TSVECTOR

from lib.database.columns import metadata

# What a movie is found by, beside each. 0 is unknown, as there are no nulls.
movie_search: Final = Table(
    "movie_search",
    metadata,
    Column("imdb_id", Text, primary_key=True),
    Column("sort_key", Text(collation="C"), nullable=False),
    Column("folded", Text(collation="C"), nullable=False),  # the title: lib/catalogue/folding.py
    Column("loose", Text(collation="C"), nullable=False),
    Column("votes", Integer, nullable=False),
    Column("released", Integer, nullable=False),  # 19940910
    Column("year", SmallInteger, nullable=False),
    Column("runtime", SmallInteger, nullable=False),  # in minutes
    Column("rating", SmallInteger, nullable=False),  # in tenths
    # "g/Drama", likewise l, c, t, r, e: language, country, type, rated, the decade's first year
    Column("facets", ARRAY(Text), nullable=False),
    # a title's words; "@" and people's words; "#", a letter, "/" and a folded value
    Column("tokens", TSVECTOR, nullable=False),
    Index(None, "sort_key", "imdb_id"),
    Index(None, "folded"),
    Index(None, "loose"),
    Index(None, "votes", "imdb_id"),
    Index(None, "released", "imdb_id"),
    Index(None, "year", "imdb_id"),
    Index(None, "rating", "imdb_id"),
    *(
        Index(
            f"movie_search_{name}_idx",
            "tokens",
            postgresql_using="gin",
            postgresql_with={"gin_pending_list_limit": limit},
            postgresql_where=condition,
        )
        for name, limit, condition in (
            ("famous", 64, text("votes >= 100000")),
            ("known", 64, text("votes >= 1000")),
            ("tokens", 256, None),
        )
    ),
)

# The tokens and facets that came (1) and went (-1) and are not yet counted in the two below.
search_moves: Final = Table(
    "search_moves",
    metadata,
    Column("tokens", TSVECTOR, nullable=False),
    Column("facets", ARRAY(Text), nullable=False),
    Column("delta", SmallInteger, nullable=False),
)

# The words of titles and people, and how many movies have them; to be corrected to.
words: Final = Table(
    "words",
    metadata,
    Column("word", Text(collation="C"), primary_key=True),
    Column("movies", BigInteger, nullable=False),
    Column("deletes", ARRAY(Text), Computed("deletions(word)", persisted=True), nullable=False),
    Index(None, "deletes", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
)
movie_facets: Final = Table(
    "movie_facets",
    metadata,
    Column("facet", Text(collation="C"), primary_key=True),
    Column("movies", BigInteger, nullable=False),
)
