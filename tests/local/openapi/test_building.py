"""The document follows from what functions declare and say; nothing of it is written twice."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import pytest

from lib.catalogue.document import MEMBERS
from lib.errors import ServiceError
from lib.imports.statements import OUTCOMES
from lib.web.paging import LAST_PAGE
from local.failure import Failure
from local.functions import read_functions
from local.openapi.breaking import resolve
from local.openapi.building import build
from local.openapi.declared import Operation, read_operations
from local.openapi.errors import read_faults
from local.openapi.examples import example_of
from local.openapi.shapes import SHAPES

GENERAL: Final = {"X-Request-Id", "Cache-Control", "RateLimit-Policy"}
Part = dict[str, Any]
Make = Callable[..., Part]

MAIN: Final = """
from datetime import date

import functions_framework.aio

from lib.web.deprecation import Deprecated
from lib.web.endpoint import Answer, Request, data, endpoint


@functions_framework.aio.http
@endpoint({declaration})
async def a_function(_: Request) -> Answer:
    return data(1)
"""
WORDS: Final = """
route: {route}
invoker: public
summary: Do something
description: Something is done.
tag: movies
answers: [{{status: 200, shape: MovieAnswer, description: Done.}}]
examples: {{something: {{}}}}
"""


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Describe a function: `make('"GET"', "errors: [MOVIE_NOT_FOUND]")`."""

    def make_operation(declaration: str, more: str = "", route: str = "/a.function") -> Part:
        folder = tmp_path / "functions" / "a_function"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "main.py").write_text(MAIN.format(declaration=declaration))
        read_functions.cache_clear()
        (folder / "function.yaml").write_text(WORDS.format(route=route) + more)
        made = build(read_operations(tmp_path))
        [[operation]] = [one.values() for one in resolve(made, made)["paths"].values()]
        found: Part = operation
        return found

    return make_operation


def headers(operation: Part, status: int) -> set[str]:
    return {*operation["responses"][str(status)]["headers"]}


def codes(operation: Part, status: int) -> set[str]:
    content = operation["responses"][str(status)]["content"]["application/json"]
    return {*content["examples"]}


def test_a_read_is_answered_with_its_tag_or_that_it_is_the_same(make: Make) -> None:
    operation = make('"GET"')

    assert {*operation["responses"]} == {"200", "304", "400", "405", "500"}
    assert headers(operation, 200) == headers(operation, 304)
    assert headers(operation, 200) == GENERAL | {"ETag"}
    assert [one["name"] for one in operation["parameters"]] == ["If-None-Match"]


def test_what_is_to_go_says_so(make: Make) -> None:
    operation = make('"GET", deprecated=Deprecated(date(2026, 12, 1), until=date(2027, 6, 1))')

    assert operation["deprecated"] is True
    assert {"Deprecation", "Sunset"} < headers(operation, 200) == headers(operation, 304)
    for status in (400, 405, 500):
        assert {"Deprecation", "Sunset"} < headers(operation, status)
    assert "Deprecation" not in headers(make('"GET"'), 400)


def test_the_request_id_of_what_caches_share_may_be_missing(make: Make) -> None:
    answers = make('"GET"')["responses"]

    assert "required" not in answers["200"]["headers"]["X-Request-Id"]
    assert answers["400"]["headers"]["X-Request-Id"]["required"]


def test_the_request_id_of_what_is_private_is_always_there(make: Make) -> None:
    answers = make('"GET", private=True')["responses"]

    assert answers["200"]["headers"]["X-Request-Id"]["required"]


def test_a_function_with_several_routes_is_several_operations(tmp_path: Path) -> None:
    folder = tmp_path / "functions" / "a_function"
    folder.mkdir(parents=True)
    (folder / "main.py").write_text(MAIN.format(declaration='"GET"'))
    words = "{summary: Do, description: Done., tag: movies, examples: {a: {}}}"
    (folder / "function.yaml").write_text(
        f"route: [/a, '/a/{{id}}', /]\ninvoker: public\n"
        f"operations: {{/a: {words}, '/a/{{id}}': {words}, /: {words}}}\n"
    )

    paths = build(read_operations(tmp_path))["paths"]

    assert {path: some["get"]["operationId"] for path, some in paths.items()} == {
        "/": "a_function",
        "/a": "a_function_a",
        "/a/{id}": "a_function_a_id",
    }
    assert [one["name"] for one in paths["/a/{id}"]["get"]["parameters"]] == ["id"]
    assert "parameters" not in paths["/a"]["get"]


def test_a_body_can_be_refused_for_its_time_size_and_type(make: Make) -> None:
    operation = make('"POST", body="required"')

    assert {*operation["responses"]} == {"200", "400", "405", "408", "413", "415", "500"}
    assert headers(operation, 200) == GENERAL
    assert operation["requestBody"]["required"]
    assert headers(operation, 405) == {"X-Request-Id", "Cache-Control", "RateLimit-Policy", "Allow"}


def test_who_has_a_database_can_be_without_it_for_a_while(make: Make) -> None:
    operation = make('"GET"', "database: {movies: select}")

    assert codes(operation, 503) == {"DATABASE_UNAVAILABLE"}
    assert "Retry-After" in headers(operation, 503)


def test_errors_of_one_status_are_told_together(make: Make) -> None:
    operation = make('"GET"', "errors: [OVERLOADED]\ndatabase: {movies: select}")

    assert codes(operation, 503) == {"DATABASE_UNAVAILABLE", "OVERLOADED"}
    schema = operation["responses"]["503"]["content"]["application/json"]["schema"]
    assert schema["properties"]["error"]["properties"]["code"]["enum"] == [
        "DATABASE_UNAVAILABLE",
        "OVERLOADED",
    ]


