"""Names of users: each is compared in one folded form.

`Admin`, ` admin ` and the same in full-width letters are one user; look-alikes from other alphabets
are others. In a module of its own, as what reads a name need not load what hashes a password.
"""

import unicodedata
from typing import Final
from urllib.parse import unquote_to_bytes

from lib.errors import InvalidRequest
from lib.texts import MOST_MARKS, has_long_run_of_marks
from lib.web.rules import Rule, Schema

_MAX_NAME: Final = 100


def fold_username(username: object, *, member: str = "username") -> str:
    """Return the form that a username is stored and found in.

    Raises:
        InvalidRequest: It is no text of 1 to 100 visible characters, or one of marks on marks.
    """
    if not isinstance(username, str):
        raise _invalid(member, "expected a string")
    if len(username) > 4 * _MAX_NAME:  # before the work of folding it
        raise _invalid(member, f"too long: expected 1 to {_MAX_NAME} characters")
    if has_long_run_of_marks(username):
        raise _invalid(member, f"holds more than {MOST_MARKS} combining marks in a row")
    folded = unicodedata.normalize("NFKC", username)
    # Control, format, surrogate, private, unassigned; separators of lines and paragraphs.
    if any(unicodedata.category(c)[0] == "C" or c in "\u2028\u2029" for c in folded):
        raise _invalid(member, "holds a control, an invisible or an unassigned character")
    folded = unicodedata.normalize("NFKC", folded.casefold()).strip()
    if not 1 <= len(folded) <= _MAX_NAME:
        raise _invalid(member, f"expected 1 to {_MAX_NAME} characters")
    return folded


class _NameRule(Rule[str]):
    """A username, which stays as it was sent."""

    rule = f"must be a text of 1 to {_MAX_NAME} visible characters"

    def from_text(self, name: str, text: str) -> str:
        """Read a parameter."""
        return self.from_json(name, text)

    def from_json(self, name: str, value: object) -> str:
        """Read a member; raise `InvalidRequest` for what cannot be folded."""
        fold_username(value, member=name)
        return str(value)

    def schema(self) -> Schema:
        """Return the JSON schema of what is taken."""
        return {"type": "string", "minLength": 1, "maxLength": _MAX_NAME}


class _NameInPath(_NameRule):
    """A username as a path holds it, percent-encoded in UTF-8."""

    def __init__(self, route: str) -> None:
        self._route = route

    def from_text(self, name: str, text: str) -> str:
        """Read the last segment; the route itself is what ends a path without a name."""
        try:
            username = unquote_to_bytes(text).decode()
        except UnicodeDecodeError:
            raise _invalid(name, "is not in UTF-8") from None
        if text == self._route:
            raise _invalid(name, f"expected it behind /{self._route}/")
        return self.from_json(name, username)


USERNAME: Final = _NameRule()
USERNAME_TO_DELETE: Final = _NameInPath("users.delete")


def _invalid(member: str, what: str) -> InvalidRequest:
    return InvalidRequest(f"The username is not accepted: {what}.", fields={member: what})
