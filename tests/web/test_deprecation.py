"""How an endpoint that is to go tells its callers so."""

from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Route

from lib.web.deprecation import Deprecated
from lib.web.endpoint import Answer, Request, data, endpoint
from local.servers import Server

DAYS: Final = st.dates(min_value=date(1970, 1, 1))
METHODS: Final = ["GET", "HEAD", "OPTIONS", "PUT"]


async def tell(_: Request) -> Answer:
    """Answer something."""
    return data("something")


def app(deprecated: Deprecated | None) -> Starlette:
    handler = endpoint("GET", deprecated=deprecated)(tell)
    return Starlette(routes=[Route("/", handler, methods=METHODS)])


def test_what_is_to_go_says_so_in_every_answer() -> None:
    to_go = Deprecated(since=date(2026, 12, 1), until=date(2027, 6, 1))

    with Server(app(to_go)) as server, httpx.Client(base_url=server.url) as client:
        answers = [client.request(method, path) for method in METHODS for path in ("/", "/?x=1")]
        tag = {"If-None-Match": answers[0].headers["ETag"]}
        answers.append(client.get("/", headers=tag))

    assert {answer.status_code for answer in answers} == {200, 204, 304, 400, 405}
    # As RFC 9745, 2.1, and RFC 8594, 3, have them.
    assert {answer.headers["Deprecation"] for answer in answers} == {"@1796083200"}
    assert {answer.headers["Sunset"] for answer in answers} == {"Tue, 01 Jun 2027 00:00:00 GMT"}


def test_without_a_day_nothing_is_said_of_it() -> None:
    assert "Sunset" not in Deprecated(since=date(2026, 12, 1)).headers()


def test_what_stays_says_nothing() -> None:
    with Server(app(None)) as server:
        answer = httpx.get(server.url)

    assert not {"Deprecation", "Sunset"} & {*answer.headers}


@given(since=DAYS, until=DAYS)
def test_both_headers_name_the_days_that_were_declared(since: date, until: date) -> None:
    since, until = min(since, until), max(since, until)

    headers = Deprecated(since=since, until=until).headers()

    told = (
        datetime.fromtimestamp(int(headers["Deprecation"].removeprefix("@")), UTC),
        parsedate_to_datetime(headers["Sunset"]),
    )
    assert [moment.date() for moment in told] == [since, until]
    assert [str(moment.time()) for moment in told] == ["00:00:00", "00:00:00"]


def test_nothing_is_gone_before_it_is_deprecated() -> None:
    with pytest.raises(ValueError, match="gone from 2026-11-30 on"):
        Deprecated(since=date(2026, 12, 1), until=date(2026, 11, 30)).headers()
