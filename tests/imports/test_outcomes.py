"""What becomes of an item, by what OMDb answers: each fault of which one is known, and no other."""

import json
from collections.abc import Callable
from typing import Any, Final

import pytest

from lib.catalogue.movies import Stored
from lib.catalogue.wanted import Wanted
from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.database.transactions import TransactionalDatabase
from lib.imports.first_movies import FIRST_IDS
from lib.imports.opening import open_import
from lib.imports.orders import FIRST_FILL, TICK, Order
from lib.imports.reports import find_report
from lib.imports.service import Importer
from lib.omdb.memory import STATEMENTS as OF_MEMORY
from lib.omdb.memory import Memory
from lib.omdb.questions import question
from local.demo_omdb.server import DemoOmdb, Override
from tests.importing import (
    HASTY,
    body,
    by_ids,
    carry_out,
    change,
    counts,
    film,
    film_id,
    film_ids,
    hurry,
    omdb_settings,
    rows,
)
from tests.misbehaving_server import Behaviour, MisbehavingServer, Peer
from tests.omdb_payloads import refusal

MakeImporter = Callable[..., Importer]
ODD: Final = film_id(0)
GOOD: Final = film_id(1)
HTML: Final = {"Content-Type": "text/html"}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a run end rather than wait two seconds for an item's second try."""
    monkeypatch.setattr("lib.imports.running._IDLE_SECONDS", 0.2)


def page(status: int, text: bytes) -> Override:
    return status, text, HTML


def raw(plot: str) -> bytes:
    """Return a film's answer with a plot that stands there as it is, valid or not."""
    return json.dumps(film(0, Plot="PLOT")).replace('"PLOT"', f'"{plot}"').encode()


NOT_FOUND: Final[dict[str, tuple[Override, str]]] = {
    "movie": (refusal("Movie not found!"), "not_found"),
    "series": (refusal("Series not found!"), "not_found"),
    "season": (refusal("Series or season not found!"), "not_found"),
    "episode": (refusal("Series or episode not found!"), "not_found"),
    "id": (refusal("Incorrect IMDb ID."), "id_malformed"),
    "conversion": (
        b'{"Response":"False","Error":"Conversion from string "011f" to type Double is invalid."}',
        "id_malformed",
    ),
}
PASSING: Final[dict[str, tuple[Override, str]]] = {
    "blocked": (page(403, b"<html>Sorry, you have been blocked</html>"), "omdb_unavailable"),
    "crash": (page(500, b"<html>Server Error in '/' Application.</html>"), "omdb_unavailable"),
    "down": (page(503, b"The service is unavailable."), "omdb_unavailable"),
    "origin timeout 522": (page(522, b"<html>timed out</html>"), "omdb_unavailable"),
    "origin timeout 524": (page(524, b"<html>timed out</html>"), "omdb_unavailable"),
    "empty": (b"", "omdb_unavailable"),
    "html with 200": (page(200, b"<html>Just a moment...</html>"), "omdb_unavailable"),
    "wrong": (refusal("Something went wrong."), "omdb_unavailable"),
    "offset": (
        refusal("The offset specified in a OFFSET clause may not be negative."),
        "omdb_search_refused",
    ),
    "too many": (refusal("Too many results."), "omdb_too_many_results"),
    "syntax": (
        b'{"Response":"False","Error":"Syntax error near \'"\' in the search \'"a\'."}',
        "omdb_search_refused",
    ),
    "no object": (b'["Title"]', "omdb_answer_unusable"),
    "no title": (body(Response="True", Year="2010"), "omdb_answer_unusable"),
    "lists for texts": (body(**film(0, Plot=["a"])), "omdb_answer_unusable"),
    "no response": (body(Title="Film", imdbID=ODD, Type="movie"), "omdb_answer_unusable"),
    "redirect": ((302, b"", {"Location": "http://169.254.169.254/"}), "omdb_unavailable"),
}
MENDED: Final[dict[str, tuple[bytes, str]]] = {
    "escape": (raw(r"inner\spiritual"), r"inner\spiritual"),
    "apostrophe": (raw(r"a keeper\'s light"), "a keeper's light"),
    "backslash": (raw(r"Miliardi\Millions"), r"Miliardi\Millions"),
    "tab": (raw("a\tb"), "a b"),
    "controls": (raw("a\x08\x1ab"), "ab"),
    "last backslash": (raw("the end\\"), "the end\\"),
    "doubly escaped": (raw('he said \\\\"no\\\\" to it'), 'he said "no" to it'),
}


