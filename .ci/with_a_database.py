"""A plugin of pytest's that leaves out what has no database: it says nothing of a schema."""  # noqa: INP001

import pytest


def has_database(item: pytest.Item) -> bool:
    """Tell whether a test has one: directly or by another fixture, or one of its own."""
    return "postgres" in getattr(item, "fixturenames", ()) or "schema" in item.path.parts


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests that have a database."""
    without = [item for item in items if not has_database(item)]
    if without:
        config.hook.pytest_deselected(items=without)
        items[:] = filter(has_database, items)
