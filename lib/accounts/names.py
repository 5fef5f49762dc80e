"""What people call a session or a key of theirs."""

import unicodedata
from typing import Final

from lib.errors import InvalidRequest
from lib.texts import MOST_MARKS, has_long_run_of_marks
from lib.web.rules import Rule, Schema

MOST_CHARACTERS: Final = 100


def read_name(name: object, member: str) -> str:
    """Return a name in the form that it is stored in.

    Args:
        member: What it is called in the request.

    Raises:
        InvalidRequest: It is no text of 1 to 100 visible characters, or one of marks on marks.
    """
    if not isinstance(name, str):
        raise _invalid(member, "expected a string")
    if len(name) > 4 * MOST_CHARACTERS:  # before the work of bringing it into its normal form
        raise _invalid(member, f"too long: expected 1 to {MOST_CHARACTERS} characters")
    if has_long_run_of_marks(name):
        raise _invalid(member, f"holds more than {MOST_MARKS} combining marks in a row")
    normal = unicodedata.normalize("NFC", name).strip()
    # Control, format, surrogate, private, unassigned; separators of lines and paragraphs.
    if any(unicodedata.category(c)[0] == "C" or c in "\u2028\u2029" for c in normal):
        raise _invalid(member, "holds a control, an invisible or an unassigned character")
    if not 1 <= len(normal) <= MOST_CHARACTERS:
        raise _invalid(member, f"expected 1 to {MOST_CHARACTERS} characters")
    return normal


class _NameRule(Rule[str]):
    """A name, in the form that it is stored in."""

    rule = f"must be a text of 1 to {MOST_CHARACTERS} visible characters"

    def from_text(self, name: str, text: str) -> str:
        """Read a parameter."""
        return self.from_json(name, text)

    def from_json(self, name: str, value: object) -> str:
        """Read a member; raise `InvalidRequest` for what is none."""
        return read_name(value, name)

    def schema(self) -> Schema:
        """Return the JSON schema of what is taken."""
        return {"type": "string", "minLength": 1, "maxLength": MOST_CHARACTERS}


NAME: Final = _NameRule()


def _invalid(member: str, what: str) -> InvalidRequest:
    return InvalidRequest(f"The {member} is not accepted: {what}.", fields={member: what})
