"""What is read, what is said of it, and what its schema says are one: properties, and the words."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

import jsonschema_rs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lib.accounts import audit_list, password_changes, people
from lib.accounts.login import MEMBERS as LOGIN
from lib.catalogue import listing, many, wanted
from lib.catalogue.document import MEMBERS
from lib.catalogue.fields import ALL, FIELDS
from lib.errors import InvalidRequest
from lib.imports import asking as imports_asking
from lib.search import asking as search_asking
from lib.web.inputs import NOTHING, Alternative, Input, Inputs
from lib.web.paging import MOST_RECORDS, NUMBER_OF_RECORDS
from lib.web.rules import Flag, OneOf, Rule, Text, Whole
from local.environment import ROOT

FEW: Final = settings(max_examples=60)
CHARACTERS: Final = st.characters(codec="utf-8")
IDS: Final = st.from_regex(r"tt[0-9]{6,11}", fullmatch=True)
JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(1999.5) | st.text(CHARACTERS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=6,
)
WHOLES: Final = st.builds(
    Whole,
    low=st.integers(0, 50),
    high=st.none() | st.integers(50, 99),
    most=st.none() | st.integers(60, 70),
)
# Of each rule whose schema can say all of it: what may come near it.
EXACT: Final[Mapping[str, tuple[Rule[Any], st.SearchStrategy[Any]]]] = {
    "flag": (Flag(), st.sampled_from(["true", "false", 0, 1])),
    "one of": (OneOf(("a", "b")), st.sampled_from(["a", "b", "c", "A", "", "a,b", ["a"]])),
    "text": (
        Text(longest=5),
        st.sampled_from(["", " ", "\u3000 ", "a\n", "\x9f", " a ", "éé"])
        | st.text(st.sampled_from(" \u3000aé\n\x9f"), max_size=6),
    ),
    "title": (
        wanted.TITLE,
        st.text(CHARACTERS, max_size=3) | st.integers(498, 502).map("x".__mul__),
    ),
    "year": (wanted.YEAR, st.integers(1840, 2210)),
    "id": (wanted.ID, IDS | IDS.map(lambda one: f"{one}\n") | IDS.map(str.upper)),
    "import's ids": (imports_asking.MEMBERS.each["imdb_ids"].rule, st.lists(IDS, max_size=4)),
    "import's types": (
        imports_asking.MEMBERS.each["types"].rule,
        st.lists(st.sampled_from(["movie", "game", "film"]), max_size=3),
    ),
    "refresh": (imports_asking.MEMBERS.each["refresh"].rule, st.booleans()),
    "audit's cursor": (
        audit_list.PARAMETERS.each["cursor"].rule,
        st.sampled_from(["0", "01", "-1", "1 ", "1\n", "\u0661", "9" * 18, "9" * 20]),
    ),
}  # fmt: skip
# Of those whose text in a query is several with a comma between them, likewise.
LISTS: Final[Mapping[str, tuple[Rule[Any], st.SearchStrategy[list[str]]]]] = {
    "fields": (FIELDS.rule, st.lists(st.sampled_from([*MEMBERS, "titel", ""]), max_size=6)),
    "ids": (many.PARAMETERS.each["imdb_ids"].rule, st.lists(IDS, max_size=5)),
}
EVERYWHERE: Final = {
    "login": LOGIN,
    "movies.list": listing.PARAMETERS,
    "movies.get": wanted.GETTING,
    "movies.get_many": many.PARAMETERS,
    "movies.create": wanted.CREATING,
    "movies.delete": wanted.DELETING,
    "movies.import": imports_asking.MEMBERS,
    "movies.search": search_asking.PARAMETERS,
    "movies.random": search_asking.RANDOM_PARAMETERS,
    "users.create": people.CREATING,
    "users.list": people.LIST_PARAMETERS,
    "users.update": people.UPDATING,
    "users.reset_password": people.RESETTING,
    "users.delete": people.DELETING,
    "passwords.change": password_changes.CHANGING,
    "passwords.set": password_changes.SETTING,
    "audit.list": audit_list.PARAMETERS,
}


def admits(rule: Rule[Any], value: object) -> bool:
    """Tell whether a rule's schema admits a value."""
    return jsonschema_rs.validator_for(rule.schema()).is_valid(value)


def refusal(rule: Rule[Any], value: object, name: str = "it") -> InvalidRequest | None:
    """Return how a member is refused, or nothing."""
    try:
        rule.from_json(name, value)
    except InvalidRequest as refused:
        return refused
    return None


def refusal_of_text(rule: Rule[Any], text: str, name: str = "it") -> InvalidRequest | None:
    """Return how a parameter is refused, or nothing."""
    try:
        rule.from_text(name, text)
    except InvalidRequest as refused:
        return refused
    return None


# --- Reading and schema agree ---------------------------------------------------------------------


@FEW
@given(rule=WHOLES, value=st.integers(-1, 110) | JSON)
def test_a_whole_number_is_read_just_when_its_schema_admits_it(
    rule: Rule[int], value: object
) -> None:
    assert (refusal(rule, value) is None) == admits(rule, value)


