"""What a text is refused for before any work is done on it."""

import unicodedata
from typing import Final

# Unicode's Stream-Safe Text Format (UAX 15, section 13) has no more in a row. To bring marks into
# their order takes the square of their number: 35 to 110 ms for 4,000 of them.
# https://www.unicode.org/reports/tr15/#Stream_Safe_Text_Format
MOST_MARKS: Final = 30

# The voicing marks of half-width kana are letters, but become marks in the compatibility forms.
_BECOME_MARKS: Final = "\uff9e\uff9f"


def has_long_run_of_marks(text: str) -> bool:
    """Tell whether more combining marks follow each other than any language needs."""
    if text.isascii():
        return False
    # A run that is too long has a mark at one of every 31 places: the others need no look.
    end = MOST_MARKS
    while end < len(text):
        start = end
        while start >= end - MOST_MARKS and _is_mark(text[start]):
            start -= 1
        if start < end - MOST_MARKS:
            return True
        end = start + MOST_MARKS + 1
    return False


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] == "M" or character in _BECOME_MARKS
