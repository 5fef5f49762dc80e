import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lib.catalogue.movie import Movie, title_key
from lib.catalogue.source import SearchHit, SearchPage
from lib.errors import ServiceError
from lib.omdb.faults import (
    OmdbAnswerUnusable,
    OmdbDataMissing,
    OmdbIdMalformed,
    OmdbKeyRefused,
    OmdbMovieNotFound,
    OmdbQuotaExceeded,
    OmdbSearchRefused,
    OmdbTombstone,
    OmdbTooManyResults,
    OmdbUnavailable,
)
from lib.omdb.reading import read_movie, read_search
from tests.omdb_payloads import FILM, answer, hit, page, raw_answer, refusal

HTML = b"<!DOCTYPE html><html><title>Sorry, you have been blocked</title></html>"


# --- outcomes ----------------------------------------------------------------------------------

REFUSALS: list[tuple[int, str, type[ServiceError]]] = [
    (200, "Movie not found!", OmdbMovieNotFound),
    (404, "Movie not found!", OmdbMovieNotFound),
    (200, "Series not found!", OmdbMovieNotFound),
    (200, "Series or season not found!", OmdbMovieNotFound),
    (200, "Series or episode not found!", OmdbMovieNotFound),
    (200, "Incorrect IMDb ID.", OmdbIdMalformed),
    (200, "Error getting data.", OmdbDataMissing),
    (401, "Request limit reached!", OmdbQuotaExceeded),
    (200, "Request limit reached!", OmdbQuotaExceeded),
    (429, "Daily request limit reached!", OmdbQuotaExceeded),
    (401, "Invalid API key!", OmdbKeyRefused),
    (200, "Invalid API key!", OmdbKeyRefused),
    (401, "No API key provided.", OmdbKeyRefused),
    (401, "You must verify your account.", OmdbKeyRefused),
    (200, "Too many results.", OmdbTooManyResults),
    (200, "Something went wrong.", OmdbUnavailable),
    (200, "An error of the future.", OmdbUnavailable),
    (200, "", OmdbUnavailable),
    (500, "Movie not found!", OmdbMovieNotFound),
    (500, "Something went wrong.", OmdbUnavailable),
    (
        200,
        "The offset specified in a OFFSET clause may not be negative.",
        OmdbSearchRefused,
    ),
]


@pytest.mark.parametrize(("status", "error", "fault"), REFUSALS)
def test_each_error_of_omdb_is_an_outcome_of_its_own(
    status: int, error: str, fault: type[ServiceError]
) -> None:
    with pytest.raises(ServiceError) as caught:
        read_movie(status, refusal(error))

    assert caught.type is fault
    assert error == "" or error not in caught.value.message


QUOTING_REFUSALS = [
    (
        b'{"Response":"False","Error":"Conversion from string "011f8539" to type \'Double\'."}',
        OmdbIdMalformed,
    ),
    (b'Conversion from string "x" to type', OmdbIdMalformed),
    (
        b'{"Response":"False","Error":"Syntax error near \'"\' in the condition \'"aaa\'."}',
        OmdbSearchRefused,
    ),
    (b"Syntax error near '\"' in the full-text search condition", OmdbSearchRefused),
    (
        b'{"Response":"False","Error":"Syntax error near "Request limit reached! No API key""}',
        OmdbSearchRefused,
    ),
]


@pytest.mark.parametrize(("body", "fault"), QUOTING_REFUSALS)
def test_an_error_that_quotes_the_request_is_read_though_it_is_no_json(
    body: bytes, fault: type[ServiceError]
) -> None:
    with pytest.raises(ServiceError) as caught:
        read_movie(200, body)

    assert caught.type is fault


