"""What each function is usually asked for: its folder says so."""

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from local.bench import catalogue
from local.bench.calling import request
from local.bench.laboratory import FEW, Laboratory
from local.bench.serving import Subject, ours, serve
from local.demo_omdb.server import read_films
from local.functions import Usual, read_functions

# A film that is fresh would be answered without a call to OMDb.
_ALWAYS_DUE: Final = """
    create or replace function movie_due_at(year smallint, checked_at timestamptz)
        returns timestamptz language sql immutable as 'select checked_at'
"""
# An administrator has twenty keys before long.
_ANY_KEYS: Final = "alter table api_keys disable trigger api_keys_inserted"
FILMS: Final = [film["imdbID"] for film in read_films()][:100]


def usual_calls() -> Mapping[str, Usual]:
    """Return what each function is asked, by the function's name."""
    calls = {name: function.usual_call for name, function in read_functions().items()}
    return {name: call for name, call in calls.items() if call is not None}


def usual(laboratory: Laboratory) -> dict[str, Subject]:
    """Return every function with a request that can be repeated, on the scratch database."""
    [title] = catalogue.sample(laboratory.settings(laboratory.scratch), FEW).titles[:1]
    with catalogue.connect(laboratory.settings(laboratory.scratch)) as scratch:
        scratch.execute_simple(_ALWAYS_DUE)
        scratch.execute_simple(_ANY_KEYS)
    admin = laboratory.authorization(laboratory.scratch)
    words = {"{title}": title, "{password}": laboratory.common["ADMIN_PASSWORD"]}
    if "movies_import" in read_functions():
        order = ours("movies_import", request("/", method="POST", body={"imdb_ids": FILMS}))
        with serve(order, laboratory.variables(laboratory.scratch)):
            pass  # now there is an import to report on, and a film that a create refreshes
    return {name: _subject(name, call, words, admin) for name, call in usual_calls().items()}


def _subject(name: str, call: Usual, words: Mapping[str, str], admin: Mapping[str, str]) -> Subject:
    query, body = call.query, json.dumps(call.body)
    for mark, word in words.items():
        query = query.replace(mark, quote(word))
        body = body.replace(mark, json.dumps(word)[1:-1])
    content: Any = json.loads(body)
    path = f"/{call.id}?{query}" if query else f"/{call.id}"
    sample = request(
        path, method=call.method, body=content, headers=admin if call.as_admin else None
    )
    return ours(name, sample, status=call.status)
