"""What is read of a search's parameters, and how that is described: both are one."""

import re
from collections.abc import Mapping
from typing import Any, Final

import jsonschema_rs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lib.catalogue.movie import FIRST_YEAR, LAST_YEAR
from lib.errors import InvalidRequest
from lib.search.asking import PARAMETERS, RANDOM_PARAMETERS, wanted_hits
from lib.search.filters import FILTERS, MOST_VALUES
from lib.search.ranges import DAYS, TENTHS, Range, Scale, numbers
from lib.search.text import MOST_WORDS, QUERY_LENGTH
from lib.web.rules import Rule

ENDS: Final = st.sampled_from(
    ["", ".", "0", "01", "7.5", "7.55", "10", "10.0", "10.1", "1849", "1850", "1994", "2200",
     "2201", "-1", "1e3", "\u0663", " 1", "1994-10-14", "1994-13-01", "1994-02-30", "19941014",
     "1000000", "1000001", "2147483647", "2147483648", "9" * 40]
)  # fmt: skip
RANGES: Final = ENDS | st.tuples(ENDS, st.sampled_from(["..", "...", "-", ","]), ENDS).map("".join)
VALUES: Final = st.lists(
    st.sampled_from(
        ["a", "Drama", "\u00e9", " ", "\\", ",", "|", "\\,", "\\|", "\u3000", "\ufeff"]
    ),
    max_size=3 * MOST_VALUES,
).map("".join)
SORTS: Final = st.tuples(
    st.sampled_from(["", "-", "--"]),
    st.sampled_from(["", "relevance", "title", "Title", "year", "votes", "imdb_votes"]),
).map("".join)
# What a schema cannot tell: which number is the greater, and which days there are.
UNTOLD: Final = ("must begin with the smaller end of its range", "must be one or a range")


def admits(rule: Rule[Any], value: object) -> bool:
    return jsonschema_rs.is_valid(rule.schema(), value)


def refusal(rule: Rule[Any], text: str) -> str | None:
    """Return what a text is refused with."""
    try:
        rule.from_text("it", text)
    except InvalidRequest as refused:
        return refused.fields["it"]
    return None


RANGED: Final = {name: one.rule for name, one in FILTERS.items() if isinstance(one.rule, Range)}
NAMED: Final = {name: one.rule for name, one in FILTERS.items() if name not in RANGED}


@given(st.sampled_from(sorted(RANGED)), RANGES)
@example("year", "1990..1999")
@example("imdb_rating", "..10.0")
def test_a_range_that_is_read_is_described_and_only_its_numbers_are_not(
    name: str, text: str
) -> None:
    refused = refusal(RANGED[name], text)

    if admits(RANGED[name], text):
        assert refused is None or refused.startswith(UNTOLD)
    else:
        assert refused is not None


@given(st.sampled_from(sorted(NAMED)), VALUES | st.text(max_size=30))
@example("genre", "|".join("a" * MOST_VALUES))
@example("genre", ",".join("a" * (MOST_VALUES + 1)))
@example("type", "movie,series")
@example("type", "a\\,b|c")
@example("genre", "a\\\\,b")
def test_values_are_described_as_they_are_read_but_for_blank_ones(name: str, text: str) -> None:
    refused = refusal(NAMED[name], text)

    if admits(NAMED[name], text):
        assert refused in {None, "must hold no empty value"}
        assert refused is None or re.search(r"(^|[,|])\s+($|[,|])", text)
    else:
        assert refused is not None


@given(SORTS)
def test_sorts_are_described_just_as_they_are_read(text: str) -> None:
    rule = PARAMETERS.each["sort"].rule
    assert admits(rule, text) is (refusal(rule, text) is None)


@given(st.text("AZaz09-_=+/ \u00e9", max_size=9) | st.just("a" * 6144) | st.just("a" * 6145))
def test_what_no_cursor_looks_like_is_not_described_as_one(text: str) -> None:
    rule = PARAMETERS.each["cursor"].rule
    assert admits(rule, text) is (refusal(rule, text) is None)


@given(st.text("aA1\u00e9\u3000 '-", max_size=QUERY_LENGTH + 1))
@example("a" * QUERY_LENGTH)
@example("a " * MOST_WORDS)
def test_a_text_is_described_but_for_how_many_words_it_has(text: str) -> None:
    rule, words = PARAMETERS.each["query"].rule, re.findall(r"\w+", text)

    if len(words) <= MOST_WORDS:
        assert admits(rule, text) <= (refusal(rule, text) is None)
    if refusal(rule, text) is None:
        assert admits(rule, " ".join(text.split()))


@pytest.mark.parametrize(
    ("scale", "fine", "wrong"),
    [
        (numbers("years", low=1990, high=2010), ["1990", "2010"], ["1989", "2011", "990", "20100"]),
        (numbers("numbers", low=0, high=30), ["0", "30"], ["31", "100"]),
        (numbers("numbers", low=5, high=1_000), ["5", "1000"], ["4", "1001", "10000"]),
        (TENTHS, ["0", "9.9", "10"], ["10.5", "11"]),
        (DAYS, ["2000-02-29"], ["2001-02-29", "2000-13-01"]),
    ],
    ids=lambda value: value.of if isinstance(value, Scale) else "",
)
def test_what_is_read_said_and_described_of_a_scale_is_one_thing(
    scale: Scale, fine: list[str], wrong: list[str]
) -> None:
    rule = Range(scale)
    for text in fine:
        assert refusal(rule, text) is refusal(rule, f"{text}..") is None
        assert admits(rule, text)
        assert admits(rule, f"..{text}")
    for text in wrong:
        assert (
            refusal(rule, text)
            == rule.rule
            == f"must be one or a range (A..B, A.., ..B) of {scale.of}"
        )


def test_people_read_of_the_range_that_no_schema_tells() -> None:
    years = FILTERS["year"]

    assert f"of years from {FIRST_YEAR} to {LAST_YEAR}" in years.about
    assert years.rule.rule.removeprefix("must be ") in years.about


def read(texts: Mapping[str, str]) -> Any:
    return wanted_hits(PARAMETERS.read_query(texts))


def test_as_many_words_and_values_are_read_as_is_told() -> None:
    words, values = PARAMETERS.each["query"].rule, FILTERS["genre"].rule

    assert refusal(words, "a " * MOST_WORDS) is refusal(values, "|".join("a" * MOST_VALUES)) is None
    told = refusal(words, "a " * (MOST_WORDS + 1)) or ""
    assert told == words.rule
    assert f"at most {MOST_WORDS} words" in told
    assert f"at most {MOST_VALUES} " in (refusal(values, "|".join("a" * (MOST_VALUES + 1))) or "")
    assert f"1 to {MOST_VALUES} " in values.rule


def test_what_is_left_out_is_what_the_description_says() -> None:
    nothing = read({})

    assert (nothing.records, nothing.counts) == tuple(
        PARAMETERS.each[name].schema()["default"] for name in ("number_of_records", "counts")
    )
    assert nothing.sort == PARAMETERS.each["sort"].rule.from_text("sort", "-imdb_votes").value
    assert read({"query": "alien"}).sort.name == "relevance"
    assert RANDOM_PARAMETERS.read_query({})["number_of_records"] == 1


def test_the_texts_of_a_search_are_kept_for_its_links_in_their_order() -> None:
    asked = {"sort": "-year", "query": "caf\u00e9  noir", "genre": "Sci-Fi, x"}
    wanted = read({**asked, "number_of_records": "5"})

    assert wanted.looked_for == "query=caf%C3%A9++noir&genre=Sci-Fi,+x&sort=-year"
    assert not wanted.counts
