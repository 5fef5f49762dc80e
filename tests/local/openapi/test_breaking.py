"""Each sort of change that breaks callers is found, and none that does not."""

import copy
import json
from collections.abc import Callable
from typing import Any, Final

import pytest

from local.openapi.breaking import find_breaks, is_new_version

Part = dict[str, Any]
Change = Callable[[Part], object]

_ANSWERED: Final[Part] = {
    "type": "object",
    "required": ["title", "year"],
    "properties": {
        "title": {"type": "string"},
        "type": {"type": "string", "enum": ["movie", "series"]},
        "year": {"type": "integer"},
        "released": {"type": "string", "format": "date"},
        "ratings": {"type": "array", "items": {"type": "string"}},
        "imdb_id": {"type": "string", "pattern": "^tt"},
    },
}
_BY_TITLE: Final[Part] = {
    "title": "by title",
    "type": "object",
    "additionalProperties": False,
    "required": ["title"],
    "properties": {
        "title": {"type": "string", "maxLength": 500},
        "year": {"type": "integer", "minimum": 1850, "maximum": 2200},
        "refresh": {"type": "boolean", "default": False},
    },
}
_BY_ID: Final[Part] = {
    "title": "by id",
    "type": "object",
    "additionalProperties": False,
    "required": ["imdb_id"],
    "properties": {"imdb_id": {"type": "string"}},
}
_ERROR: Final[Part] = {
    "type": "object",
    "properties": {"code": {"type": "string", "enum": ["INVALID_REQUEST"]}},
}
_DOCUMENT: Final[Part] = {
    "info": {"version": "1.4.0"},
    "paths": {
        "/movies.list": {
            "get": {
                "operationId": "movies_list",
                "tags": ["movies"],
                "parameters": [
                    {
                        "name": "page",
                        "in": "query",
                        "schema": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 1},
                    },
                    {
                        "name": "type",
                        "in": "query",
                        "schema": {"type": "string", "enum": ["movie", "series"]},
                    },
                    {
                        "name": "ids",
                        "in": "query",
                        "style": "form",
                        "explode": False,
                        "schema": {"type": "array", "maxItems": 9, "items": {"type": "string"}},
                    },
                ],
                "responses": {
                    "200": {
                        "headers": {
                            "ETag": {"required": True, "schema": {"type": "string"}},
                            "X-Request-Id": {},
                        },
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/Movie"}}
                        },
                    },
                    "304": {},
                    "400": {
                        "content": {
                            "application/json": {
                                "schema": {
                                    "type": "object",
                                    "required": ["error"],
                                    "properties": {"error": _ERROR},
                                }
                            }
                        }
                    },
                },
                "security": [],
            }
        },
        "/movies.create": {
            "post": {
                "operationId": "movies_create",
                "requestBody": {
                    "required": False,
                    "content": {"application/json": {"schema": {"oneOf": [_BY_TITLE, _BY_ID]}}},
                },
                "responses": {"201": {}},
                "security": [{"token": []}, {}],
            }
        },
    },
    "components": {"schemas": {"Movie": _ANSWERED}},
}


def changed(change: Change) -> Part:
    """Return the document with a change."""
    document = copy.deepcopy(_DOCUMENT)
    change(document)
    return document


def listing(document: Part) -> Part:
    found: Part = document["paths"]["/movies.list"]["get"]
    return found


def creating(document: Part) -> Part:
    found: Part = document["paths"]["/movies.create"]["post"]
    return found


def parameter(document: Part, number: int) -> Part:
    found: Part = listing(document)["parameters"][number]
    return found


def body(document: Part, number: int) -> Part:
    found: Part = creating(document)["requestBody"]["content"]["application/json"]["schema"]
    way: Part = found["oneOf"][number]
    return way


def code(document: Part) -> Part:
    content = listing(document)["responses"]["400"]["content"]["application/json"]
    found: Part = content["schema"]["properties"]["error"]["properties"]["code"]
    return found


def movie(document: Part) -> Part:
    found: Part = document["components"]["schemas"]["Movie"]
    return found


