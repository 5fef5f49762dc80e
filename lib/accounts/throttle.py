"""Failed logins: how they are counted, and how long each then waits.

Every attempt is counted as failed before its password is looked at, in a transaction that locks
the counters: of many guesses at once no more get through than of the same guesses in a row. A
login that succeeds takes its own count back. Attempts during a wait are neither counted nor prolong
it, so nobody is locked out for ever.

Four counters see an attempt: of the user in this network, of the user alone, of the network alone
and, for IPv6, of the site. What names no user, a one-time code, only the last two see. From a
network that its user has logged in from before (`known_networks`) only the first counts and binds:
neither strangers elsewhere nor those in the same network who fail for others lock anybody out of
it. So guesses at one user stay below 700 a day from all unknown networks together, and below 450
from each known one.

All waits are reckoned from the moment at which an attempt's transaction began, by the database's
clock: who then waits for a counter's lock does not outlast a wait that began meanwhile.
"""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import DateTime, case, delete, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from lib.database.account_tables import login_failures
from lib.errors import TooManyAttempts

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

    from lib.web.networks import Network

log = logging.getLogger(__name__)

# Failures without a wait. Someone who mistypes needs a few; who is away may do so in several
# networks; many people may share an address, and a provider may share a site's 48 bits among more.
FREE_FOR_PAIR: Final = 5
FREE_FOR_USER: Final = 20
FREE_FOR_NETWORK: Final = 30
FREE_FOR_SITE: Final = 100
LONGEST_WAIT_SECONDS: Final = 900
FORGOTTEN_AFTER: Final = timedelta(hours=1)  # without another attempt
_SWEPT_AT_ONCE: Final = 10  # an attempt adds four at most, so the table shrinks to what is recent

_COLUMNS: Final = login_failures.c


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """An attempt that was counted.

    Attributes:
        pair: The counter of the user in this network, which holds neither name nor address; None
            where no user was named.
        blocked_until: Each counter, and until when this attempt blocks it, should it fail.
    """

    pair: str | None
    blocked_until: Mapping[str, datetime | None]


def clock(now: datetime | None) -> "ColumnElement[datetime]":
    """Return the moment that statements reckon with: the beginning of their transaction.

    Args:
        now: Another moment, for tests.
    """
    return func.now() if now is None else literal(now, DateTime(timezone=True))


def user_digest(username: str) -> str:
    """Return the digest that stands for a (folded) username in counters and logs."""
    return hashlib.sha256(username.encode()).hexdigest()


def wait_seconds(failures: int, *, free: int) -> int:
    """Return the wait after so many failures: 1, 2, 4 … seconds once the free ones are used up."""
    if failures <= free:
        return 0
    doublings = min(failures - free - 1, LONGEST_WAIT_SECONDS.bit_length())
    return min(1 << doublings, LONGEST_WAIT_SECONDS)


def count_attempt(
    connection: "Connection",
    *,
    username: str | None,
    network: "Network",
    known: bool = False,
    now: datetime | None = None,
) -> Attempt:
    """Count an attempt before its password is verified.

    Args:
        username: None for what names no user, such as a code: its network alone is looked at.
        known: Whether the user has logged in from this network before.

    Raises:
        TooManyAttempts: A counter has to wait. Then nothing is counted, provided that the
            transaction is rolled back.
    """
    moment = clock(now)
    pair = None if username is None else _pair(username, network)
    free = {pair: FREE_FOR_PAIR} if pair and known else _every_counter(username, network)
    failures = _count(connection, list(free), moment)
    if len(failures) < len(free):
        raise _refusal(connection, list(free), moment, username=username, network=network)
    blocked_until = {
        subject: _block(connection, subject, wait_seconds(failures[subject], free=most), moment)
        for subject, most in free.items()
    }
    _sweep(connection, moment)
    return Attempt(pair=pair, blocked_until=blocked_until)


def take_back(connection: "Connection", attempt: Attempt, *, forgive: bool) -> None:
    """Take an attempt that succeeded out of its counters.

    Only this attempt: someone who has one password would otherwise clear a network's counter for
    guessing the others', and a user who logs in often would clear their own for whoever guesses.

    Args:
        forgive: Whether to forget what failed before in this network for this user.
    """
    for subject, own in attempt.blocked_until.items():
        if forgive and subject == attempt.pair:
            connection.execute(delete(login_failures).where(_COLUMNS.subject == subject))
        else:
            _take_one_back(connection, subject, own)


