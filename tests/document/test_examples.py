"""What the document shows as examples is sent to `./dev serve`, and answered as it says."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import httpx
import pytest

from local.functions import ID, read_functions
from tests import held
from tests.document.conftest import Served


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A request that people are shown, and the status that it is answered with."""

    name: str
    method: str
    target: str
    body: object
    status: int


def shown() -> Iterator[Shown]:
    """Yield what the words of each route show, with the method that the document has there."""
    words = {route: told for one in read_functions().values() for route, told in one.words.items()}
    for path, method, operation in held.document().operations():
        route = re.sub(r"\{\w+\}", ID, path)
        for example in words[route].examples:
            target = route.replace(ID, example.id)
            yield Shown(
                name=f"{operation['operationId']}: {example.name}",
                method=method.upper(),
                target=f"{target}?{example.query}" if example.query else target,
                body=example.body,
                status=example.status or words[route].answers[0].status,
            )


# What takes away what others read comes last.
EXAMPLES: Final = sorted(shown(), key=lambda example: example.method == "DELETE")


def filled_in() -> Iterator[Any]:
    """Yield the target that a page makes of the examples of all parameters of a read."""
    for path, method, operation in held.document().operations():
        examples = {
            one["name"]: as_sent(one["example"])
            for one in operation.get("parameters", ())
            if one["in"] == "query" and "example" in one
        }
        if method == "get" and examples:
            yield pytest.param(f"{path}?{urlencode(examples)}", id=operation["operationId"])


def as_sent(value: object) -> str:
    if isinstance(value, list):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.fixture
def client(served: Served) -> Iterator[httpx.Client]:
    # Each logs in anew, as some examples end the session that they are asked with.
    headers = {"Authorization": f"Bearer {served.log_in()}"}
    with held.client(served.url, headers=headers) as session:
        yield session


def test_every_operation_shows_examples() -> None:
    described = {one["operationId"] for _, _, one in held.document().operations()}

    assert described == {example.name.partition(":")[0] for example in EXAMPLES}


@pytest.mark.parametrize("target", [*filled_in()])
def test_what_a_page_fills_in_is_answered_well(client: httpx.Client, target: str) -> None:
    assert client.get(target).status_code == 200


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_an_example_is_answered_as_the_document_says(client: httpx.Client, example: Shown) -> None:
    if example.name.startswith("users_"):  # there is an ana, whatever was asked before
        client.post("/users.create", json={"username": "ana", "role": "editor"})

    answer = client.request(example.method, example.target, json=example.body)

    assert answer.status_code == example.status, answer.text
