"""The door of what only some may do: the caller's token first, then their session and role."""

from collections.abc import Collection, Mapping
from typing import Final

from lib.accounts import access
from lib.accounts.keys import VerifyingSettings
from lib.accounts.tokens import Claims, Verifier
from lib.database.statement import Query

EDITORS: Final = ("editor", "admin")


class Guard:
    """Admits callers by the token in their headers.

    Attributes:
        statements: Those that the database which is asked must have been made with.

    Raises:
        SettingsError: One of the keys is no Ed25519 public key.
    """

    statements: Final = access.AUTHORIZING

    def __init__(self, settings: VerifyingSettings) -> None:
        self._verifier = Verifier(settings)

    def admit(self, headers: Mapping[str, str], *, roles: Collection[str]) -> Query[Claims]:
        """Verify a caller's token at once, and ask whether their session and role allow this.

        So a request without a valid token is refused before its values are looked at, and one with
        wrong values before the database is asked.

        Args:
            headers: Names in lower case.
            roles: Those that are allowed.

        Raises:
            Unauthorized: There is no token, or no valid one.
        """
        claims = self._verifier.verify_header(headers.get("authorization"))
        return access.check_permission(claims, roles=roles)
