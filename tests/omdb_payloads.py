"""Answers in OMDb's shape, for a film that does not exist."""

import json
from typing import Any

FILM: dict[str, Any] = {
    "Title": "The Lighthouse Ledger",
    "Year": "2010",
    "Rated": "PG-13",
    "Released": "16 Jul 2010",
    "Runtime": "148 min",
    "Genre": "Drama, Mystery",
    "Director": "Ada Brook",
    "Writer": "Ada Brook, Ben Cole",
    "Actors": "Cleo Dunn, Dan Ember, Eve Frost",
    "Plot": "A keeper finds that her lighthouse counts ships that never sailed.",
    "Language": "English, French",
    "Country": "United States, France",
    "Awards": "Won 4 Oscars. 159 wins & 220 nominations total",
    "Poster": "https://posters.example/lighthouse_SX300.jpg",
    "Ratings": [
        {"Source": "Internet Movie Database", "Value": "8.8/10"},
        {"Source": "Metacritic", "Value": "74/100"},
    ],
    "Metascore": "74",
    "imdbRating": "8.8",
    "imdbVotes": "2,500,123",
    "imdbID": "tt9900001",
    "Type": "movie",
    "DVD": "20 Jun 2013",
    "BoxOffice": "$292,587,330",
    "Production": "Beacon Pictures, Tide Films",
    "Website": "https://lighthouse.example/",
    "Response": "True",
}


def answer(**members: Any) -> bytes:
    """Return the film's answer with other or further members; `...` leaves one out."""
    film = {name: value for name, value in (FILM | members).items() if value is not ...}
    return json.dumps(film, ensure_ascii=False).encode()


def details(**changes: object) -> bytes:
    """Return the answer for another film, with changes."""
    movie = {
        "Title": "Some Film",
        "Year": "1999",
        "Rated": "R",
        "Released": "01 Feb 1999",
        "Runtime": "100 min",
        "Genre": "Drama",
        "Director": "A Director",
        "Writer": "A Writer",
        "Actors": "An Actor",
        "Plot": "Things happen.",
        "Language": "English",
        "Country": "France",
        "Awards": "1 win",
        "Poster": "N/A",
        "Ratings": [{"Source": "Metacritic", "Value": "50/100"}],
        "Metascore": "50",
        "imdbRating": "5.0",
        "imdbVotes": "1,000",
        "imdbID": "tt7000001",
        "Type": "movie",
        "Response": "True",
    }
    return json.dumps(movie | changes).encode()


def raw_answer(members: str) -> bytes:
    """Return a short answer with members that are written as they stand, valid JSON or not."""
    return (
        f'{{"Title":"The Lighthouse Ledger",{members},"imdbID":"tt9900001","Type":"movie",'
        '"Response":"True"}'
    ).encode()


def refusal(error: str) -> bytes:
    """Return OMDb's answer to a request that it did not fulfil."""
    return json.dumps({"Response": "False", "Error": error}).encode()


def page(*hits: Any, total: str | None = None) -> bytes:
    """Return a page of search hits."""
    found: dict[str, Any] = {"Search": list(hits)}
    if total is not None:
        found["totalResults"] = total
    return json.dumps(found | {"Response": "True"}, ensure_ascii=False).encode()


def hit(**members: Any) -> dict[str, Any]:
    """Return one hit of a search."""
    return {
        "Title": "The Lighthouse Ledger",
        "Year": "2010",
        "imdbID": "tt9900001",
        "Type": "movie",
        "Poster": "N/A",
    } | members