LIST: Final = "GET /movies.list: "
CREATE: Final = "POST /movies.create: "
BREAKS: Final[dict[str, tuple[Change, str]]] = {
    "a path": (lambda d: d["paths"].pop("/movies.list"), "GET /movies.list is gone"),
    "a method": (
        lambda d: d["paths"].update({"/movies.create": {"put": creating(d)}}),
        "POST /movies.create is gone",
    ),
    "a name in clients": (
        lambda d: listing(d).update(operationId="list"),
        LIST + "is called list in generated clients",
    ),
    "a module in clients": (
        lambda d: listing(d).update(tags=["catalogue"]),
        LIST + "is under catalogue in generated clients",
    ),
    "a parameter": (
        lambda d: listing(d)["parameters"].pop(0),
        LIST + "the parameter page is gone",
    ),
    "a parameter's place": (
        lambda d: parameter(d, 0).update({"in": "header"}),
        LIST + "the parameter page is gone",
    ),
    "a parameter becomes required": (
        lambda d: parameter(d, 0).update(required=True),
        LIST + "the parameter page is required",
    ),
    "a new one is required": (
        lambda d: listing(d)["parameters"].append(
            {"name": "key", "in": "query", "required": True, "schema": {}}
        ),
        LIST + "the parameter key is required",
    ),
    "how it is written": (
        lambda d: parameter(d, 2).update(explode=True),
        LIST + "the parameter ids is written otherwise",
    ),
    "a higher least": (
        lambda d: parameter(d, 0)["schema"].update(minimum=2),
        LIST + "the parameter page has minimum 2",
    ),
    "a lower most": (
        lambda d: parameter(d, 0)["schema"].update(maximum=999),
        LIST + "the parameter page has maximum 999",
    ),
    "what is taken for one that is left out": (
        lambda d: parameter(d, 0)["schema"].update(default=2),
        LIST + "the parameter page is no longer 1 where it is left out",
    ),
    "what is taken for none": (
        lambda d: parameter(d, 0)["schema"].pop("default"),
        LIST + "the parameter page is no longer 1 where it is left out",
    ),
    "a type": (
        lambda d: parameter(d, 0)["schema"].update(type="boolean"),
        LIST + "the parameter page takes no integer",
    ),
    "a value": (
        lambda d: parameter(d, 1)["schema"].update(enum=["movie", "game"]),
        LIST + "the parameter type takes no series",
    ),
    "a pattern": (
        lambda d: parameter(d, 1)["schema"].update(pattern="^m"),
        LIST + "the parameter type has pattern ^m",
    ),
    "fewer items": (
        lambda d: parameter(d, 2)["schema"].update(maxItems=8),
        LIST + "the parameter ids has maxItems 8",
    ),
    "different items": (
        lambda d: parameter(d, 2)["schema"].update(uniqueItems=True),
        LIST + "the parameter ids has uniqueItems True",
    ),
    "longer items": (
        lambda d: parameter(d, 2)["schema"]["items"].update(minLength=2),
        LIST + "an item of the parameter ids has minLength 2",
    ),
    "the body": (
        lambda d: creating(d).pop("requestBody"),
        CREATE + "no body is read",
    ),
    "a body becomes required": (
        lambda d: creating(d)["requestBody"].update(required=True),
        CREATE + "a body is required",
    ),
    "the type of the body": (
        lambda d: creating(d)["requestBody"].update(content={"text/plain": {"schema": {}}}),
        CREATE + "no body of type application/json is read",
    ),
    "an alternative": (
        lambda d: creating(d)["requestBody"]["content"].update(
            {"application/json": {"schema": {"oneOf": [_BY_ID]}}}
        ),
        CREATE + "the body is not taken by title",
    ),
    "a member": (
        lambda d: body(d, 0)["properties"].pop("year"),
        CREATE + "the body takes no year",
    ),
    "a member becomes required": (
        lambda d: body(d, 0).update(required=["title", "year"]),
        CREATE + "the body needs year",
    ),
    "a shorter member": (
        lambda d: body(d, 0)["properties"]["title"].update(maxLength=400),
        CREATE + "title of the body has maxLength 400",
    ),
    "what is taken for a member that is left out": (
        lambda d: body(d, 0)["properties"]["refresh"].update(default=True),
        CREATE + "refresh of the body is no longer False where it is left out",
    ),
    "a token": (
        lambda d: creating(d).update(security=[{"token": []}]),
        CREATE + "no token is no longer enough",
    ),
    "a token where none was": (
        lambda d: listing(d).update(security=[{"token": []}]),
        LIST + "no token is no longer enough",
    ),
    "an answer": (
        lambda d: listing(d)["responses"].pop("304"),
        LIST + "the answer 304 is gone",
    ),
    "another answer": (
        lambda d: creating(d)["responses"].update({"202": {}}),
        CREATE + "the answer 202 is new",
    ),
    "a header": (
        lambda d: listing(d)["responses"]["200"]["headers"].pop("ETag"),
        LIST + "the answer 200: the header ETag may be missing",
    ),
    "what a header holds": (
        lambda d: listing(d)["responses"]["200"]["headers"]["ETag"].update(
            schema={"type": "integer"}
        ),
        LIST + "the answer 200: the header ETag may be integer",
    ),
    "another type of an answer": (
        lambda d: listing(d)["responses"]["200"]["content"].update({"text/html": {"schema": {}}}),
        LIST + "the answer 200 may be text/html",
    ),
    "the type of an answer": (
        lambda d: listing(d)["responses"]["200"].update(content={}),
        LIST + "the answer 200 is no application/json",
    ),
    "a member of an answer": (
        lambda d: movie(d)["properties"].pop("year"),
        LIST + "the answer 200 has no year",
    ),
    "a member may be missing": (
        lambda d: movie(d).update(required=["title"]),
        LIST + "year of the answer 200 may be missing",
    ),
    "a member may be null": (
        lambda d: movie(d)["properties"]["year"].update(type=["integer", "null"]),
        LIST + "year of the answer 200 may be null",
    ),
    "a member has other values": (
        lambda d: movie(d)["properties"]["type"]["enum"].append("game"),
        LIST + "type of the answer 200 may be game",
    ),
    "a member has any values": (
        lambda d: movie(d)["properties"]["type"].pop("enum"),
        LIST + "type of the answer 200 may be other than movie or series",
    ),
    "a member's format": (
        lambda d: movie(d)["properties"]["released"].update(format="date-time"),
        LIST + "released of the answer 200 is not of the format date",
    ),
    "a member's pattern": (
        lambda d: movie(d)["properties"]["imdb_id"].update(pattern="^t"),
        LIST + "imdb_id of the answer 200 is not of the pattern ^tt",
    ),
    "any items of an answer": (
        lambda d: movie(d)["properties"]["ratings"].pop("items"),
        LIST + "an item of ratings of the answer 200 may be other than string",
    ),
    "the items of an answer": (
        lambda d: movie(d)["properties"]["ratings"]["items"].update(type="object"),
        LIST + "an item of ratings of the answer 200 may be object",
    ),
    "the code of an error": (
        lambda d: code(d).update(enum=["WRONG"]),
        LIST + "code of error of the answer 400 may be WRONG instead of INVALID_REQUEST",
    ),
    "what errors have": (
        lambda d: listing(d)["responses"]["400"]["content"]["application/json"]["schema"].update(
            type="array"
        ),
        LIST + "the answer 400 may be array",
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_what_breaks_callers_is_found(name: str) -> None:
    change, told = BREAKS[name]

    assert find_breaks(_DOCUMENT, changed(change)) == [told]


HARMLESS: Final[dict[str, Change]] = {
    "nothing": lambda _: None,
    "a new path": lambda d: d["paths"].update({"/movies.count": {"get": {}}}),
    "a new method": lambda d: d["paths"]["/movies.list"].update({"post": {}}),
    "a new parameter": lambda d: listing(d)["parameters"].append(
        {"name": "fields", "in": "query", "schema": {}}
    ),
    "a wider range": lambda d: parameter(d, 0)["schema"].update(maximum=2000, minimum=0),
    "no range": lambda d: parameter(d, 0)["schema"].pop("maximum"),
    "a wider type": lambda d: parameter(d, 0)["schema"].update(type=["number", "null"]),
    "another value": lambda d: parameter(d, 1)["schema"]["enum"].append("game"),
    "any value": lambda d: parameter(d, 1)["schema"].pop("enum"),
    "another way to ask": lambda d: creating(d)["requestBody"]["content"]["application/json"][
        "schema"
    ]["oneOf"].append({"type": "object", "title": "by chance"}),
    "the order of the ways": lambda d: creating(d)["requestBody"]["content"]["application/json"][
        "schema"
    ]["oneOf"].reverse(),
    "another member": lambda d: body(d, 1)["properties"].update(language={"type": "string"}),
    "no token": lambda d: creating(d).update(security=[]),
    "a token as well": lambda d: listing(d).update(security=[{"token": []}, {}]),
    "another header": lambda d: listing(d)["responses"]["200"]["headers"].update(Link={}),
    "another member of an answer": lambda d: movie(d)["properties"].update(plot={"type": "string"}),
    "one that is always there": lambda d: movie(d).update(required=["title", "year", "type"]),
    "fewer values": lambda d: movie(d)["properties"]["type"].update(enum=["movie"]),
    "another error": lambda d: listing(d)["responses"].update({"503": {}}),
    "another code of an error": lambda d: code(d)["enum"].append("TOO_MANY"),
    "a default where none was told": lambda d: parameter(d, 1)["schema"].update(default="movie"),
    "an error less": lambda d: listing(d)["responses"].pop("400"),
    "words": lambda d: listing(d).update(summary="List", description="All."),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_breaks_nobody_is_let_through(name: str) -> None:
    assert find_breaks(_DOCUMENT, changed(HARMLESS[name])) == []


@pytest.mark.parametrize(
    ("version", "is_new"),
    [("1.4.0", False), ("1.5.0", False), ("2.0.0", True), ("10.0.0", True), ("0.9.0", False)],
)
def test_a_new_version_is_one_with_another_first_number(version: str, *, is_new: bool) -> None:
    now = changed(lambda d: d["info"].update(version=version))

    assert is_new_version(_DOCUMENT, now) is is_new


def test_a_document_is_not_changed_by_looking_at_it() -> None:
    before = json.dumps(_DOCUMENT)

    find_breaks(_DOCUMENT, changed(lambda d: d["paths"].clear()))

    assert json.dumps(_DOCUMENT) == before