@pytest.mark.parametrize("name", NOT_FOUND)
def test_what_omdb_does_not_know_is_not_found_at_once(
    name: str, importer: Importer, films: DemoOmdb
) -> None:
    films.overrides[ODD], error = NOT_FOUND[name]
    content = carry_out(importer, by_ids(ODD, GOOD))

    assert content["state"] == "done"
    assert counts(content) == {"imported": 1, "not_found": 1}
    assert content["errors"] == {error: 1}
    assert films.fetches[ODD] == 1


@pytest.mark.parametrize("name", PASSING)
def test_what_may_pass_is_tried_five_times_and_then_parked(
    name: str, importers: MakeImporter, films: DemoOmdb, database: TransactionalDatabase
) -> None:
    importer = importers(films.url, call_limits=HASTY)
    films.overrides[ODD], error = PASSING[name]
    waits = []
    content = carry_out(importer, by_ids(ODD, GOOD))
    for _ in range(4):
        [(attempts, wait)] = rows(
            database,
            "select attempts, extract(epoch from next_try_at - now())::int from import_items"
            " where state = 'pending'",
        )
        waits.append((attempts, wait))
        assert counts(content) == {"imported": 1, "pending": 1}
        hurry(database)
        content = carry_out(importer, TICK)

    assert waits == [(1, 2), (2, 30), (3, 600), (4, 7200)]
    assert content["state"] == "done"
    assert counts(content) == {"imported": 1, "failed": 1}
    assert content["errors"] == {error: 1}
    assert films.fetches[ODD] == 5


@pytest.mark.parametrize("name", PASSING)
def test_what_has_passed_is_imported(
    name: str, importers: MakeImporter, films: DemoOmdb, database: TransactionalDatabase
) -> None:
    importer = importers(films.url, call_limits=HASTY)
    films.overrides[ODD] = PASSING[name][0]
    limits_reached = carry_out(importer, by_ids(ODD, GOOD))
    films.overrides.clear()
    hurry(database)

    assert limits_reached["pending"] == 1
    content = carry_out(importer, TICK)
    assert (counts(content), content["errors"]) == ({"imported": 2}, {})


@pytest.mark.parametrize("error", ["Request limit reached!", "Daily request limit reached!"])
def test_a_spent_quota_says_nothing_about_a_title(
    error: str, importer: Importer, films: DemoOmdb
) -> None:
    films.overrides[ODD] = (401, refusal(error), {})
    content = carry_out(importer, by_ids(ODD))

    assert content["run"]["stopped_by"] == "quota"
    assert (counts(content), content["errors"]) == ({"pending": 1}, {})


@pytest.mark.parametrize("error", ["Invalid API key!", "No API key provided."])
def test_a_refused_key_says_nothing_about_a_title(
    error: str, importer: Importer, films: DemoOmdb
) -> None:
    films.overrides[ODD] = (401, refusal(error), {})
    content = carry_out(importer, by_ids(ODD))

    assert content["run"]["stopped_by"] == "key_refused"
    assert (counts(content), content["errors"]) == ({"pending": 1}, {})


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refusal("Error getting data."), "data_missing"),
        (body(**film(0, Title="#DUPE#", Plot="N/A")), "duplicate"),
    ],
)
def test_missing_data_is_asked_for_on_another_day_before_it_counts(
    answer: bytes, error: str, importer: Importer, films: DemoOmdb, database: TransactionalDatabase
) -> None:
    films.overrides[ODD] = answer
    content = carry_out(importer, by_ids(ODD))
    [(hours,)] = rows(
        database,
        "select round(extract(epoch from next_try_at - now()) / 3600)::int from import_items",
    )

    assert (counts(content), content["waits_for"], hours) == ({"pending": 1}, "retry", 24)
    hurry(database)
    content = carry_out(importer, by_ids(ODD))
    assert (counts(content), content["errors"]) == ({"not_found": 1}, {error: 1})


def test_what_waits_for_another_day_does_not_keep_an_order_from_being_repeated(
    importer: Importer, films: DemoOmdb, database: TransactionalDatabase
) -> None:
    films.overrides[ODD] = refusal("Error getting data.")
    first = carry_out(importer, by_ids(ODD, GOOD))
    second = carry_out(importer, by_ids(ODD, GOOD))

    assert counts(first) == {"imported": 1, "pending": 1}
    assert counts(second) == {"unchanged": 1, "pending": 1}
    assert first["id"] != second["id"]
    films.overrides.clear()
    hurry(database)
    carry_out(importer, TICK)
    assert rows(database, "select distinct state from imports") == [("done",)]