def test_a_spent_quota_says_when_to_come_back() -> None:
    with pytest.raises(OmdbQuotaExceeded) as caught:
        read_movie(401, refusal("Request limit reached!"))

    assert caught.value.headers == {"Retry-After": "3600"}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (204, b""),
        (200, b" \r\n "),
        (200, HTML),
        (200, b"The service is unavailable."),
        (302, b"<h2>Object moved</h2>"),
        (302, answer()),
        (401, HTML),
        (403, HTML),
        (500, answer()),
        (503, b"The service is unavailable."),
        (522, HTML),
        (503, b'{"half": '),
    ],
)
def test_what_is_no_answer_of_omdb_says_nothing_about_the_title(status: int, body: bytes) -> None:
    with pytest.raises(OmdbUnavailable) as caught:
        read_movie(status, body)

    assert caught.type is OmdbUnavailable


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'"x"',
        b"null",
        b"1",
        b"true",
        b"{}",
        b'{"Response":"True"}',
        b'{"Response":true}',
        b"{",
        b"{]}",
        b'{"Title":"cut off',
        answer(Response=...),
        answer(Response="Maybe"),
        answer(Response=True),
        answer().replace(b'"74"', b"NaN"),
        answer().replace(b'"74"', b"-Infinity"),
        answer()[:-1],
        answer() + answer(),
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
    ids=lambda body: repr(body[:20]),
)
def test_an_answer_without_a_movie_in_it_is_unusable(body: bytes) -> None:
    with pytest.raises(OmdbAnswerUnusable):
        read_movie(200, body)


def test_a_duplicates_empty_shell_is_a_tombstone() -> None:
    with pytest.raises(OmdbTombstone):
        read_movie(200, answer(Title="#DUPE#", Plot="N/A"))


def test_an_alias_answers_with_its_own_id() -> None:
    assert read_movie(200, answer(imdbID="tt7133754")).imdb_id == "tt7133754"


def test_too_many_calls_are_a_spent_quota_whatever_the_body_says() -> None:
    for body in (answer(), refusal("Movie not found!"), b"", b"<html>"):
        with pytest.raises(OmdbQuotaExceeded):
            read_movie(429, body)


def test_a_fault_has_no_upstream_text_behind_it() -> None:
    with pytest.raises(OmdbAnswerUnusable) as caught:
        read_movie(200, b'{"Title":"secret words')

    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


# --- mending -----------------------------------------------------------------------------------

BROKEN: list[tuple[str, str]] = [
    (r'"Plot":"the inner\spiritual way"', r"the inner\spiritual way"),
    (r'"Plot":"the keeper\'s lamp"', "the keeper's lamp"),
    (r'"Plot":"Milliards\Millions"', r"Milliards\Millions"),
    (r'"Plot":"\u00e9\s\u12"', "é\\s\\u12"),
    ('"Plot":"one\ttwo"', "one two"),
    ('"Plot":"a\x08b\x0bc\x1ad\x1de\x1ff"', "ab cd e f"),
    (r'"Plot":"it ends in\"', "it ends in\\"),
    (r'"Plot":"it ends in\","Rated":"R\"', "it ends in\\"),
    (r'"Plot":"she \"said\" so\s"', r'she "said" so\s'),
    (r'"Plot":"she \\"said\\" so"', 'she "said" so'),
    (r'"Plot":"she \\"said\\""', 'she "said"'),
    (r'"Plot":"she \\\"said\\\" so\s"', r"she \"said\" so\s"),
    (r'"Plot":"fine \\ and not\s"', r"fine \ and not\s"),
    (r'"Plot":"fine \\","Rated":"not\s"', "fine \\"),
]


@pytest.mark.parametrize(("members", "plot"), BROKEN)
def test_each_kind_of_broken_json_is_mended(members: str, plot: str) -> None:
    assert read_movie(200, raw_answer(members)).plot == plot


def test_a_value_may_end_in_a_backslash_anywhere() -> None:
    body = (
        rb'{"Title":"Slash\","Ratings":[{"Source":"S\","Value":"1\"},{"Source":"T","Value":"2"}],'
        rb'"imdbID":"tt9900001","Type":"movie","Response":"True\"}'
    )
    fixed = body.replace(rb"True\"", b'True"')

    film = read_movie(200, fixed)
    assert (film.title, len(film.ratings)) == ("Slash\\", 2)
    with pytest.raises(OmdbAnswerUnusable):
        read_movie(200, body)


def test_a_byte_order_mark_and_a_repeated_key_do_no_harm() -> None:
    assert read_movie(200, b"\xef\xbb\xbf" + answer()).title == FILM["Title"]
    assert read_movie(200, raw_answer('"Plot":"one","Plot":"two"')).plot == "two"


# --- search ------------------------------------------------------------------------------------


