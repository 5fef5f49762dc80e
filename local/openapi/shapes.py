"""The shapes of what is answered: a JSON schema of each, by its name.

Postgres writes most answers, so no code has their shape; that these are it, the tests find out,
which hold every answer against them. Each leaf has an example, and the examples of answers are put
together from these (`examples.example_of`).
"""

from collections.abc import Mapping
from typing import Any, Final, get_args

from lib.accounts.tokens import LIFETIME_SECONDS
from lib.catalogue.movie import IMDB_ID, TYPES
from lib.catalogue.movies import Match
from lib.imports.ending import StoppedBy
from lib.imports.orders import Kind
from lib.imports.statements import OUTCOMES
from lib.search.counts import FACETS
from lib.search.counts import MOST as MOST_COUNTED

Schema = dict[str, Any]


def ref(name: str) -> Schema:
    """Return what stands for a shape where it is part of another."""
    return {"$ref": f"#/components/schemas/{name}"}


def _leaf(kind: str, example: object, description: str = "", **rules: object) -> Schema:
    schema: Schema = {"type": kind, "description": description, **rules, "examples": [example]}
    return {key: value for key, value in schema.items() if value != ""}


def _text(example: str, description: str = "", **rules: object) -> Schema:
    return _leaf("string", example, description, **rules)


def _whole(example: int, description: str = "", **rules: object) -> Schema:
    return _leaf("integer", example, description, **{"minimum": 0, **rules})


