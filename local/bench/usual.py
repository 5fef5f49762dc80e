"""What each function is usually asked for."""

from typing import Final

from local.bench import catalogue
from local.bench.calling import getting, request
from local.bench.laboratory import FEW, Laboratory
from local.bench.serving import Subject, ours, served
from local.demo_omdb.server import read_films

FILMS: Final = [film["imdbID"] for film in read_films()][:100]


# A film that is fresh would be answered without a call to OMDb.
_ALWAYS_DUE: Final = """
    create or replace function movie_due_at(year smallint, checked_at timestamptz)
        returns timestamptz language sql immutable as 'select checked_at'
"""


def usual(laboratory: Laboratory) -> dict[str, Subject]:
    """Give every function with a request that can be repeated, on the scratch database."""
    some = catalogue.sample(laboratory.settings(laboratory.scratch), FEW)
    with catalogue.connected(laboratory.settings(laboratory.scratch)) as scratch:
        scratch.execute_simple(_ALWAYS_DUE)
    editor = laboratory.authorization(laboratory.scratch)
    words = {"username": "admin", "password": laboratory.common["ADMIN_PASSWORD"]}
    order = ours("movies_import", post({"imdb_ids": FILMS}))
    with served(order, laboratory.variables(laboratory.scratch)):
        pass  # now there is an import to report on, and a film that a create refreshes
    subjects = (
        ours("brew_coffee", post(), status=418),
        ours("movies_list", request("/")),
        ours("movies_get", getting("title", some.titles)[0]),
        ours("movies_create", post({"imdb_id": FILMS[0]})),
        ours("movies_delete", request("/tt0000000", method="DELETE", headers=editor), status=404),
        ours("movies_import", post({"imdb_ids": FILMS[:10]})),
        ours("imports_get", request("/?id=1", headers=editor)),
        ours("imports_list", request("/", headers=editor)),
        ours("login", post(words)),
        ours("migrate", post()),
    )
    return {subject.target: subject for subject in subjects}


def post(body: object = None) -> bytes:
    """Give a POST request."""
    return request("/", method="POST", body=body)
