"""Failed logins, counted by user and by address, and how long each then waits.

Every attempt is counted as failed before its password is looked at, in a transaction that locks
the counters: of many guesses at once no more get through than of the same guesses in a row. A
login that succeeds takes its own count back. Attempts during a wait are neither counted nor prolong
it, so nobody is locked out for ever.
"""

import hashlib
import ipaddress
import logging
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import case, delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from lib.errors import TooManyAttempts
from lib.tables import login_failures

if TYPE_CHECKING:
    from sqlalchemy import Connection

log = logging.getLogger(__name__)

# Failures without a wait. Many people may share an address, so it has more of them.
FREE_FOR_USER: Final = 5
FREE_FOR_ADDRESS: Final = 30
LONGEST_WAIT_SECONDS: Final = 900
FORGOTTEN_AFTER: Final = timedelta(hours=1)  # without another attempt
_SWEPT_AT_ONCE: Final = 10  # an attempt adds two at most, so the table shrinks to what is recent

_COLUMNS: Final = login_failures.c


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """An attempt that was counted.

    Attributes:
        user: The user's counter; it holds no name.
        address: The address's counter.
        address_blocked_until: Until when this attempt blocks the address, should it fail.
    """

    user: str
    address: str
    address_blocked_until: datetime | None


def user_digest(username: str) -> str:
    """Give what stands for a (folded) username in counters and logs."""
    return hashlib.sha256(username.encode()).hexdigest()


def wait_seconds(failures: int, *, free: int) -> int:
    """Give the wait after so many failures: 1, 2, 4 … seconds once the free ones are used up."""
    if failures <= free:
        return 0
    doublings = min(failures - free - 1, LONGEST_WAIT_SECONDS.bit_length())
    return min(1 << doublings, LONGEST_WAIT_SECONDS)


def count_attempt(
    connection: "Connection", *, username: str, address: str, now: datetime
) -> Attempt:
    """Count an attempt before its password is verified.

    Raises:
        TooManyAttempts: The user or the address has to wait. Then nothing is counted, provided
            that the transaction is rolled back.
    """
    user, place = f"user:{user_digest(username)}", f"address:{_network(address)}"
    # Always in this order, so that no two attempts wait for each other.
    blocked_until = _count(connection, place, free=FREE_FOR_ADDRESS, now=now)
    _count(connection, user, free=FREE_FOR_USER, now=now)
    _sweep(connection, now)
    return Attempt(user=user, address=place, address_blocked_until=blocked_until)


def take_back(connection: "Connection", attempt: Attempt) -> None:
    """Forget a user's failures after a success, but of the address's only this attempt.

    Someone who has one password would otherwise clear the counter for guessing the others'.
    """
    own = attempt.address_blocked_until
    connection.execute(
        update(login_failures)
        .where(_COLUMNS.subject == attempt.address, _COLUMNS.failures > 0)
        .values(
            failures=_COLUMNS.failures - 1,
            blocked_until=case((_COLUMNS.blocked_until == own, None), else_=_COLUMNS.blocked_until),
        )
    )
    connection.execute(delete(login_failures).where(_COLUMNS.subject == attempt.user))


def _count(connection: "Connection", subject: str, *, free: int, now: datetime) -> datetime | None:
    failures = connection.execute(
        insert(login_failures)
        .values(subject=subject, failures=1, last_failed_at=now)
        .on_conflict_do_update(
            index_elements=[_COLUMNS.subject],
            set_={
                "failures": case(
                    (_COLUMNS.last_failed_at < now - FORGOTTEN_AFTER, 1),
                    else_=_COLUMNS.failures + 1,
                ),
                "last_failed_at": now,
                "blocked_until": None,
            },
            where=or_(_COLUMNS.blocked_until.is_(None), _COLUMNS.blocked_until <= now),
        )
        .returning(_COLUMNS.failures)
    ).scalar_one_or_none()
    if failures is None:
        raise _refusal(connection, subject, now)
    wait = wait_seconds(failures, free=free)
    return _block(connection, subject, until=now + timedelta(seconds=wait)) if wait else None


def _block(connection: "Connection", subject: str, *, until: datetime) -> datetime:
    connection.execute(
        update(login_failures).where(_COLUMNS.subject == subject).values(blocked_until=until)
    )
    return until


def _refusal(connection: "Connection", subject: str, now: datetime) -> TooManyAttempts:
    blocked_until: datetime = connection.execute(
        select(_COLUMNS.blocked_until).where(_COLUMNS.subject == subject)
    ).scalar_one()
    seconds = max(1, math.ceil((blocked_until - now).total_seconds()))
    kind, _, who = subject.partition(":")
    who = who[:12] if kind == "user" else who
    log.warning("login throttled", extra={"fields": {kind: who, "seconds": seconds}})
    return TooManyAttempts(
        f"Too many failed logins: try again in {seconds} seconds.", retry_after_seconds=seconds
    )


def _sweep(connection: "Connection", now: datetime) -> None:
    stale = (
        select(_COLUMNS.subject)
        .where(_COLUMNS.last_failed_at < now - FORGOTTEN_AFTER)
        .order_by(_COLUMNS.last_failed_at)
        .limit(_SWEPT_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    connection.execute(delete(login_failures).where(_COLUMNS.subject.in_(stale)))


def _network(address: str) -> str:
    """Give what one caller has at their disposal: an IPv4 address, or 64 bits of IPv6."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(ip), 64), strict=False))
