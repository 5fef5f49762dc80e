"""An example of a schema: put together from those of its parts."""

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]


def example_of(schema: Schema, shapes: Mapping[str, Schema]) -> Any:
    """Return a value that fits a schema: its own example, else one made of its parts'.

    Args:
        shapes: By their names, what `$ref` may lead to.

    Raises:
        LookupError: A part has no example, and none can be made.
    """
    if "$ref" in schema:
        return example_of(shapes[schema["$ref"].rpartition("/")[2]], shapes)
    if "examples" in schema:
        return schema["examples"][0]
    if "const" in schema:
        return schema["const"]
    if "properties" in schema:
        properties: Mapping[str, Schema] = schema["properties"]
        return {name: example_of(member, shapes) for name, member in properties.items()}
    if "items" in schema:
        return [example_of(schema["items"], shapes)]
    if schema.get("type") == "null":
        return None
    raise LookupError(f"no example: {schema}")
