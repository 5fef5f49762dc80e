"""Access tokens: JWTs signed with Ed25519.

Pure: no network, no database, no environment. What is checked here is that we wrote the token and
that it is still valid; whether its session lives and what its user may do, `access` asks.

https://www.rfc-editor.org/rfc/rfc8725 (best practices)
"""

import base64
import json
import re
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NoReturn

import jwt

from lib.accounts.keys import (
    SigningSettings,
    VerifyingSettings,
    load_private_key,
    load_public_key,
    thumbprint,
)
from lib.accounts.lifetimes import TOKEN_SECONDS
from lib.accounts.roles import ROLES
from lib.errors import Unauthorized

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ISSUER: Final = "simple-movie-database"
AUDIENCE: Final = "simple-movie-database"
LEEWAY_SECONDS: Final = 30  # how far the clocks of two instances may be apart
MAX_LENGTH: Final = 8192

_ALGORITHM: Final = "EdDSA"
_TYPE: Final = "at+jwt"
_FORM: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+")
_SUBJECT: Final = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)  # fits Postgres's bigint
_ID: Final = re.compile(r"[0-9a-f]{32}")
_BEARER: Final = re.compile(r"(?i:bearer) +([A-Za-z0-9._~+/-]+=*)")
_CLAIMS: Final = ("iss", "aud", "sub", "exp", "iat", "jti", "role")


@dataclass(frozen=True, kw_only=True)
class IssuedToken:
    """A token as its user gets it; its text is kept out of `repr`, and so out of logs."""

    token: str = field(repr=False)
    jti: str
    session_id: str
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class Claims:
    """What a valid token says.

    Attributes:
        session_id: What it was given in; of a key for machines, that key's id, as is `jti`.
    """

    user_id: int
    role: str
    jti: str
    session_id: str
    expires_at: datetime


class Signer:
    """Issues tokens.

    Attributes:
        kid: The id of the key, which a verifier finds it by.

    Raises:
        SettingsError: The key is no Ed25519 private key.
    """

    def __init__(self, settings: SigningSettings) -> None:
        self._key = load_private_key(settings.private_key.reveal())
        self.kid: Final = thumbprint(self._key.public_key())

    def issue(
        self, user_id: int, role: str, *, now: datetime, session_id: str | None = None
    ) -> IssuedToken:
        """Sign a token that is valid for a quarter of an hour from now.

        Args:
            session_id: The session that goes on; None for the first token of one, which is called
                as that token: the release before this finds sessions by their first token's id.
        """
        issued_at = int(now.timestamp())
        expires_at = issued_at + TOKEN_SECONDS
        jti = secrets.token_hex(16)
        session_id = session_id or jti
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(user_id),
            "iat": issued_at,
            "exp": expires_at,
            "jti": jti,
            "sid": session_id,
            "role": role,
        }
        token = jwt.encode(
            claims, self._key, algorithm=_ALGORITHM, headers={"typ": _TYPE, "kid": self.kid}
        )
        return IssuedToken(
            token=token,
            jti=jti,
            session_id=session_id,
            expires_at=datetime.fromtimestamp(expires_at, UTC),
        )


