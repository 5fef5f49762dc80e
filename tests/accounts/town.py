"""A database with some people, and what they do there: what tests of sessions and keys share."""

from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from sqlalchemy import text

from lib.accounts import access, api_keys, ending, refreshing, sessions
from lib.accounts.api_keys import CreatedKey
from lib.accounts.granting import Granted
from lib.accounts.guard import Guard
from lib.accounts.keys import RefreshSettings, SigningSettings, VerifyingSettings
from lib.accounts.login import login
from lib.accounts.roles import ROLES
from lib.accounts.tokens import Claims, Signer
from lib.database.transactions import TransactionalDatabase
from lib.errors import ServiceError
from lib.settings import Secret

PASSWORD: Final = "correct horse battery staple"
ADDRESS: Final = "192.0.2.1"
_KEY: Final = Ed25519PrivateKey.generate()
_PRIVATE: Final = _KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
_PUBLIC: Final = (
    _KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
)
SIGNER: Final = Signer(SigningSettings(private_key=Secret(_PRIVATE)))
GUARD: Final = Guard(VerifyingSettings(public_keys=(_PUBLIC,)))
GUARD_WITH_KEYS: Final = Guard(VerifyingSettings(public_keys=(_PUBLIC,)), keys=True)
REFRESH: Final = RefreshSettings(key=Secret("r" * 32))
STATEMENTS: Final = (
    *access.AUTHORIZING,
    *access.AUTHORIZING_KEYS,
    *refreshing.REFRESHING,
    *sessions.LISTING,
    *ending.ENDING,
    *api_keys.CREATING,
    *api_keys.LISTING,
    *api_keys.DELETING,
)


@dataclass(frozen=True)
class Town:
    """A database with ann, who administers, ed, who edits, and vic, who looks."""

    database: TransactionalDatabase

    def log_in(self, username: str = "ed", **more: Any) -> Granted:
        """Log in with the password that all have."""
        more = {"password": PASSWORD, "address": ADDRESS, **more}
        return login(self.database, SIGNER, username=username, **more)

    def refresh(self, token: str, settings: RefreshSettings = REFRESH) -> Granted:
        """Present a refresh token."""
        return self.database.answer(
            refreshing.refresh(settings, SIGNER, refresh_token=token, address="192.0.2.9")
        )

    def admit(self, token: str, guard: Guard = GUARD_WITH_KEYS, *roles: str) -> Claims:
        """Come with an access token or a key; without roles all are allowed."""
        headers = {"authorization": f"Bearer {token}"}
        return self.database.answer(guard.admit(headers, roles=roles or ROLES))

    def make_key(self, username: str = "ed", role: str = "editor") -> CreatedKey:
        """Log in and make a key."""
        claims = self.admit(self.log_in(username).token)
        return self.database.answer(
            api_keys.create_key(claims, name="ci", role=role, expires_in_days=1, address=ADDRESS)
        )

    def rows(self, sql: str, **values: object) -> list[Any]:
        """Run any SQL and give what it answers."""
        with self.database.begin() as connection:
            result = connection.execute(text(sql), values)
            return [tuple(row) for row in result] if result.returns_rows else []

    def audited(self) -> list[Any]:
        """Return what the audit says was done, by whom and to what, the oldest first."""
        return self.rows("select action, actor, subject from audit_log order by id")


def code_of(fault: ServiceError) -> tuple[int, str]:
    """Return what a caller sees of a fault."""
    return fault.status, fault.code
