"""What every function has around it."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from lib.settings import SettingsError, read_integer, read_one_of


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """What every function has around it.

    Attributes:
        log_level: The least severity that is logged.
        project: The Google Cloud project that traces belong to, where there is one.
        proxies: How many proxies in front append to `X-Forwarded-For`; the caller's address is
            that many entries from its right end, as all further left is the caller's own word.
        in_cloud: Whether this is a Cloud Run instance, whose logs are read by a machine.
        load_balancers: Addresses, as their bytes, of which one stands at the right end of what came
            through the load balancer, and of nothing else: it is not counted.
    """

    log_level: str
    project: str | None
    proxies: int
    in_cloud: bool
    load_balancers: frozenset[bytes] = frozenset()

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Recognise Cloud Run by `K_SERVICE`, which it sets: one proxy stands before it."""
        in_cloud = bool(env.get("K_SERVICE"))
        return cls(
            log_level=read_one_of(
                env, "LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
            ),
            project=env.get("GOOGLE_CLOUD_PROJECT") or None,
            proxies=read_integer(env, "TRUSTED_PROXIES", 1 if in_cloud else 0, low=0, high=9),
            in_cloud=in_cloud,
            load_balancers=_read_addresses(env, "LOAD_BALANCER_ADDRESSES"),
        )


def address_bytes(text: str) -> bytes | None:
    """Return an IP address as its bytes, as one can be written in several ways."""
    try:
        return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
    except (OSError, ValueError):
        return None


def _read_addresses(env: Mapping[str, str], name: str) -> frozenset[bytes]:
    found = set()
    for text in env.get(name, "").split():
        address = address_bytes(text)
        if address is None:
            raise SettingsError(
                f"{name} is {env[name]!r}: expected IP addresses with blanks between them"
            )
        found.add(address)
    return frozenset(found)
