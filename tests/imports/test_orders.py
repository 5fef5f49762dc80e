"""What can be asked of an import, and how it is described."""

from collections.abc import Mapping
from typing import Any, Final

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.catalogue.movie import TITLE_LENGTH, TYPES
from lib.errors import InvalidRequest
from lib.imports.asking import HEADERS, MEMBERS, name_requester, read_idempotency_key, wanted_order
from lib.imports.orders import MOST_IDS, TICK, Order
from lib.imports.reports import LIST_PARAMETERS

ONE = "tt0111161"
KEY = HEADERS.each["Idempotency-Key"]


def read(body: Mapping[str, Any]) -> Order:
    return wanted_order(MEMBERS.read_body(body))


@pytest.mark.parametrize(
    ("body", "order"),
    [
        ({}, TICK),
        ({"imdb_ids": [ONE]}, Order(kind="ids", imdb_ids=(ONE,))),
        (
            {"imdb_ids": [ONE], "types": ["series", "series"]},
            Order(kind="ids", imdb_ids=(ONE,), types=("series",)),
        ),
        ({"search": " The  Thing "}, Order(kind="search", search="The Thing")),
        (
            {"search": "Lost", "type": "series", "year": 2004},
            Order(
                kind="search",
                search="Lost",
                search_type="series",
                search_year=2004,
                types=("series",),
            ),
        ),
        ({"refresh": True}, Order(kind="refresh", types=TYPES)),
        (
            {"refresh": True, "older_than_days": 30},
            Order(kind="refresh", types=TYPES, older_than_days=30),
        ),
    ],
)
def test_what_is_asked_becomes_an_order(body: Mapping[str, Any], order: Order) -> None:
    assert read(body) == order


