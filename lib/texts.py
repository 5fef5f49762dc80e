"""What a text is refused for before any work is done on it."""

import unicodedata
from typing import Final

# The Stream-Safe Text Format of https://www.unicode.org/reports/tr15/ (section 13): no language
# stacks as many, and putting a text into a normal form takes time with the square of their number.
MOST_MARKS: Final = 30

# These are no marks, but become some in the compatibility forms.
_HALFWIDTH_VOICING: Final = "\uff9e\uff9f"


def has_long_run_of_marks(text: str) -> bool:
    """Tell whether more combining marks follow each other than any language needs."""
    if text.isascii():
        return False
    run = 0
    for character in text:
        if unicodedata.category(character)[0] == "M" or character in _HALFWIDTH_VOICING:
            run += 1
            if run > MOST_MARKS:
                return True
        else:
            run = 0
    return False
