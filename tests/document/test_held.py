"""What holds every answer against the document finds each sort of broken promise."""

import json
from collections.abc import Mapping
from typing import Any, Final

import httpx
import pytest

from tests import held
from tests.held import Asked, Document, Said, Unkept

ERROR: Final = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code"],
            "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
        }
    },
}


def as_json(schema: Mapping[str, Any], **headers: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "description": "An answer.",
        "headers": {name.replace("_", "-"): header for name, header in headers.items()},
        "content": {"application/json": {"schema": schema}},
    }


def coded(code: str) -> dict[str, Any]:
    narrowed = {"properties": {"error": {"properties": {"code": {"enum": [code]}}}}}
    return as_json({"allOf": [{"$ref": "#/components/schemas/Error"}, narrowed]})


DOCUMENT: Final = Document(
    {
        "paths": {
            "/films": {
                "get": {
                    "operationId": "films_list",
                    "responses": {
                        "200": as_json(
                            {
                                "type": "object",
                                "required": ["data"],
                                "properties": {
                                    "data": {"$ref": "#/components/schemas/Film"},
                                },
                            },
                            ETag={"$ref": "#/components/headers/ETag"},
                            Retry_After={"schema": {"type": "integer"}},
                            X_Request_Id={"schema": {"type": "string"}},
                        ),
                        "304": {"description": "As it was."},
                        "400": {"$ref": "#/components/responses/Wrong"},
                        "405": coded("METHOD_NOT_ALLOWED"),
                    },
                }
            },
            "/films.delete/{id}": {
                "delete": {
                    "operationId": "films_delete",
                    "responses": {"204": {"description": "Gone."}, "400": coded("WRONG")},
                }
            },
        },
        "components": {
            "headers": {"ETag": {"required": True, "schema": {"type": "string", "minLength": 2}}},
            "responses": {"Wrong": coded("WRONG")},
            "schemas": {
                "Error": ERROR,
                "Film": {
                    "type": "object",
                    "required": ["title"],
                    "properties": {
                        "title": {"type": "string"},
                        "released": {"type": "string", "format": "date"},
                    },
                },
            },
        },
    }
)
GOOD: Final = {"content-type": "application/json", "etag": '"1"'}
WRONG: Final = {"error": {"code": "WRONG", "message": "It is wrong."}}
NOT_ALLOWED: Final = {"error": {"code": "METHOD_NOT_ALLOWED"}}


def hold(
    status: int,
    content: object = None,
    *,
    asked: str = "GET /films",
    function: str | None = None,
    headers: Mapping[str, str] = GOOD,
) -> None:
    method, target = asked.split(" ")
    body = b"" if content is None else json.dumps(content).encode()
    DOCUMENT.hold(
        Asked(method=method, target=target, function=function),
        Said(status=status, headers=headers, body=body),
    )


def test_what_is_promised_is_kept() -> None:
    film = {"data": {"title": "Dune", "released": "2021-09-15"}}
    plain = {"content-type": "application/json"}

    hold(200, film)
    hold(200, film, asked="GET /v1/films?page=1")
    hold(200, film, asked="GET http://localhost/films?page=1")
    hold(200, film, asked="GET /whatever", function="films_list")
    hold(200, film, headers={**GOOD, "date": "now", "server": "one"})
    hold(200, film, headers={**GOOD, "retry-after": "7", "x-request-id": "7"})
    hold(200, asked="HEAD /films")
    hold(304, headers={})
    hold(400, WRONG, headers=plain)
    hold(405, NOT_ALLOWED, asked="PUT /films", headers=plain)
    hold(204, asked="DELETE /films.delete/7", headers={})
    hold(400, WRONG, asked="DELETE /films.delete", headers=plain)
    hold(400, WRONG, asked="DELETE /films.delete/", headers=plain)
    hold(204, asked="OPTIONS /films", headers={"allow": "GET"})
    hold(404, {"error": {"code": "NOT_FOUND"}}, asked="GET /nowhere", headers=plain)


@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        ("films_list knows no such status", {"status": 418, "content": WRONG}),
        ("films_delete knows no such status", {"status": 200, "asked": "DELETE /films.delete/7"}),
        ("the header ETag is missing", {"headers": {"content-type": "application/json"}}),
        ('ETag at /: "x" is shorter', {"headers": {**GOOD, "etag": "x"}}),
        ('Retry-After at /: "soon" is not', {"headers": {**GOOD, "retry-after": "soon"}}),
        ("the header x-new is not described", {"headers": {**GOOD, "x-new": "1"}}),
        ("and not 'text/html'", {"headers": {**GOOD, "content-type": "text/html"}}),
        ('at /data: "title" is a required', {"content": {"data": {}}}),
        ("('year' was unexpected)", {"content": {"data": {"title": "Dune", "year": 2021}}}),
        ("('more' was unexpected)", {"content": {"data": {"title": "Dune"}, "more": 1}}),
        ('is not a "date"', {"content": {"data": {"title": "Dune", "released": "soon"}}}),
        ('at /data/title: 1 is not of type "string"', {"content": {"data": {"title": 1}}}),
        ("the body is no JSON", {"content": None}),
        ("there should be no body", {"status": 304, "headers": {}}),
        ('/error/code: "OTHER" is not', {"status": 400, "content": {"error": {"code": "OTHER"}}}),
        ("('more' was unexpected)", {"status": 400, "content": {**WRONG, "more": 1}}),
        ("to HEAD has no body", {"asked": "HEAD /films"}),
        ("the method is not one of", {"asked": "PUT /films"}),
        ("it says not what is allowed", {"status": 204, "asked": "OPTIONS /films"}),
        ("does not know the path", {"asked": "GET /other"}),
        ("knows no such status", {"status": 201, "asked": "GET /", "function": "films_list"}),
    ],
)  # fmt: skip
def test_a_broken_promise_is_found(fault: str, answer: dict[str, Any]) -> None:
    plain = {"content-type": "application/json"}
    usual: dict[str, Any] = {"status": 200, "content": {"data": {"title": "Dune"}}}
    if answer.get("status", 200) != 200:
        usual["headers"] = plain

    with pytest.raises(Unkept) as raised:
        hold(**{**usual, **answer})

    assert fault in str(raised.value)


def test_a_client_holds_what_it_is_answered(client: httpx.Client) -> None:
    assert client.get("/movies.list").status_code == 200
    [hook] = client.event_hooks["response"]
    invented = httpx.Response(
        200, json={"data": 1}, request=httpx.Request("GET", "http://localhost/movies.list")
    )

    with pytest.raises(Unkept, match=r"GET /movies\.list"):
        hook(invented)


def test_bytes_on_a_socket_are_held_where_it_is_known_who_answers(base_url: str) -> None:
    port = int(base_url.rpartition(":")[2])
    said = Said(status=299, headers=GOOD, body=b"{}")

    with pytest.raises(Unkept, match="no such status"):
        held.hold_bytes(port, b"GET /movies.list HTTP/1.1\r\n\r\n", said)
    held.hold_bytes(port, b"no request", said)
    held.hold_bytes(0, b"GET /movies.list HTTP/1.1\r\n\r\n", said)
