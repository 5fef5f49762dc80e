"""Passwords: one normal form, and argon2id; `new_passwords` has the rule for those to come.

A password is normalised to NFC wherever it enters, so that `é` typed on one keyboard is the `é`
typed on another. Any character may be in it, and nothing is cut off (OWASP ASVS 5.0, 6.2.5, 6.2.8).
"""

import logging
import re
import threading
import unicodedata
from contextlib import suppress
from typing import Final, NoReturn

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError, VerifyMismatchError

from lib.errors import InvalidRequest
from lib.texts import MOST_MARKS, has_long_run_of_marks
from lib.web.rules import Rule, Schema

log = logging.getLogger(__name__)

MAX_BYTES: Final = 1024

# Before its normal form is known, as NFD has at most four characters for one of NFC.
_MAX_RAW_CHARACTERS: Final = 4 * MAX_BYTES

# The least that the OWASP Password Storage Cheat Sheet asks of argon2id: 19 MiB, two passes, one
# lane. argon2-cffi's own defaults take three times the memory of a small instance.
# https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html
_HASHER: Final = PasswordHasher(
    memory_cost=19_456, time_cost=2, parallelism=1, hash_len=32, salt_len=16
)
# What a stored hash may ask of us. Its parameters decide what verifying costs, so a row that says
# four gigabytes is refused instead of believed; raise these before the parameters above.
_MOST_MEMORY_KIB: Final = 65_536
_MOST_PASSES: Final = 8
_MOST_LANES: Final = 4
_STORED: Final = re.compile(
    r"\$argon2id\$v=19\$m=([0-9]{1,9}),t=([0-9]{1,9}),p=([0-9]{1,9})"
    r"\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,86}"
)

# Verifies nothing (its digest is made up), but takes as long as any hash of today's parameters.
_NOBODY: Final = (
    f"$argon2id$v=19$m={_HASHER.memory_cost},t={_HASHER.time_cost},p={_HASHER.parallelism}"
    "$bm9ib2R5IGhhcyB0aGlzIQ$qFmS3x0lYpUu5vJ7d1c9oBt2eKzRwN4gHhX8aLiQmEk"
)

# Each takes 19 MiB and a core for some 25 ms; more at once would only wait for each other.
_AT_ONCE: Final = threading.BoundedSemaphore(2)


class PasswordMismatch(Exception):
    """The password does not belong to the hash."""


def normalise_password(password: object, *, member: str = "password") -> str:
    """Return the form of a password that is hashed.

    Args:
        member: What it is called where it was asked for.

    Raises:
        InvalidRequest: It is no text of 1 to 1024 bytes, or one of marks on marks.
    """
    if not isinstance(password, str):
        raise _invalid(member, "expected a string")
    if len(password) > _MAX_RAW_CHARACTERS:
        raise _invalid(member, f"too long: expected at most {MAX_BYTES} bytes in UTF-8")
    if has_long_run_of_marks(password):  # before the work of ordering them
        raise _invalid(member, f"holds more than {MOST_MARKS} combining marks in a row")
    normal = unicodedata.normalize("NFC", password)
    try:
        size = len(normal.encode())
    except UnicodeEncodeError:
        raise _invalid(member, "holds half of a surrogate pair, which is no character") from None
    if not 1 <= size <= MAX_BYTES:
        raise _invalid(member, f"{size} bytes in UTF-8, expected 1 to {MAX_BYTES}")
    return normal


class _PasswordRule(Rule[str]):
    """A password, which stays as it was sent."""

    rule = f"must be a text of 1 to {MAX_BYTES} bytes in UTF-8"

    def from_text(self, name: str, text: str) -> str:
        """Read a parameter."""
        return self.from_json(name, text)

    def from_json(self, name: str, value: object) -> str:
        """Read a member; raise `InvalidRequest` for what has no normal form to hash."""
        normalise_password(value, member=name)
        return str(value)

    def schema(self) -> Schema:
        """Return the JSON schema of what is taken."""
        # It counts characters, which are no more than the bytes.
        return {"type": "string", "format": "password", "minLength": 1, "maxLength": MAX_BYTES}


PASSWORD: Final = _PasswordRule()


def hash_password(password: str) -> str:
    """Hash a password with today's parameters and a new salt."""
    normal = normalise_password(password)
    with _AT_ONCE:
        return _HASHER.hash(normal)


def verify_password(stored: str | None, password: str) -> None:
    """Return only if the password belongs to the hash.

    Raises:
        PasswordMismatch: It does not, or the hash is none of ours, which an error in the log tells.
    """
    normal = normalise_password(password)
    if stored is None or not _is_affordable(stored):
        _sound_alarm("it is no argon2id hash, or asks for too much")
        verify_nobody(normal)
    try:
        with _AT_ONCE:
            _HASHER.verify(stored, normal)
    except VerifyMismatchError:
        raise PasswordMismatch from None
    except (Argon2Error, InvalidHashError) as error:
        _sound_alarm(str(error))
        raise PasswordMismatch from None


def verify_nobody(password: str) -> NoReturn:
    """Spend what `verify_password` spends, so that time does not tell who exists (ASVS 6.3.8).

    Raises:
        PasswordMismatch: Always.
    """
    with suppress(VerifyMismatchError), _AT_ONCE:
        _HASHER.verify(_NOBODY, normalise_password(password))
    raise PasswordMismatch


def needs_rehash(stored: str) -> bool:
    """Tell whether a hash, just verified, was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(stored)


def _is_affordable(stored: str) -> bool:
    found = _STORED.fullmatch(stored)
    if found is None:
        return False
    memory, passes, lanes = (int(number) for number in found.groups())
    return memory <= _MOST_MEMORY_KIB and passes <= _MOST_PASSES and lanes <= _MOST_LANES


def _sound_alarm(reason: str) -> None:
    # A mismatch to the caller: whoever tries the door need not know that the lock is broken.
    log.error("alarm: a stored password hash is unusable", extra={"fields": {"reason": reason}})


def _invalid(member: str, what: str) -> InvalidRequest:
    return InvalidRequest(f"The password is not accepted: {what}.", fields={member: what})
