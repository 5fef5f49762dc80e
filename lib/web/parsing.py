"""Strict reading of what callers send: pure functions on bytes.

Starlette and the json module are lenient on purpose: they replace broken UTF-8, take the last of
repeated parameters, accept NaN, UTF-16 and half a surrogate pair. What they would let through here
comes back as a wrong answer, or breaks the connection to the database.
"""

import difflib
import json
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, NoReturn
from urllib.parse import unquote_to_bytes

from lib.errors import InvalidRequest, UnsupportedMediaType
from lib.texts import MOST_MARKS, has_long_run_of_marks

_QUERY_LENGTH: Final = 8192
CONTROL_CHARACTERS: Final = r"\x00-\x1f\x7f-\x9f"  # as a class of a pattern holds them
_CONTROL: Final = re.compile(f"[{CONTROL_CHARACTERS}]")
_WORD: Final = r"[a-z0-9!#$%&'*+.^_`|~-]+"
_JSON_TYPE: Final = re.compile(
    rf"application/(?:{_WORD}\+)?json(?=[ \t]*(?:;|\Z))", re.ASCII | re.IGNORECASE
)
# RFC 9110, 5.6.6: a parameter may be missing, and its value stand in quotes. (Blanks around the
# equals sign are against the rules, and common.)
_PARAMETER: Final = re.compile(
    rf"[ \t]*;[ \t]*(?:({_WORD})[ \t]*=[ \t]*(?:({_WORD})|\"((?:[^\"\\]|\\.)*)\"))?[ \t]*",
    re.ASCII | re.IGNORECASE,
)

# RFC 3986, 2.3 and 6.2.2: letters, digits and -._~ as they are, hexadecimal digits in capitals.
_NORMAL_VALUE: Final = re.compile(
    rb"(?:[A-Za-z0-9\-._~!$'()*+,;:@/?=]"
    rb"|%(?!3[0-9]|4[1-9A-F]|5[0-9A]|6[1-9A-F]|7[0-9A]|2D|2E|5F|7E)[0-9A-F]{2})*"
)
_ENCODED: Final = re.compile(rb"%[0-9A-F]{2}")
# A query as most are: nothing in it needs a closer look, and it is written as caches know it.
_SIMPLE_PAIR: Final = rb"[a-z_]+=[A-Za-z0-9.,_~-]+"
_SIMPLE_QUERY: Final = re.compile(rb"%b(?:&%b)*" % (_SIMPLE_PAIR, _SIMPLE_PAIR))


def parse_query(raw: bytes, allowed: Collection[str]) -> dict[str, str]:
    """Decode a query string; every parameter must be known and stand there once.

    Raises:
        InvalidRequest: It names the parameter and those that are allowed.
    """
    if len(raw) > _QUERY_LENGTH:
        raise InvalidRequest(f"The query is longer than {_QUERY_LENGTH} characters.")
    if not raw:
        return {}
    if _SIMPLE_QUERY.fullmatch(raw):
        pairs = [pair.split("=") for pair in raw.decode().split("&")]
        simple = {name: value for name, value in pairs}  # noqa: C416  dict() is slower
        if len(simple) == len(pairs) and all(name in allowed for name in simple):
            return simple
    values: dict[str, str] = {}
    for pair in raw.split(b"&"):
        if not pair:
            raise InvalidRequest("The query holds an '&' with no parameter before or after it.")
        name, _, value = (_decode(part) for part in pair.partition(b"="))
        reject_unknown([name], allowed, what="parameter")
        if name in values:
            raise InvalidRequest(
                f"The parameter {name} stands more than once.",
                fields={name: "must stand only once"},
            )
        values[name] = value
    for name, value in values.items():
        refuse_control_characters(value, name, told=f"The parameter {name}")
        refuse_long_runs_of_marks(value, name)
    return values


