"""A database with some people."""

from collections.abc import Iterator

import pytest

from lib.accounts.passwords import hash_password
from lib.database.transactions import TransactionalDatabase
from tests.accounts.town import PASSWORD, STATEMENTS, Town


@pytest.fixture(scope="session")
def password_hash() -> str:
    """Return the hash of the password that all have."""
    return hash_password(PASSWORD)


@pytest.fixture
def town(database: TransactionalDatabase, password_hash: str) -> Iterator[Town]:
    """Return a town of ann, ed and vic; what a test leaves in it is gone with the test."""
    town = Town(TransactionalDatabase(database._settings, statements=STATEMENTS))
    town.rows(
        "insert into users (username, password_hash, role) "
        "values ('ann', :hash, 'admin'), ('ed', :hash, 'editor'), ('vic', :hash, 'viewer')",
        hash=password_hash,
    )
    yield town
    town.database.close()
