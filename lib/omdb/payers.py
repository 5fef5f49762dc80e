"""How many calls to OMDb each caller may cause, counted in Postgres for all instances.

An account has a count of its own. Others are counted by their network, and those with IPv6 by their
site as well: who has 48 bits of addresses has 65,536 networks.
"""

import logging
from dataclasses import dataclass
from typing import Final

from lib.database.statement import Query, Rows, Statement, Values
from lib.errors import TooManyRequests
from lib.web.networks import network_of

log = logging.getLogger(__name__)

_LARGER_SHARE: Final = 5  # times as many for an account, and for a whole site
_HOUR: Final = "interval '1 hour'"  # which begins with a caller's first call
_SWEPT_AT_ONCE: Final = 10  # a call adds two at most


def _count_clause(rows: str, *, most: str) -> str:
    """Return the clause that counts one call more; it returns no row beyond the most."""
    return f"""
        insert into omdb_callers as known (caller, calls) {rows}
        on conflict (caller) do update set
            calls = case when known.since <= now() - {_HOUR} then 1 else known.calls + 1 end,
            since = case when known.since <= now() - {_HOUR} then now() else known.since end
        where known.since <= now() - {_HOUR} or known.calls < {most}::integer
        returning caller"""


_SITE: Final = "select :site::text, 1 from own where :site::text is not null"
# The site only counts what its network was allowed: no neighbour can use up what is the others'.
_CHARGE: Final = Statement(
    repeatable=True,  # at worst a call counts twice
    sql=f"""
        with own as (
            {_count_clause("select :caller::text, 1", most=":most")}
        ), site as (
            {_count_clause(_SITE, most=":most_of_site")}
        ), swept as (
            delete from omdb_callers where caller in (
                select caller from omdb_callers
                where since <= now() - {_HOUR}
                    and caller <> :caller::text and caller is distinct from :site::text
                order by since limit {_SWEPT_AT_ONCE} for update skip locked)
        )
        select
            exists (select from own) and (:site::text is null or exists (select from site)),
            (select ceil(extract(epoch from max(since) + {_HOUR} - now()))::integer
             from omdb_callers
             where caller = :caller::text and calls >= :most::integer
                or caller = :site::text and calls >= :most_of_site::integer)
    """,  # noqa: S608
)
_REFUND: Final = Statement(
    repeatable=False,
    sql="""
        with own as (
            update omdb_callers set calls = greatest(0, calls - 1) where caller = :caller::text
            returning caller
        ), site as (
            update omdb_callers set calls = greatest(0, calls - 1)
            where caller = :site::text and exists (select from own)
        )
        select 1
    """,
)
STATEMENTS: Final = (_CHARGE, _REFUND)


@dataclass(frozen=True, kw_only=True)
class Payer:
    """Whose calls are counted together.

    Attributes:
        most: Calls an hour.
        site: What the caller is part of, which has `most_of_site` calls.
        advice: How to get more.
    """

    name: str
    most: int
    site: str | None = None
    most_of_site: int = 0
    advice: str = ""


def find_payer(user_id: int | None, address: str, *, calls: int) -> Payer:
    """Return whose calls these are: a user's or, without one, those of an address' network.

    Args:
        calls: What a network has in an hour; an account has several times as many.
    """
    if user_id is not None:
        return Payer(name=f"user {user_id}", most=_LARGER_SHARE * calls)
    found = network_of(address)
    return Payer(
        name=f"network {found.name}",
        most=calls,
        site=None if found.wider is None else f"network {found.wider}",
        most_of_site=_LARGER_SHARE * calls,
        advice=f", or log in for {_LARGER_SHARE} times as many",
    )


def charge(caller: Payer) -> Query[None]:
    """Ask for a call to be counted; beyond the most the answer is `TooManyRequests`."""

    def read(rows: Rows) -> None:
        [[allowed, seconds]] = rows
        if not allowed:
            raise _refusal(caller, max(1, seconds or 1))

    values: Values = {
        "caller": caller.name,
        "most": caller.most,
        "site": caller.site,
        "most_of_site": caller.most_of_site,
    }
    return Query(statement=_CHARGE, values=values, read=read)


def refund(caller: Payer) -> Query[None]:
    """Ask for a call to be taken back that was not made."""
    values: Values = {"caller": caller.name, "site": caller.site}
    return Query(statement=_REFUND, values=values, read=lambda _: None)


def _refusal(caller: Payer, seconds: int) -> TooManyRequests:
    log.warning("caller throttled", extra={"fields": {"caller": caller.name, "seconds": seconds}})
    return TooManyRequests(
        f"Movies that have to be asked of OMDb are limited to {caller.most} an hour for a caller: "
        f"try again in {seconds} seconds{caller.advice}. What is in the catalogue is not limited.",
        retry_after_seconds=seconds,
    )
