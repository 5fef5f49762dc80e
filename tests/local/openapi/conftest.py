"""The document as the code says it, made once."""

from typing import Any

import pytest

from local.openapi.building import build
from local.openapi.declared import Declared, read_declared


@pytest.fixture(scope="session")
def declared() -> list[Declared]:
    """Return every function with what it declares."""
    return read_declared()


@pytest.fixture(scope="session")
def document(declared: list[Declared]) -> dict[str, Any]:
    """Return the document; who changes it changes a copy."""
    return build(declared)
