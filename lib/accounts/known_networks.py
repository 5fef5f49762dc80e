"""The networks that a user has logged in from: strangers elsewhere cannot lock them out of these.

Kept as digests, ten a user, for ninety days after the last login. Nothing is kept at the caller's.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import and_, case, delete, or_, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from lib.accounts.throttle import FORGOTTEN_AFTER, clock
from lib.database.account_tables import login_networks, users
from lib.web import networks

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

    from lib.web.networks import Network

MOST: Final = 10  # a user
KEPT: Final = timedelta(days=90)
_SWEPT_AT_ONCE: Final = 10  # a login adds one at most

_COLUMNS: Final = login_networks.c


def is_of_user(network: "Network", now: datetime | None) -> "ColumnElement[bool]":
    """Return the condition that joins a row of `users` with this network, if it is known."""
    return and_(
        _COLUMNS.user_id == users.c.id,
        _COLUMNS.network == network.digest,
        _COLUMNS.last_login_at >= clock(now) - KEPT,
    )


def may_forgive(now: datetime | None) -> "ColumnElement[bool]":
    """Return the SQL for whether a login forgives earlier failures in its network.

    Not more often than a guesser who pauses has it forgotten anyway: else a neighbour could guess a
    few times more for each time that the user logs in.
    """
    return case((_COLUMNS.forgiven_at >= clock(now) - FORGOTTEN_AFTER, False), else_=True)


def remember(
    connection: "Connection",
    user_id: int,
    network: "Network",
    *,
    forgiven: bool,
    now: datetime | None = None,
) -> None:
    """Note that a user, who exists, logged in from a network; forget what is too old or too much.

    The row in `users` must be locked already, as by a reference to it: deleting the user locks that
    one first.

    Args:
        forgiven: Whether what had failed there is forgiven with it.
    """
    if network.name == networks.UNKNOWN:  # which is many
        return
    moment = clock(now)
    key = (_COLUMNS.user_id, _COLUMNS.network)
    times = {"last_login_at": moment, "forgiven_at": moment}
    connection.execute(
        insert(login_networks)
        .values(user_id=user_id, network=network.digest, **times)
        .on_conflict_do_update(
            index_elements=key, set_=times if forgiven else {"last_login_at": moment}
        )
    )
    newest_first = _COLUMNS.last_login_at.desc()
    too_many = select(*key).where(_COLUMNS.user_id == user_id).order_by(newest_first).offset(MOST)
    too_old = select(*key).where(_COLUMNS.last_login_at < moment - KEPT).limit(_SWEPT_AT_ONCE)
    going = [
        tuple_(*key).in_(rows.with_for_update(skip_locked=True))  # locked: another login's matter
        for rows in (too_many, too_old)
    ]
    connection.execute(delete(login_networks).where(or_(*going)))
