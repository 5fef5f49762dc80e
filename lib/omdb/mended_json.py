"""OMDb's JSON, which it builds by hand: read as it is or, failing that, mended once."""

import json
import re
from typing import Final, NoReturn


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity are no JSON


# Numbers stay text, as all of OMDb's values are text: no 1e400 becomes infinity on the way.
_STRICT: Final = json.JSONDecoder(
    parse_int=str, parse_float=str, parse_constant=_refuse_constant, strict=True
)
_LENIENT: Final = json.JSONDecoder(
    parse_int=str, parse_float=str, parse_constant=_refuse_constant, strict=False
)
UNREADABLE: Final = object()


def read_json(text: str) -> object:
    """Read a document as it is or, if it looks like an object, once more mended."""
    for decoder, mend in ((_STRICT, False), (_LENIENT, True)):
        if mend and not text.startswith("{"):
            break
        try:
            return decoder.decode(_mend(text) if mend else text)
        except (ValueError, RecursionError):  # too deeply nested is no ValueError
            continue
    return UNREADABLE


# A run of backslashes and what they may escape; and a quote that ends a value, as the next member,
# the end of the object or the list follows.
_BACKSLASHES: Final = re.compile(
    r"""(?P<run>\\+)
        (?: (?P<closing>" (?= \s*,\s*"[A-Za-z]+"\s*: | \s*\}\s*(?:[,\]]|\Z) ))
          | (?P<quote>")
          | (?P<apostrophe>')
          | (?= [/bfnrt] | u[0-9A-Fa-f]{4} ) (?P<escape>)
        )?""",
    re.VERBOSE,
)


def _mend(text: str) -> str:
    r"""Mend the backslashes: OMDb escapes double quotes only (OMDb-API#53, #322).

    A backslash of the text itself reaches us bare: `\s` is no escape, `\"` at the end of a value
    hides the value's own quote, and a quote that was escaped already comes as `\\"`, which ends
    the value too early. `\'` is what JavaScript makes of an apostrophe. Control characters, bare
    as well, are what a lenient decoder is for.
    """
    return _BACKSLASHES.sub(_mend_run, text)


def _mend_run(match: re.Match[str]) -> str:
    run, odd = match["run"], len(match["run"]) % 2 == 1
    if match["closing"]:
        return run + "\\" * odd + '"'
    if match["quote"]:
        return (run if odd else run[1:]) + '"'
    if match["apostrophe"]:
        return run[odd:] + "'"
    return run if match["escape"] is not None else run + "\\" * odd
