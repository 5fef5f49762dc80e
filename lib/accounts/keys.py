"""The Ed25519 keys that tokens are signed and verified with."""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from lib.settings import Secret, SettingsError, read_needed

_REFRESH_KEY_BYTES: Final = 32  # of HMAC-SHA256's digest: RFC 2104, section 3


def load_private_key(pem: str) -> Ed25519PrivateKey:
    """Read the key of `TOKEN_PRIVATE_KEY`, or raise `SettingsError` if it is none of our kind."""
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(
            "TOKEN_PRIVATE_KEY is malformed: expected an Ed25519 private key in PEM, unencrypted"
        )
    return key


def load_public_key(pem: str) -> Ed25519PublicKey:
    """Read one key of `TOKEN_PUBLIC_KEYS`, or raise `SettingsError` if it is none of our kind."""
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise SettingsError(
            "TOKEN_PUBLIC_KEYS is malformed: expected one or more Ed25519 public keys in PEM"
        )
    return key


def thumbprint(key: Ed25519PublicKey) -> str:
    """Return a key's id: the SHA-256 of its JWK (RFC 7638; RFC 8037, appendix A.3)."""
    x = _base64url(key.public_bytes(Encoding.Raw, PublicFormat.Raw))
    # RFC 7638 hashes exactly these members, in this order, without blanks.
    jwk = f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'
    return _base64url(hashlib.sha256(jwk.encode()).digest())


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass(frozen=True, kw_only=True)
class SigningSettings:
    """What `login` signs tokens with."""

    private_key: Secret

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Demand a private key in PEM, whose line ends may be written as a backslash and an n."""
        pem = read_needed(env, "TOKEN_PRIVATE_KEY", "an Ed25519 private key in PEM").replace(
            "\\n", "\n"
        )
        load_private_key(pem)
        return cls(private_key=Secret(pem))


@dataclass(frozen=True, kw_only=True)
class VerifyingSettings:
    """The public keys that a token may be signed for: the present one, and the last in rotation."""

    public_keys: tuple[str, ...]

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Split the concatenated PEM blocks."""
        text = read_needed(env, "TOKEN_PUBLIC_KEYS", "one or more Ed25519 public keys in PEM")
        keys = re.findall(
            r"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----",
            text.replace("\\n", "\n"),
            re.DOTALL,
        )
        if not keys:
            raise SettingsError(
                "TOKEN_PUBLIC_KEYS is malformed: expected one or more Ed25519 public keys in PEM"
            )
        for key in keys:
            load_public_key(key)
        return cls(public_keys=tuple(keys))


@dataclass(frozen=True, kw_only=True)
class RefreshSettings:
    """What the next refresh token is derived with."""

    key: Secret

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Demand as many bytes as what is derived with them has."""
        key = read_needed(env, "REFRESH_KEY", f"{_REFRESH_KEY_BYTES} bytes or more")
        if len(key.encode()) < _REFRESH_KEY_BYTES:
            raise SettingsError(
                f"REFRESH_KEY is too short: expected {_REFRESH_KEY_BYTES} bytes or more"
            )
        return cls(key=Secret(key))