def _or_null(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


def _null(schema: Schema) -> Schema:
    """Return what may be null, and is so in the example."""
    return {**_or_null(schema), "examples": [None]}


def _list(items: Schema, description: str = "", **rules: object) -> Schema:
    schema: Schema = {"type": "array", "description": description, "items": items, **rules}
    return {key: value for key, value in schema.items() if value != ""}


def _object(
    properties: Mapping[str, Schema], description: str = "", required: tuple[str, ...] | None = None
) -> Schema:
    """Return an object, all of whose members are there unless those that are are named."""
    schema: Schema = {
        "type": "object",
        "description": description,
        "required": list(properties if required is None else required),
        "properties": dict(properties),
    }
    return {key: value for key, value in schema.items() if value != ""}


def _id(example: str = "tt0111161", description: str = "") -> Schema:
    return _text(example, description, pattern=f"^{IMDB_ID.pattern}$")


_ID: Final = _id(description="Its IMDb id, by which it is known.")
_MOMENT: Final = {"format": "date-time"}
_YEAR: Final = _or_null(_whole(1994))

_MOVIE: Final[Mapping[str, Schema]] = {
    "imdb_id": _ID,
    "title": _text("The Shawshank Redemption"),
    "type": _text("movie", enum=list(TYPES)),
    "year": {**_YEAR, "description": "Of its release; of a series, the first."},
    "year_end": _null(_whole(2011, "The last year of a series that has ended.")),
    "rated": _or_null(_text("R", "Its age rating.")),
    "released": _or_null(_text("1994-10-14", format="date")),
    "runtime_minutes": _or_null(_whole(142)),
    "genres": _list(_text("Drama")),
    "directors": _list(_text("Frank Darabont")),
    "writers": _list(_text("Stephen King")),
    "actors": _list(_text("Tim Robbins")),
    "plot": _or_null(_text("A banker convicted of uxoricide forms a friendship over years.")),
    "languages": _list(_text("English")),
    "countries": _list(_text("United States")),
    "awards": _or_null(_text("Nominated for 7 Oscars. 21 wins & 42 nominations total")),
    "poster_url": _or_null(_text("https://m.media-amazon.com/images/M/MV5B.jpg")),
    "ratings": _list(
        _object({"source": _text("Internet Movie Database"), "value": _text("9.3/10")}),
        "What others think of it, each in a notation of their own.",
    ),
    "metascore": _or_null(_whole(82)),
    "imdb_rating": _or_null(_leaf("number", 9.3, minimum=0, maximum=10)),
    "imdb_votes": _or_null(_whole(2800000)),
    "box_office_usd": _or_null(_whole(28767189, "Gross in the United States.")),
    "total_seasons": _null(_whole(5)),
    "website": _null(_text("https://www.warnerbros.com/")),
    "aliases": _list(
        _id("tt9999999"),
        "Ids that OMDb has merged into it; it is found under each of them.",
        examples=[[]],
    ),
    "fetched_at": _text("2026-11-27T09:30:00Z", "When OMDb told what is stored.", **_MOMENT),
}
_NAMED: Final = _object(
    {"imdb_id": _ID, "title": _text("The Shawshank Redemption"), "year": _YEAR},
    "A movie, as far as one needs it to choose.",
)
_NEXT: Final = _or_null(
    _text("YXR0MDA1MDA4MyAxMiBhbmdyeSBtZW4", "Leads on from here; null on the last page.")
)
_RECORDS: Final = _whole(10, "How many are given at most, as was asked for.", minimum=1)
_PAGINATION: Final = _object(
    {
        "page": _or_null(_whole(1, "Which page it is; null where a cursor led to it.", minimum=1)),
        "number_of_records": _RECORDS,
        "total_records": _whole(100, "How many there are in all."),
        "next_cursor": _NEXT,
    }
)
_MOVIES: Final = _list(ref("PartialMovie"))
_FACET: Final = _object({"value": _text("Drama"), "movies": _whole(2)})
# What goes on with what is open is no import of its own.
_KINDS: Final = [kind for kind in get_args(Kind) if kind != "tick"]

_REPORT: Final[Mapping[str, Schema]] = {
    "id": _whole(2),
    "kind": _text("ids", "What was asked for.", enum=_KINDS),
    "state": _text("waiting", enum=["running", "waiting", "done", "failed"]),
    "reason": _null(_text("search_refused", "Why it failed, or what a search leaves out.")),
    "requested_by": _text("scheduler import"),
    "types": _list(_text("movie", enum=list(TYPES)), "The kinds of titles that are taken."),
    "search": _null(_text("star wars")),
    "search_type": _null(_text("movie")),
    "search_year": _null(_whole(1977)),
    "created_at": _text("2026-11-23T12:10:35Z", **_MOMENT),
    "worked_at": _or_null(_text("2026-11-23T12:10:38Z", "When last.", **_MOMENT)),
    "finished_at": _null(_text("2026-11-24T12:10:40Z", **_MOMENT)),
    "total": _whole(1000, "How many titles are known of so far."),
    "imported": _whole(268),
    "updated": _whole(0),
    "unchanged": _whole(32),
    "not_found": _whole(0),
    "rejected": _whole(0, "Titles of other kinds than those that are taken."),
    "failed": _whole(0),
    "pending": _whole(700, "Titles that are still to be done."),
    "has_more": _leaf("boolean", example=False, description="Whether more titles may come."),
}
_PROGRESS: Final[Mapping[str, Schema]] = {
    "errors": {
        "type": "object",
        "description": "How many titles met which fault last.",
        "additionalProperties": {"type": "integer", "minimum": 1},
        "examples": [{}],
    },
    "rate_per_second": _or_null(_leaf("number", 116.5, "Titles in its last minute.", minimum=0)),
    "waits_for": _or_null(_text("quota", enum=["key", "quota", "retry", "next_run", None])),
    "expected_at": _or_null(
        _text("2026-11-24T12:10:40Z", "When it will be done, at this rate.", **_MOMENT)
    ),
}
_RUN: Final = {
    **_object(
        {
            "stopped_by": _text("quota", enum=[*get_args(StoppedBy)]),
            "seconds": _leaf("number", 2.733, minimum=0),
            "items": {
                "type": "object",
                "description": "Titles by what became of them; put_back is tried again later.",
                "additionalProperties": {"type": "integer", "minimum": 0},
                "examples": [{"imported": 268, "unchanged": 32, "put_back": 36}],
            },
        },
        "What this request did of it.",
    ),
    "type": ["object", "null"],
}
_COUNTS: Final = ("total", *OUTCOMES, "pending")


def _data(schema: Schema) -> Schema:
    return _object({"data": schema})


SHAPES: Final[Mapping[str, Schema]] = {
    "Movie": _object(
        _MOVIE, "A movie. What OMDb does not say is null, or an empty list; nothing is left out."
    ),
    "PartialMovie": _object(
        _MOVIE,
        "A movie: all of it, or `imdb_id` and those members that `fields` asks for.",
        required=("imdb_id",),
    ),
    "NamedMovie": _NAMED,
    "MovieAnswer": _data(ref("Movie")),
    "FoundMovie": _object(
        {
            "data": ref("PartialMovie"),
            "match": _text(
                "folded",
                "Which form of the title was found. There only where a title was asked for, as "
                "are the alternatives.",
                enum=[*get_args(Match)],
            ),
            "alternatives": _list(ref("NamedMovie"), "Others that share the title.", examples=[[]]),
        },
        required=("data",),
    ),
    "MovieList": _object({"data": _MOVIES, "pagination": _PAGINATION}),
    "ManyMovies": _object(
        {
            "data": _MOVIES,
            "missing": _list(_id("tt0000009"), "Ids under which there is no movie."),
        }
    ),
    "FoundMovies": _object(
        {
            "data": _MOVIES,
            "pagination": _object(
                {
                    "number_of_records": _RECORDS,
                    "next_cursor": _NEXT,
                    "total_records": _null(
                        _whole(2, "How many movies were found; null unless `counts` are wanted.")
                    ),
                    "total_is_exact": _null(
                        _leaf(
                            "boolean",
                            example=True,
                            description=f"False beyond {MOST_COUNTED:,} movies.",
                        )
                    ),
                }
            ),
            "corrected_query": _null(
                _text("godfather", "The words that were found, where those asked for were not.")
            ),
            "facets": {
                **_object(
                    {kind: _list(_FACET) for kind in FACETS},
                    "How many of the movies have what; null unless `counts` are wanted.",
                ),
                "type": ["object", "null"],
                "examples": [None],
            },
        }
    ),
    "DrawnMovies": _data(_list(ref("Movie"))),
    "ImportRun": _data(
        _object(
            {
                **_REPORT,
                **_PROGRESS,
                "id": {**_or_null(_REPORT["id"]), "description": "Null where nothing was to do."},
                "kind": {**_or_null(_REPORT["kind"]), "enum": [*_REPORT["kind"]["enum"], None]},
                "run": _RUN,
            },
            "The import, and what this request did of it; without most members where there was "
            "nothing to do.",
            required=("id", "kind", "state", *_COUNTS, "run"),
        )
    ),
    "ImportReport": _data(_object({**_REPORT, **_PROGRESS}, "How far an import is.")),
    "ImportList": _object(
        {
            "data": _list(_object(_REPORT)),
            "pagination": {
                **_PAGINATION,
                "properties": {**_PAGINATION["properties"], "page": {"type": "null"}},
            },
        }
    ),
    "Routes": _data(_object({"routes": _list(_text("/movies.list"))})),
    "AccessToken": _data(
        _object(
            {
                "token": _text("eyJhbGciOiJFZERTQSIsImtpZCI6IjAxIiwidHlwIjoiYXQrand0In0.e30.c2ln"),
                "token_type": {"type": "string", "const": "Bearer"},
                "expires_in": _whole(LIFETIME_SECONDS, "Seconds."),
            }
        )
    ),
    "Migration": _data(
        _object(
            {
                "before": _or_null(
                    _text("0008", "The revision that the schema had; null for an empty database.")
                ),
                "after": _or_null(_text("0009", "The revision that it has.")),
                "newer": _leaf(
                    "boolean", example=False, description="Whether later code has migrated it."
                ),
                "admin_created": _leaf("boolean", example=False),
                "not_granted": _list(
                    _text("movies: select"),
                    "Rights to what a newer schema no longer has.",
                    examples=[[]],
                ),
                "left": _list(
                    _text("documents: 400,000 of 1,000,000"),
                    "What remains, for which it is to be called again.",
                ),
                "message": _text(
                    "The schema was 0008 and is now 0009. Left to do: documents: 400,000 of "
                    "1,000,000.",
                    "All of that in words.",
                ),
            }
        )
    ),
}
