from datetime import date
from typing import Any

import pytest

from lib.catalogue.movie import Movie, Rating
from lib.omdb.faults import OmdbAnswerUnusable
from lib.omdb.reading import read_movie
from tests.omdb_payloads import FILM, answer

MANY_WORDS = "word " * 2_001


def movie(**members: Any) -> Movie:
    return read_movie(200, answer(**members))


def test_a_usual_answer_becomes_typed_values() -> None:
    assert movie() == Movie(
        imdb_id="tt9900001",
        title="The Lighthouse Ledger",
        type="movie",
        year=2010,
        year_end=None,
        rated="PG-13",
        released=date(2010, 7, 16),
        runtime_minutes=148,
        genres=("Drama", "Mystery"),
        directors=("Ada Brook",),
        writers=("Ada Brook", "Ben Cole"),
        actors=("Cleo Dunn", "Dan Ember", "Eve Frost"),
        plot="A keeper finds that her lighthouse counts ships that never sailed.",
        languages=("English", "French"),
        countries=("United States", "France"),
        awards="Won 4 Oscars. 159 wins & 220 nominations total",
        poster_url="https://posters.example/lighthouse_SX300.jpg",
        ratings=(
            Rating(source="Internet Movie Database", value="8.8/10"),
            Rating(source="Metacritic", value="74/100"),
        ),
        metascore=74,
        imdb_rating=8.8,
        imdb_votes=2500123,
        box_office_usd=292587330,
        total_seasons=None,
        website="https://lighthouse.example/",
        dvd_released=date(2013, 6, 20),
        production="Beacon Pictures, Tide Films",
    )


@pytest.mark.parametrize("absent", ["N/A", "", "  ", None, ...])
def test_only_id_title_and_type_are_needed(absent: object) -> None:
    needed = ("imdbID", "Title", "Type", "Response")
    bare = movie(**{name: absent for name in FILM if name not in needed})

    assert bare == Movie(imdb_id="tt9900001", title="The Lighthouse Ledger", type="movie")


def test_an_episode_names_its_series() -> None:
    episode = movie(Type="episode", Season="3", Episode="0", seriesID="tt9900002")

    assert (episode.season, episode.episode, episode.series_id) == (3, 0, "tt9900002")