def test_missing_data_that_came_the_next_day_is_imported(
    importer: Importer, films: DemoOmdb, database: TransactionalDatabase
) -> None:
    films.overrides[ODD] = refusal("Error getting data.")
    carry_out(importer, by_ids(ODD))
    films.overrides.clear()
    hurry(database)

    assert counts(carry_out(importer, TICK)) == {"imported": 1}


@pytest.mark.parametrize("name", MENDED)
def test_json_that_can_be_mended_is_imported(
    name: str, importer: Importer, films: DemoOmdb, database: TransactionalDatabase
) -> None:
    films.overrides[ODD], plot = MENDED[name]

    assert counts(carry_out(importer, by_ids(ODD))) == {"imported": 1}
    assert rows(database, "select plot from movies") == [(plot,)]


def test_json_broken_beyond_mending_is_recorded_and_not_asked_for_again(
    importer: Importer, films: DemoOmdb
) -> None:
    films.overrides[ODD] = b'{"Title":"Film","Plot":"one "two" three","Response":"True"}'
    content = carry_out(importer, by_ids(ODD))

    assert (counts(content), content["errors"]) == ({"failed": 1}, {"omdb_answer_unreadable": 1})
    assert films.fetches[ODD] == 1


def hang(peer: Peer) -> None:
    peer.hang()