def clear_user(connection: "Connection", username: str) -> int:
    """Forget a user's failed logins from everywhere; return how many counters that was."""
    user = user_digest(username)
    locked = (
        select(_COLUMNS.subject)
        .where(
            or_(_COLUMNS.subject == f"user:{user}", _COLUMNS.subject.startswith(f"pair:{user}:"))
        )
        .order_by(_COLUMNS.subject)  # as attempts do: the pairs before the user
        .with_for_update()
    )
    subjects = connection.execute(locked).scalars().all()
    connection.execute(delete(login_failures).where(_COLUMNS.subject.in_(subjects)))
    return len(subjects)


def _pair(username: str, network: "Network") -> str:
    return f"pair:{user_digest(username)}:{network.digest}"


def _every_counter(username: str | None, network: "Network") -> dict[str, int]:
    """Name the counters of an attempt, and what each has free.

    Every attempt locks them in this order, of each kind one, so that no two wait for each other.
    """
    counters = {}
    if username is not None:
        counters[_pair(username, network)] = FREE_FOR_PAIR
        counters[f"user:{user_digest(username)}"] = FREE_FOR_USER
    counters[f"network:{network.name}"] = FREE_FOR_NETWORK
    if network.wider is not None:
        counters[f"site:{network.wider}"] = FREE_FOR_SITE
    return counters


def _count(
    connection: "Connection", subjects: list[str], moment: "ColumnElement[datetime]"
) -> dict[str, int]:
    """Add one to each counter; return those that do not have to wait."""
    counted = connection.execute(
        insert(login_failures)
        .values([{"subject": s, "failures": 1, "last_failed_at": moment} for s in subjects])
        .on_conflict_do_update(
            index_elements=[_COLUMNS.subject],
            set_={
                "failures": case(
                    (_COLUMNS.last_failed_at < moment - FORGOTTEN_AFTER, 1),
                    else_=_COLUMNS.failures + 1,
                ),
                "last_failed_at": moment,
                "blocked_until": None,
            },
            where=or_(_COLUMNS.blocked_until.is_(None), _COLUMNS.blocked_until <= moment),
        )
        .returning(_COLUMNS.subject, _COLUMNS.failures)
    )
    return {row.subject: row.failures for row in counted}


def _block(
    connection: "Connection", subject: str, seconds: int, moment: "ColumnElement[datetime]"
) -> datetime | None:
    if not seconds:
        return None
    until: datetime = connection.execute(
        update(login_failures)
        .where(_COLUMNS.subject == subject)
        .values(blocked_until=moment + timedelta(seconds=seconds))
        .returning(_COLUMNS.blocked_until)
    ).scalar_one()
    return until


def _take_one_back(connection: "Connection", subject: str, own: datetime | None) -> None:
    waits = _COLUMNS.blocked_until
    connection.execute(
        update(login_failures)
        .where(_COLUMNS.subject == subject, _COLUMNS.failures > 0)
        .values(
            failures=_COLUMNS.failures - 1, blocked_until=case((waits == own, None), else_=waits)
        )
    )


def _refusal(
    connection: "Connection",
    subjects: list[str],
    moment: "ColumnElement[datetime]",
    *,
    username: str | None,
    network: "Network",
) -> TooManyAttempts:
    left = func.ceil(func.extract("epoch", _COLUMNS.blocked_until - moment))
    longest = connection.execute(
        select(_COLUMNS.subject, left.label("seconds"))
        .where(_COLUMNS.subject.in_(subjects), _COLUMNS.blocked_until > moment)
        .order_by(_COLUMNS.blocked_until.desc())
        .limit(1)
    ).one()
    seconds = int(longest.seconds)
    fields = {
        "counter": longest.subject.partition(":")[0],
        **({} if username is None else {"user": user_digest(username)[:12]}),
        "address": network.name,
        "seconds": seconds,
    }
    log.warning("login throttled", extra={"fields": fields})
    return TooManyAttempts(
        f"Too many failed logins: try again in {seconds} seconds.", retry_after_seconds=seconds
    )


def _sweep(connection: "Connection", moment: "ColumnElement[datetime]") -> None:
    stale = (
        select(_COLUMNS.subject)
        .where(_COLUMNS.last_failed_at < moment - FORGOTTEN_AFTER)
        .order_by(_COLUMNS.last_failed_at)
        .limit(_SWEPT_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    connection.execute(delete(login_failures).where(_COLUMNS.subject.in_(stale)))
