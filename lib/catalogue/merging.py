"""How a newer answer about a movie joins what is known of it, as SQL.

What is known is never replaced by nothing: a source leaves out later what it said before (a fifth
of OMDb's changes go from a value to "N/A").
"""

from typing import Final

# Details that a source may leave out later: what is known then stays.
_SCALARS: Final = (
    "year", "rated", "released", "runtime_minutes", "plot", "awards", "poster_url",
    "metascore", "imdb_rating", "imdb_votes", "box_office_usd", "total_seasons", "website",
    "dvd_released", "production", "season", "episode", "series_id",
)  # fmt: skip
_LISTS: Final = ("genres", "directors", "writers", "actors", "languages", "countries")
COLUMNS: Final = (
    "imdb_id", "title", "sort_key", "type", "year_end", "ratings", "aliases", *_SCALARS, *_LISTS,
)  # fmt: skip


def assignments(new: str) -> str:
    """Return the assignments of an update of `movies` from the row of this name."""
    return ",\n            ".join(f"{name} = {value}" for name, value in _merged(new).items())


def differs(new: str) -> str:
    """Return the condition under which the row of this name would change its movie."""
    merged = _merged(new)
    known = ", ".join(f"movies.{name}{_comparable(name)}" for name in merged)
    after = ", ".join(f"{value}{_comparable(name)}" for name, value in merged.items())
    return f"row({known}) is distinct from row({after})"


def _merged(new: str) -> dict[str, str]:
    return {
        **{name: f"{new}.{name}" for name in ("title", "sort_key", "type")},
        **{name: f"coalesce({new}.{name}, movies.{name})" for name in _SCALARS},
        **{
            name: f"case when coalesce({new}.{name}, '{{}}') = '{{}}' "
            f"then movies.{name} else {new}.{name} end"
            for name in _LISTS
        },
        # Both years come from one text: a series that is said to go on has no last one any more.
        "year_end": f"case when {new}.year is null then movies.year_end else {new}.year_end end",
        "ratings": _merged_ratings(new),
        "aliases": f"case when {new}.aliases <@ movies.aliases then movies.aliases else "
        f"array(select unnest(movies.aliases) union select unnest({new}.aliases) order by 1) end",
    }


def _merged_ratings(new: str) -> str:
    # Each source's newest rating; a source that is left out this time keeps its last one.
    return f"""(
                select coalesce(json_agg(rating order by age, place), '[]') from (
                    select value as rating, 1 as age, ordinality as place
                    from json_array_elements({new}.ratings) with ordinality
                    union all
                    select value, 2, ordinality
                    from json_array_elements(movies.ratings) with ordinality
                    where value ->> 'source' not in (
                        select value ->> 'source' from json_array_elements({new}.ratings))
                ) merged)"""  # noqa: S608  the name is one of this project's statements'


def _comparable(name: str) -> str:
    return "::jsonb" if name == "ratings" else ""  # json knows no equality
