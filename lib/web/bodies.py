"""Receiving a body: as much of it as is read, in time, and as a JSON object."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

from starlette.requests import Request

from lib.errors import BodyTooLarge, InvalidRequest, RequestTimeout
from lib.limits import BODY_TIMEOUT
from lib.web.parsing import check_content_encoding, check_json_content_type, parse_json_object


async def read_body(
    request: Request,
    headers: Mapping[str, str],
    allowed: Collection[str],
    *,
    largest: int,
    is_needed: bool,
) -> dict[str, Any]:
    """Return the members of a request's body, none where there is no body and none is needed.

    Args:
        headers: Names in lower case.
        allowed: The names of members that there may be.
        largest: How many bytes are read.

    Raises:
        ServiceError: It does not come as it should, or is no JSON object of these members.
    """
    sent = await _receive(request, headers.get("content-length", ""), largest)
    if not sent and not is_needed:
        return {}
    if not sent.strip():
        raise InvalidRequest("The body is empty; expected a JSON object.")
    check_json_content_type(headers.get("content-type", ""))
    check_content_encoding(headers.get("content-encoding", ""))
    return parse_json_object(sent, allowed)


async def _receive(request: Request, declared: str, largest: int) -> bytes:
    too_large = BodyTooLarge(
        f"The body is larger than the {largest:,} bytes that are read here.",
        headers={"Connection": "close"},
    )
    if declared.isdecimal() and int(declared[-20:]) > largest:
        raise too_large
    received = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            async for chunk in request.stream():
                received += chunk
                if len(received) > largest:
                    raise too_large
    except TimeoutError:
        raise RequestTimeout(
            f"The body did not arrive within {BODY_TIMEOUT:.0f} seconds.",
            headers={"Connection": "close"},
        ) from None
    return bytes(received)
