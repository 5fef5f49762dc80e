"""A movie's JSON as answers carry it: a trigger makes it when the movie is written.

What it holds changes with releases, and code of two of them may use one database. So a document
tells its version: code reads those of its own and makes the others anew, while the trigger, which
comes with the newest migration, writes the newest. Names and order of the members are those of a
type of each version. So a change takes a migration with a new type, a new body of the trigger's
function and a filling, and here the new version and its values. Types of before go a release later.
"""

from typing import Final

VERSION: Final = 1


def utc_text(column: str) -> str:
    """Return the SQL that writes a moment as answers carry it: in UTC, after RFC 3339."""
    return f"""to_char({column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"""


# What callers see of a movie, in this order (the rest is kept, but not shown).
MEMBERS: Final = (
    "imdb_id", "title", "type", "year", "year_end", "rated", "released", "runtime_minutes",
    "genres", "directors", "writers", "actors", "plot", "languages", "countries", "awards",
    "poster_url", "ratings", "metascore", "imdb_rating", "imdb_votes", "box_office_usd",
    "total_seasons", "website", "aliases", "fetched_at",
)  # fmt: skip
_VALUES: Final = ", ".join(utc_text(name) if name == "fetched_at" else name for name in MEMBERS)
# No `select ... from (select ...)`, which is a query for each row, and prepared even where none is
# made: of a list of ten that is a tenth of the time.
ANEW: Final = f"to_json(row({_VALUES})::movie_shown_{VERSION})::text"
# Of a row of `movies`, or of any that has its columns.
DOCUMENT: Final = f"case when document_version = {VERSION} then document else {ANEW} end"
