"""The benchmarks: kept catalogues, and that every section measures what it says."""

import contextlib
import difflib
import itertools
import json
import random
import re
import socketserver
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from lib.catalogue import movies, statements
from lib.database.database import Database
from local.bench import (
    catalogue,
    command,
    footprint,
    fts5,
    laboratory,
    queries,
    queues,
    rivals,
    scale,
    search,
    throughput,
    writes,
)
from local.bench.calling import ask_beside, ask_repeatedly, make_page_requests, request
from local.bench.laboratory import Laboratory
from local.bench.machine import processor
from local.bench.queries import Search
from local.bench.report import Report
from local.bench.serving import ours, serve
from local.bench.starts import _steps
from local.bench.usual import FILMS, usual
from local.failure import Failure
from local.functions import read_functions
from tests.support import asks

FEW, MANY = 30, 250


def test_an_unknown_section_is_told_with_those_that_there_are() -> None:
    with pytest.raises(Failure, match="no section 'speed': there are throughput, scale"):
        command.run(["speed"])


def test_a_flame_graph_comes_alone() -> None:
    with pytest.raises(Failure, match="give it alone"):
        command.run([], as_json=True, flame=Path("flame.svg"))
    with pytest.raises(Failure, match="give it alone"):
        command.run([], runs=3, flame=Path("flame.svg"))


def test_no_run_at_all_is_refused() -> None:
    with pytest.raises(Failure, match="1 at least"):
        command.run([], runs=0)


