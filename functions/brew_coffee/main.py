"""`POST /brew-coffee`: the server is a teapot."""

import functions_framework.aio

from lib import http
from lib.errors import ImATeapot


@functions_framework.aio.http
@http.endpoint("POST")
async def brew_coffee(_: http.Request) -> http.Answer:
    """Refuse, as RFC 2324 demands."""
    raise ImATeapot("The server is a teapot: short and stout, and no good for coffee.")