@FEW
@given(rule=WHOLES, number=st.integers(-1, 110) | st.integers(10**15, 10**18))
def test_a_whole_number_is_read_alike_from_a_query_and_from_a_body(
    rule: Rule[int], number: int
) -> None:
    assert (refusal_of_text(rule, str(number)) is None) == admits(rule, number)
    if admits(rule, number):
        assert rule.from_text("it", str(number)) == rule.from_json("it", number)


@pytest.mark.parametrize("name", EXACT)
@FEW
@given(data=st.data())
def test_a_member_is_read_just_when_its_schema_admits_it(name: str, data: st.DataObject) -> None:
    rule, near = EXACT[name]
    value = data.draw(near | JSON)

    assert (refusal(rule, value) is None) == admits(rule, value)


@pytest.mark.parametrize("name", LISTS)
@FEW
@given(data=st.data())
def test_a_list_in_a_query_is_read_just_when_its_schema_admits_it(
    name: str, data: st.DataObject
) -> None:
    rule, near = LISTS[name]
    values = data.draw(near)
    if values:  # no text is the list of nothing
        assert (refusal_of_text(rule, ",".join(values)) is None) == admits(rule, values)


@FEW
@given(st.text(CHARACTERS, max_size=1025))
@example("x" * 1024)
@example("x" * 1025)
@example("é" * 1024)
def test_a_password_in_ascii_is_read_just_when_its_schema_admits_it(text: str) -> None:
    rule = LOGIN.each["password"].rule
    if text.isascii():
        assert (refusal(rule, text) is None) == admits(rule, text)


@pytest.mark.parametrize("name", EVERYWHERE)
def test_what_an_example_or_a_default_shows_is_admitted(name: str) -> None:
    for input_name, one in EVERYWHERE[name].each.items():
        schema = one.schema()
        shown = [value for value in (one.example, schema.get("default")) if value is not None]
        for value in shown:
            assert admits(one.rule, value), input_name


@pytest.mark.parametrize("name", EVERYWHERE)
def test_everything_is_told_about(name: str) -> None:
    for input_name, one in EVERYWHERE[name].each.items():
        assert re.fullmatch(r"[A-Z`].+\.", one.about), input_name
        assert one.rule.rule.startswith(("must ", "takes ", "is ")), input_name


# --- In words -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "value", "told"),
    [
        (Whole(1, 9), 0, "must be a whole number from 1 to 9"),
        (Whole(1, 9), True, "must be a whole number from 1 to 9"),
        (Whole(1, 9), 1.0, "must be a whole number from 1 to 9"),
        (Text(9), " ", "must be a text of 1 to 9 characters"),
        (Text(9, shortest=2), "a", "must be a text of 2 to 9 characters"),
        (OneOf(("a", "b")), "c", "must be one of a, b"),
        (OneOf(("a", "b")), [], "must be one of a, b"),
        (Flag(), 1, "must be true or false"),
    ],
)
def test_a_member_is_refused_in_words(rule: Rule[Any], value: object, told: str) -> None:
    refused = refusal(rule, value)

    assert refused is not None
    assert (refused.message, refused.fields) == (f"it {told}.", {"it": told})
    assert rule.rule == told


@pytest.mark.parametrize(
    ("rule", "text", "message", "told"),
    [
        (
            Whole(1, 9),
            "01",
            "it must be a whole number from 1 to 9, in the digits 0 to 9.",
            "must be a whole number from 1 to 9",
        ),
        (
            Whole(1, 1000, parted=True),
            "1001",
            "it must be a whole number from 1 to 1,000, in the digits 0 to 9.",
            "must be a whole number from 1 to 1000",
        ),
        (
            Whole(1, most=9),
            "0",
            "it must be a whole number from 1 upwards, in the digits 0 to 9; at most 9 are given.",
            "must be a whole number from 1 upwards",
        ),
        (Flag(), "True", "it must be true or false.", "must be true or false"),
    ],
)
def test_a_parameter_is_refused_in_words(
    rule: Rule[Any], text: str, message: str, told: str
) -> None:
    refused = refusal_of_text(rule, text)

    assert refused is not None
    assert (refused.message, refused.fields) == (message, {"it": told})


def test_what_is_more_than_is_given_is_read_as_the_most() -> None:
    rule = Whole(1, most=100)

    assert [rule.from_text("it", text) for text in ("7", "100", "101", "9" * 400)] == [
        *(7, 100, 100, 100)
    ]


# --- What goes with what --------------------------------------------------------------------------


def refuse(given: Collection[str]) -> NoReturn:
    raise InvalidRequest(f"not {', '.join(sorted(given))}")


NUMBER: Final = Input(rule=Whole(1, 9), about="A number.")
WAYS: Final = Inputs(
    {"title": NUMBER, "year": NUMBER, "id": NUMBER, "size": NUMBER},
    alternatives=(
        Alternative("by title", required=("title",), optional=("year",)),
        Alternative("by id", required=("id",)),
    ),
    refuse=refuse,
)


