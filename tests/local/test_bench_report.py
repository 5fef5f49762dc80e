"""What the benchmarks are made of: made-up films, medians, the table, statements for asyncpg."""

import collections
import itertools
import json

from lib.catalogue.movie import title_key
from local.bench import films, rivals
from local.bench.report import Report, Value, combine, in_turn


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


def test_what_is_common_is_as_common_as_among_real_films() -> None:
    made = list(films.films(5_000))
    words = collections.Counter(
        word for film in made for word in set(title_key(str(film["title"])).split())
    )
    people = collections.Counter(name for film in made for name in film["actors"])  # type: ignore[attr-defined]

    assert 0.2 < words["the"] / 5_000 < 0.5
    assert len([word for word, count in words.items() if count == 1]) > 3_000
    assert len(people) > 8_000
    assert max(people.values()) > 3
    for name, least, most in (("genres", 0.2, 0.4), ("languages", 0.5, 0.7)):
        counted = collections.Counter(value for film in made for value in film[name])  # type: ignore[attr-defined]
        assert least < max(counted.values()) / 5_000 < most
        assert min(counted.values()) < 50
    votes = [film["imdb_votes"] or 0 for film in made]
    assert 0.03 < sum(count >= 1_000 for count in votes) / 5_000 < 0.1  # type: ignore[operator]


def test_the_median_of_each_is_taken_over_all_rounds() -> None:
    first, second = iter([1.0, 9.0, 2.0]), iter([4.0, 4.0, 5.0])

    medians = in_turn({"a": lambda: [next(first)], "b": lambda: [next(second)]}, rounds=3)

    assert medians == {"a": 2.0, "b": 4.0}


def test_the_table_and_the_json_tell_the_same_figures() -> None:
    report = Report({"processor": "Z80", "CPUs": "1"})
    report.begin("Lists")
    report.add("first page", 0.5, "ms")
    report.add("deep page", 12.25, "ms", against=("first", 0.5))
    report.begin("Memory")
    report.add_parts("login", {"now": Value(99.0, "MiB"), "CPU": Value(31.0, "ms")})
    rates = {"theirs": Value(200.0, "/s"), "ours": Value(190.0, "/s")}
    report.add_parts("rate", rates, against=("theirs", 200.0))

    lines = [" ".join(line.split()) for line in report.as_table().splitlines() if line]
    assert lines == [
        "processor: Z80, CPUs: 1",
        "Lists",
        "first page 0.5 ms",
        "deep page 12.2 ms 24.50 x first",
        "Memory",
        "now CPU",
        "login 99 MiB 31 ms",
        "theirs ours",
        "rate 200 /s 190 /s 0.95 x theirs",
    ]
    told = json.loads(report.as_json())
    assert told["machine"] == {"processor": "Z80", "CPUs": "1"}
    figures = told["figures"]
    assert [figure["value"] for figure in figures] == [0.5, 12.25, 99.0, 31.0, 200.0, 190.0]
    assert figures[1]["ratio"] == 24.5
    assert figures[3]["part"] == "CPU"


def test_of_several_runs_medians_are_told_and_how_far_ratios_went() -> None:
    runs = []
    for first, deep in ((1.0, 2.0), (4.0, 6.0), (2.0, 5.0)):
        report = Report()
        report.begin("Lists")
        report.add("first page", first, "ms")
        report.add("deep page", deep, "ms", against=("first", first))
        runs.append(report)

    lines = [" ".join(line.split()) for line in combine(runs).as_table().splitlines() if line]

    assert lines == ["Lists", "first page 2 ms", "deep page 5 ms 2.00 x first (1.50 to 2.50)"]


def test_one_run_has_no_range() -> None:
    report = Report()
    report.begin("Lists")
    report.add("deep page", 3.0, "ms", against=("first", 2.0))

    assert combine([report]).figures == report.figures
    assert report.figures[0].ratios is None


def test_statements_have_their_parameters_as_asyncpg_takes_them() -> None:
    sql = "select :b::text, ':', 'a:b' where c = :bb and d = :a::bigint and e = :b::text"

    assert (
        rivals.numbered(sql, ["a", "b", "bb"])
        == "select $2::text, ':', 'a$2' where c = $3 and d = $1::bigint and e = $2::text"
    )
