"""Tests for the demo OMDb: its answers over HTTP, and the titles it comes with."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from local.demo_omdb import DemoOmdb
from local.demo_omdb.__main__ import main
from local.demo_omdb.server import read_films

ROOT = Path(__file__).parents[2]
TIMEOUT = 10
FILMS = read_films()

BEFORE_TYPE = [
    "Title",
    "Year",
    "Rated",
    "Released",
    "Runtime",
    "Genre",
    "Director",
    "Writer",
    "Actors",
    "Plot",
    "Language",
    "Country",
    "Awards",
    "Poster",
    "Ratings",
    "Metascore",
    "imdbRating",
    "imdbVotes",
    "imdbID",
    "Type",
]
FILM_KEYS = [*BEFORE_TYPE, "DVD", "BoxOffice", "Production", "Website", "Response"]
EPISODE_KEYS = BEFORE_TYPE.copy()
EPISODE_KEYS[4:4] = ["Season", "Episode"]
EPISODE_KEYS[-1:] = ["seriesID", "Type", "Response"]
KEYS = {
    "movie": FILM_KEYS,
    "game": FILM_KEYS,
    "series": [*BEFORE_TYPE, "totalSeasons", "Response"],
    "episode": EPISODE_KEYS,
}


@pytest.fixture(name="demo")
def _demo() -> Iterator[DemoOmdb]:
    with DemoOmdb() as demo:
        yield demo


def call(demo: DemoOmdb, **parameters: str) -> requests.Response:
    return requests.get(demo.url, params={"apikey": "demo"} | parameters, timeout=TIMEOUT)


def ask(demo: DemoOmdb, **parameters: str) -> Any:
    response = call(demo, **parameters)

    assert response.status_code == 200
    return response.json()


def error(demo: DemoOmdb, **parameters: str) -> Any:
    body = ask(demo, **parameters)

    assert list(body) == ["Response", "Error"]
    assert body["Response"] == "False"
    return body["Error"]


def test_a_call_without_a_key_is_refused(demo: DemoOmdb) -> None:
    response = requests.get(demo.url, params={"i": "tt0111161"}, timeout=TIMEOUT)

    assert response.status_code == 401
    assert response.json() == {"Response": "False", "Error": "No API key provided."}


def test_a_call_with_another_key_is_refused(demo: DemoOmdb) -> None:
    response = call(demo, apikey="other", i="tt0111161")

    assert response.status_code == 401
    assert response.json() == {"Response": "False", "Error": "Invalid API key!"}


def test_the_key_can_be_changed_while_it_runs(demo: DemoOmdb) -> None:
    demo.key = "other"

    assert call(demo, i="tt0111161").status_code == 401
    assert call(demo, apikey="other", i="tt0111161").status_code == 200


def test_calls_beyond_the_quota_are_refused_until_it_is_set_again(demo: DemoOmdb) -> None:
    demo.quota = 2
    statuses = [call(demo, i="tt0111161").status_code for _ in range(3)]
    refusal = call(demo, s="dune")
    demo.quota = None

    assert statuses == [200, 200, 401]
    assert refusal.json() == {"Response": "False", "Error": "Request limit reached!"}
    assert call(demo, i="tt0111161").status_code == 200


def test_a_call_with_another_key_costs_nothing_of_the_quota(demo: DemoOmdb) -> None:
    demo.quota = 1
    call(demo, apikey="other", i="tt0111161")

    assert demo.quota == 1


def test_the_quota_is_exact_under_concurrent_calls(demo: DemoOmdb) -> None:
    demo.quota = 10
    with ThreadPoolExecutor(16) as pool:
        calls = pool.map(lambda _: call(demo, i="tt0111161").status_code, range(40))

    assert sorted(calls) == [200] * 10 + [401] * 30


def test_a_movie_is_answered_with_its_keys_in_the_order_of_omdb(demo: DemoOmdb) -> None:
    body = ask(demo, i="tt0111161", plot="full")

    assert list(body) == FILM_KEYS
    assert (body["Title"], body["Year"]) == ("The Shawshank Redemption", "1994")


def test_the_headers_are_those_of_omdb(demo: DemoOmdb) -> None:
    headers = call(demo, i="tt0111161").headers

    assert headers["content-type"] == "application/json; charset=utf-8"
    assert headers["cache-control"] == "public, max-age=3600"
    assert headers["access-control-allow-origin"] == "*"


def test_parameter_names_are_case_blind(demo: DemoOmdb) -> None:
    parameters = {"apiKey": "demo", "I": "tt0111161"}
    response = requests.get(demo.url, params=parameters, timeout=TIMEOUT)

    assert response.json()["imdbID"] == "tt0111161"


def test_surplus_zeros_of_an_id_are_dropped(demo: DemoOmdb) -> None:
    assert ask(demo, i="tt00111161")["imdbID"] == "tt0111161"


def test_an_id_of_eight_digits_is_found(demo: DemoOmdb) -> None:
    assert ask(demo, i="tt15398776")["Title"] == "Oppenheimer"


@pytest.mark.parametrize("imdb_id", ["tt9999999", "tt99999999", "tt0000000"])
def test_an_id_that_is_not_held_has_no_data(demo: DemoOmdb, imdb_id: str) -> None:
    assert error(demo, i=imdb_id) == "Error getting data."


@pytest.mark.parametrize("imdb_id", ["", "tt", "tt596799", "tt1231230123", "0111161"])
def test_an_id_of_the_wrong_length_is_incorrect(demo: DemoOmdb, imdb_id: str) -> None:
    assert error(demo, i=imdb_id) == "Incorrect IMDb ID."


@pytest.mark.parametrize(
    ("imdb_id", "number"), [("tt011f8539", "011f8539"), ("TT0000001", "TT0000001")]
)
def test_letters_in_an_id_give_a_body_that_is_no_json(
    demo: DemoOmdb, imdb_id: str, number: str
) -> None:
    response = call(demo, i=imdb_id)

    assert response.status_code == 200
    assert response.text == (
        '{"Response":"False","Error":"Conversion from string '
        f'"{number}" to type \'Double\' is not valid."}}'
    )
    with pytest.raises(requests.JSONDecodeError):
        response.json()


def test_neither_id_nor_title_nor_search_is_an_incorrect_id(demo: DemoOmdb) -> None:
    assert error(demo, y="1999") == "Incorrect IMDb ID."


def test_the_case_of_a_title_does_not_matter(demo: DemoOmdb) -> None:
    assert ask(demo, t="tHe gOdfather")["imdbID"] == "tt0068646"


@pytest.mark.parametrize("title", ["Amélie", "amelie", "AMÉLIE"])
def test_the_accents_of_a_title_do_not_matter(demo: DemoOmdb, title: str) -> None:
    assert ask(demo, t=title)["imdbID"] == "tt0211915"


@pytest.mark.parametrize(
    ("title", "imdb_id"), [("9", "tt0472033"), ("M", "tt0022100"), ("8½", "tt0056801")]
)
def test_short_titles_are_found(demo: DemoOmdb, title: str, imdb_id: str) -> None:
    assert ask(demo, t=title)["imdbID"] == imdb_id


def test_of_one_title_the_film_with_most_votes_is_answered(demo: DemoOmdb) -> None:
    assert ask(demo, t="dune")["Year"] == "2021"
    assert ask(demo, t="A Star Is Born")["Year"] == "2018"


@pytest.mark.parametrize(("year", "imdb_id"), [("1984", "tt0087182"), ("2021", "tt1160419")])
def test_the_year_narrows(demo: DemoOmdb, year: str, imdb_id: str) -> None:
    assert ask(demo, t="Dune", y=year)["imdbID"] == imdb_id


def test_the_type_narrows(demo: DemoOmdb) -> None:
    assert ask(demo, t="Fargo", type="movie")["Year"] == "1996"
    assert ask(demo, t="Fargo", type="series")["Year"] == "2014\u20132024"


def test_an_exact_title_wins_over_a_film_with_more_votes(demo: DemoOmdb) -> None:
    assert ask(demo, t="Psycho", y="1998")["imdbVotes"] == "50,000"
    assert ask(demo, t="Alien")["Title"] == "Alien"
    assert ask(demo, t="Metropolis")["Title"] == "Metropolis"


def test_a_part_of_a_title_in_whole_words_is_enough(demo: DemoOmdb) -> None:
    assert ask(demo, t="shawshank")["imdbID"] == "tt0111161"
    assert error(demo, t="shawsh") == "Movie not found!"


def test_a_title_that_is_not_held_is_not_found(demo: DemoOmdb) -> None:
    assert error(demo, t="No Such Film At All") == "Movie not found!"
    assert error(demo, t="Dune", y="1999") == "Movie not found!"


def test_a_series_that_is_not_held_has_its_own_error(demo: DemoOmdb) -> None:
    assert error(demo, t="The Godfather", type="series") == "Series not found!"


def test_a_game_is_not_found_by_its_title(demo: DemoOmdb) -> None:
    assert error(demo, t="The Last of Us", type="game") == "Movie not found!"


def test_a_blank_title_goes_wrong(demo: DemoOmdb) -> None:
    assert error(demo, t="  ") == "Something went wrong."


def test_an_id_wins_over_a_title(demo: DemoOmdb) -> None:
    assert ask(demo, t="Alien", i="tt0111161")["imdbID"] == "tt0111161"


def test_found_titles_have_five_members_and_are_counted(demo: DemoOmdb) -> None:
    body = ask(demo, s="king kong")

    assert list(body) == ["Search", "totalResults", "Response"]
    assert body["totalResults"] == "3"
    assert body["Response"] == "True"
    assert {item["Year"] for item in body["Search"]} == {"1933", "1976", "2005"}
    for item in body["Search"]:
        assert list(item) == ["Title", "Year", "imdbID", "Type", "Poster"]


def test_pages_of_ten_cover_the_results_once(demo: DemoOmdb) -> None:
    first = ask(demo, s="the")
    total = int(first["totalResults"])
    pages = [ask(demo, s="the", page=str(page + 1)) for page in range(-(-total // 10))]
    ids = [item["imdbID"] for page in pages for item in page["Search"]]

    assert pages[0] == first
    assert total > 20
    assert [len(page["Search"]) for page in pages[:-1]] == [10] * (len(pages) - 1)
    assert len(ids) == len(set(ids)) == total


def test_past_the_last_page_nothing_is_found(demo: DemoOmdb) -> None:
    assert error(demo, s="king kong", page="2") == "Movie not found!"


def test_a_page_before_the_first_shows_the_clause_that_failed(demo: DemoOmdb) -> None:
    expected = "The offset specified in a OFFSET clause may not be negative."

    assert error(demo, s="king kong", page="0") == expected
    assert error(demo, s="king kong", page="0.34") == expected


def test_a_page_that_is_no_number_gives_a_body_that_is_no_json(demo: DemoOmdb) -> None:
    assert 'from string "two" to' in call(demo, s="king kong", page="two").text


def test_words_match_whole_unless_they_end_in_a_star(demo: DemoOmdb) -> None:
    assert error(demo, s="ghostb") == "Movie not found!"
    assert ask(demo, s="ghostb*")["totalResults"] == "2"
    assert error(demo, s="*busters") == "Movie not found!"


def test_a_title_that_is_nothing_else_comes_first(demo: DemoOmdb) -> None:
    titles = [item["Title"] for item in ask(demo, s="dune")["Search"]]

    assert titles == ["Dune", "Dune", "Dune: Part Two"]


def test_the_type_narrows_a_search(demo: DemoOmdb) -> None:
    found = {
        kind: ask(demo, s="the last of us", type=kind)["Search"][0]["imdbID"]
        for kind in ("series", "game")
    }

    assert found == {"series": "tt3581920", "game": "tt2140553"}
    assert error(demo, s="king kong", type="series") == "Series not found!"


def test_the_year_narrows_a_search(demo: DemoOmdb) -> None:
    assert [item["Year"] for item in ask(demo, s="little women", y="1994")["Search"]] == ["1994"]


def test_episodes_are_not_searched(demo: DemoOmdb) -> None:
    assert error(demo, s="ozymandias") == "Movie not found!"
    assert error(demo, s="ozymandias", type="episode") == "Movie not found!"


@pytest.mark.parametrize("term", ["a", "up", "It", "!@#$%!", "*"])
def test_a_term_of_two_letters_or_fewer_has_too_many_results(demo: DemoOmdb, term: str) -> None:
    assert error(demo, s=term, y="2017", page="3") == "Too many results."


def test_a_blank_term_is_an_incorrect_id(demo: DemoOmdb) -> None:
    assert error(demo, s="") == "Incorrect IMDb ID."


def test_a_search_wins_over_an_id(demo: DemoOmdb) -> None:
    assert "Search" in ask(demo, s="dune", i="tt0111161")


def test_calls_and_fetches_are_counted(demo: DemoOmdb) -> None:
    ask(demo, i="tt0111161")
    ask(demo, t="The Shawshank Redemption")
    ask(demo, i="tt9999999")
    ask(demo, s="dune")
    call(demo, apikey="other", i="tt0068646")

    assert len(demo.calls) == 5
    assert demo.calls[0] == {"apikey": "demo", "i": "tt0111161"}
    assert demo.fetches == {"tt0111161": 2, "tt9999999": 1}


def test_calls_can_be_forgotten(demo: DemoOmdb) -> None:
    ask(demo, i="tt0111161")
    demo.forget_calls()

    assert demo.calls == []
    assert demo.fetches == {}


@pytest.mark.parametrize("parameters", [{"i": "tt0111161"}, {"t": "The Shawshank Redemption"}])
def test_a_body_can_be_replaced(demo: DemoOmdb, parameters: dict[str, str]) -> None:
    demo.overrides["tt0111161"] = b'{"Title":"inner\\spiritual"}'

    assert call(demo, **parameters).content == b'{"Title":"inner\\spiritual"}'
    assert ask(demo, i="tt0068646")["Title"] == "The Godfather"


def test_status_and_headers_can_be_replaced_even_of_an_id_not_held(demo: DemoOmdb) -> None:
    demo.overrides["tt9999999"] = (503, b"<html>", {"Content-Type": "text/html"})
    response = call(demo, i="tt9999999")

    assert (response.status_code, response.text) == (503, "<html>")
    assert response.headers["content-type"] == "text/html"


def test_a_body_can_break_off(demo: DemoOmdb) -> None:
    demo.overrides["tt0111161"] = (200, b'{"Title":', {"content-length": "2000"})

    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        call(demo, i="tt0111161")


def test_one_connection_serves_many_calls(demo: DemoOmdb) -> None:
    address = ("127.0.0.1", int(demo.url.rsplit(":", 1)[1].strip("/")))
    with socket.create_connection(address, timeout=TIMEOUT) as connection:
        answers = connection.makefile("rb")
        for _ in range(3):
            connection.sendall(b"GET /?apikey=demo&i=tt0111161 HTTP/1.1\r\nHost: demo\r\n\r\n")
            status, *headers = iter(answers.readline, b"\r\n")
            length = next(line for line in headers if line.startswith(b"content-length:"))
            body = answers.read(int(length.split(b":")[1]))

            assert status.split()[1] == b"200"
            assert json.loads(body)["imdbID"] == "tt0111161"


def test_slow_answers_do_not_wait_for_one_another(demo: DemoOmdb) -> None:
    demo.latency = 0.1

    def call_three_times(_: int) -> None:
        with requests.Session() as session:
            for _ in range(3):
                parameters = {"apikey": "demo", "i": "tt0111161"}
                session.get(demo.url, params=parameters, timeout=TIMEOUT).raise_for_status()

    begin = time.monotonic()
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(call_three_times, range(16)))
    elapsed = time.monotonic() - begin

    # In turn the 48 calls would take 4.8 seconds; the bound is wide for slow machines.
    assert 0.3 <= elapsed < 2.4


def test_it_stops_while_calls_are_waiting_and_can_start_again() -> None:
    demo = DemoOmdb()
    demo.start()
    demo.latency = 60.0
    url = demo.url
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(call, demo, i="tt0111161")
        while not demo.calls:
            time.sleep(0.01)
        begin = time.monotonic()
        demo.stop()

        assert time.monotonic() - begin < TIMEOUT / 2
        assert waiting.exception() is None or isinstance(
            waiting.exception(), requests.ConnectionError
        )
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=TIMEOUT)
    demo.latency = 0.0
    with demo:
        assert ask(demo, i="tt0111161")["Year"] == "1994"


def test_it_has_no_address_before_it_is_started() -> None:
    with pytest.raises(RuntimeError, match="before it is started"):
        _ = DemoOmdb().url


def test_its_titles_can_be_given() -> None:
    with DemoOmdb([FILMS[1]]) as demo:
        assert ask(demo, i="tt0068646")["Title"] == "The Godfather"
        assert error(demo, i="tt0111161") == "Error getting data."


def test_it_serves_until_it_is_terminated() -> None:
    command = [sys.executable, "-m", "local.demo_omdb", "--key", "secret"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:  # noqa: S603
        assert process.stdout is not None
        line = process.stdout.readline().decode()
        match = re.search(r"http://127\.0\.0\.1:[0-9]+/", line)
        assert match is not None
        parameters = {"apikey": "secret", "i": "tt0111161"}
        response = requests.get(match[0], params=parameters, timeout=TIMEOUT)
        process.send_signal(signal.SIGTERM)

        assert response.json()["Year"] == "1994"
        assert process.wait(TIMEOUT) == 0


def test_a_port_in_use_is_named(demo: DemoOmdb, capsys: pytest.CaptureFixture[str]) -> None:
    port = demo.url.rsplit(":", 1)[1].strip("/")
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    assert main(["--port", port]) == 1
    assert f"cannot listen on port {port}" in capsys.readouterr().err
    assert handlers == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


def test_the_first_hundred_are_movies_and_at_least_thirty_titles_follow() -> None:
    assert len(FILMS) >= 130
    assert {film["Type"] for film in FILMS[:100]} == {"movie"}


def test_there_are_series_episodes_and_a_game() -> None:
    kinds = [film["Type"] for film in FILMS]

    assert kinds.count("series") >= 3
    assert kinds.count("episode") >= 2
    assert kinds.count("game") >= 1


def test_no_id_comes_twice() -> None:
    assert len({film["imdbID"] for film in FILMS}) == len(FILMS)


def test_no_two_movies_share_title_and_year() -> None:
    movies = [(film["Title"], film["Year"]) for film in FILMS if film["Type"] == "movie"]

    assert len(set(movies)) == len(movies)


def test_the_file_is_compact_json_of_one_title_a_line() -> None:
    text = (ROOT / "local" / "demo_omdb" / "films.jsonl").read_text(encoding="utf-8")
    lines = [json.dumps(film, ensure_ascii=False, separators=(",", ":")) for film in FILMS]

    assert text == "\n".join(lines) + "\n"


@pytest.mark.parametrize("film", FILMS, ids=lambda film: film["imdbID"])
def test_each_title_has_the_shape_of_omdb(film: dict[str, Any]) -> None:
    assert list(film) == KEYS[film["Type"]]
    assert re.fullmatch(r"tt(?!00000000)[0-9]{7,8}", film["imdbID"])
    assert all(isinstance(film[key], str) and film[key] for key in film if key != "Ratings")
    assert all(film[key] == film[key].strip() for key in film if key != "Ratings")
    assert film["Response"] == "True"
    assert film["Poster"] == "N/A"
    assert "http" not in json.dumps(film)


@pytest.mark.parametrize("film", FILMS, ids=lambda film: film["imdbID"])
def test_the_values_of_each_title_read_as_what_they_are(film: dict[str, Any]) -> None:
    years = r"[12][0-9]{3}(\u2013([12][0-9]{3})?)?" if film["Type"] == "series" else "[12][0-9]{3}"
    patterns = {
        "Year": years,
        "Runtime": "[1-9][0-9]* min",
        "Metascore": "[1-9][0-9]?|100",
        "imdbRating": r"[1-9]\.[0-9]|10\.0",
        "imdbVotes": r"[1-9][0-9]{0,2}(,[0-9]{3})*|[1-9][0-9]*",
        "BoxOffice": r"\$[1-9][0-9]{0,2}(,[0-9]{3})*",
        "Season": "[1-9][0-9]*",
        "Episode": "[1-9][0-9]*",
        "totalSeasons": "[1-9][0-9]*",
        "seriesID": "tt[0-9]{7,8}",
    }
    for key, pattern in patterns.items():
        assert film.get(key, "N/A") == "N/A" or re.fullmatch(pattern, film[key]), key


@pytest.mark.parametrize("film", FILMS, ids=lambda film: film["imdbID"])
def test_the_release_of_each_title_is_a_date_near_its_year(film: dict[str, Any]) -> None:
    if film["Released"] == "N/A":
        return
    # strptime knows the month names of the C locale only as long as nobody sets another one.
    released = datetime.strptime(film["Released"], "%d %b %Y")  # noqa: DTZ007

    assert released.strftime("%d %b %Y") == film["Released"]
    assert 0 <= released.year - int(film["Year"][:4]) <= 4


@pytest.mark.parametrize("film", FILMS, ids=lambda film: film["imdbID"])
def test_the_ratings_of_each_title_repeat_its_scores(film: dict[str, Any]) -> None:
    ratings = {rating["Source"]: rating["Value"] for rating in film["Ratings"]}
    rotten = ratings.pop("Rotten Tomatoes", "50%")
    scores = {
        "Internet Movie Database": (film["imdbRating"], "/10"),
        "Metacritic": (film["Metascore"], "/100"),
    }

    assert re.fullmatch("[1-9]?[0-9]%|100%", rotten)
    assert ratings == {
        source: score + scale for source, (score, scale) in scores.items() if score != "N/A"
    }


def test_every_episode_belongs_to_a_series_that_is_held() -> None:
    kinds = {film["imdbID"]: film["Type"] for film in FILMS}

    for film in FILMS:
        if film["Type"] == "episode":
            assert kinds[film["seriesID"]] == "series"