ODD_FORMS: list[tuple[str, object, str, object]] = [
    ("Released", "05 Jan 1920", "released", date(1920, 1, 5)),
    ("Released", "5 jan 1920", "released", date(1920, 1, 5)),
    ("Released", "2005-01-14", "released", date(2005, 1, 14)),
    ("Released", "31 Feb 2020", "released", None),
    ("Released", "2020-02-31", "released", None),
    ("Released", "14 Mai 2013", "released", None),
    ("Released", "14 Jun 0001", "released", None),
    ("Released", "14 Jun 9999", "released", None),
    ("Released", "Jun 2013", "released", None),
    ("Released", "\u0661\u0664 Jun 2013", "released", None),
    ("DVD", "22 Aug 2017", "dvd_released", date(2017, 8, 22)),
    ("DVD", "soon", "dvd_released", None),
    ("Runtime", "1 min", "runtime_minutes", 1),
    ("Runtime", "2 h", "runtime_minutes", 120),
    ("Runtime", "1 h 15 min", "runtime_minutes", 75),
    ("Runtime", "1h 15min", "runtime_minutes", 75),
    ("Runtime", "1,440 min", "runtime_minutes", 1440),
    ("Runtime", "18S min", "runtime_minutes", None),
    ("Runtime", "0 min", "runtime_minutes", None),
    ("Runtime", "-5 min", "runtime_minutes", None),
    ("Runtime", "148", "runtime_minutes", None),
    ("Runtime", "min", "runtime_minutes", None),
    ("Runtime", "\u0661 min", "runtime_minutes", None),
    ("Runtime", "9" * 9 + " min", "runtime_minutes", 999_999_999),
    ("Runtime", "9" * 5000 + " min", "runtime_minutes", None),
    ("Rated", "NOT RATED", "rated", "Not Rated"),
    ("Rated", "UNRATED", "rated", "Unrated"),
    ("Rated", "APPROVED", "rated", "Approved"),
    ("Rated", "TV-Y7", "rated", "TV-Y7"),
    ("Rated", "18+", "rated", "18+"),
    ("Director", "Ada Brook, Ben Cole(co-director)", "directors", ("Ada Brook", "Ben Cole")),
    ("Writer", "Ada (book), Ada (book), Ben", "writers", ("Ada", "Ben")),
    ("Writer", "Ada (characters: Holmes,  Dr. W", "writers", ("Ada",)),
    ("Writer", "Ada (story (first), idea), Ben (x)", "writers", ("Ada", "Ben")),
    ("Writer", "Ada), Ben", "writers", ("Ada", "Ben")),
    ("Writer", "(story), ,N/A,", "writers", ()),
    ("Actors", "Cleo O&apos;Dunn, Ed&#39;s &amp; Co", "actors", ("Cleo O'Dunn", "Ed's & Co")),
    ("Actors", "Zo\u00eb Kr\u00e4mer", "actors", ("Zo\u00eb Kr\u00e4mer",)),
    ("Genre", "Short", "genres", ("Short",)),
    ("Genre", "Talk-Show,Game-Show", "genres", ("Talk-Show", "Game-Show")),
    ("Language", "None, English", "languages", ("English",)),
    ("Language", "None", "languages", ()),
    ("Language", "English, American Sign ", "languages", ("English", "American Sign")),
    ("Country", "USA, UK", "countries", ("United States", "United Kingdom")),
    ("Country", "USA, United States", "countries", ("United States",)),
    ("Country", "West Germany, Soviet Union", "countries", ("West Germany", "Soviet Union")),
    ("Plot", "Rest &amp; quiet", "plot", "Rest & quiet"),
    ("Plot", "R&D, AT&T and rock&notes;", "plot", "R&D, AT&T and rock&notes;"),
    ("Plot", "one\ttwo\r\n three\x00\x08\x1a\x7f\x9f", "plot", "one two three"),
    ("Plot", "x" * 10_000, "plot", "x" * 10_000),
    ("Plot", "x" * 10_001, "plot", None),
    ("Plot", "lost \ufffd bytes", "plot", None),
    ("Plot", "A pl<ot, 1 < 2, <3 and <Harmony/>", "plot", "A pl<ot, 1 < 2, <3 and <Harmony/>"),
    ("Plot", "A plot.<script>x()</script>", "plot", "A plot."),
    ("Plot", "&lt;script&gt;x()", "plot", None),
    ("Awards", "1 win", "awards", "1 win"),
    ("Awards", "1 winif(typeof uet === 'function'){ uet(); }", "awards", "1 win"),
    (
        "Awards",
        "Nominated for 1 BAFTA Award17 wins & 20 nominations total",
        "awards",
        "Nominated for 1 BAFTA Award. 17 wins & 20 nominations total",
    ),
    ("Awards", "Won 3 BAFTA 9 wins", "awards", "Won 3 BAFTA. 9 wins"),
    (
        "Awards",
        "Won 4 Oscars. Another 145 wins & 197 nominations.",
        "awards",
        "Won 4 Oscars. Another 145 wins & 197 nominations.",
    ),
    ("Poster", "http://ia.example/old.jpg", "poster_url", "http://ia.example/old.jpg"),
    ("Poster", "HTTPS://ia.example", "poster_url", "HTTPS://ia.example"),
    ("Poster", "https://ia.example/a?b=1&amp;c=2", "poster_url", "https://ia.example/a?b=1&c=2"),
    ("Poster", "javascript:alert(1)", "poster_url", None),
    ("Poster", "data:image/png;base64,AAAA", "poster_url", None),
    ("Poster", "//ia.example/a.jpg", "poster_url", None),
    ("Poster", "https://", "poster_url", None),
    ("Poster", 'https://ia.example/"onload="x', "poster_url", None),
    ("Poster", "https://ia.example/a b", "poster_url", None),
    ("Poster", "https://ia.example/" + "a" * 2_000, "poster_url", None),
    ("Website", "lighthouse.example", "website", None),
    ("Metascore", "0", "metascore", 0),
    ("Metascore", "100", "metascore", 100),
    ("Metascore", "101", "metascore", None),
    ("Metascore", "-1", "metascore", None),
    ("Metascore", 76, "metascore", 76),
    ("imdbRating", "10", "imdb_rating", 10.0),
    ("imdbRating", "10.0", "imdb_rating", 10.0),
    ("imdbRating", "0.0", "imdb_rating", 0.0),
    ("imdbRating", "8", "imdb_rating", 8.0),
    ("imdbRating", 8.3, "imdb_rating", 8.3),
    ("imdbRating", "NaN", "imdb_rating", None),
    ("imdbRating", "inf", "imdb_rating", None),
    ("imdbRating", "11", "imdb_rating", None),
    ("imdbRating", "10.1", "imdb_rating", None),
    ("imdbRating", "7,5", "imdb_rating", None),
    ("imdbRating", "-1", "imdb_rating", None),
    ("imdbRating", "\u0663.1", "imdb_rating", None),
    ("imdbVotes", "9471", "imdb_votes", 9471),
    ("imdbVotes", "93", "imdb_votes", 93),
    ("imdbVotes", "1,429,496", "imdb_votes", 1429496),
    ("imdbVotes", "7,5", "imdb_votes", None),
    ("imdbVotes", "1_000", "imdb_votes", None),
    ("imdbVotes", "2147483647", "imdb_votes", 2147483647),
    ("imdbVotes", "2147483648", "imdb_votes", None),
    ("imdbVotes", "9" * 5000, "imdb_votes", None),
    ("BoxOffice", "$957", "box_office_usd", 957),
    ("BoxOffice", "$30,459,009.00", "box_office_usd", 30459009),
    ("BoxOffice", "$292.6M", "box_office_usd", 292600000),
    ("BoxOffice", "$1.5B", "box_office_usd", 1500000000),
    ("BoxOffice", "&pound;270,592,504", "box_office_usd", None),
    ("BoxOffice", "\u20ac1,000", "box_office_usd", None),
    ("BoxOffice", "389,813,101", "box_office_usd", None),
    ("BoxOffice", "$", "box_office_usd", None),
    ("BoxOffice", "$1e400", "box_office_usd", None),
    ("BoxOffice", "$-5", "box_office_usd", None),
    ("BoxOffice", "$999999999999999B", "box_office_usd", None),
    ("totalSeasons", "7", "total_seasons", 7),
    ("totalSeasons", "0", "total_seasons", None),
    ("totalSeasons", "32768", "total_seasons", None),
    ("Season", "11418", "season", 11418),
    ("Episode", "N/A", "episode", None),
    ("seriesID", "tt123", "series_id", None),
    ("Ratings", [], "ratings", ()),
    ("Ratings", "N/A", "ratings", ()),
    ("Ratings", [1, None, {}, {"Source": "S"}, {"Source": [], "Value": "1"}], "ratings", ()),
    ("Ratings", [{"Source": "S", "Value": "N/A"}], "ratings", ()),
    ("Ratings", [{"Source": "S", "Value": "1"}] * 2, "ratings", (Rating(source="S", value="1"),)),
    ("Production", MANY_WORDS, "production", None),
    ("Title", "8\u00bd", "title", "8\u00bd"),
    ("Title", "  Tom &amp;  Ann ", "title", "Tom & Ann"),
    ("Title", "Man 'of' Straw", "title", "Man 'of' Straw"),
    ("Title", "I <3 You", "title", "I <3 You"),
    ("Title", "x" * 500, "title", "x" * 500),
    ("Title", "Episode #1.10679", "title", "Episode #1.10679"),
    ("Title", 9, "title", "9"),
    ("imdbID", " TT0076759 ", "imdb_id", "tt0076759"),
    ("imdbID", "tt32766897", "imdb_id", "tt32766897"),
    ("Type", "Series", "type", "series"),
]