def test_what_no_reader_keeps_has_no_tag(make: Make) -> None:
    more = "answers: [{status: 200, description: Done., kept: false}]"
    operation = make('"GET"', more)

    assert headers(operation, 200) == GENERAL
    assert "304" not in operation["responses"]
    assert "parameters" not in operation


def test_a_shape_may_stand_in_the_folder_of_its_function(make: Make) -> None:
    shape = "{type: object, properties: {data: {type: integer, examples: [250]}}}"
    operation = make('"GET"', f"answers: [{{status: 200, description: Done., shape: {shape}}}]")

    content = operation["responses"]["200"]["content"]["application/json"]
    assert content["schema"]["properties"]["data"]["type"] == "integer"
    assert content["example"] == {"data": 250}


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("tag: films", "there is no tag films"),
        ("errors: [NO_SUCH_ERROR]", "no error has the code NO_SUCH_ERROR"),
        ("answers: [{status: 200, shape: Film, description: One.}]", "there is no shape Film"),
        ("answers: [{status: 200, headers: [X], description: One.}]", "there is no header X"),
        ("headers: [X]", "there is no header X"),
        ("examples: {}", "examples: {}"),
    ],
)
def test_words_that_name_what_there_is_not_are_refused(make: Make, more: str, told: str) -> None:
    with pytest.raises(Failure) as caught:
        make('"GET"', more)

    assert told in str(caught.value)


def test_a_function_that_is_not_described_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "functions" / "a_function"
    folder.mkdir(parents=True)
    (folder / "main.py").write_text(MAIN.format(declaration='"GET"'))
    (folder / "function.yaml").write_text("route: /a\ninvoker: public")

    with pytest.raises(Failure, match=r"function\.yaml has no summary of /a"):
        build(read_operations(tmp_path))


def test_a_function_that_declares_nothing_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "functions" / "a_function"
    folder.mkdir(parents=True)
    (folder / "main.py").write_text("def a_function(request):\n    return 'done'\n")
    (folder / "function.yaml").write_text(WORDS.format(route="/a"))

    with pytest.raises(Failure, match="does not declare what it takes"):
        read_operations(tmp_path)


def test_loading_functions_needs_no_settings_and_leaves_none(
    monkeypatch: pytest.MonkeyPatch, operations: list[Operation]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "nonsense")
    monkeypatch.delenv("TOKEN_PRIVATE_KEY", raising=False)

    again = read_operations()

    assert [one.function.name for one in again] == [one.function.name for one in operations]


def operation(document: Part, method: str, path: str) -> Part:
    whole = resolve(document, document)
    found: Part = whole["paths"][path][method]
    return found


def test_a_parameter_is_described_by_the_rule_that_reads_it(document: Part) -> None:
    listing = operation(document, "get", "/movies.list")
    [page] = [one for one in listing["parameters"] if one["name"] == "page"]

    assert page["schema"] == {"type": "integer", "minimum": 1, "maximum": LAST_PAGE, "default": 1}
    assert not page.get("required")


def test_ways_to_ask_are_alternatives_of_the_body(document: Part) -> None:
    body = operation(document, "post", "/movies.create")["requestBody"]
    schema = body["content"]["application/json"]["schema"]

    assert [[*way["properties"]] for way in schema["oneOf"]] == [["title", "year"], ["imdb_id"]]
    assert [way["required"] for way in schema["oneOf"]] == [["title"], ["imdb_id"]]


def test_a_token_is_needed_or_may_be_left_out(document: Part) -> None:
    token: Part = {"token": []}
    key: Part = {"key": []}

    assert operation(document, "delete", "/movies.delete/{imdb_id}")["security"] == [token, key]
    assert operation(document, "post", "/movies.create")["security"] == [{}, token, key]
    assert operation(document, "get", "/keys.list")["security"] == [token]
    assert operation(document, "post", "/sessions.end")["security"] == [{}, token]
    assert operation(document, "get", "/movies.list")["security"] == []
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"


def test_where_no_key_is_taken_one_is_forbidden_although_all_roles_are_admitted(
    document: Part,
) -> None:
    assert "403" in operation(document, "get", "/sessions.list")["responses"]
    assert "403" not in operation(document, "post", "/movies.create")["responses"]


def test_what_is_for_its_caller_alone_is_nowhere_kept(document: Part) -> None:
    listing = operation(document, "get", "/sessions.list")

    assert "304" not in listing["responses"]
    assert "ETag" not in listing["responses"]["200"]["headers"]
    assert "If-None-Match" not in {one["name"] for one in listing["parameters"]}


def test_every_error_is_explained_by_its_class(document: Part) -> None:
    for fault in read_faults().values():
        assert (
            f"| {fault.status} | `{fault.code}` | {fault.meaning} |"
            in (document["info"]["description"])
        )
    assert {fault.code for fault in read_faults().values()} >= {ServiceError.code}


def test_a_movie_has_the_members_that_the_database_writes() -> None:
    assert tuple(SHAPES["Movie"]["properties"]) == MEMBERS
    assert tuple(SHAPES["Movie"]["required"]) == MEMBERS
    assert SHAPES["PartialMovie"]["properties"] == SHAPES["Movie"]["properties"]


def test_an_import_tells_every_outcome() -> None:
    run = SHAPES["ImportRun"]["properties"]["data"]

    assert {*OUTCOMES} <= {*run["required"]}


@pytest.mark.parametrize("name", SHAPES)
def test_the_example_of_a_shape_fits_it(name: str) -> None:
    whole = {"components": {"schemas": SHAPES}}
    schema = resolve(SHAPES[name], whole)

    jsonschema_rs.validate(schema, example_of(schema, SHAPES))
