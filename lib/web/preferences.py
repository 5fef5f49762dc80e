"""What a caller would rather be answered: `Accept` and `Accept-Encoding` (RFC 9110, 12.5)."""

import re
from typing import Final

_QUALITY: Final = re.compile(r"[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*", re.IGNORECASE)


def takes_gzip(accept_encoding: str) -> bool:
    """Tell whether an answer may come compressed; without the header it comes as it is."""
    qualities = _read_qualities(accept_encoding)
    return qualities.get("gzip", qualities.get("*", 0)) > 0


def prefers_html(accept: str) -> bool:
    """Tell whether a page is what is asked for first, as browsers do and programs do not."""
    qualities = _read_qualities(accept)
    # Of those that are wanted as much, max() takes the one that stands first.
    return qualities.get("text/html", 0) > 0 and max(qualities, key=qualities.__getitem__) == (
        "text/html"
    )


def _read_qualities(header: str) -> dict[str, float]:
    """Return how much each thing is wanted, from 0 to 1, in the order in which they stand."""
    qualities: dict[str, float] = {}
    for member in header.split(","):
        name, *parameters = member.split(";")
        said = [found[1] for text in parameters if (found := _QUALITY.fullmatch(text))]
        if name := name.strip(" \t").lower():
            qualities[name] = float(said[0]) if said else 1.0
    return qualities
