"""What a function answers: what its folder tells, and the errors that follow from what it takes."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final

from lib.accounts.roles import ROLES
from local.failure import Failure
from local.functions import Told
from local.openapi import errors, headers
from local.openapi.declared import Operation
from local.openapi.errors import Fault, read_faults
from local.openapi.examples import example_of
from local.openapi.parts import Parts
from local.openapi.shapes import SHAPES

Part = dict[str, Any]

_JSON: Final = "application/json"


def responses_of(one: Operation, parts: Parts) -> Part:
    """Return the answers by their statuses."""
    found = {told.status: _answer(told, one, parts) for told in one.words.answers}
    for told in one.words.answers:
        if one.rules.is_kept and told.is_kept:
            found[304] = _not_modified(told, one, parts)
    for status, faults in groupby(_read_codes(one), key=lambda fault: fault.status):
        found[status] = _refusal([*faults], one, parts)
    return {str(status): answer for status, answer in sorted(found.items())}


def codes_of(one: Operation) -> Iterator[str]:
    """Yield the codes of all errors, which for the most part follow from what a function takes."""
    yield from errors.EVERY
    if one.rules.body != "ignored":
        yield from errors.WITH_A_BODY
    if one.rules.roles:
        yield from errors.WITH_ROLES
        is_refused = set(one.rules.roles) < set(ROLES) or not one.takes_keys
        yield from errors.WITH_SOME_ROLES if is_refused else ()
    if one.function.rights:
        yield from errors.WITH_A_DATABASE
    yield from one.words.errors


def _read_codes(one: Operation) -> list[Fault]:
    """Return the faults that may be met, in the order that all have."""
    wanted = {*codes_of(one)}
    unknown = wanted - {*read_faults()}
    if unknown:
        raise Failure(f"{one.name}: no error has the code {', '.join(sorted(unknown))}")
    return [fault for code, fault in read_faults().items() if code in wanted]


def _answer(told: Told, one: Operation, parts: Parts) -> Part:
    is_kept = one.rules.is_kept and told.is_kept
    names = [*_general(one, is_kept=is_kept), *(["ETag"] if is_kept else []), *told.headers]
    answer: Part = {"description": told.description, "headers": parts.name_headers(names)}
    if told.shape is not None:
        schema = parts.name_shape(told.shape) if isinstance(told.shape, str) else {**told.shape}
        example = example_of(schema, SHAPES)
        content = {"schema": schema, "example": example}
        answer["content"] = dict.fromkeys(told.types, content)
    return answer


def _not_modified(told: Told, one: Operation, parts: Parts) -> Part:
    names = [*_general(one, is_kept=True), "ETag", *told.headers]
    return {
        "description": "What `If-None-Match` names is still the answer.",
        "headers": parts.name_headers(names),
    }


def _general(one: Operation, *, is_kept: bool) -> Iterator[str]:
    """Yield the headers that every answer of a kind has."""
    is_shared = is_kept and one.rules.is_public_read
    yield headers.REQUEST_ID + (headers.UNLESS_SHARED if is_shared else "")
    yield "Cache-Control"
    if one.function.is_public:
        yield "RateLimit-Policy"
    yield from _of_what_is_to_go(one)


def _of_what_is_to_go(one: Operation) -> Iterator[str]:
    if one.rules.deprecated:
        yield from one.rules.deprecated.headers()


def _refusal(faults: list[Fault], one: Operation, parts: Parts) -> Part:
    to_go = [*_of_what_is_to_go(one)]
    # Operations share their refusals; only what is to go says so in these, too.
    name = "".join(["Or".join(fault.name for fault in faults), *to_go])
    own = dict.fromkeys(header for fault in faults for header in fault.headers)
    response = {
        "description": "\n\n".join(f"`{fault.code}`: {fault.meaning}" for fault in faults),
        "headers": parts.name_headers(
            [headers.REQUEST_ID, "Cache-Control", "RateLimit-Policy", *to_go, *own]
        ),
        "content": {
            _JSON: {
                "schema": parts.name_schema(name, errors.shape_of(faults)),
                "examples": {fault.code: {"value": errors.example_of(fault)} for fault in faults},
            }
        },
    }
    return parts.name_response(name, response)
