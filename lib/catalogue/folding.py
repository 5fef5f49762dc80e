"""How texts are folded, so that a film is found however its title or its people are written.

`fold_title`, `loose_title` and `folded_words` of the schema do the same in SQL, and a test compares
them over all of Unicode: what changes here needs a migration that folds anew. The list's order has
a key of its own, `lib.catalogue.movie.title_key`.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

LONGEST: Final = 500  # characters; more could outgrow a btree entry (2,704 bytes)
LONGEST_NAME: Final = 200  # of a name or a genre as it is searched for

# Before the compatibility forms, which make a blank and an accent of some of them, or letters.
_ALIKE: Final = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛ʹʻʼʽˈ′‵‹›`´΄᾽᾿῾＇｀", "'"),
        **dict.fromkeys("“”„‟ʺ˝″‶«»〃〝〞〟＂", '"'),
        **dict.fromkeys("‐‑‒–—―⁃−﹘﹣－➖⸺⸻", "-"),
        **dict.fromkeys("·•‧∙⋅・･。｡", "."),
        **dict.fromkeys("⁄∕⧸／", "/"),
        **dict.fromkeys("\t\n\v\f\r\x85\u1680\u2028\u2029", " "),
        **dict.fromkeys("™℠®©", None),
    }
)
# Superscripts and fractions are numbers of their own, whatever they stand behind.
_RAISED: Final = re.compile("([¼-¾⅐-⅟↉]|[²³¹⁰⁴-⁹]+)")
_CIRCLED: Final = [chr(first + n) for first in (0x1F150, 0x1F170) for n in range(26)]
# Letters that Unicode does not decompose.
_PLAIN: Final = str.maketrans(
    {
        "ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe",
        "þ": "th", "⁄": "/", **dict(zip(_CIRCLED, 2 * "abcdefghijklmnopqrstuvwxyz", strict=True)),
    }
)  # fmt: skip
# What nobody sees; accents of Latin, Greek and Cyrillic letters; points of Hebrew, Syriac, Arabic.
# Voicing marks of kana and vowel signs of Indic scripts and Thai are letters, and no accents.
_LEFT_OUT: Final = re.compile(
    "["
    "\u0001-\u001f\u007f-\u009f\u00ad\u061c\u0640\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb\U000e0001-\U000e007f\U000e0100-\U000e01ef"
    "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
    "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0711\u0730-\u074a"
    "\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed"
    "]+"
)
# "Godfather, The" and "Avventura, L'" have their articles in front again; only English ones are
# left out there, as one language's article is another's verb: "Die Hard".
_ARTICLE_BEHIND: Final = re.compile(
    "^(.*[^ ,]) ?, ?"
    "(the|an?|les?|la|l'|une?|el|l[oa]s|una|il|lo|gli|der|die|das|eine?|den|det|het|de)$"
)
_ARTICLE_BEFORE: Final = re.compile("^(the|an?) (?=.)")
_NO_LETTERS: Final = re.compile("[^a-z0-9]+")


def fold(text: str) -> str:
    """Fold case, accents and typographic marks: "Amélie" as "amelie", "8½" as "8 1/2".

    What would be nothing then stays as it is.
    """
    if text.isascii() and text.isprintable():
        # Most titles: nothing to fold but their case.
        return " ".join(text.lower().replace("`", "'").split())[:LONGEST].rstrip() or text[:LONGEST]
    spaced = _RAISED.sub(r" \1", text.translate(_ALIKE))
    folded = unicodedata.normalize("NFKD", spaced).casefold().translate(_PLAIN)
    folded = unicodedata.normalize("NFKD", folded)
    seen = unicodedata.normalize("NFC", _LEFT_OUT.sub("", folded))
    return re.sub(" +", " ", seen).strip(" ")[:LONGEST].rstrip(" ") or text[:LONGEST]


def loose(text: str) -> str:
    """Fold to letters and digits alone, without the article: "Godfather, The" as "godfather"."""
    folded = fold(text)
    bare = _ARTICLE_BEFORE.sub("", turn_article(folded))
    if bare.isascii():
        return _NO_LETTERS.sub("", bare.replace("&", "and").replace("+", "and")) or folded
    return "".join("".join(parts) for parts in split_words(bare)) or folded


def turn_article(folded: str) -> str:
    """Put an article that stands behind a folded title before it: "the godfather"."""
    return _ARTICLE_BEHIND.sub(r"\2 \1", folded) if "," in folded else folded


def split_words(folded: str) -> Iterator[tuple[str, ...]]:
    """Split a folded text at blanks, and each word at its marks: "spider-man" in two.

    A word of the catalogue is found by each of its parts, and by all of them together. `&` and `+`
    are words: "and".
    """
    for word in folded.replace("&", " and ").replace("+", " and ").split(" "):
        parts = "".join(" " if _is_mark(c) else c for c in word).split(" ")
        if any(parts):
            yield tuple(filter(None, parts))


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS"