@pytest.mark.parametrize(
    "given", [["title"], ["title", "year"], ["id"], ["id", "size"], ["size", "title", "year"]]
)
def test_one_way_to_ask_is_taken(given: list[str]) -> None:
    values = WAYS.read_query(dict.fromkeys(given, "1"))

    assert values == {name: 1 if name in given else None for name in WAYS.names}
    assert list(values) == list(WAYS.names)
    assert WAYS.read_body(dict.fromkeys(given, 1)) == values


@pytest.mark.parametrize(
    "given", [[], ["year"], ["size"], ["title", "id"], ["id", "year"], ["title", "year", "id"]]
)
def test_no_way_or_a_mixture_of_them_is_refused_before_its_values(given: list[str]) -> None:
    with pytest.raises(InvalidRequest, match=f"not {', '.join(sorted(given))}$"):
        WAYS.read_query(dict.fromkeys(given, "wrong"))
    with pytest.raises(InvalidRequest, match=f"not {', '.join(sorted(given))}$"):
        WAYS.read_body(dict.fromkeys(given, "wrong"))


def test_what_excludes_each_other_is_refused() -> None:
    pair = Inputs({"page": NUMBER, "cursor": NUMBER}, not_together=(("page", "cursor"),))

    with pytest.raises(InvalidRequest) as caught:
        pair.read_query({"cursor": "1", "page": "1"})

    assert caught.value.message == "Give either page or cursor, not both."
    assert caught.value.fields == {"cursor": "must not stand together with page"}


def test_what_is_left_out_has_its_default_or_is_asked_for() -> None:
    inputs = Inputs({"a": NUMBER._replace(default=3), "b": NUMBER})

    assert inputs.read_query({}) == {"a": 3, "b": None}
    assert inputs.read_query({"b": "4"}) == {"a": 3, "b": 4}
    assert NOTHING.read_query({}) == NOTHING.read_body({}) == {}

    needed = NUMBER._replace(required=True)
    with pytest.raises(InvalidRequest, match=r"^a must be a whole number from 1 to 9"):
        Inputs({"a": needed}).read_query({})
    with pytest.raises(InvalidRequest, match=r"^Give the number") as caught:
        Inputs({"a": needed._replace(missing="Give the number.")}).read_body({})
    assert caught.value.fields == {"a": "is missing"}


@pytest.mark.parametrize(
    ("texts", "is_normal"),
    [
        ({}, True),
        ({"number_of_records": "10"}, True),
        ({"number_of_records": str(MOST_RECORDS)}, True),
        ({"number_of_records": str(MOST_RECORDS + 1)}, False),
        ({"fields": "title,year"}, True),
        ({"fields": "year,title"}, False),
        ({"fields": "imdb_id"}, True),
        ({"fields": "imdb_id,title"}, False),
        ({"fields": ",".join(MEMBERS)}, False),
        ({"fields": ",".join(MEMBERS[1:])}, False),
        ({"fields": ",".join(MEMBERS[1:-1])}, True),
    ],
)
def test_caches_know_one_text_of_a_value(texts: Mapping[str, str], *, is_normal: bool) -> None:
    inputs = Inputs({"number_of_records": NUMBER_OF_RECORDS, "fields": FIELDS})

    assert inputs.is_normal(texts, inputs.read_query(texts)) == is_normal


def test_a_schema_tells_a_default_that_json_has() -> None:
    assert NUMBER._replace(default=3).schema()["default"] == 3
    assert "default" not in NUMBER.schema()
    assert FIELDS.default is ALL
    assert "default" not in FIELDS.schema()


# --- One number -----------------------------------------------------------------------------------

# What a caller is told, and what describes it, of the largest page.
TOLD: Final = """
import json
from lib.catalogue.listing import PARAMETERS
from lib.errors import InvalidRequest
from lib.web import paging
try:
    PARAMETERS.read_query({"page": str(paging.LAST_PAGE + 1)})
except InvalidRequest as refused:
    schema = PARAMETERS.each["page"].schema()
    print(json.dumps([refused.message, refused.fields["page"], schema["maximum"]]))
"""


def test_a_range_that_is_changed_in_one_place_is_told_and_described_anew(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "lib", tmp_path / "lib", ignore=shutil.ignore_patterns("__pycache__"))
    place = tmp_path / "lib" / "web" / "paging.py"
    text = place.read_text(encoding="utf-8")
    changed, times = re.subn(r"(?m)^LAST_PAGE: Final = .*$", "LAST_PAGE: Final = 4321", text)
    place.write_text(changed, encoding="utf-8")

    done = subprocess.run(  # noqa: S603
        [sys.executable, "-P", "-c", TOLD],
        env={"PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert times == 1
    assert json.loads(done.stdout) == [
        "page must be a whole number from 1 to 4,321, in the digits 0 to 9.",
        "must be a whole number from 1 to 4321",
        4321,
    ]
