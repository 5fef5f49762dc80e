"""Movies are created, read and deleted in any order, and each answer is the one that follows.

Every one of them is held against the document besides, as the client does.
"""

from collections.abc import Callable
from typing import Final

import httpx
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.support import asks

FILMS: Final = ("tt0111161", "tt0068646", "tt0071562", "tt0468569", "tt0050083")
NOBODY: Final = "tt9999999"
SEQUENCES, LONGEST = 12, 25

films: Final = st.sampled_from(FILMS)


class Catalogue(RuleBasedStateMachine):
    """What the catalogue holds after each call, beside what the service says that it holds."""

    client: httpx.Client
    editor: dict[str, str]

    def __init__(self) -> None:
        super().__init__()
        self.titles: dict[str, str] = {}

    @initialize()
    def begin_empty(self) -> None:
        """Take out what an earlier sequence has left."""
        for movie in self.client.get("/movies.list").json()["data"]:
            answer = self.client.delete(f"/movies.delete/{movie['imdb_id']}", headers=self.editor)
            assert answer.status_code == 204

    @rule(film=films)
    def create(self, film: str) -> None:
        """Create a film, perhaps again."""
        answer = self.client.post("/movies.create", json={"imdb_id": film})

        assert answer.status_code == (200 if film in self.titles else 201)
        assert answer.json()["data"]["imdb_id"] == film
        self.titles[film] = answer.json()["data"]["title"]

    @rule()
    def create_what_nobody_knows(self) -> None:
        """Ask for one that OMDb does not have."""
        answer = self.client.post("/movies.create", json={"imdb_id": NOBODY})

        assert answer.json()["error"]["code"] == "OMDB_MOVIE_NOT_FOUND"

    @rule(film=films)
    def get(self, film: str) -> None:
        """Read a film by its id."""
        answer = self.client.get("/movies.get", params={"imdb_id": film})

        assert answer.status_code == (200 if film in self.titles else 404)

    @rule(film=films)
    def get_by_title(self, film: str) -> None:
        """Read a film by its title."""
        title = self.titles.get(film, "Nobody knows this film")
        answer = self.client.get("/movies.get", params={"title": title})

        assert answer.status_code == (200 if film in self.titles else 404)

    @rule(film=films, authorized=st.booleans())
    def delete(self, film: str, *, authorized: bool) -> None:
        """Delete a film, with a token or without."""
        headers = self.editor if authorized else {}
        answer = self.client.delete(f"/movies.delete/{film}", headers=headers)

        if not authorized:
            assert answer.status_code == 401
            return
        assert answer.status_code == (204 if film in self.titles else 404)
        self.titles.pop(film, None)

    @rule(wanted=st.lists(films, min_size=1, unique=True))
    def get_many(self, wanted: list[str]) -> None:
        """Read several films, in the order asked."""
        content = self.client.get(f"/movies.get_many?imdb_ids={','.join(wanted)}").json()

        assert [one["imdb_id"] for one in content["data"]] == [
            film for film in wanted if film in self.titles
        ]
        assert content["missing"] == [film for film in wanted if film not in self.titles]

    @rule()
    def draw(self) -> None:
        """Draw a film by chance."""
        drawn = self.client.get("/movies.random").json()["data"]

        assert len(drawn) == min(1, len(self.titles))
        assert all(one["imdb_id"] in self.titles for one in drawn)

    @rule(film=films)
    def search(self, film: str) -> None:
        """Search for a film."""
        title = self.titles.get(film, "Nobody knows this film")
        found = self.client.get("/movies.search", params={"query": title}).json()["data"]

        assert (film in [one["imdb_id"] for one in found]) == (film in self.titles)

    @invariant()
    def it_lists_what_there_is(self) -> None:
        """See that the list is what was created and not deleted."""
        content = self.client.get("/movies.list").json()

        assert {one["imdb_id"]: one["title"] for one in content["data"]} == self.titles
        assert content["pagination"]["total_records"] == len(self.titles)


@asks(
    *("/movies.create", "/movies.get", "/movies.get_many", "/movies.list"),
    *("/movies.random", "/movies.search", f"/movies.delete/{FILMS[0]}"),
)
def test_movies_come_and_go_as_they_are_created_and_deleted(
    client: httpx.Client, authorization: Callable[[str], dict[str, str]]
) -> None:
    Catalogue.client, Catalogue.editor = client, authorization("editor")

    run_state_machine_as_test(
        Catalogue, settings=settings(max_examples=SEQUENCES, stateful_step_count=LONGEST)
    )
