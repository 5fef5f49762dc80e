"""`./dev openapi`: write the document, or say why the one that is there will not do."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from openapi_spec_validator import OpenAPIV31SpecValidator

from local.environment import ROOT
from local.failure import Failure
from local.openapi.breaking import find_breaks, is_new_version
from local.openapi.building import build
from local.openapi.declared import read_operations
from local.openapi.lint import find_faults

WRITTEN: Final = ROOT / "functions" / "api_docs" / "openapi.json"
RELEASED: Final = Path(__file__).with_name("released.json")


def run(*, check: bool) -> None:
    """Write the document, or compare it with the one that is written.

    Raises:
        Failure: It is not what it should be; each fault has a line of its own before.
    """
    operations = read_operations()
    document = build(operations)
    text = write(document)
    if not check:
        WRITTEN.parent.mkdir(exist_ok=True)
        WRITTEN.write_text(text, encoding="utf-8")
    # Of what is no OpenAPI, no more can be said.
    faults = [*_find_invalid(document)] or [
        *find_faults(document, operations), *_find_breaks(document)
    ]  # fmt: skip
    if check and (not WRITTEN.exists() or WRITTEN.read_text(encoding="utf-8") != text):
        faults.append("it is not what the code says: write it with ./dev openapi")
    for fault in faults:
        print(fault)
    if faults:
        raise Failure("the API's description will not do: see above")


def write(document: Mapping[str, Any]) -> str:
    """Return a document as it is committed, so that each change is a few lines."""
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _find_invalid(document: Mapping[str, Any]) -> Iterator[str]:
    for error in OpenAPIV31SpecValidator(document).iter_errors():
        where = "/".join(str(part) for part in error.absolute_path)
        yield f"it is no valid OpenAPI: at /{where}: {error.message}"


def _find_breaks(document: Mapping[str, Any]) -> Iterator[str]:
    if not RELEASED.exists():
        yield f"there is no document of the last release, {RELEASED.name}, to compare it with"
        return
    released = json.loads(RELEASED.read_text(encoding="utf-8"))
    if not is_new_version(released, document):
        for found in find_breaks(released, document):
            yield f"it breaks callers, without a new first number of its version: {found}"
