"""The shapes of what is answered: a JSON schema of each, by its name.

Postgres writes most answers, so no code has their shape; that these are it, the tests find out,
which hold every answer against them. Each leaf has an example, and the examples of answers are put
together from these (`examples.example_of`).
"""

from collections.abc import Mapping
from typing import Final, get_args

from lib.catalogue.movie import IMDB_ID, TYPES
from lib.catalogue.movies import Match
from lib.imports.ending import StoppedBy
from lib.imports.orders import Kind
from lib.imports.statements import OUTCOMES
from lib.search.counts import FACETS
from lib.search.counts import MOST as MOST_COUNTED
from local.openapi.shape_parts import (
    BY_CURSOR,
    MOMENT,
    NEXT,
    PAGINATION,
    RECORDS,
    Schema,
    data,
    leaf,
    list_of,
    null,
    object_of,
    or_null,
    ref,
    text,
    whole,
)
from local.openapi.shapes_of_people import SHAPES_OF_PEOPLE
from local.openapi.shapes_of_sessions import SHAPES_OF_SESSIONS


def _id(example: str = "tt0111161", description: str = "") -> Schema:
    return text(example, description, pattern=f"^{IMDB_ID.pattern}$")


_ID: Final = _id(description="Its IMDb id, by which it is known.")
_YEAR: Final = or_null(whole(1994))

_MOVIE: Final[Mapping[str, Schema]] = {
    "imdb_id": _ID,
    "title": text("The Shawshank Redemption"),
    "type": text("movie", enum=list(TYPES)),
    "year": {**_YEAR, "description": "Of its release; of a series, the first."},
    "year_end": null(whole(2011, "The last year of a series that has ended.")),
    "rated": or_null(text("R", "Its age rating.")),
    "released": or_null(text("1994-10-14", format="date")),
    "runtime_minutes": or_null(whole(142)),
    "genres": list_of(text("Drama")),
    "directors": list_of(text("Frank Darabont")),
    "writers": list_of(text("Stephen King")),
    "actors": list_of(text("Tim Robbins")),
    "plot": or_null(text("A banker convicted of uxoricide forms a friendship over years.")),
    "languages": list_of(text("English")),
    "countries": list_of(text("United States")),
    "awards": or_null(text("Nominated for 7 Oscars. 21 wins & 42 nominations total")),
    "poster_url": or_null(text("https://m.media-amazon.com/images/M/MV5B.jpg")),
    "ratings": list_of(
        object_of({"source": text("Internet Movie Database"), "value": text("9.3/10")}),
        "What others think of it, each in a notation of their own.",
    ),
    "metascore": or_null(whole(82)),
    "imdb_rating": or_null(leaf("number", 9.3, minimum=0, maximum=10)),
    "imdb_votes": or_null(whole(2800000)),
    "box_office_usd": or_null(whole(28767189, "Gross in the United States.")),
    "total_seasons": null(whole(5)),
    "website": null(text("https://www.warnerbros.com/")),
    "aliases": list_of(
        _id("tt9999999"),
        "Ids that OMDb has merged into it; it is found under each of them.",
        examples=[[]],
    ),
    "fetched_at": text("2026-11-27T09:30:00Z", "When OMDb told what is stored.", **MOMENT),
}
_NAMED: Final = object_of(
    {"imdb_id": _ID, "title": text("The Shawshank Redemption"), "year": _YEAR},
    "A movie, as far as one needs it to choose.",
)
_MOVIES: Final = list_of(ref("PartialMovie"))
_FACET: Final = object_of({"value": text("Drama"), "movies": whole(2)})
# What goes on with what is open is no import of its own.
_KINDS: Final = [kind for kind in get_args(Kind) if kind != "tick"]

