"""The door of what only some may do: the caller's token first, then their session and role."""

from collections.abc import Collection, Mapping
from typing import Final

from lib.accounts import access
from lib.accounts.api_keys import PREFIX, read_key
from lib.accounts.keys import VerifyingSettings
from lib.accounts.roles import forbidden
from lib.accounts.tokens import Claims, Verifier, bearer_token
from lib.database.statement import Query, Statement

ADMINS: Final = ("admin",)
EDITORS: Final = ("editor", "admin")


class Guard:
    """Admits callers by the token in their headers, or where that is said by a key for machines.

    Args:
        keys: Whether to take keys; where not, one is `Forbidden`, whosever it is.

    Attributes:
        takes_keys: Whether keys are taken.
        statements: Those that the database which is asked must have been made with.

    Raises:
        SettingsError: One of the keys is no Ed25519 public key.
    """

    def __init__(self, settings: VerifyingSettings, *, keys: bool = False) -> None:
        self._verifier = Verifier(settings)
        self.takes_keys: Final = keys
        self.statements: Final[tuple[Statement, ...]] = (
            *access.AUTHORIZING,
            *(access.AUTHORIZING_KEYS if keys else ()),
        )

    def admit(self, headers: Mapping[str, str], *, roles: Collection[str]) -> Query[Claims]:
        """Verify a caller's token at once, and ask whether their session and role allow this.

        So a request without a valid token is refused before its values are looked at, and one with
        wrong values before the database is asked.

        Args:
            headers: Names in lower case.
            roles: Those that are allowed.

        Raises:
            Unauthorized: There is no token, or no valid one.
            Forbidden: It is a key, and none is taken here.
        """
        token = bearer_token(headers.get("authorization"))
        if token.startswith(PREFIX):
            return self._admit_key(token, roles)
        return access.check_permission(self._verifier.verify(token), roles=roles)

    def _admit_key(self, text: str, roles: Collection[str]) -> Query[Claims]:
        if not self.takes_keys:
            raise forbidden(
                "Keys for machines are not taken here: send a token that POST /login gives."
            )
        key = read_key(text)
        if key is None:
            raise access.invalid_key()
        return access.check_key(key, roles=roles)
