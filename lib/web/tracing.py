"""What a request is called: by its caller, else by its trace, else by chance."""

import os
import re
from collections.abc import Mapping
from typing import Final

from lib.web.logs import RequestContext

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)
# https://www.w3.org/TR/trace-context/#traceparent-header: ids of zeros are none, nor is version ff.
_TRACEPARENT: Final = re.compile(
    r"(?:(00)|(?!00|ff)[0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}"
    r"(?(1)|(?:-.*)?)",
    re.ASCII,
)
_CLOUD_TRACE: Final = re.compile(r"(?!0{32})([0-9a-f]{32})(?:/([0-9]{1,20}))?(?:;.*)?", re.ASCII)


def read_context(headers: Mapping[str, str]) -> RequestContext:
    """Name the request: as its caller does, else by its trace, else by chance.

    Args:
        headers: Names in lower case.
    """
    trace = span = None
    if found := _TRACEPARENT.fullmatch(headers.get("traceparent", "")):
        trace, span = found[2], found[3]
    elif found := _CLOUD_TRACE.fullmatch(headers.get("x-cloud-trace-context", "")):
        trace = found[1]
        span = f"{int(found[2]) % 2**64:016x}" if found[2] else None
    sent = headers.get("x-request-id", "")
    request_id = sent if _REQUEST_ID.fullmatch(sent) else trace or os.urandom(16).hex()
    return RequestContext(request_id=request_id, trace=trace, span=span)