class Verifier:
    """Verifies tokens, with any of the keys that are in use.

    Attributes:
        kids: The ids of the keys.

    Raises:
        SettingsError: One of the keys is no Ed25519 public key.
    """

    def __init__(self, settings: VerifyingSettings) -> None:
        keys = [load_public_key(pem) for pem in settings.public_keys]
        self._keys: Final = {thumbprint(key): key for key in keys}
        self.kids: Final = frozenset(self._keys)

    def verify(self, token: str, *, now: datetime | None = None) -> Claims:
        """Return what a token says, if we signed it and it is valid now.

        A given `now` only narrows: PyJWT compares with the clock in any case.

        Raises:
            Unauthorized: It is not one of our tokens, or no longer valid.
        """
        try:
            payload = self._check_signature(token)
            return _read_claims(payload, now or datetime.now(UTC))
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise invalid_token() from error

    def verify_header(self, authorization: str | None) -> Claims:
        """Return what the token of an `Authorization` header says; raises as `verify` does."""
        return self.verify(bearer_token(authorization))

    def _check_signature(self, token: str) -> dict[str, Any]:
        form = _FORM.fullmatch(token) if len(token) <= MAX_LENGTH else None
        if form is None:
            _refuse("no three parts in base64url without padding, or too long")
        jwt.decode(
            token,
            self._key_for(_parse(form[1])),
            algorithms=[_ALGORITHM],
            audience=AUDIENCE,
            issuer=ISSUER,
            leeway=LEEWAY_SECONDS,
            # Most of these are PyJWT's defaults, written down as this is what we rely on.
            options={
                "verify_signature": True,
                "verify_exp": True,
                "verify_nbf": True,
                "verify_iat": True,
                "verify_aud": True,
                "verify_iss": True,
                "verify_sub": True,
                "verify_jti": True,
                "strict_aud": True,
                "enforce_minimum_key_length": True,
                "require": list(_CLAIMS),
            },
        )
        # PyJWT takes the last of two members of the same name; we take neither.
        return _parse(form[2])

    def _key_for(self, header: dict[str, Any]) -> "Ed25519PublicKey":
        # Our tokens carry these three and no others. So nothing that points at a key elsewhere
        # (jku, x5u, jwk) and no extension (crit, b64) is ever even looked at.
        kid = header.get("kid")
        if not isinstance(kid, str) or kid not in self._keys:
            _refuse("an unknown key")
        if header != {"alg": _ALGORITHM, "typ": _TYPE, "kid": kid}:
            _refuse("another header than ours")
        return self._keys[kid]


def bearer_token(authorization: str | None) -> str:
    """Return the token of an `Authorization` header.

    Raises:
        Unauthorized: There is none, or not in the form `Bearer <token>`.
    """
    if authorization is None or authorization[:6].lower() != "bearer":
        raise Unauthorized(
            "This needs an access token: send 'Authorization: Bearer <token>', with a token that "
            "POST /login gives.",
            # No `error`, as the caller may not have known (RFC 6750, section 3.1).
            headers={"WWW-Authenticate": "Bearer"},
        )
    found = _BEARER.fullmatch(authorization)
    if found is None or len(found[1]) > MAX_LENGTH:
        raise invalid_token()
    return found[1]


def invalid_token() -> Unauthorized:
    """Make the one refusal that all bad tokens get: it does not say what gave them away."""
    return Unauthorized(
        "The access token is not valid, or no longer: get a new one from POST /login.",
        headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
    )


def _read_claims(payload: dict[str, Any], now: datetime) -> Claims:
    iat, exp, sub, jti, role = (payload[name] for name in ("iat", "exp", "sub", "jti", "role"))
    session_id = payload.get("sid", jti)  # the release before this gave tokens without
    _check_times(iat, exp, payload.get("nbf", iat), now.timestamp())
    if not (isinstance(sub, str) and _SUBJECT.fullmatch(sub)):
        _refuse("another subject than a user's id")
    if not all(isinstance(one, str) and _ID.fullmatch(one) for one in (jti, session_id)):
        _refuse("another token's or session's id than ours")
    if not (isinstance(role, str) and role in ROLES):
        _refuse("an unknown role")
    return Claims(
        user_id=int(sub),
        role=role,
        jti=jti,
        session_id=session_id,
        expires_at=datetime.fromtimestamp(exp, UTC),
    )


def _check_times(iat: object, exp: object, nbf: object, now: float) -> None:
    # Not isinstance: True is an int, too. PyJWT would take "1700000000" and 1.7e9 as well.
    if not (type(iat) is int and type(exp) is int and type(nbf) is int):
        _refuse("times that are no whole numbers")
    if not 1 <= exp - iat <= TOKEN_SECONDS:
        _refuse("another lifetime than ours")
    if exp <= now - LEEWAY_SECONDS or max(iat, nbf) > now + LEEWAY_SECONDS:
        _refuse("not valid now")


def _parse(part: str) -> dict[str, Any]:
    text = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode()
    members = json.loads(text, object_pairs_hook=_without_duplicates, parse_constant=_refuse)
    if not isinstance(members, dict):
        _refuse("no JSON object")
    return members


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        _refuse("two members of one name")
    return members


def _refuse(what: str) -> NoReturn:
    raise ValueError(what)
