"""What a document of ours must have that no standard demands."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl

import jsonschema_rs

from lib.errors import InvalidRequest
from local.openapi.breaking import resolve
from local.openapi.declared import Operation
from local.openapi.errors import BY_THE_SERVER, read_faults

Part = Mapping[str, Any]

_LONGEST_SUMMARY: Final = 60


def find_faults(document: Part, operations: Sequence[Operation]) -> list[str]:
    """Return each fault of a document, in words.

    Args:
        operations: What it was made of.
    """
    whole = resolve(document, document)
    return [
        *_look_at_paths(whole, operations),
        *_look_at_codes(whole),
        *(
            f"{method.upper()} {path}: {fault}"
            for path, some in whole["paths"].items()
            for method, operation in some.items()
            for fault in _look_at(operation)
        ),
        *(f"{one.name}: {fault}" for one in operations for fault in _look_at_examples(one, whole)),
    ]


def _look_at_paths(document: Part, operations: Iterable[Operation]) -> Iterator[str]:
    """Every route is there, and nothing else is."""
    paths = {one.path for one in operations}
    yield from (f"{path} is missing" for path in sorted(paths - {*document["paths"]}))
    yield from (f"{path} is no route" for path in sorted({*document["paths"]} - paths))


def _look_at_codes(document: Part) -> Iterator[str]:
    """Every error is met by somebody, and none but those that there are."""
    told = {
        code
        for operations in document["paths"].values()
        for operation in operations.values()
        for status, answer in operation["responses"].items()
        if status >= "400"
        for code in _codes(answer)
    }
    known = {*read_faults()}
    yield from (f"no operation answers {code}" for code in sorted(known - told - {*BY_THE_SERVER}))
    yield from (f"there is no error {code}" for code in sorted(told - known))


def _codes(answer: Part) -> Iterator[str]:
    for content in answer["content"].values():
        code = content["schema"]["properties"]["error"]["properties"]["code"]
        yield from code.get("enum", [code.get("const")])


def _look_at(operation: Part) -> Iterator[str]:
    for key in ("operationId", "summary", "description", "tags"):
        if not operation.get(key):
            yield f"has no {key}"
    summary = operation.get("summary", "")
    if len(summary) > _LONGEST_SUMMARY or summary.endswith("."):
        yield "has a summary that is no line without a full stop"
    for one in operation.get("parameters", ()):
        yield from _look_at_parameter(one)
    for content in operation.get("requestBody", {"content": {}})["content"].values():
        yield from _look_at_body(content)
    for status, answer in operation["responses"].items():
        yield from (f"the answer {status} {fault}" for fault in _look_at_answer(answer))


def _look_at_parameter(one: Part) -> Iterator[str]:
    if not one.get("description"):
        yield f"the parameter {one['name']} has no description"
    if "example" in one and not _fits(one["example"], one["schema"]):
        yield f"the example of the parameter {one['name']} does not fit"


def _look_at_body(content: Part) -> Iterator[str]:
    schema, examples = content["schema"], content.get("examples", {})
    ways = schema.get("oneOf", [schema])
    for way in ways:
        title = f" {way['title']!r}" if "title" in way else ""
        if len(ways) > 1 and not title:
            yield "an alternative of the body has no title"
        if way.get("additionalProperties") is not False:
            yield f"the body{title} is not closed"
        for name, member in way.get("properties", {}).items():
            if not member.get("description"):
                yield f"the member {name} has no description"
        if not any(_fits(example["value"], way) for example in examples.values()):
            yield f"the body{title} has no example"
    for name, example in examples.items():
        if not _fits(example["value"], schema):
            yield f"the example {name!r} of the body does not fit"


def _look_at_answer(answer: Part) -> Iterator[str]:
    if not answer.get("description"):
        yield "has no description"
    for content in answer.get("content", {}).values():
        shown = content.get("examples", {"": {"value": content.get("example")}})
        for example in shown.values():
            if not _fits(example["value"], content["schema"]):
                yield "has no example that fits"


def _fits(value: object, schema: Part) -> bool:
    return bool(jsonschema_rs.is_valid(dict(schema), value, validate_formats=True))


def _look_at_examples(one: Operation, document: Part) -> Iterator[str]:
    """What people are shown is taken, and what pages fill in of their own accord is, too."""
    answers = document["paths"].get(one.path, {}).get(one.method, {"responses": {}})["responses"]
    for example in one.words.examples:
        if example.status is not None and str(example.status) not in answers:
            yield f"the example {example.name!r} is answered with {example.status} by nobody"
        try:
            if example.query:
                one.rules.parameters.read_query(dict(parse_qsl(example.query)))
            if example.body is not None:
                one.rules.members.read_body(example.body)
        except InvalidRequest as error:
            yield f"the example {example.name!r} is refused: {error.message}"
    shown = {
        name: _as_sent(parameter.example)
        for name, parameter in one.rules.parameters.each.items()
        if parameter.example is not None
    }
    try:
        one.rules.parameters.read_query(shown)
    except InvalidRequest as error:
        yield f"the examples of its parameters are refused together: {error.message}"


def _as_sent(value: object) -> str:
    """Return an example as a page sends it in a query."""
    if isinstance(value, list):
        return ",".join(value)
    return json.dumps(value) if isinstance(value, bool) else str(value)