def drip(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
    peer.drip(b" ", every=0.05)


def reset(peer: Peer) -> None:
    peer.reset()


def close(_: Peer) -> None:
    """Say nothing at all."""


def garbage(peer: Peer) -> None:
    peer.send(b"\x00\x01\x02 nonsense\r\n\r\n")


def truncate(peer: Peer) -> None:
    peer.send(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"Title":')


def flood(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
    peer.flood(b" " * 65_536)


@pytest.mark.parametrize("behaviour", [hang, drip, reset, close, garbage, truncate, flood])
def test_a_fault_on_the_wire_leaves_the_item_for_later(
    behaviour: Behaviour, importers: MakeImporter, database: TransactionalDatabase
) -> None:
    with MisbehavingServer(behaviour) as server:
        content = carry_out(importers(server.url, call_limits=HASTY), by_ids(ODD))

    assert counts(content) == {"pending": 1}
    [(attempts, error)] = rows(database, "select attempts, last_error from import_items")
    assert attempts == 1
    assert error in {"omdb_timeout", "omdb_unavailable", "omdb_answer_unusable"}


def test_an_outage_is_not_held_against_the_items(
    importers: MakeImporter,
    films: DemoOmdb,
    database: TransactionalDatabase,
    caplog: pytest.LogCaptureFixture,
) -> None:
    importer = importers(films.url, call_limits=HASTY)
    films.overrides |= {imdb_id: page(503, b"") for imdb_id in film_ids(200)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lib.imports.pace.PAUSES", (0.05, 0.1))
        content = carry_out(importer, by_ids(*film_ids(200)))

    assert content["run"]["stopped_by"] == "omdb_unavailable"
    assert counts(content) == {"pending": 200}
    assert len(films.calls) <= 24  # ten, what was under way, and two to try whether it is over
    assert rows(database, "select max(attempts) from import_items") == [(0,)]
    messages = [record.message for record in caplog.records]
    assert messages.count("OMDb breaker opened") == messages.count("import stalled") == 1
    films.overrides.clear()
    hurry(database)
    assert counts(carry_out(importer, TICK)) == {"imported": 200}


def test_an_outage_that_passes_is_sat_out(
    importers: MakeImporter, films: DemoOmdb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lib.imports.pace.PAUSES", (0.1, 0.2, 0.4))
    monkeypatch.setattr("lib.imports.judging._AFTER_LOSS", 0)
    importer = importers(films.url, call_limits=HASTY)
    films.overrides |= {imdb_id: page(503, b"") for imdb_id in film_ids(100)}

    def end_outage(*_: Any) -> None:
        if len(films.calls) >= 12:
            films.overrides.clear()

    monkeypatch.setattr("lib.imports.running._IDLE_SECONDS", 6)
    importer.on_progress = end_outage
    assert counts(carry_out(importer, by_ids(*film_ids(100)))) == {"imported": 100}


def test_an_alias_is_stored_under_the_id_that_omdb_answers(
    importer: Importer, films: DemoOmdb, database: TransactionalDatabase
) -> None:
    films.overrides[ODD] = body(**film(7))
    content = carry_out(importer, by_ids(ODD, film_id(7)))

    assert counts(content) == {"imported": 1, "unchanged": 1}
    assert rows(database, "select imdb_id from movies") == [(film_id(7),)]
    assert rows(
        database, "select answered_id from import_items where imdb_id = :asked", asked=ODD
    ) == [(film_id(7),)]


def test_an_alias_that_an_import_learns_is_remembered(
    importer: Importer, films: DemoOmdb, database: TransactionalDatabase
) -> None:
    carry_out(importer, by_ids(film_id(7)))
    for number in (0, 1):
        films.overrides[film_id(number)] = body(**film(7))
    content = carry_out(importer, by_ids(film_id(0), film_id(1)))

    assert counts(content) == {"updated": 1, "unchanged": 1}
    assert rows(database, "select imdb_id, aliases from movies") == [
        (film_id(7), [film_id(0), film_id(1)])
    ]
    content = carry_out(importer, by_ids(film_id(1), film_id(0)))
    assert counts(content) == {"unchanged": 2}


def test_an_id_with_surplus_zeros_is_no_alias_in_an_import(
    importer: Importer, films: DemoOmdb, database: TransactionalDatabase
) -> None:
    surplus = f"tt0{film_id(7)[2:]}"
    films.overrides[surplus] = body(**film(7))
    content = carry_out(importer, by_ids(surplus))

    assert counts(content) == {"imported": 1}
    assert rows(database, "select imdb_id, aliases from movies") == [(film_id(7), [])]


def test_what_an_import_fetched_is_remembered_for_the_omdb_that_it_asked(
    importer: Importer, films: DemoOmdb, settings: DatabaseSettings
) -> None:
    known = Database(settings, statements=OF_MEMORY)
    asked = question(Wanted(imdb_id=film_id(7)))
    carry_out(importer, by_ids(film_id(7)))

    same = Memory(known, omdb_settings(films.url))
    another = Memory(known, omdb_settings("https://omdb.example/"))
    assert isinstance(known.answer(same.recall(asked)), Stored)
    assert known.answer(another.recall(asked)) is None
    known.close()


def test_a_stored_id_that_omdb_has_merged_is_not_due_for_ever(
    importer: Importer, films: DemoOmdb, database: TransactionalDatabase
) -> None:
    carry_out(importer, by_ids(ODD))
    films.overrides[ODD] = body(**film(7))
    change(database, "update movie_checks set checked_at = now(), due_at = now()")
    content = carry_out(importer, TICK)

    assert counts(content) == {"imported": 1}
    assert rows(database, "select imdb_id, due_at > now() from movie_checks order by 1") == [
        (ODD, True),
        (film_id(7), True),
    ]


def test_titles_of_a_kind_that_was_not_asked_for_are_rejected(
    importer: Importer, films: DemoOmdb, database: TransactionalDatabase
) -> None:
    kinds = ("movie", "series", "episode", "game")
    for number, kind in enumerate(kinds):
        films.overrides[film_id(number)] = body(**film(number, Type=kind))
    content = carry_out(importer, by_ids(*film_ids(4)))

    assert counts(content) == {"imported": 1, "rejected": 3}
    assert content["errors"] == {"type_series": 1, "type_episode": 1, "type_game": 1}
    content = carry_out(importer, by_ids(*film_ids(4), types=("series", "game")))
    assert counts(content) == {"imported": 2, "rejected": 2}
    assert rows(database, "select type from movies order by 1") == [
        ("game",),
        ("movie",),
        ("series",),
    ]


def test_one_bad_row_costs_a_batch_only_that_row(
    importer: Importer, films: DemoOmdb, database: TransactionalDatabase
) -> None:
    change(
        database,
        "alter table movies add constraint no_villains check (plot <> 'refused by a check')",
    )
    try:
        films.overrides[film_id(5)] = body(**film(5, Plot="refused by a check"))
        content = carry_out(importer, by_ids(*film_ids(30)))
    finally:
        change(database, "alter table movies drop constraint no_villains")

    assert counts(content) == {"imported": 29, "failed": 1}
    assert content["errors"] == {"value_refused": 1}


def test_a_refresh_keeps_what_is_known_and_counts_what_changed(
    importer: Importer, films: DemoOmdb, database: TransactionalDatabase
) -> None:
    carry_out(importer, by_ids(*film_ids(5)))
    change(database, "update movies set changed_at = '2020-01-01', fetched_at = '2020-01-01'")
    before = rows(database, "select xmin::text, imdb_id from movies order by imdb_id")
    films.overrides[film_id(0)] = body(**film(0, Plot="N/A", Director="N/A", Ratings=[]))
    films.overrides[film_id(1)] = body(**film(1, imdbVotes="9,999", Plot="N/A"))
    films.overrides[film_id(2)] = body(**film(2, Title="#DUPE#", Plot="N/A"))
    films.overrides[film_id(3)] = refusal("Movie not found!")
    content = carry_out(importer, Order(kind="refresh", types=("movie",)))

    assert counts(content) == {"updated": 1, "unchanged": 2, "not_found": 1, "pending": 1}
    after = rows(database, "select xmin::text, imdb_id from movies order by imdb_id")
    changed = [old[1] for old, new in zip(before, after, strict=True) if old != new]
    assert changed == [film_id(1)]
    [(plot, votes, is_new)] = rows(
        database,
        "select plot, imdb_votes, changed_at > '2021-01-01' and fetched_at > '2021-01-01'"
        " from movies where imdb_id = :imdb_id",
        imdb_id=film_id(1),
    )
    assert (plot, votes, is_new) == ("Somebody counts ships that never sailed.", 9999, True)
    assert rows(
        database, "select count(*) from movie_checks where checked_at > now() - interval '1 minute'"
    ) == [(5,)]


def test_a_tombstone_in_the_catalogue_heals(
    importer: Importer,
    films: DemoOmdb,
    database: TransactionalDatabase,
    store: Callable[..., object],
) -> None:
    store(film_id(0), "#DUPE#", year=1950)
    assert films
    content = carry_out(importer, Order(kind="refresh", types=("movie",)))

    assert counts(content) == {"updated": 1}
    assert rows(database, "select title from movies") == [("Film 000000",)]


def test_newer_movies_are_due_sooner_and_the_stalest_comes_first(
    importer: Importer, films: DemoOmdb, database: TransactionalDatabase
) -> None:
    years = ("2026", "2025", "2022", "1990", "N/A")
    for number, year in enumerate(years):
        films.overrides[film_id(number)] = body(**film(number, Year=year))
    carry_out(importer, by_ids(*film_ids(5)))
    change(
        database,
        "update movie_checks set due_at = movie_due_at(year, '2026-01-01')"
        " from movies where movies.imdb_id = movie_checks.imdb_id",
    )
    due = rows(
        database,
        "select imdb_id, extract(day from due_at - '2026-01-01'::timestamptz)::int"
        " from movie_checks order by due_at, imdb_id",
    )
    assert due == [
        (film_id(0), 7), (film_id(4), 7), (film_id(1), 30), (film_id(2), 90), (film_id(3), 180),
    ]  # fmt: skip


def test_a_tick_refreshes_only_what_is_due(
    importer: Importer, films: DemoOmdb, database: TransactionalDatabase
) -> None:
    carry_out(importer, by_ids(*film_ids(10)))
    films.forget_calls()
    nothing = carry_out(importer, TICK)
    assert (nothing["id"], nothing["state"], films.calls) == (None, "done", [])
    change(
        database,
        "update movie_checks set due_at = now(), checked_at = now() - interval '8 days'"
        " where imdb_id in (:one, :two)",
        one=film_id(3),
        two=film_id(4),
    )
    content = carry_out(importer, TICK)

    assert (content["kind"], counts(content)) == ("refresh", {"unchanged": 2})
    assert sorted(films.fetches) == [film_id(3), film_id(4)]
    films.forget_calls()
    carry_out(importer, TICK)
    assert not films.calls


def test_a_refresh_can_leave_out_what_was_checked_lately(
    importer: Importer, films: DemoOmdb, database: TransactionalDatabase
) -> None:
    carry_out(importer, by_ids(*film_ids(10)))
    change(
        database,
        "update movie_checks set checked_at = now() - interval '31 days' where imdb_id = :old",
        old=film_id(3),
    )
    films.forget_calls()
    content = carry_out(importer, Order(kind="refresh", older_than_days=30))

    assert counts(content) == {"unchanged": 1}
    assert list(films.fetches) == [film_id(3)]


def test_a_tick_fills_an_empty_catalogue_and_then_rests(
    importers: MakeImporter, omdb: DemoOmdb
) -> None:
    importer = importers(omdb.url)
    content = carry_out(importer, TICK)

    assert (content["kind"], counts(content)) == ("fill", {"imported": 100})
    omdb.forget_calls()
    assert carry_out(importer, TICK)["id"] is None
    assert not omdb.calls


def test_a_search_fetches_the_details_of_all_its_pages(importer: Importer, films: DemoOmdb) -> None:
    content = carry_out(importer, Order(kind="search", search="film 00000*"))

    assert (content["total"], counts(content)) == (10, {"imported": 10})
    content = carry_out(importer, Order(kind="search", search="Film", search_year=1999))
    assert content["state"] == "done"
    assert content["total"] == content["imported"] > 20
    assert films.fetches.most_common(1)[0][1] == 1


def test_a_search_goes_on_where_it_was_interrupted(
    importer: Importer, films: DemoOmdb, database: TransactionalDatabase
) -> None:
    films.quota = 30
    order = Order(kind="search", search="Film", search_year=1999)
    content = carry_out(importer, order)
    assert content["run"]["stopped_by"] == "quota"
    films.quota = None
    change(database, "update omdb_budget set probe_at = now()")
    content = carry_out(importer, TICK)

    assert content["state"] == "done"
    assert content["total"] == content["imported"]
    pages = [call["page"] for call in films.calls if "s" in call]
    assert len(pages) - len(set(pages)) <= 1  # the one that was refused


def search_from_page(importer: Importer, database: TransactionalDatabase, page: int) -> Any:
    """Search for all films, as after a run that came as far as this page."""
    open_import(
        importer.database, Order(kind="search", search="Film"), key=None, requested_by="a test"
    )
    change(database, "update imports set next_page = :page", page=page)
    return carry_out(importer, TICK)


def test_a_search_beyond_what_omdb_gives_says_what_is_left_out(
    importer: Importer, films: DemoOmdb, database: TransactionalDatabase
) -> None:
    content = search_from_page(importer, database, 98)

    assert (content["state"], content["run"]["stopped_by"]) == ("done", "finished")
    assert counts(content) == {"imported": 30}
    assert content["reason"] == (
        "1,000 of 2,000 hits are left out, as OMDb gives 1,000 at most: narrow the search by year "
        "or type"
    )
    assert [call["page"] for call in films.calls if "s" in call] == ["98", "99", "100"]
    assert importer.database.answer(find_report(content["id"]))["reason"] == content["reason"]


def test_a_search_of_as_much_as_omdb_gives_leaves_out_nothing(
    importers: MakeImporter, database: TransactionalDatabase
) -> None:
    with DemoOmdb([film(number) for number in range(1000)], key="0a1b2c3d") as server:
        content = search_from_page(importers(server.url), database, 98)

    assert (content["state"], content["reason"], content["total"]) == ("done", None, 30)


def test_a_tick_goes_on_behind_a_search_that_omdb_refuses(
    importer: Importer, database: TransactionalDatabase
) -> None:
    for order in (Order(kind="search", search="It"), by_ids(GOOD)):
        open_import(importer.database, order, key=None, requested_by="a test")
    carry_out(importer, TICK)

    assert rows(database, "select state, imported from imports order by id") == [
        ("failed", 0), ("done", 1),
    ]  # fmt: skip


def test_a_first_fill_that_waits_for_another_day_is_not_begun_again(
    importers: MakeImporter, omdb: DemoOmdb, database: TransactionalDatabase
) -> None:
    for imdb_id in FIRST_IDS:
        omdb.overrides[imdb_id] = refusal("Error getting data.")
    importer = importers(omdb.url)
    first = carry_out(importer, TICK)
    assert counts(first) == {"pending": 100}
    omdb.forget_calls()
    for order in (TICK, FIRST_FILL):
        assert carry_out(importer, order)["id"] == first["id"]
    assert not omdb.calls
    assert rows(database, "select count(*) from imports") == [(1,)]
    omdb.overrides.clear()
    hurry(database)
    assert counts(carry_out(importer, TICK)) == {"imported": 100}


def test_hits_of_another_kind_are_rejected_without_a_call(importers: MakeImporter) -> None:
    titles = [film(number, Type="series" if number % 2 else "movie") for number in range(10)]
    with DemoOmdb(titles, key="0a1b2c3d") as server:
        content = carry_out(importers(server.url), Order(kind="search", search="film"))

        assert counts(content) == {"imported": 5, "rejected": 5}
        assert server.fetches.total() == 5
