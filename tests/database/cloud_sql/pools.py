"""How the tests here make pools of connections, and what they ask through them."""

from typing import Any, Final, Protocol

from google.auth.credentials import Credentials

from lib.database.database import Database
from lib.database.statement import Statement

WHO: Final = Statement(repeatable=True, sql="select current_user::text")
SLEEP: Final = Statement(
    repeatable=True, sql="select pg_sleep(cast(:milliseconds as integer) / 1000.0)"
)


class Connect(Protocol):
    """Make a pool that goes through the stand-in: `connect(instance="p:r:i")`."""

    def __call__(self, *, credentials: Credentials | None = None, **changes: Any) -> Database:
        """Make it with credentials, and settings changed from those that work."""
        ...
