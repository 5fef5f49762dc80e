"""What a document of ours must have is demanded of it."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pytest

from local.functions import Example
from local.openapi.declared import Operation
from local.openapi.lint import find_faults

Part = dict[str, Any]
Change = Callable[[Part], object]


def listing(document: Part) -> Part:
    found: Part = document["paths"]["/movies.list"]["get"]
    return found


def creating(document: Part) -> Part:
    body: Part = document["paths"]["/movies.create"]["post"]["requestBody"]
    content: Part = body["content"]["application/json"]
    return content


def test_the_document_has_all_that_it_must(document: Part, operations: list[Operation]) -> None:
    assert find_faults(document, operations) == []


CHANGES: Final[dict[str, tuple[Change, str]]] = {
    "a route less": (lambda d: d["paths"].pop("/movies.list"), "/movies.list is missing"),
    "a path more": (
        lambda d: d["paths"].update({"/movies": d["paths"]["/movies.list"]}),
        "/movies is no route",
    ),
    "no summary": (lambda d: listing(d).pop("summary"), "GET /movies.list: has no summary"),
    "a long summary": (
        lambda d: listing(d).update(summary="List movies " * 9),
        "GET /movies.list: has a summary that is no line without a full stop",
    ),
    "a sentence for a summary": (
        lambda d: listing(d).update(summary="Lists movies."),
        "GET /movies.list: has a summary that is no line without a full stop",
    ),
    "no description": (
        lambda d: listing(d).update(description=""),
        "GET /movies.list: has no description",
    ),
    "a parameter without words": (
        lambda d: listing(d)["parameters"][0].pop("description"),
        "GET /movies.list: the parameter page has no description",
    ),
    "an example out of range": (
        lambda d: listing(d)["parameters"][0].update(example=0),
        "GET /movies.list: the example of the parameter page does not fit",
    ),
    "an answer without words": (
        lambda d: listing(d)["responses"]["200"].update(description=""),
        "GET /movies.list: the answer 200 has no description",
    ),
    "an answer without an example": (
        lambda d: listing(d)["responses"]["200"]["content"]["application/json"].pop("example"),
        "GET /movies.list: the answer 200 has no example that fits",
    ),
    "a body without an example": (
        lambda d: creating(d)["examples"].pop("by id"),
        "POST /movies.create: the body 'by id' has no example",
    ),
    "an example that is refused": (
        lambda d: creating(d)["examples"].update(
            {"both": {"value": {"title": "Dune", "imdb_id": "tt1160419"}}}
        ),
        "POST /movies.create: the example 'both' of the body does not fit",
    ),
    "an alternative without a title": (
        lambda d: creating(d)["schema"]["oneOf"][0].pop("title"),
        "POST /movies.create: an alternative of the body has no title",
    ),
    "an open alternative": (
        lambda d: creating(d)["schema"]["oneOf"][1].pop("additionalProperties"),
        "POST /movies.create: the body 'by id' is not closed",
    ),
    "a member without words": (
        lambda d: creating(d)["schema"]["oneOf"][1]["properties"]["imdb_id"].pop("description"),
        "POST /movies.create: the member imdb_id has no description",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_missing_is_named(document: Part, operations: list[Operation], name: str) -> None:
    change, told = CHANGES[name]
    changed = copy.deepcopy(document)
    change(changed)

    assert told in find_faults(changed, operations)


def test_every_error_is_met_by_somebody(document: Part, operations: list[Operation]) -> None:
    changed = copy.deepcopy(document)
    del changed["paths"]["/brew-coffee"]

    assert "no operation answers IM_A_TEAPOT" in find_faults(changed, operations)


def test_an_error_that_there_is_not_is_named(document: Part, operations: list[Operation]) -> None:
    changed = copy.deepcopy(document)
    error = changed["components"]["schemas"]["ImATeapot"]["properties"]["error"]
    error["properties"]["code"] = {"const": "TEAPOT"}

    found = find_faults(changed, operations)

    assert {"there is no error TEAPOT", "no operation answers IM_A_TEAPOT"} <= {*found}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"query": "page=0"}, "is refused: page must be a whole number from 1 to "),
        ({"query": "page=1&cursor=x"}, "is refused: Give either page or cursor, not both."),
        ({"status": 418}, "is answered with 418 by nobody"),
    ],
)
def test_requests_that_people_are_shown_are_answered(
    document: Part, operations: list[Operation], changes: Part, told: str
) -> None:
    [one] = [one for one in operations if one.name == "movies_list"]
    words = replace(one.words, examples=(Example(name="some", **changes),))

    [fault] = find_faults(
        document, [*(o for o in operations if o is not one), one._replace(words=words)]
    )

    assert fault.startswith(f"movies_list: the example 'some' {told}")


def with_example(operations: list[Operation], name: str, **changes: Any) -> list[Operation]:
    """Return what functions declare, with another example of one of their parameters."""
    [one] = [one for one in operations if one.function.name == "movies_list"]
    parameters = copy.copy(one.rules.parameters)
    each = {**parameters.each, name: parameters.each[name]._replace(**changes)}
    parameters.each = each
    rules = copy.copy(one.rules)
    object.__setattr__(rules, "parameters", parameters)
    return [*(other for other in operations if other is not one), one._replace(rules=rules)]


def test_examples_that_pages_fill_in_together_must_go_together(
    document: Part, operations: list[Operation]
) -> None:
    changed = with_example(operations, "cursor", example="YXR0MDA1MDA4MyAxMiBhbmdyeSBtZW4")
    changed = with_example(changed, "page", example=1)

    assert (
        "movies_list: the examples of its parameters are refused together: "
        "Give either page or cursor, not both."
    ) in find_faults(document, changed)