def test_a_page_of_a_search_has_hits_and_a_total() -> None:
    body = page(hit(), hit(imdbID="tt9900002", Type="series", Year="2013\u20132018"), total="777")

    assert read_search(200, body) == SearchPage(
        hits=(
            SearchHit(
                imdb_id="tt9900001", title="The Lighthouse Ledger", year_text="2010", type="movie"
            ),
            SearchHit(
                imdb_id="tt9900002",
                title="The Lighthouse Ledger",
                year_text="2013\u20132018",
                type="series",
            ),
        ),
        total=777,
    )


@pytest.mark.parametrize("error", ["Movie not found!", "Series not found!"])
def test_nothing_found_and_past_the_end_is_an_empty_page(error: str) -> None:
    assert read_search(200, refusal(error)) == SearchPage(hits=(), total=None)


def test_a_search_leaves_out_what_could_not_be_fetched() -> None:
    odd: list[Any] = [
        None,
        "x",
        {},
        hit(imdbID="x"),
        hit(Title="#DUPE#"),
        hit(Type="person"),
        hit(Title=[]),
    ]
    body = page(hit(), hit(), *odd, total="many")

    found = read_search(200, body)
    assert [one.imdb_id for one in found.hits] == ["tt9900001"]
    assert found.total is None


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (200, refusal("Too many results."), OmdbTooManyResults),
        (200, refusal("Incorrect IMDb ID."), OmdbSearchRefused),
        (200, QUOTING_REFUSALS[2][0], OmdbSearchRefused),
        (200, refusal("Error getting data."), OmdbUnavailable),
        (401, refusal("Request limit reached!"), OmdbQuotaExceeded),
        (401, refusal("Invalid API key!"), OmdbKeyRefused),
        (200, b'{"Response":"True"}', OmdbAnswerUnusable),
        (200, b'{"Response":"True","Search":{}}', OmdbAnswerUnusable),
        (200, b"", OmdbUnavailable),
        (503, HTML, OmdbUnavailable),
    ],
)
def test_a_search_that_fails_has_the_same_outcomes(
    status: int, body: bytes, fault: type[ServiceError]
) -> None:
    with pytest.raises(ServiceError) as caught:
        read_search(status, body)

    assert caught.type is fault


# --- properties --------------------------------------------------------------------------------

UNSTORABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffd]")

STATUSES = st.sampled_from([200, 200, 200, 204, 301, 401, 403, 404, 500, 503, 599, 999])
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
MEMBERS = st.dictionaries(
    st.sampled_from([*FILM, "totalSeasons", "Season", "Episode", "seriesID", "Error"]),
    st.text() | st.from_regex(r"\$?[0-9,. ]{1,12}( min|M|h)?") | JSON_VALUES,
    max_size=5,
)
SPLICES = st.lists(
    st.tuples(
        st.integers(0, len(answer())),
        st.integers(0, 6),
        st.sampled_from(
            [b"\\", b'"', b'\\"', b"\\u", b"\xff", b"\x00", b",", b"}", b"{", b"(", b""]
        )
        | st.binary(max_size=3),
    ),
    max_size=4,
)


