"""What the document shows as examples is sent, and answered as it says."""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlencode

import httpx
import pytest

from tests import held
from tests.document.conftest import Served

LAST: Final = ("delete",)  # they take away what others read


def examples() -> Iterator[Any]:
    """Yield each example: the operation, its path with what belongs there, and a body."""
    some = sorted(held.document().operations(), key=lambda one: one[1] in LAST)
    for path, method, operation in some:
        target = filled(path, operation)
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        bodies = content.get("examples", {"": {"value": None}})
        for name, example in bodies.items():
            shown = f"{operation['operationId']} {name}".strip()
            yield pytest.param(method, target, example["value"], operation, id=shown)


def filled(path: str, operation: Mapping[str, Any]) -> str:
    """Return a path with the examples of the parameters."""
    query = {}
    for one in operation.get("parameters", ()):
        if one["in"] == "path":
            path = path.replace(f"{{{one['name']}}}", as_text(one["example"]))
        elif one["in"] == "query" and "example" in one:
            query[one["name"]] = as_text(one["example"])
        else:
            assert not one.get("required"), f"{one['name']} has no example"
    return f"{path}?{urlencode(query)}" if query else path


def as_text(value: object) -> str:
    if isinstance(value, list):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[httpx.Client]:
    with held.client(served.url) as session:
        login = {"username": served.username, "password": served.password}
        token = session.post("/login", json=login).json()["data"]["token"]
        session.headers["Authorization"] = f"Bearer {token}"
        yield session


@pytest.mark.parametrize(("method", "target", "body", "operation"), [*examples()])
def test_an_example_is_answered_as_the_document_says(
    client: httpx.Client, method: str, target: str, body: object, operation: Mapping[str, Any]
) -> None:
    best = min(operation["responses"])  # 418 of a teapot

    answer = client.request(method, target, json=body)

    assert answer.status_code < 300 or best == str(answer.status_code), answer.text