@pytest.mark.parametrize(("member", "written", "attribute", "expected"), ODD_FORMS)
def test_each_odd_form_has_its_value(
    member: str, written: object, attribute: str, expected: object
) -> None:
    assert getattr(movie(**{member: written}), attribute) == expected


@pytest.mark.parametrize(
    ("written", "kind", "expected"),
    [
        ("1948", "movie", (1948, None)),
        ("1994\u20132004", "series", (1994, 2004)),
        ("1994-2004", "series", (1994, 2004)),
        ("2002\u2013", "series", (2002, None)),
        ("2012", "series", (2012, 2012)),
        ("2012", "episode", (2012, None)),
        ("2012\u20132012", "series", (2012, 2012)),
        ("2012\u20132010", "series", (2012, None)),
        ("2012\u20139999", "series", (2012, None)),
        ("1066", "movie", (None, None)),
        ("9999\u20132004", "series", (None, None)),
        ("\u2013 2004", "series", (None, None)),
        ("MMXX", "movie", (None, None)),
        ("20100", "movie", (None, None)),
        ("\u0662\u0660\u0661\u0660", "movie", (None, None)),
        ("N/A", "movie", (None, None)),
    ],
)
def test_a_year_may_be_a_range(
    written: str, kind: str, expected: tuple[int | None, int | None]
) -> None:
    series = movie(Year=written, Type=kind)

    assert (series.year, series.year_end) == expected


