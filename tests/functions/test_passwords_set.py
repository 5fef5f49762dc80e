"""`POST /passwords.set`."""

from concurrent.futures import ThreadPoolExecutor

import httpx
from sqlalchemy import text

from lib.database.transactions import TransactionalDatabase
from tests.functions.people import NEW_PASSWORD, Admin, bearer, choose, code_of, log_in


def test_a_code_is_used_once_also_of_many_at_once(client: httpx.Client, admin: Admin) -> None:
    code = admin.invite("ana")
    passwords = [f"{NEW_PASSWORD} {turn}" for turn in range(6)]

    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda new: choose(client, code, new), passwords))

    assert sorted(answer.status_code for answer in answers) == [204] + [401] * 5
    works = [log_in(client, "ana", new).status_code for new in passwords]
    assert [answer.status_code == 204 for answer in answers] == [one == 200 for one in works]


def test_a_password_that_is_refused_leaves_the_code_as_it_was(
    client: httpx.Client, admin: Admin
) -> None:
    code = admin.invite("ana maria")

    for weak in ("fourteen chars", "ana maria 2026!"):
        assert code_of(choose(client, code, weak)) == "400 INVALID_REQUEST"

    assert choose(client, code).status_code == 204


def test_a_code_that_is_over_is_answered_as_one_that_never_was(
    client: httpx.Client, admin: Admin, database: TransactionalDatabase
) -> None:
    used, late, taken_back = (admin.invite(name) for name in ("ana", "bob", "cid"))
    choose(client, used)
    admin.post("/users.update", username="cid", disabled=True)
    with database.begin() as connection:
        connection.execute(
            text(
                "update password_codes set expires_at = now() - interval '1 second' "
                "where user_id = (select id from users where username = 'bob')"
            )
        )

    refusals = [choose(client, code) for code in (used, late, taken_back, "smc_never")]

    assert {code_of(answer) for answer in refusals} == {"401 INVALID_CODE"}
    assert len({answer.json()["error"]["message"] for answer in refusals}) == 1
    assert len({answer.headers["WWW-Authenticate"] for answer in refusals}) == 1


def test_all_sessions_before_are_over(client: httpx.Client, admin: Admin) -> None:
    ana = admin.welcome("ana")
    choose(client, admin.post("/users.reset_password", username="ana").json()["data"]["code"])

    assert client.get("/sessions.list", headers=ana).status_code == 401
    ana = bearer(log_in(client, "ana", NEW_PASSWORD))
    assert client.get("/sessions.list", headers=ana).status_code == 200
    assert ("password.set", "ana", "ana") in admin.audited()
