"""Refresh tokens: `smr_<the session's id>_<43 characters>`, known to the database by digests only.

The first of a session is drawn, each other one derived from the one before it with a key of ours.
So whoever presents one again a moment later, as its answer was lost or in another tab, is given the
same successor again, and nothing that lets anybody in need be kept for that.
"""

import base64
import hashlib
import hmac
import logging
import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from lib.errors import InvalidRefreshToken
from lib.web.parsing import refuse
from lib.web.rules import Rule, Schema

if TYPE_CHECKING:
    from lib.accounts.keys import RefreshSettings

log = logging.getLogger(__name__)

_FORM: Final = re.compile(r"smr_([0-9a-f]{32})_[A-Za-z0-9_-]{43}", re.ASCII)
_BYTES: Final = 32


@dataclass(frozen=True, kw_only=True)
class RefreshToken:
    """A refresh token, whose text is kept out of `repr`, and so out of logs."""

    text: str = field(repr=False)
    session_id: str

    @classmethod
    def draw(cls, session_id: str) -> Self:
        """Make the first one of a session."""
        return cls._of(session_id, secrets.token_bytes(_BYTES))

    @classmethod
    def read(cls, presented: str) -> Self:
        """Read what somebody presents.

        Raises:
            InvalidRefreshToken: It is not of the form of one.
        """
        found = _FORM.fullmatch(presented)
        if found is None:
            raise invalid_refresh_token()
        return cls(text=presented, session_id=found[1])

    @property
    def digest(self) -> str:
        """What the database knows it by; 256 bits by chance need no slow hash."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def derive_next(self, settings: "RefreshSettings") -> Self:
        """Return the one that replaces it."""
        key = settings.key.reveal().encode()
        return self._of(self.session_id, hmac.digest(key, self.text.encode(), "sha256"))

    @classmethod
    def _of(cls, session_id: str, secret: bytes) -> Self:
        written = base64.urlsafe_b64encode(secret).rstrip(b"=").decode()
        return cls(text=f"smr_{session_id}_{written}", session_id=session_id)


class _RefreshTokenRule(Rule[str]):
    """What somebody presents as a refresh token: any text, as all wrong ones are answered alike."""

    rule = "must be a text"

    def from_text(self, name: str, text: str) -> str:
        """Read a parameter."""
        return self.from_json(name, text)

    def from_json(self, name: str, value: object) -> str:
        """Read a member."""
        if not isinstance(value, str):
            refuse(name, self.rule)
        return value

    def schema(self) -> Schema:
        """Return the JSON schema of what is taken."""
        return {"type": "string"}


REFRESH_TOKEN: Final = _RefreshTokenRule()


def invalid_refresh_token() -> InvalidRefreshToken:
    """Make the one refusal that all refresh tokens get which let nobody in."""
    # Every 401 carries a challenge (RFC 9110, section 11.6.1).
    return InvalidRefreshToken(
        "The refresh token is not valid, or no longer: get a new one from POST /login.",
        headers={"WWW-Authenticate": "Bearer"},
    )


def sound_alarm(presented: RefreshToken, user_id: int, address: str) -> None:
    """Tell that two have had a session's refresh tokens, whoever it was that came."""
    fields = {"user_id": user_id, "session": presented.session_id, "address": address}
    log.error("alarm: refresh token reused", extra={"fields": fields})
