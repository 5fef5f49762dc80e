"""The document as the code says it, made once."""

from typing import Any

import pytest

from local.openapi.building import build
from local.openapi.declared import Operation, read_operations


@pytest.fixture(scope="session")
def operations() -> list[Operation]:
    """Return every route of every function."""
    return read_operations()


@pytest.fixture(scope="session")
def document(operations: list[Operation]) -> dict[str, Any]:
    """Return the document; who changes it changes a copy."""
    return build(operations)
