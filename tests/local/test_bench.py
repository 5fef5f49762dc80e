"""The benchmarks: made-up films, kept catalogues, the table, and that every section measures."""

import itertools
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lib.catalogue import movies, statements
from lib.catalogue.movie import title_key
from lib.database.database import Database
from local.bench import (
    catalogue,
    command,
    films,
    footprint,
    laboratory,
    queues,
    scale,
    throughput,
    writes,
)
from local.bench.calling import request
from local.bench.laboratory import Laboratory
from local.bench.report import Report, Value, in_turn
from local.bench.serving import ours, serve
from local.bench.starts import _steps
from local.bench.usual import FILMS, usual
from local.failure import Failure
from local.functions import read_functions
from tests.support import asks

FEW, MANY = 30, 250


def test_films_are_the_same_each_time() -> None:
    assert list(films.films(50)) == list(films.films(50))
    assert list(films.films(50)) != list(films.films(50, first=50))


def test_titles_are_as_odd_as_real_ones() -> None:
    titles = [str(film["title"]) for film in films.films(5_000)]
    keys = [title_key(title) for title in titles]

    assert len({title for title in titles if titles.count(title) > 1}) > 100  # remakes
    assert sum(not title.isascii() for title in titles) > 500
    assert (
        sum(title.startswith(("The ", "A ", "Le ", "L'", "Die ", "El ")) for title in titles) > 500
    )
    assert sum(title.endswith((" II", " 2", " 3D")) for title in titles) > 100
    assert sum(before > after for before, after in itertools.pairwise(keys)) > 1_000  # no order


def test_the_median_of_each_is_taken_over_all_rounds() -> None:
    first, second = iter([1.0, 9.0, 2.0]), iter([4.0, 4.0, 5.0])

    medians = in_turn({"a": lambda: [next(first)], "b": lambda: [next(second)]}, rounds=3)

    assert medians == {"a": 2.0, "b": 4.0}


def test_the_table_and_the_json_tell_the_same_figures() -> None:
    report = Report()
    report.begin("Lists")
    report.add("first page", 0.5, "ms")
    report.add("deep page", 12.25, "ms", against=("first", 0.5))
    report.begin("Memory")
    report.add_parts("login", {"now": Value(99.0, "MiB"), "CPU": Value(31.0, "ms")})

    lines = [" ".join(line.split()) for line in report.as_table().splitlines() if line]
    assert lines == [
        "Lists",
        "first page 0.5 ms",
        "deep page 12.2 ms 24.50 x first",
        "Memory",
        "now CPU",
        "login 99 MiB 31 ms",
    ]
    told = json.loads(report.as_json())
    assert [figure["value"] for figure in told] == [0.5, 12.25, 99.0, 31.0]
    assert told[1]["ratio"] == 24.5
    assert told[3]["part"] == "CPU"


def test_an_unknown_section_is_told_with_those_that_there_are() -> None:
    with pytest.raises(Failure, match="no section 'speed': there are throughput, scale"):
        command.run(["speed"], as_json=False, flame=None)


def test_a_flame_graph_comes_alone() -> None:
    with pytest.raises(Failure, match="give it alone"):
        command.run([], as_json=True, flame=Path("flame.svg"))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    """Set up as for a run, but with few movies."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (laboratory, throughput, scale, writes, footprint, queues):
            for name, rows in {"FEW": FEW, "MANY": MANY}.items():
                if hasattr(module, name):
                    patch.setattr(module, name, rows)
        patch.setattr(catalogue, "_SAMPLED", 10)
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
    monkeypatch.setattr(catalogue, "_fingerprint", lambda: "another")
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
    report = Report()

    throughput.measure(small, report)

    rates = {figure.name: figure for figure in report.figures if figure.unit == "/s"}
    assert rates["movies.list"].against == "floor"
    assert rates["movies.list, 24 connections"].against == "16 connections"
    assert min(figure.value for figure in rates.values()) > 0
    assert any("99th percentile" in figure.name for figure in report.figures)


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
    assert named["movies.list, cursor to the last page"] == "30 movies"
    assert named["movies.list, page 22"] == "page 1"
    assert {"movies.create", "movies.delete", "movies.get by title"} <= set(named)
    assert all(figure.ratio for figure in report.figures)
    assert totals(small) == [FEW, MANY]


def test_writes_leave_the_catalogues_as_they_were_even_after_a_run_that_was_broken_off(
    small: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writes, "ROUNDS", 1)
    monkeypatch.setattr(writes, "BATCH", 10)
    with monkeypatch.context() as broken:
        broken.setattr(writes, "_forget_new", stop_the_second_time())
        with pytest.raises(KeyboardInterrupt):
            writes.measure(small, Report())
    small.postgres.drop_database(small.scratch)
    small.postgres.create_database(small.scratch, small.few)
    report = Report()

    writes.measure(small, report)

    assert len(report.figures) == 5
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
    assert {"measured", "simulated", "CPU of function", "of database"} <= parts
    assert min(figure.value for figure in report.figures) > 0


@asks("/movies.list")
def test_a_process_answers_about_as_often_as_the_simulation_says(
    small: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What else the machine does only slows what is measured: one of many rounds is to fit."""
    monkeypatch.setattr(queues, "SECONDS", 0.5)
    with serve(ours("movies_list"), small.variables(small.many)) as where:
        rounds = (
            queues.measure_round(small, where, [request("/movies.list")], 8) for _ in range(40)
        )

        assert any(2 / 3 < one.rate / one.simulated.rate < 3 / 2 for one in rounds)
