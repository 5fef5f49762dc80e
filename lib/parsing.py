"""Strict reading of what callers send: pure functions on bytes.

Starlette and the json module are lenient on purpose: they replace broken UTF-8, take the last of
repeated parameters, accept NaN, UTF-16 and half a surrogate pair. What they would let through here
comes back as a wrong answer, or breaks the connection to the database.
"""

import difflib
import json
import math
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, NoReturn
from urllib.parse import unquote_to_bytes

from lib.errors import InvalidRequest, UnsupportedMediaType

_QUERY_LENGTH: Final = 8192
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_JSON_TYPE: Final = re.compile(
    r"application/(?:[a-z0-9!#$&^_.+-]+\+)?json *(?:; *charset *= *\"?utf-?8\"? *)?",
    re.ASCII | re.IGNORECASE,
)


def parse_query(raw: bytes, allowed: Collection[str]) -> dict[str, str]:
    """Decode a query string; every parameter must be known and stand there once.

    Raises:
        InvalidRequest: It names the parameter and those that are allowed.
    """
    if len(raw) > _QUERY_LENGTH:
        raise InvalidRequest(f"The query is longer than {_QUERY_LENGTH} characters.")
    values: dict[str, str] = {}
    for pair in filter(None, raw.split(b"&")):
        name, _, value = (_decoded(part) for part in pair.partition(b"="))
        reject_unknown([name], allowed, what="parameter")
        if name in values:
            raise InvalidRequest(
                f"The parameter {name} stands more than once.",
                fields={name: "must stand only once"},
            )
        values[name] = value
    for name, value in values.items():
        if _CONTROL.search(value):
            raise InvalidRequest(
                f"The parameter {name} holds a control character.",
                fields={name: "must not hold control characters"},
            )
    return values


def parse_json_object(body: bytes, allowed: Collection[str]) -> dict[str, Any]:
    """Read a JSON object in UTF-8 whose members are all known and stand there once.

    Raises:
        InvalidRequest: It says what is wrong, or names the member and those that are allowed.
    """
    try:
        value = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_object_without_repeats,
            parse_constant=_reject_constant,
            parse_float=_finite,
        )
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except InvalidRequest:
        raise
    except UnicodeEncodeError:
        raise InvalidRequest(
            "The body holds half a surrogate pair, which is no character."
        ) from None
    except UnicodeDecodeError:
        raise InvalidRequest("The body is not in UTF-8.") from None
    except (ValueError, RecursionError):
        raise InvalidRequest(
            "The body is not valid JSON; expected a JSON object such as {}."
        ) from None
    if not isinstance(value, dict):
        raise InvalidRequest("The body is not a JSON object; expected one such as {}.")
    reject_unknown(value, allowed, what="member")
    return value


def check_json_content_type(value: str) -> None:
    """Accept `application/json` or `+json` in UTF-8, or raise `UnsupportedMediaType`."""
    if not _JSON_TYPE.fullmatch(value.strip()):
        raise UnsupportedMediaType(
            "The body must come as Content-Type: application/json, in UTF-8."
        )


def reject_unknown(given: Iterable[str], allowed: Collection[str], *, what: str) -> None:
    """Raise `InvalidRequest` for a name that is not allowed; it tells those that are."""
    for name in given:
        if name not in allowed:
            known = f"allowed: {', '.join(allowed)}" if allowed else "none is allowed here"
            shown = _CONTROL.sub("?", name[:50])
            near = difflib.get_close_matches(shown, list(allowed), n=1)
            guess = f" Did you mean {near[0]}?" if near else ""
            raise InvalidRequest(
                f"Unknown {what} {shown!r}; {known}.{guess}", fields={shown: "is unknown"}
            )


def text_member(
    body: Mapping[str, Any], name: str, *, longest: int, shortest: int = 1
) -> str | None:
    """Give a text member, None when it is not there.

    Raises:
        InvalidRequest: It is no text, is blank, too long, or holds a control character.
    """
    if name not in body:
        return None
    value = body[name]
    rule = f"must be a text of {shortest} to {longest} characters"
    if not isinstance(value, str) or not shortest <= len(value) <= longest or not value.strip():
        raise InvalidRequest(f"{name} {rule}.", fields={name: rule})
    if _CONTROL.search(value):
        raise InvalidRequest(
            f"{name} holds a control character.",
            fields={name: "must not hold control characters"},
        )
    return value


def integer_member(body: Mapping[str, Any], name: str, *, low: int, high: int) -> int | None:
    """Give a whole number, None when it is not there; texts and floats are not coerced.

    Raises:
        InvalidRequest: It is no whole number, or out of range.
    """
    if name not in body:
        return None
    value = body[name]
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        rule = f"must be a whole number from {low} to {high}"
        raise InvalidRequest(f"{name} {rule}.", fields={name: rule})
    return value


def integer_parameter(text: str, name: str, *, low: int, high: int) -> int:
    """Read a whole number in ASCII digits, without sign, blanks or leading zeros.

    Raises:
        InvalidRequest: It is none, or out of range.
    """
    if not re.fullmatch(r"0|[1-9][0-9]{0,8}", text, re.ASCII) or not low <= int(text) <= high:
        rule = f"must be a whole number from {low} to {high}"
        raise InvalidRequest(f"{name} {rule}, in the digits 0 to 9.", fields={name: rule})
    return int(text)


def _decoded(part: bytes) -> str:
    try:
        return unquote_to_bytes(part.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidRequest("The query holds bytes that are not UTF-8.") from None


def _object_without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for name, member in pairs:
        if name in value:
            raise InvalidRequest(f"The member {name[:50]!a} stands more than once in the body.")
        value[name] = member
    return value


def _reject_constant(_: str) -> NoReturn:
    raise ValueError


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value