def is_normal(raw: bytes, values: Mapping[str, str], allowed: Sequence[str]) -> bool:
    """Tell whether a query that is right is written as caches know it: one page has one address.

    That is: names as they are and in the order in which they are allowed, nothing encoded that
    need not be, no character in two ways (blanks all `+`, or all `%20`), no blank that counts for
    nothing.

    Args:
        raw: The query as it was sent, of which `parse_query` made the values.
    """
    if not raw:
        return True
    if _SIMPLE_QUERY.fullmatch(raw):
        return list(values) == [name for name in allowed if name in values]
    pairs = [pair.partition(b"=") for pair in raw.split(b"&")]
    order = [name.encode() for name in allowed if name in values]
    return (
        [name for name, _, _ in pairs] == order
        and all(_is_normal_value(value) for _, _, value in pairs)
        and all(" ".join(value.split()) == value for value in values.values())
    )


def _is_normal_value(value: bytes) -> bool:
    if not _NORMAL_VALUE.fullmatch(value):
        return False
    if b"%" not in value:
        return True
    plain = _ENCODED.sub(b"", value).replace(b"+", b" ")
    return not any(unquote_to_bytes(code) in plain for code in set(_ENCODED.findall(value)))


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
            parse_float=_parse_finite,
        )
        text = json.dumps(value, ensure_ascii=False)
        text.encode("utf-8")
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
    if has_long_run_of_marks(text):
        for name, member in value.items():
            refuse_long_runs_of_marks(json.dumps(member, ensure_ascii=False), name)
    return value


def check_json_content_type(value: str) -> None:
    """Accept `application/json` or `+json` in UTF-8, or raise `UnsupportedMediaType`."""
    value = value.strip(" \t")
    found = _JSON_TYPE.match(value)
    while found and found.end() < len(value):
        found = _PARAMETER.match(value, found.end())
        if found and (found[1] or "").lower() == "charset":
            charset = found[2] or re.sub(r"\\(.)", r"\1", found[3] or "")
            found = found if charset.lower() in {"utf-8", "utf8"} else None
    if not found:
        raise UnsupportedMediaType(
            "The body must come as Content-Type: application/json, in UTF-8."
        )


def check_content_encoding(value: str) -> None:
    """Accept a body as it is, or raise `UnsupportedMediaType` for one that is compressed."""
    if any(coding.strip(" \t").lower() not in {"", "identity"} for coding in value.split(",")):
        raise UnsupportedMediaType("The body must come without a Content-Encoding.")


def refuse_control_characters(text: str, name: str, *, told: str | None = None) -> None:
    """Raise `InvalidRequest` for a text that holds one.

    Args:
        name: The parameter or member that the text is.
        told: How a message names it, where that is not by its name alone.
    """
    if _CONTROL.search(text):
        raise InvalidRequest(
            f"{told or name} holds a control character.",
            fields={name: "must not hold control characters"},
        )


def refuse_long_runs_of_marks(text: str, name: str) -> None:
    """Raise `InvalidRequest` for more combining marks in a row than any writing has.

    Args:
        name: The parameter or member that the text is in.
    """
    if has_long_run_of_marks(text):
        raise InvalidRequest(
            f"{name} holds more than {MOST_MARKS} combining marks in a row.",
            fields={name: f"must not hold more than {MOST_MARKS} combining marks in a row"},
        )


def reject_unknown(
    given: Iterable[str], allowed: Collection[str], *, what: str, within: str | None = None
) -> None:
    """Raise `InvalidRequest` for a name that is not allowed; it tells those that are.

    Args:
        within: The parameter or member that holds the names, where they are not such themselves.
    """
    for name in given:
        if name not in allowed:
            known = f"allowed: {', '.join(allowed)}" if allowed else "none is allowed here"
            shown = _CONTROL.sub("?", name[:50])
            near = difflib.get_close_matches(shown, list(allowed), n=1)
            guess = f" Did you mean {near[0]}?" if near else ""
            raise InvalidRequest(
                f"Unknown {what} {shown!r}; {known}.{guess}",
                fields={within: f"holds an unknown {what}"} if within else {shown: "is unknown"},
            )


def refuse(name: str, rule: str) -> NoReturn:
    """Raise `InvalidRequest` for a parameter or member that breaks its rule: "must be ..."."""
    raise InvalidRequest(f"{name} {rule}.", fields={name: rule})


def _decode(part: bytes) -> str:
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


def _parse_finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value
