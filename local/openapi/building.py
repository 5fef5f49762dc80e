"""The document: what functions declare, their words, the errors' tree and the shapes, put together.

What follows from what a function takes is nowhere written down: its errors, the headers of its
answers, the parts of them that more than one has.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from lib.accounts.roles import ROLES
from local.failure import Failure
from local.openapi.answering import responses_of
from local.openapi.asking import body_of, describe_company, parameters_of
from local.openapi.declared import Operation
from local.openapi.errors import read_faults
from local.openapi.parts import Parts

Part = dict[str, Any]

OPENAPI: Final = "3.1.1"
VERSION: Final = "1.0.0"  # the first number changes with what breaks callers
TAGS: Final[Mapping[str, str]] = {
    "movies": "The catalogue: reading it, and changing it movie by movie.",
    "imports": "Many movies at once, within OMDb's daily quota.",
    "accounts": "Who one is.",
    "service": "The service itself.",
}
_GENERAL: Final = Path(__file__).with_name("general.md")
_PRIVATE: Final[Mapping[str, str]] = {
    "scheduler": "Private: where it is deployed, only the scheduler's account may call it.",
    "deployer": "Private: where it is deployed, only the pipeline's account may call it.",
}


def build(operations: Iterable[Operation]) -> Part:
    """Return the document.

    Raises:
        Failure: Their words name what there is not; it says which.
    """
    paths: dict[str, Part] = {}
    parts = Parts()
    for one in operations:
        paths[one.path] = {one.method: _operation(one, parts)}
    return {
        "openapi": OPENAPI,
        "info": {
            "title": "Simple movie database",
            "version": VERSION,
            "summary": "A movie catalogue",
            "description": _describe_all(),
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": about} for name, about in TAGS.items()],
        "paths": dict(sorted(paths.items(), key=lambda path: _place(*path))),
        "components": parts.as_components(),
    }


def _place(path: str, operations: Part) -> tuple[int, str]:
    [operation] = operations.values()
    return list(TAGS).index(operation["tags"][0]), path


def _describe_all() -> str:
    paragraphs = _GENERAL.read_text(encoding="utf-8").strip().split("\n\n")
    rows = [f"| {one.status} | `{one.code}` | {one.meaning} |" for one in read_faults().values()]
    table = "\n".join(["| status | code | what it means |", "| --- | --- | --- |", *rows])
    # Not every reader of Markdown takes the end of a line for a blank.
    return "\n\n".join([*(" ".join(one.splitlines()) for one in paragraphs), table])


def _operation(one: Operation, parts: Parts) -> Part:
    if one.words.tag not in TAGS:
        raise Failure(f"there is no tag {one.words.tag} in local/openapi/building.py")
    parameters, body = parameters_of(one), body_of(one)
    return {
        "operationId": one.name,
        "tags": [one.words.tag],
        "summary": one.words.summary,
        "description": _describe(one),
        **({"parameters": parameters} if parameters else {}),
        **({"requestBody": body} if body else {}),
        "responses": responses_of(one, parts),
        "security": parts.name_security(one),
        **({"deprecated": True} if one.rules.deprecated else {}),
    }


def _describe(one: Operation) -> str:
    said = [one.words.description, *describe_company(one.rules.parameters)]
    if one.needs_token:
        is_for_all = set(one.rules.roles) == set(ROLES)
        who = "all users" if is_for_all else f"users with the role {' or '.join(one.rules.roles)}"
        said.append(f"For {who}, and their keys." if one.takes_keys else f"For {who}.")
    if not one.function.is_public:
        said.append(_PRIVATE[one.function.invoker])
    queries = [example for example in one.words.examples if example.query]
    if queries:
        said.append("\n".join(f"- {one.name}: `?{one.query}`" for one in queries))
    return "\n\n".join(said)
