"""What a password must be that someone chooses: long, and none that a guesser tries early.

Nothing is asked of its characters. In a module of its own, as only those need it through whom a
password is set; those of before stay what they are.

NIST SP 800-63B-4, 3.1.1.2 https://pages.nist.gov/800-63-4/sp800-63b.html; OWASP ASVS 5.0, 6.2.
"""

import unicodedata
from itertools import pairwise
from pathlib import Path
from typing import Final

from lib.accounts.passwords import MAX_BYTES, normalise_password
from lib.errors import InvalidRequest
from lib.web.rules import Rule, Schema

SHORTEST: Final = 15  # characters, where nothing else is asked for at a login
KNOWN: Final = Path(__file__).with_name("known_passwords.txt")

# What is told of every account here; each is looked for without blanks and marks.
_NAMES_OF_SERVICE: Final = ("simplemoviedatabase", "moviedatabase")
# A guesser tries names with a year or two behind them, but not eight characters of one's own.
_LEAST_BESIDE_NAMES: Final = 8
# Of characters that do not follow from those before them, as in "12345" or "qwerty".
_LEAST_UNFORESEEN: Final = 6
_ROWS: Final = ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "azertyuiop")
_NEIGHBOURS: Final = frozenset(
    pair for row in _ROWS for one, other in pairwise(row) for pair in (one + other, other + one)
)


def check_new_password(password: object, *, username: str, member: str = "new_password") -> str:
    """Return the normal form of a password that someone chose, if it keeps the rule for new ones.

    Args:
        username: Whose it is to be, folded.
        member: What the password is called where it was asked for.

    Raises:
        InvalidRequest: It is too short or too long, or would be guessed; the reason is told.
    """
    normal = normalise_password(password, member=member)
    reason = _find_weakness(normal, username)
    if reason is not None:
        raise InvalidRequest(f"The password is not accepted: {reason}.", fields={member: reason})
    return normal


class _NewPasswordRule(Rule[str]):
    """A password that somebody chooses, which stays as it was sent."""

    rule = f"must be a text of {SHORTEST} characters or more that is not easily guessed"

    def from_text(self, name: str, text: str) -> str:
        """Read a parameter."""
        return self.from_json(name, text)

    def from_json(self, name: str, value: object) -> str:
        """Read a member, as far as one can tell without its user's name."""
        check_new_password(value, username="", member=name)
        return str(value)

    def schema(self) -> Schema:
        """Return the JSON schema of what is taken."""
        length = {"minLength": SHORTEST, "maxLength": MAX_BYTES}
        return {"type": "string", "format": "password", **length}


NEW_PASSWORD: Final = _NewPasswordRule()


def _find_weakness(password: str, username: str) -> str | None:
    if len(password) < SHORTEST:
        return f"too short: expected at least {SHORTEST} characters"
    folded = unicodedata.normalize("NFKC", password).casefold()  # as usernames are compared
    weaknesses = {
        "it is on the lists of leaked passwords that guessers try first": _is_known(folded),
        "it is a short piece that repeats": _repeats(folded),
        "its characters follow each other as in 12345, abcde or qwerty": _is_run(folded),
        "it is little more than the username": _is_mostly(folded, (username,)),
        "it is little more than the name of this service": _is_mostly(folded, _NAMES_OF_SERVICE),
    }
    return next((reason for reason, is_so in weaknesses.items() if is_so), None)


def _is_known(folded: str) -> bool:
    # Read anew each time, in less than a millisecond: to keep it would cost memory all the time.
    return "\n" not in folded and f"\n{folded}\n" in "\n" + KNOWN.read_text(encoding="utf-8")


def _repeats(folded: str) -> bool:
    """Tell whether it is one piece again and again that would be too short by itself."""
    longest = min(SHORTEST - 1, len(folded) // 2)
    return any(folded[size:] == folded[:-size] for size in range(1, longest + 1))


def _is_run(folded: str) -> bool:
    """Tell whether nearly every character is equal or next to the one before.

    Next to each other are those of the alphabet and of a keyboard's row.
    """
    unforeseen = 1 + sum(
        abs(ord(before) - ord(after)) > 1 and before + after not in _NEIGHBOURS
        for before, after in pairwise(folded)
    )
    return unforeseen < _LEAST_UNFORESEEN


def _is_mostly(folded: str, names: tuple[str, ...]) -> bool:
    """Tell whether it holds one of the names, and little else, whatever stands in between."""
    letters = _letters_of(folded)
    for name in map(_letters_of, names):
        if name and name in letters:
            return len(letters.replace(name, "")) < _LEAST_BESIDE_NAMES
    return False


def _letters_of(text: str) -> str:
    return "".join(character for character in text if character.isalnum())
