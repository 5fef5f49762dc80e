"""What can be asked of a function: its parameters and its body, as it declares them."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from lib.web.inputs import Alternative, Input, Inputs
from local.failure import Failure
from local.openapi import headers
from local.openapi.declared import Operation

Part = dict[str, Any]

_JSON: Final = "application/json"


def parameters_of(one: Operation) -> list[Part]:
    """Return the parameters in path, query and headers."""
    return [
        *(_parameter(name, "path", value) for name, value in one.in_path.items()),
        *(_parameter(name, "query", value) for name, value in one.rules.parameters.each.items()),
        *(_header(name) for name in one.words.headers),
        *(_header(name) for name in (headers.OF_READS if one.is_kept else ())),
    ]


def _header(name: str) -> Part:
    if name not in headers.OF_REQUESTS:
        raise Failure(f"there is no header {name} in local/openapi/headers.py")
    return {"name": name, "in": "header", **headers.OF_REQUESTS[name]}


def _parameter(name: str, place: str, one: Input) -> Part:
    schema = one.schema()
    return {
        "name": name,
        "in": place,
        "description": one.about,
        **({"required": True} if one.required or place == "path" else {}),
        "schema": schema,
        # Several values stand in one parameter, with commas between them.
        **({"style": "form", "explode": False} if schema.get("type") == "array" else {}),
        **({} if one.example is None else {"example": one.example}),
    }


def body_of(one: Operation) -> Part | None:
    """Return the body that is read, None where none is."""
    rules = one.rules
    if rules.body == "ignored":
        return None
    told = {each.name: {"value": each.body} for each in one.words.examples if each.body is not None}
    return {
        "description": f"A JSON object of at most {rules.largest_body:,} bytes.",
        "required": rules.body == "required",
        "content": {_JSON: {"schema": object_of(rules.members), "examples": told}},
    }


def object_of(inputs: Inputs) -> Part:
    """Return the schema of a JSON object: one of its alternatives where there are some."""
    if not inputs.alternatives:
        every = Alternative(title="", optional=inputs.names)
        return _closed(inputs.each, every, frozenset())
    common = frozenset(inputs.names).difference(*(one.names for one in inputs.alternatives))
    return {"oneOf": [_closed(inputs.each, one, common) for one in inputs.alternatives]}


def _closed(each: Mapping[str, Input], one: Alternative, common: frozenset[str]) -> Part:
    """Return the schema of an object with the members of one alternative, and no others."""
    taken = {name: member for name, member in each.items() if name in one.names | common}
    required = [name for name, member in taken.items() if name in one.required or member.required]
    return {
        **({"title": one.title} if one.title else {}),
        "type": "object",
        "additionalProperties": False,
        **({"required": required} if required else {}),
        "properties": {
            name: {"description": member.about, **member.schema()}
            | ({} if member.example is None else {"examples": [member.example]})
            for name, member in taken.items()
        },
    }


def describe_company(inputs: Inputs) -> Iterator[str]:
    """Yield what no schema of a query says: which parameters go together, and which do not."""
    if inputs.alternatives:
        yield f"Ask {'; or '.join(_describe(one) for one in inputs.alternatives)}."
    for one, other in inputs.not_together:
        yield f"`{one}` and `{other}` exclude each other."


def _describe(one: Alternative) -> str:
    needed = " and ".join(f"`{name}`" for name in one.required)
    perhaps = " or ".join(f"`{name}`" for name in one.optional)
    return f"{one.title}, with {needed}" + (f" and perhaps {perhaps}" if perhaps else "")