@pytest.mark.parametrize(
    "body",
    [
        {"imdb_ids": []},
        {"imdb_ids": ONE},
        {"imdb_ids": None},
        {"imdb_ids": [1]},
        {"imdb_ids": ["tt1"]},
        {"imdb_ids": [f"{ONE}\n"]},
        {"imdb_ids": [ONE] * (MOST_IDS + 1)},
        {"imdb_ids": [ONE], "search": "x"},
        {"imdb_ids": [ONE], "year": 1994},
        {"imdb_ids": [ONE], "types": []},
        {"imdb_ids": [ONE], "types": "movie"},
        {"imdb_ids": [ONE], "types": ["film"]},
        {"imdb_ids": [ONE], "types": [[]]},
        {"search": ""},
        {"search": "  "},
        {"search": 1},
        {"search": "a\0b"},
        {"search": "x" * (TITLE_LENGTH + 1)},
        {"search": "x", "type": "film"},
        {"search": "x", "type": None},
        {"search": "x", "year": "1994"},
        {"search": "x", "year": True},
        {"refresh": False},
        {"refresh": "true"},
        {"refresh": 1},
        {"refresh": True, "older_than_days": -1},
        {"refresh": True, "older_than_days": 1.5},
        {"older_than_days": 30},
        {"types": ["movie"]},
        {"type": "movie"},
    ],
)
def test_what_cannot_be_asked_is_refused_with_the_member_named(body: Mapping[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        read(body)
    assert refusal.value.fields.keys() <= body.keys()


@pytest.mark.parametrize(
    ("items", "told"),
    [
        (["tt1"], "item 1, 'tt1', is no IMDb id: each must be"),
        ([ONE, 5, None], "item 2, 5, is no IMDb id; 1 more is none either: each must be"),
        ([ONE, [ONE], {}, 1], 'item 2, ["tt0111161"], is no IMDb id; 2 more are none either'),
        (["\x1b[2J\u202e"], r"item 1, '\x1b[2J\u202e', is no IMDb id"),
        ([ONE, "x" * 4000], f"item 2, '{'x' * 50}...', is no IMDb id"),
        ([[["x" * 4000]]], f'item 1, [["{"x" * 47}..., is no IMDb id'),
        ([ONE, ONE, "TT0111161"], "item 3, 'TT0111161', is no IMDb id"),
    ],
)
def test_the_first_bad_id_is_shown_cut_and_safe_and_the_others_counted(
    items: list[Any], told: str
) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        read({"imdb_ids": items})
    assert refusal.value.fields["imdb_ids"].startswith(told)
    assert refusal.value.message == f"imdb_ids: {refusal.value.fields['imdb_ids']}."
    assert refusal.value.message.isprintable()
    assert len(refusal.value.message) < 250


SAID: Final = st.sampled_from(
    [ONE, "tt1", f"{ONE}\n", *TYPES, "film", "", " ", "x" * TITLE_LENGTH, "x" * (TITLE_LENGTH + 1)]
)
VALUES: Final = st.recursive(
    # Not 30.0, which is a whole number to a schema, and to us none.
    st.none() | st.booleans() | st.integers(-1, 40_000) | st.just(1.5) | SAID | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SAID, inner, max_size=2),
    max_leaves=4,
)


@given(st.sampled_from(MEMBERS.names), VALUES)
def test_each_member_is_described_just_as_it_is_read(name: str, value: object) -> None:
    one, is_read = MEMBERS.each[name], True
    try:
        one.rule.from_json(name, value)
    except InvalidRequest:
        is_read = False
    assert jsonschema_rs.is_valid(one.schema(), value) is is_read


def test_the_sequence_of_ids_makes_no_other_order() -> None:
    first = Order(kind="ids", imdb_ids=("tt0000001", "tt0000002", "tt0000001"))
    second = Order(kind="ids", imdb_ids=("tt0000002", "tt0000001"))
    assert first.fingerprint == second.fingerprint
    assert first.fingerprint != Order(kind="ids", imdb_ids=("tt0000001",)).fingerprint


def test_what_is_asked_for_makes_another_order() -> None:
    orders = [
        TICK,
        Order(kind="search", search="a"),
        Order(kind="search", search="a", search_year=1999),
        Order(kind="search", search="a", search_type="movie"),
        Order(kind="refresh"),
        Order(kind="refresh", older_than_days=1),
        Order(kind="refresh", due_only=True),
        Order(kind="refresh", types=TYPES),
    ]
    assert len({order.fingerprint for order in orders}) == len(orders)


@pytest.mark.parametrize(
    "key", ["a", "8e03978e-40d5-43dd-bc93-6894a57f9324", '"quoted"', "k" * 255]
)
def test_a_key_is_taken_as_it_is(key: str) -> None:
    assert read_idempotency_key({"idempotency-key": key}) == f"key {key}"
    assert jsonschema_rs.is_valid(KEY.schema(), key)


@pytest.mark.parametrize(
    "key", ["", " ", " a", "a ", "k" * 256, "a\tb", "a\x00", "é", "a, b", "a,b"]
)
def test_a_key_out_of_form_is_refused(key: str) -> None:
    with pytest.raises(InvalidRequest, match="Idempotency-Key"):
        read_idempotency_key({"idempotency-key": key})
    assert not jsonschema_rs.is_valid(KEY.schema(), key)


def test_the_schedulers_job_and_time_are_a_key() -> None:
    headers = {
        "x-cloudscheduler-jobname": "import",
        "x-cloudscheduler-scheduletime": "2026-11-23T11:00:00Z",
    }
    later = headers | {"x-cloudscheduler-scheduletime": "2026-11-23T11:15:00Z"}

    assert (
        read_idempotency_key(headers)
        == read_idempotency_key(dict(headers))
        != read_idempotency_key(later)
    )
    assert read_idempotency_key({"x-cloudscheduler-jobname": "import"}) is None
    assert read_idempotency_key({}) is None
    assert name_requester(headers, "192.0.2.1") == "scheduler import"
    assert name_requester({}, "192.0.2.1") == "request from 192.0.2.1"


@pytest.mark.parametrize("text", ["", "0", "1", "01", "999999999", "1000000000", "-1", "1.0", "x"])
def test_a_cursor_of_the_list_is_described_just_as_it_is_read(text: str) -> None:
    cursor, is_read = LIST_PARAMETERS.each["cursor"], True
    try:
        cursor.rule.from_text("cursor", text)
    except InvalidRequest:
        is_read = False
    assert jsonschema_rs.is_valid(cursor.schema(), text) is is_read
