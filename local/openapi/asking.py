"""What can be asked of a function: its parameters and its body, as it declares them."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from lib.web.answers import Rules
from lib.web.inputs import Alternative, Input, Inputs
from local.failure import Failure
from local.functions import Words
from local.openapi import headers

Part = dict[str, Any]

_JSON: Final = "application/json"


def parameters_of(rules: Rules, words: Words) -> list[Part]:
    """Return the parameters in path, query and headers."""
    is_kept = rules.is_read and any(told.is_kept for told in words.answers)
    return [
        *(_parameter(name, "path", one) for name, one in rules.path.each.items()),
        *(_parameter(name, "query", one) for name, one in rules.parameters.each.items()),
        *(_header(name) for name in words.headers),
        *(_header(name) for name in (headers.OF_READS if is_kept else ())),
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


def body_of(rules: Rules, words: Words) -> Part | None:
    """Return the body that is read, None where none is."""
    if rules.body == "ignored":
        return None
    told = {one.name: {"value": one.body} for one in words.examples if one.body is not None}
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
