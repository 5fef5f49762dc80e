"""Every range that an endpoint declares is kept over HTTP, and told with its own numbers.

The numbers are those that the endpoint describes itself with, so a range that is changed in its one
place changes what is expected here.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Final, NamedTuple

import httpx
import pytest

from lib.catalogue.movie import FIRST_YEAR, LAST_YEAR
from lib.web.answers import Rules
from lib.web.inputs import Inputs
from local.functions import read_functions
from local.openapi.declared import read_operations
from tests.support import asks

MOST_ITEMS: Final = 1000  # of a list that is sent
ID: Final = "tt0111161"


class Bound(NamedTuple):
    """An end of what an input takes.

    Attributes:
        kept: The value at the end.
        broken: The first one beyond it.
        told: The number that a refusal tells.
    """

    name: str
    kept: Any
    broken: Any
    told: int


@cache
def rules() -> Mapping[str, Rules]:
    return {operation.function.name: operation.rules for operation in read_operations()}


def bounds(inputs: Inputs) -> Iterator[Bound]:
    """Yield the ends of numbers, of lists of ids and of texts, as schemas tell them."""
    for name, one in inputs.each.items():
        schema = one.schema()
        for end, step in (("minimum", -1), ("maximum", 1)):
            if end in schema:
                yield Bound(name, schema[end], schema[end] + step, schema[end])
        most = schema.get("maxItems", MOST_ITEMS + 1)
        if most <= MOST_ITEMS:
            ids = [f"tt{number:07}" for number in range(1, most + 2)]
            yield Bound(name, ids[:-1], ids, most)
        if "maxLength" in schema and "cursor" not in name:  # any text that is made up is none
            longest = schema["maxLength"]
            yield Bound(name, "x" * longest, "x" * (longest + 1), longest)


def ask_with(inputs: Inputs, name: str, value: Any) -> dict[str, Any]:
    """Return a value, and whatever has to come with it."""
    needed = {other for other, one in inputs.each.items() if one.required}
    for way in inputs.alternatives:
        if name in way.names:
            needed.update(way.required)
            break
    else:
        needed.update(*(way.required for way in inputs.alternatives[:1]))
    return {other: sample(inputs, other) for other in inputs.names if other in needed} | {
        name: value
    }


def sample(inputs: Inputs, name: str) -> Any:
    """Return a value that is right."""
    one = inputs.each[name]
    schema = one.schema()
    usual = {"integer": schema.get("minimum"), "array": [ID], "boolean": True, "string": "x"}
    return one.example or (ID if "tt[" in schema.get("pattern", "") else usual[schema["type"]])


@pytest.mark.parametrize("function", read_functions().values(), ids=lambda function: function.name)
def test_a_range_is_kept_and_told_as_it_is_declared(
    client: httpx.Client, authorization: Callable[[str], dict[str, str]], function: Any
) -> None:
    declared = rules()[function.name]
    headers = authorization("admin") if declared.guard else {}

    def ask(inputs: Inputs, name: str, value: Any) -> httpx.Response:
        asked = ask_with(inputs, name, value)
        if inputs is declared.members:
            return client.request(declared.method, function.routes[0], json=asked, headers=headers)
        texts = {key: ",".join(one) if isinstance(one, list) else one for key, one in asked.items()}
        return client.request(declared.method, function.routes[0], params=texts, headers=headers)

    for inputs in (declared.parameters, declared.members):
        for bound in bounds(inputs):
            error = ask(inputs, bound.name, bound.broken).json()["error"]
            assert error["code"] == "INVALID_REQUEST", bound
            assert [*error["fields"]] == [bound.name]
            assert str(bound.told) in re.findall(r"\d+", error["message"].replace(",", "")), error
            if declared.is_read:
                kept = ask(inputs, bound.name, bound.kept)
                assert bound.name not in kept.json().get("error", {}).get("fields", {}), kept.text


@asks("/movies.search")
@pytest.mark.parametrize(
    ("years", "is_taken"),
    [
        (f"{FIRST_YEAR}..{LAST_YEAR}", True),
        (f"{FIRST_YEAR}", True),
        (f"{LAST_YEAR}", True),
        (f"{FIRST_YEAR - 1}", False),
        (f"{LAST_YEAR + 1}", False),
        (f"{FIRST_YEAR}..{LAST_YEAR + 1}", False),
    ],
)
def test_a_filter_by_years_takes_the_years_that_movies_may_have(
    client: httpx.Client, years: str, *, is_taken: bool
) -> None:
    answer = client.get("/movies.search", params={"year": years})

    assert answer.status_code == (200 if is_taken else 400)
    if not is_taken:
        assert f"years from {FIRST_YEAR} to {LAST_YEAR}" in answer.json()["error"]["message"]
