"""What operations share, so that it stands in the document once."""

import re
from collections.abc import Iterable
from typing import Any, Final

from local.failure import Failure
from local.openapi import headers
from local.openapi.declared import Operation
from local.openapi.shape_parts import ref
from local.openapi.shapes import SHAPES

Part = dict[str, Any]

_SECURITY: Final[dict[str, Part]] = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "smk_",
        "description": "What `POST /keys.create` gives, for a machine.",
    },
    "token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "What `POST /login` gives, for a quarter of an hour.",
    },
}


class Parts:
    """The parts that were named so far: only those are in the document."""

    def __init__(self) -> None:
        self._schemas: dict[str, Part] = {}
        self._responses: dict[str, Part] = {}
        self._headers: dict[str, Part] = {}
        self._security: dict[str, Part] = {}

    def name_schema(self, name: str, schema: Part) -> Part:
        """Take a schema over, and those that it names; return what stands for it."""
        if name not in self._schemas:
            self._schemas[name] = schema
            for other in re.findall(r"#/components/schemas/(\w+)", str(schema)):
                self.name_shape(other)
        return ref(name)

    def name_shape(self, name: str) -> Part:
        """Take one of the shapes over; return what stands for it."""
        if name not in SHAPES:
            raise Failure(f"there is no shape {name} in local/openapi/shapes.py")
        return self.name_schema(name, SHAPES[name])

    def name_headers(self, names: Iterable[str]) -> Part:
        """Take headers of an answer over; return what stands for them in it."""
        told = {}
        for name in names:
            if name not in headers.OF_ANSWERS:
                raise Failure(f"there is no header {name} in local/openapi/headers.py")
            self._headers[name] = headers.OF_ANSWERS[name]
            place = f"#/components/headers/{name}"
            told[name.removesuffix(headers.UNLESS_SHARED)] = {"$ref": place}
        return told

    def name_response(self, name: str, response: Part) -> Part:
        """Take an answer over; return what stands for it."""
        self._responses[name] = response
        return {"$ref": f"#/components/responses/{name}"}

    def name_security(self, one: Operation) -> list[Part]:
        """Return what an operation wants one of: a token, a key; nothing where it wants none."""
        if not one.rules.roles:
            return []
        wanted = ["token", "key"] if one.takes_keys else ["token"]
        self._security |= {name: _SECURITY[name] for name in wanted}
        # The first is what a page shows a call with.
        return [*([] if one.needs_token else [{}]), *({name: []} for name in wanted)]

    def as_components(self) -> Part:
        """Return all that was taken over, in order of names."""
        found = {
            "schemas": self._schemas,
            "responses": self._responses,
            "headers": self._headers,
            "securitySchemes": self._security,
        }
        return {kind: dict(sorted(parts.items())) for kind, parts in found.items() if parts}
