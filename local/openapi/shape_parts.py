"""What schemas of answers are put together from."""

from collections.abc import Mapping
from typing import Any, Final

Schema = dict[str, Any]


def ref(name: str) -> Schema:
    """Return what stands for a shape where it is part of another."""
    return {"$ref": f"#/components/schemas/{name}"}


def leaf(kind: str, example: object, description: str = "", **rules: object) -> Schema:
    """Return a value of a kind."""
    schema: Schema = {"type": kind, "description": description, **rules, "examples": [example]}
    return {key: value for key, value in schema.items() if value != ""}


def text(example: str, description: str = "", **rules: object) -> Schema:
    """Return a text."""
    return leaf("string", example, description, **rules)


def whole(example: int, description: str = "", **rules: object) -> Schema:
    """Return a whole number, from 0 on unless the rules say otherwise."""
    return leaf("integer", example, description, **{"minimum": 0, **rules})


def or_null(schema: Schema) -> Schema:
    """Return what may be null."""
    return {**schema, "type": [schema["type"], "null"]}


def null(schema: Schema) -> Schema:
    """Return what may be null, and is so in the example."""
    return {**or_null(schema), "examples": [None]}


def list_of(items: Schema, description: str = "", **rules: object) -> Schema:
    """Return a list."""
    schema: Schema = {"type": "array", "description": description, "items": items, **rules}
    return {key: value for key, value in schema.items() if value != ""}


def object_of(
    properties: Mapping[str, Schema], description: str = "", required: tuple[str, ...] | None = None
) -> Schema:
    """Return an object, all of whose members are there unless those that are are named."""
    schema: Schema = {
        "type": "object",
        "description": description,
        "required": list(properties if required is None else required),
        "properties": dict(properties),
    }
    return {key: value for key, value in schema.items() if value != ""}


def data(schema: Schema) -> Schema:
    """Return an answer that has something as its `data`."""
    return object_of({"data": schema})


MOMENT: Final = {"format": "date-time"}
NEXT: Final = or_null(
    text("YXR0MDA1MDA4MyAxMiBhbmdyeSBtZW4", "Leads on from here; null on the last page.")
)
RECORDS: Final = whole(10, "How many are given at most, as was asked for.", minimum=1)
PAGINATION: Final = object_of(
    {
        "page": or_null(whole(1, "Which page it is; null where a cursor led to it.", minimum=1)),
        "number_of_records": RECORDS,
        "total_records": whole(100, "How many there are in all."),
        "next_cursor": NEXT,
    }
)
# Of a list that cursors alone lead through.
BY_CURSOR: Final = {
    **PAGINATION,
    "properties": {**PAGINATION["properties"], "page": {"type": "null"}},
}