def test_a_film_whose_title_is_na_is_kept_when_the_rest_is_sound() -> None:
    assert movie(Title="N/A").title == "N/A"


def test_a_record_without_title_and_year_is_none() -> None:
    with pytest.raises(OmdbAnswerUnusable):
        movie(Title="N/A", Year="N/A")


@pytest.mark.parametrize(
    ("member", "written"),
    [
        ("Title", ...),
        ("Title", " \t"),
        ("Title", "\x00\x01"),
        ("Title", "x" * 501),
        ("Title", "lost \ufffd bytes"),
        ("Title", "<script>alert(1)</script>"),
        ("Title", "&lt;b&gt;Bold&lt;/b&gt;"),
        ("Title", ["A"]),
        ("Title", True),
        ("imdbID", ...),
        ("imdbID", "tt123"),
        ("imdbID", "tt0000001\x00x"),
        ("imdbID", "nm0000001"),
        ("imdbID", "tt\u0661\u0661\u0661\u0661\u0661\u0661\u0661"),
        ("imdbID", {}),
        ("Type", ...),
        ("Type", "person"),
        ("Type", []),
        ("Plot", ["a"]),
        ("imdbVotes", ["1"]),
        ("Year", {"from": 1999}),
        ("Metascore", True),
        ("Ratings", {}),
        ("Ratings", "8.8/10"),
    ],
)
def test_an_unsound_identity_or_a_wrong_shape_makes_the_answer_unusable(
    member: str, written: object
) -> None:
    with pytest.raises(OmdbAnswerUnusable):
        movie(**{member: written})


def test_a_surrogate_costs_a_text_its_field_and_a_title_the_answer() -> None:
    # As escapes, since no UTF-8 holds them; a pair of them is a character like any other.
    assert read_movie(200, answer(Plot="@").replace(b"@", rb"\ud800")).plot is None
    assert read_movie(200, answer(Plot="@").replace(b"@", rb"\ud83c\udfac")).plot == "🎬"
    with pytest.raises(OmdbAnswerUnusable):
        read_movie(200, answer(Title="@").replace(b"@", rb"\ud800"))


def test_bytes_that_are_no_utf8_cost_only_their_field() -> None:
    film = read_movie(200, answer(Plot="@", Production="fine").replace(b"@", b"caf\xe9"))

    assert (film.plot, film.production) == (None, "fine")
