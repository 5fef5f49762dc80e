"""What whoever was let in is given, by a login and by each refresh."""

from dataclasses import dataclass, field
from typing import Any

from lib.accounts.lifetimes import TOKEN_SECONDS


@dataclass(frozen=True, kw_only=True)
class Granted:
    """A session as its user has it; both tokens are kept out of `repr`, and so out of logs.

    Attributes:
        refresh_expires_in: After how many seconds the session ends that is not refreshed again.
    """

    token: str = field(repr=False)
    session_id: str
    refresh_token: str = field(repr=False)
    refresh_expires_in: int
    username: str
    role: str

    def as_answer(self) -> dict[str, Any]:
        """Return what the caller is told."""
        return {
            "token": self.token,
            "token_type": "Bearer",
            "expires_in": TOKEN_SECONDS,
            "refresh_token": self.refresh_token,
            "refresh_expires_in": self.refresh_expires_in,
            "user": {"username": self.username, "role": self.role},
        }
