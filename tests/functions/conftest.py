"""Who asks the functions about people."""

import httpx
import pytest

from tests.functions.people import Admin, Authorization


@pytest.fixture
def admin(client: httpx.Client, authorization: Authorization) -> Admin:
    """Return an administrator, the only one."""
    return Admin(client=client, headers=authorization("admin"))
