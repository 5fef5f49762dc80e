"""Which network a caller comes from: what one person has at their disposal, as limits count it."""

import hashlib
import ipaddress
import re
from dataclasses import dataclass
from typing import Final

_IPv4 = ipaddress.IPv4Address
_IPv6 = ipaddress.IPv6Address

UNKNOWN: Final = "unknown"

# "192.0.2.1:443", "[2001:db8::1]:443", "[2001:db8::1]": as some proxies write an address.
_WITH_PORT: Final = re.compile(r"\[([^\[\]]+)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}", re.ASCII)
# IPv6 addresses that stand for an IPv4 address in their last four bytes: RFC 4291 2.5.5.2 (mapped),
# RFC 6052 2.1 (NAT64's well-known prefix), RFC 2765 2.1 (translated).
_HOLD_IPV4_LAST: Final = tuple(
    ipaddress.IPv6Network(prefix) for prefix in ("::ffff:0:0/96", "64:ff9b::/96", "::ffff:0:0:0/96")
)
_6TO4: Final = ipaddress.IPv6Network("2002::/16")  # RFC 3056 2: the IPv4 address follows the prefix


@dataclass(frozen=True, kw_only=True)
class Network:
    """Where a caller comes from.

    Attributes:
        name: An IPv4 address, or the 64 bits of an IPv6 address that one link has.
        wider: The 48 bits that one site may have (RFC 6177); None for IPv4.
    """

    name: str
    wider: str | None = None

    @property
    def digest(self) -> str:
        """A digest that stands for the network where its name need not be kept."""
        return hashlib.sha256(self.name.encode()).hexdigest()


def network_of(address: str) -> Network:
    """Return the network of an address, however a proxy wrote it; `UNKNOWN` for what is none."""
    written = _WITH_PORT.fullmatch(address.strip())
    text = (written[1] or written[2]) if written else address.strip()
    try:
        ip = ipaddress.ip_address(text.partition("%")[0])  # a zone is the reader's own matter
    except ValueError:
        return Network(name=UNKNOWN)
    v4 = ip if isinstance(ip, _IPv4) else _embedded_ipv4(ip)
    if v4 is not None:
        return Network(name=str(v4))
    return Network(name=_prefix(ip, 64), wider=_prefix(ip, 48))


def _embedded_ipv4(ip: _IPv6) -> _IPv4 | None:
    if any(ip in prefix for prefix in _HOLD_IPV4_LAST):
        return _IPv4(ip.packed[12:])
    if ip in _6TO4:
        return _IPv4(ip.packed[2:6])
    return None


def _prefix(ip: _IPv4 | _IPv6, bits: int) -> str:
    return str(ipaddress.ip_network((int(ip), bits), strict=False))