_REPORT: Final[Mapping[str, Schema]] = {
    "id": whole(2),
    "kind": text("ids", "What was asked for.", enum=_KINDS),
    "state": text("waiting", enum=["running", "waiting", "done", "failed"]),
    "reason": null(text("search_refused", "Why it failed, or what a search leaves out.")),
    "requested_by": text("scheduler import"),
    "types": list_of(text("movie", enum=list(TYPES)), "The kinds of titles that are taken."),
    "search": null(text("star wars")),
    "search_type": null(text("movie")),
    "search_year": null(whole(1977)),
    "created_at": text("2026-11-23T12:10:35Z", **MOMENT),
    "worked_at": or_null(text("2026-11-23T12:10:38Z", "When last.", **MOMENT)),
    "finished_at": null(text("2026-11-24T12:10:40Z", **MOMENT)),
    "total": whole(1000, "How many titles are known of so far."),
    "imported": whole(268),
    "updated": whole(0),
    "unchanged": whole(32),
    "not_found": whole(0),
    "rejected": whole(0, "Titles of other kinds than those that are taken."),
    "failed": whole(0),
    "pending": whole(700, "Titles that are still to be done."),
    "has_more": leaf("boolean", example=False, description="Whether more titles may come."),
}
_PROGRESS: Final[Mapping[str, Schema]] = {
    "errors": {
        "type": "object",
        "description": "How many titles met which fault last.",
        "additionalProperties": {"type": "integer", "minimum": 1},
        "examples": [{}],
    },
    "rate_per_second": or_null(leaf("number", 116.5, "Titles in its last minute.", minimum=0)),
    "waits_for": or_null(text("quota", enum=["key", "quota", "retry", "next_run", None])),
    "expected_at": or_null(
        text("2026-11-24T12:10:40Z", "When it will be done, at this rate.", **MOMENT)
    ),
}
_RUN: Final = {
    **object_of(
        {
            "stopped_by": text("quota", enum=[*get_args(StoppedBy)]),
            "seconds": leaf("number", 2.733, minimum=0),
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


SHAPES: Final[Mapping[str, Schema]] = {
    "Movie": object_of(
        _MOVIE, "A movie. What OMDb does not say is null, or an empty list; nothing is left out."
    ),
    "PartialMovie": object_of(
        _MOVIE,
        "A movie: all of it, or `imdb_id` and those members that `fields` asks for.",
        required=("imdb_id",),
    ),
    "NamedMovie": _NAMED,
    "MovieAnswer": data(ref("Movie")),
    "FoundMovie": object_of(
        {
            "data": ref("PartialMovie"),
            "match": text(
                "folded",
                "Which form of the title was found. There only where a title was asked for, as "
                "are the alternatives.",
                enum=[*get_args(Match)],
            ),
            "alternatives": list_of(
                ref("NamedMovie"), "Others that share the title.", examples=[[]]
            ),
        },
        required=("data",),
    ),
    "MovieList": object_of({"data": _MOVIES, "pagination": PAGINATION}),
    "ManyMovies": object_of(
        {
            "data": _MOVIES,
            "missing": list_of(_id("tt0000009"), "Ids under which there is no movie."),
        }
    ),
    "FoundMovies": object_of(
        {
            "data": _MOVIES,
            "pagination": object_of(
                {
                    "number_of_records": RECORDS,
                    "next_cursor": NEXT,
                    "total_records": null(
                        whole(2, "How many movies were found; null unless `counts` are wanted.")
                    ),
                    "total_is_exact": null(
                        leaf(
                            "boolean",
                            example=True,
                            description=f"False beyond {MOST_COUNTED:,} movies.",
                        )
                    ),
                }
            ),
            "corrected_query": null(
                text("godfather", "The words that were found, where those asked for were not.")
            ),
            "facets": {
                **object_of(
                    {kind: list_of(_FACET) for kind in FACETS},
                    "How many of the movies have what; null unless `counts` are wanted.",
                ),
                "type": ["object", "null"],
                "examples": [None],
            },
        }
    ),
    "DrawnMovies": data(list_of(ref("Movie"))),
    "ImportRun": data(
        object_of(
            {
                **_REPORT,
                **_PROGRESS,
                "id": {**or_null(_REPORT["id"]), "description": "Null where nothing was to do."},
                "kind": {**or_null(_REPORT["kind"]), "enum": [*_REPORT["kind"]["enum"], None]},
                "run": _RUN,
            },
            "The import, and what this request did of it; without most members where there was "
            "nothing to do.",
            required=("id", "kind", "state", *_COUNTS, "run"),
        )
    ),
    "ImportReport": data(object_of({**_REPORT, **_PROGRESS}, "How far an import is.")),
    "ImportList": object_of(
        {
            "data": list_of(object_of(_REPORT)),
            "pagination": BY_CURSOR,
        }
    ),
    "Routes": data(object_of({"routes": list_of(text("/movies.list"))})),
    "Migration": data(
        object_of(
            {
                "before": or_null(
                    text("0008", "The revision that the schema had; null for an empty database.")
                ),
                "after": or_null(text("0009", "The revision that it has.")),
                "newer": leaf(
                    "boolean", example=False, description="Whether later code has migrated it."
                ),
                "admin_created": leaf("boolean", example=False),
                "admin_refused": null(
                    text(
                        "ADMIN_PASSWORD cannot be used: too short",
                        "Why there is no active administrator, although there is a password for "
                        "one; else null.",
                    )
                ),
                "not_granted": list_of(
                    text("movies: select"),
                    "Rights to what a newer schema no longer has.",
                    examples=[[]],
                ),
                "left": list_of(
                    text("documents: 400,000 of 1,000,000"),
                    "What remains, for which it is to be called again.",
                ),
                "message": text(
                    "The schema was 0008 and is now 0009. Left to do: documents: 400,000 of "
                    "1,000,000.",
                    "All of that in words.",
                ),
            }
        )
    ),
    **SHAPES_OF_PEOPLE,
    **SHAPES_OF_SESSIONS,
}
