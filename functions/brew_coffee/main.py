"""`POST /brew-coffee`: the server is a teapot."""

import functions_framework.aio

from lib.errors import ImATeapot
from lib.web.endpoint import Answer, Request, endpoint


@functions_framework.aio.http
@endpoint("POST")
async def brew_coffee(_: Request) -> Answer:
    """Refuse, as RFC 2324 demands."""
    raise ImATeapot("The server is a teapot: short and stout, and no good for coffee.")