def test_what_was_measured_before_a_fault_is_told(
    small: Laboratory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the second run nothing is complete; the first took minutes."""
    calls = itertools.count()

    def measure(_: Laboratory, report: Report) -> None:
        report.begin("Lists")
        if next(calls) > 0:
            raise Failure("a function closed its connection")
        report.add("first page", 0.5, "ms")

    monkeypatch.setattr(command, "SECTIONS", {"lists": measure})
    monkeypatch.setattr(command, "set_up", lambda: contextlib.nullcontext(small))
    with pytest.raises(Failure, match="closed its connection"):
        command.run([], runs=3)

    machine, _, *table = capsys.readouterr().out.splitlines()
    assert " ".join(" ".join(table).split()) == "Lists first page 0.5 ms"
    assert machine.startswith(f"processor: {processor()}, CPUs: ")
    assert re.search(r"PostgreSQL: \d+\.\d+", machine)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    """Set up as for a run, but with few movies."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (laboratory, throughput, scale, search, writes, footprint, queues):
            for name, rows in {"FEW": FEW, "MANY": MANY}.items():
                if hasattr(module, name):
                    patch.setattr(module, name, rows)
        patch.setattr(catalogue, "SAMPLED", 10)
        patch.setattr("local.bench.usual.FEW", FEW)
        # A service of the caller's, which must not be touched.
        patch.setenv("CLOUD_SQL_INSTANCE", "project:region:instance")
        patch.setenv("OMDB_API_KEY", "0a1b2c3d")
        with laboratory.set_up(tmp_path_factory.mktemp("bench")) as set_up:
            yield set_up


def test_a_catalogue_is_kept_until_the_films_change(
    small: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[None] = []
    load = catalogue._load
    monkeypatch.setattr(catalogue, "_load", lambda *args: loads.append(load(*args)))

    catalogue.provide(small.postgres, 40, password="a password")
    catalogue.provide(small.postgres, 40, password="a password")
    assert len(loads) == 1
    monkeypatch.setattr(catalogue, "fingerprint", lambda: "another")
    name = catalogue.provide(small.postgres, 40, password="a password")
    assert len(loads) == 2

    database = Database(small.settings(name), statements=statements.LISTING)
    assert database.answer(movies.find_page_at(skipped=0, records=1)).total == 40
    database.close()


@asks("/movies.list")
def test_throughput_is_told_against_the_floor(
    small: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throughput, "ROUNDS", 1)
    monkeypatch.setattr(throughput, "SECONDS", 0.2)
    monkeypatch.setattr(throughput, "LOADS", (1, throughput.CONNECTIONS, 24))
    monkeypatch.setattr(throughput, "HOT_LOADS", (24,))
    report = Report()

    throughput.measure(small, report)

    rates = {figure.name: figure for figure in report.figures if figure.unit == "/s"}
    assert rates["movies.list"].against == "floor"
    assert rates["movies.list, 24 connections"].against == "16 connections"
    assert min(figure.value for figure in rates.values()) > 0
    assert rates["movies.list, one hot page, 24"].against == "spread"
    assert rates["single movies, by title"].against == "asyncpg"
    cpu = {figure.part for figure in report.figures if figure.part and figure.value > 0}
    assert cpu == {"CPU by asyncpg", "CPU here", "by asyncpg", "here"}
    named = {figure.name: figure for figure in report.figures}
    assert "movies.list, 99th percentile at 16" in named
    beside = named["page 1 beside 16 callers of any page"]
    assert beside.against == "beside as many of page 1"
    assert 0 < named["callers: of one CPU, at the most"].value < 110


@asks("/movies.list", "/movies.get", "/movies.search")
def test_the_limit_answers_what_the_function_does(small: Laboratory) -> None:
    """Else its rate would be that of something else."""
    some = catalogue.sample(small.settings(small.many), MANY)
    variables = small.variables(small.many)
    for function, path, query in (
        ("movies_list", "/movies.list?page=3", throughput.page(3)),
        (
            "movies_get",
            f"/movies.get?title={quote(some.titles[0])}",
            movies.find_by_title(some.titles[0], year=None),
        ),
        ("movies_get", f"/movies.get?imdb_id={some.ids[0]}", movies.find_by_id(some.ids[0])),
        (
            "movies_search",
            f"/movies.search?query={quote(some.titles[0])}",
            search.query_of(Search(some.titles[0])),
        ),
    ):
        limit = rivals.bare(query)
        asked = limit.sample.split()[1].decode()
        with serve(ours(function, request(path)), variables) as here, serve(limit, variables) as it:
            answers = [
                httpx.get(f"http://127.0.0.1:{where.port}{address}")
                for where, address in ((here, path), (it, asked))
            ]
        shown, bare = (answer.text for answer in answers)
        if function != "movies_get":
            bare = bare.replace('{"data": ', '{"data": [').replace("}}", "}]", 1)
            assert len(json.loads(shown)["data"]) == 10 if function == "movies_list" else 1
        assert shown.startswith(bare.rstrip("}]"))


@pytest.mark.parametrize("is_patient", [False, True])
def test_what_is_refused_ends_a_measurement_or_is_counted_apart(is_patient: bool) -> None:  # noqa: FBT001
    answers = itertools.cycle([b"503 Service Unavailable", b"200 OK"])

    class Answering(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline():
                while self.rfile.readline() != b"\r\n":
                    pass
                self.wfile.write(b"HTTP/1.1 " + next(answers) + b"\r\nContent-Length: 2\r\n\r\n{}")

    refused: list[float] | None = [] if is_patient else None
    with socketserver.TCPServer(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.handle_request).start()
        port = server.server_address[1]
        if refused is None:
            with pytest.raises(Failure, match=r"a function answered .* 503"):
                ask_repeatedly(port, [request("/")], seconds=0.2)
            return
        took = ask_repeatedly(port, [request("/")], seconds=0.2, refused=refused)

    assert abs(len(took) - len(refused)) <= 1
    assert len(took) > 1


def test_a_caller_is_timed_beside_others_who_are_not(small: Laboratory) -> None:
    variables = small.variables(small.few)
    with serve(ours("movies_list"), variables) as where:
        page = [request("/movies.list")]
        took = ask_beside(where.port, page, page, seconds=0.3, connections=4)

    assert len(took) > 0
    assert sum(took) < 0.3 + max(took)  # of one caller, one after the other


@asks("/movies.list", "/movies.get", "/movies.create", "/movies.delete/x")
def test_scale_compares_the_two_catalogues_and_leaves_them_as_they_were(
    small: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scale, "ROUNDS", 1)
    monkeypatch.setattr(scale, "SECONDS", 0.02)
    monkeypatch.setattr(scale, "FILMS", FILMS[:5])
    report = Report()

    scale.measure(small, report)

    named = {figure.name: figure.against for figure in report.figures}
    assert named["movies.list, any page of 250 movies"] == "page 1"
    assert named["movies.list, cursor to the last page"] == "30 movies"
    assert named["movies.list, page 22"] == "page 1"
    assert {"movies.create", "movies.delete", "movies.get by title"} <= set(named)
    assert all(figure.ratio for figure in report.figures)
    assert totals(small) == [FEW, MANY]


@asks("/movies.search", "/movies.get", "/movies.random")
def test_ways_to_find_films_are_told_against_the_floor_with_fts5_beside_them(
    small: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "ROUNDS", 2)
    monkeypatch.setattr(search, "SEARCHES", 6)
    monkeypatch.setattr(search, "RATE_ROUNDS", 1)
    monkeypatch.setattr(throughput, "SECONDS", 0.2)
    report = Report()

    search.measure(small, report)

    told = {(figure.name, figure.part): figure for figure in report.figures}
    assert told["a full title", "median"].against == "floor"
    assert told["a full title", "FTS5"].value > 0
    assert told["-released, first page", "99th"].value > 0
    assert told["movies.random, filtered", "median"].value > 0
    assert told["movies.search", "here"].against == "asyncpg"
    assert min(figure.value for figure in report.figures) > 0


def test_fts5_has_the_films_of_the_catalogue_those_with_most_votes_first(small: Laboratory) -> None:
    settings = small.settings(small.many)
    known = queries.known_films(settings, 20 * MANY)
    path = small.scratch_folder / "films.sqlite"
    fts5.provide(settings, path)
    with contextlib.closing(fts5.Fts5(path)) as index:
        for place, film in enumerate(known, 1):
            assert place in index.find(Search(film.title))
            assert place in index.find(Search(film.people[0]))
        film = known[-1]
        filters = {"genre": film.genres[0], "year": f"{film.year}..{film.year}"}
        alike = [one for one in known if one.year == film.year and film.genres[0] in one.genres]
        assert index.count(Search(filters=filters)) == len(alike)


def test_what_is_mistyped_is_wrong_in_one_place() -> None:
    title = "Le Voyage dans la Lune"
    for seed in range(100):
        typed = queries.mistype(title, random.Random(seed))  # noqa: S311  no secret
        changes = difflib.SequenceMatcher(None, title, typed).get_opcodes()
        assert 1 <= sum(kind != "equal" for kind, *_ in changes) <= 2  # swapped: one went, one came
        assert abs(len(title) - len(typed)) <= 1


def test_writes_leave_the_catalogues_as_they_were_even_after_a_run_that_was_broken_off(
    small: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writes, "ROUNDS", 1)
    monkeypatch.setattr(writes, "BATCH", 10)
    monkeypatch.setattr(writes, "SINGLES_ROUNDS", 1)
    monkeypatch.setattr(writes, "SECONDS", 0.2)
    monkeypatch.setattr(writes, "CONNECTIONS", 3)
    with monkeypatch.context() as broken:
        broken.setattr(writes, "_forget_new", stop_the_second_time())
        with pytest.raises(KeyboardInterrupt):
            writes.measure(small, Report())
    small.postgres.drop_database(small.scratch)
    small.postgres.create_database(small.scratch, small.few)
    report = Report()

    writes.measure(small, report)

    named = {figure.name: figure.value for figure in report.figures}
    assert len(named) == 11
    assert named["3 connections"] > 0
    assert totals(small) == [FEW, MANY]


def stop_the_second_time() -> Callable[[object], None]:
    """Break a run off as Ctrl-C does, when it comes to tidy up."""
    calls = itertools.count()

    def stop(_: object) -> None:
        if next(calls) > 3:  # both sides were tidied twice
            raise KeyboardInterrupt

    return stop


def totals(laboratory: Laboratory) -> list[int]:
    found = []
    for name in (laboratory.few, laboratory.many):
        database = Database(laboratory.settings(name), statements=statements.LISTING)
        found.append(database.answer(movies.find_page_at(skipped=0, records=1)).total)
        database.close()
    return found


def test_every_function_is_asked_what_it_can_be_asked_again(small: Laboratory) -> None:
    assert set(usual(small)) == set(read_functions())


@asks("/movies.list")
def test_a_start_is_taken_step_by_step(small: Laboratory) -> None:
    taken = _steps(ours("movies_list"), small.variables(small.few))

    assert list(taken) == ["interpreter", "framework", "imports", "connect", "first request"]
    assert min(taken.values()) > 0


@asks("/movies.list")
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells it all")
def test_the_footprint_tells_processor_time_and_memory(small: Laboratory) -> None:
    report = Report()

    footprint._measure_function(small, report, ours("movies_list"), 200)

    told = {figure.part: figure.value for figure in report.figures}
    assert told["CPU of function"] > 0
    assert 20 < told["memory"] < 200


@asks("/movies.list")
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells it all")
def test_the_footprint_tells_what_kept_json_spares(
    small: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(footprint, "_ROUNDS", 5)
    report = Report()

    footprint._measure_documents(small, report)

    ratios = {figure.name: figure.ratio for figure in report.figures}
    assert set(ratios) == {"Postgres, a list of 10", "Postgres, a list of 100"}
    assert 0 < (ratios["Postgres, a list of 100"] or 0) < 1  # much is measured, so it is sure


@asks("/movies.list", "/movies.get")
def test_queues_are_told_as_measured_and_as_simulated(
    small: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "ROUNDS", 1)
    monkeypatch.setattr(queues, "SECONDS", 0.2)
    monkeypatch.setattr(queues, "CALLERS", (1, 8))
    report = Report()

    queues.measure(small, report)

    named = {figure.name for figure in report.figures}
    parts = {figure.part for figure in report.figures}
    assert named == {
        f"{name}, callers: {n}" for name in ("movies.list", "movies.get") for n in (1, 8)
    }
    assert {"measured", "simulated", "ran in function", "in database"} <= parts
    assert min(figure.value for figure in report.figures) > 0


@asks("/movies.list")
def test_a_process_answers_about_as_often_as_the_simulation_says(
    small: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What else the machine does only slows what is measured: one of many rounds is to fit."""
    monkeypatch.setattr(queues, "SECONDS", 0.5)
    pages = itertools.cycle(make_page_requests(range(1, 1 + MANY // 10)))
    with serve(ours("movies_list"), small.variables(small.many)) as where:
        rounds = (queues.measure_round(small, where, pages, 8) for _ in range(40))

        assert any(2 / 3 < one.rate / one.simulated.rate < 3 / 2 for one in rounds)