def strings_of(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for one in value:
            yield from strings_of(one)
    elif hasattr(value, "source"):
        yield from (value.source, value.value)  # type: ignore[attr-defined]


def assert_storable(movie: Movie) -> None:
    """Assert what the database's constraints demand, and what would poison its connection."""
    values = {field.name: getattr(movie, field.name) for field in fields(movie)}
    for text in strings_of(tuple(values.values())):
        assert text.strip() == text != ""
        assert not UNSTORABLE.search(text)
    assert re.fullmatch("tt[0-9]{7,10}", movie.imdb_id)
    assert movie.series_id is None or re.fullmatch("tt[0-9]{7,10}", movie.series_id)
    assert 1 <= len(movie.title) <= 500
    assert 1 <= len(title_key(movie.title)) <= 500
    for name, low, high in (
        ("year", 1850, 2200),
        ("year_end", movie.year or 9999, 2200),
        ("runtime_minutes", 1, 2**31 - 1),
        ("metascore", 0, 100),
        ("imdb_rating", 0, 10),
        ("imdb_votes", 0, 2**31 - 1),
        ("box_office_usd", 0, 2**63 - 1),
        ("total_seasons", 1, 2**15 - 1),
        ("season", 0, 2**31 - 1),
        ("episode", 0, 2**31 - 1),
    ):
        assert values[name] is None or low <= values[name] <= high


def read_both_ways(status: int, body: bytes) -> None:
    """Read a body as a movie and as a page; any fault but ours goes up and fails the test."""
    with suppress(ServiceError):
        assert_storable(read_movie(status, body))
    with suppress(ServiceError):
        read_search(status, body)


@given(STATUSES, st.binary())
def test_any_bytes_are_a_movie_or_a_fault_of_ours(status: int, body: bytes) -> None:
    read_both_ways(status, body)


@given(STATUSES, JSON_VALUES)
def test_any_json_is_a_movie_or_a_fault_of_ours(status: int, document: object) -> None:
    read_both_ways(status, json.dumps(document).encode())


@given(MEMBERS)
@example({"Plot": "\ud800"})
@example({"Error": "Movie not found!", "Response": 1})
@example({"imdbVotes": 10**400})
def test_any_member_is_a_value_or_a_fault_of_ours(members: dict[str, object]) -> None:
    read_both_ways(200, json.dumps(FILM | members).encode())
    read_both_ways(200, json.dumps({"Response": "True", "Search": [hit(**members)]}).encode())


@given(SPLICES)
def test_a_damaged_answer_is_a_movie_or_a_fault_of_ours(
    splices: list[tuple[int, int, bytes]],
) -> None:
    body = answer(Type="series", Year="1994\u20132004", Writer="Ada (book), Ben")
    for position, length, put in splices:
        body = body[:position] + put + body[position + length :]
    read_both_ways(200, body)


PLOTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters='"\ufffd'))


@given(PLOTS)
def test_a_text_without_quotes_survives_unescaped_unless_it_looks_like_an_escape(plot: str) -> None:
    body = raw_answer(f'"Plot":"{plot}"')
    try:
        json.loads(body)
    except ValueError:
        film = read_movie(200, body)
        if not re.search(r"\\[/\\bfnrtu']|&|<|N/A", plot):
            kept = re.sub("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]", "", plot)
            assert film.plot == (" ".join(kept.split()) or None)


# --- real answers ------------------------------------------------------------------------------

SAMPLES = os.environ.get("MOVIES_OMDB_SAMPLES")
with_samples = pytest.mark.skipif(
    not SAMPLES, reason="MOVIES_OMDB_SAMPLES names no folder of recorded answers"
)


def samples(name: str) -> list[bytes]:
    return (Path(SAMPLES or "") / name).read_bytes().splitlines()


@with_samples
def test_every_recorded_detail_is_a_movie_unless_it_is_a_tombstone() -> None:
    bodies = samples("details.jsonl")
    tombstones = [body for body in bodies if json.loads(body)["Title"] == "#DUPE#"]

    for body in bodies:
        if body in tombstones:
            with pytest.raises(OmdbTombstone):
                read_movie(200, body)
        else:
            movie = read_movie(200, body)
            assert movie.imdb_id == json.loads(body)["imdbID"]
            assert_storable(movie)
    assert len(bodies) == 413


@with_samples
def test_recorded_details_lose_nothing_but_garbage() -> None:
    lost: dict[tuple[str, str], str] = {}
    for body in samples("details.jsonl"):
        raw = json.loads(body)
        if raw["Title"] == "#DUPE#":
            continue
        movie = read_movie(200, body)
        pairs = {
            "Year": movie.year,
            "Released": movie.released,
            "Runtime": movie.runtime_minutes,
            "Plot": movie.plot,
            "Writer": movie.writers,
            "Awards": movie.awards,
            "Poster": movie.poster_url,
            "imdbVotes": movie.imdb_votes,
            "imdbRating": movie.imdb_rating,
            "BoxOffice": movie.box_office_usd,
        }
        lost |= {
            (raw["imdbID"], name): raw[name]
            for name, value in pairs.items()
            if value in (None, ()) and raw.get(name, "N/A") != "N/A"
        }
    assert set(lost.values()) == {"30S min", "18S min"}


@with_samples
def test_every_recorded_search_keeps_all_its_hits() -> None:
    for body in samples("searches.jsonl"):
        raw = json.loads(body)
        found = read_search(200, body)
        assert len(found.hits) == len(raw["Search"])
        assert found.total == int(raw["totalResults"])
