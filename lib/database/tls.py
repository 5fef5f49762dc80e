"""TLS of connections that go to Postgres directly, by libpq's modes.

`disable` never, `prefer` where the server has it, `require` or not at all (both without a look at
the server's certificate), `verify-ca` with a certificate by a known authority, `verify-full` with
one that is also for this host.
"""

import ssl
from functools import lru_cache

from lib.database.url import SYSTEM


@lru_cache(maxsize=1)
def driver_option(mode: str, root_cert: str | None) -> ssl.SSLContext | bool | None:
    """Return what pg8000 takes for a mode."""
    if mode in {"disable", "prefer", "require"}:
        return {"disable": False, "prefer": None, "require": True}[mode]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = mode == "verify-full"
    if root_cert is None or root_cert == SYSTEM:
        context.load_default_certs()
    else:
        context.load_verify_locations(root_cert)
    return context
