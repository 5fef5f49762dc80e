"""Keys for machines: what they may do, never more than their owner, and never for long."""

import logging
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lib.accounts import api_keys
from lib.accounts.roles import ROLES
from lib.accounts.tokens import Claims
from lib.errors import Forbidden, InvalidRequest, KeyNotFound, TooManyKeys, Unauthorized
from tests.accounts.town import ADDRESS, GUARD, GUARD_WITH_KEYS, Town

KEY = re.compile(r"smk_[0-9a-f]{12}_[A-Za-z0-9_-]{43}")
GOOD = {"name": "ci", "role": "editor", "expires_in_days": 30}


def claims_of(town: Town, username: str) -> Claims:
    return town.admit(town.log_in(username).token)


def make(town: Town, claims: Claims, **changed: object) -> api_keys.CreatedKey:
    asked = api_keys.MEMBERS.read_body({**GOOD, **changed})
    return town.database.answer(api_keys.create_key(claims, **asked, address=ADDRESS))


def delete(town: Town, claims: Claims, key_id: str) -> None:
    town.database.answer(api_keys.delete_key(claims, key_id, address=ADDRESS))


def listed(town: Town, claims: Claims, username: str | None = None) -> Sequence[Mapping[str, Any]]:
    return town.database.answer(api_keys.list_keys(claims, username=username)).records


def test_a_key_is_shown_once_and_known_by_its_digest_only(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="lib")
    claims = claims_of(town, "ed")

    made = make(town, claims)

    assert KEY.fullmatch(made.key)
    assert list(made.as_answer()) == ["key", "id", "name", "role", "created_at", "expires_at"]
    assert made.key.split("_")[1] == made.shown["id"]
    assert listed(town, claims) == [made.shown]
    assert town.rows("select expires_at - created_at = interval '30 days' from api_keys") == [
        (True,)
    ]
    [(kept,)] = town.rows("select json_agg(k)::text || (select json_agg(a)::text from audit_log a) "
                          "from api_keys k")  # fmt: skip
    written = " ".join([kept, repr(made), *(str(one.__dict__) for one in caplog.records)])
    assert made.key[-43:] not in written
    assert town.audited()[-1] == ("key.created", "ed", made.shown["id"])


def test_a_key_lets_in_where_keys_are_taken_and_is_403_elsewhere(town: Town) -> None:
    made = town.make_key()

    said = town.admit(made.key, GUARD_WITH_KEYS, "editor", "admin")

    assert (said.role, said.session_id) == ("editor", made.shown["id"])
    assert town.rows("select username from users where id = :id", id=said.user_id) == [("ed",)]
    with pytest.raises(Forbidden) as caught:
        town.admit(made.key, GUARD)
    assert caught.value.headers == {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}


def test_where_no_keys_are_taken_none_is_asked_for_in_the_database() -> None:
    with pytest.raises(Forbidden):
        GUARD.admit({"authorization": "Bearer smk_x"}, roles=ROLES)

    assert len(GUARD_WITH_KEYS.statements) == len(GUARD.statements) + 1


@pytest.mark.parametrize(
    "key",
    ["smk_", "smk_x", "smk_" + "0" * 12 + "_" + "a" * 43, "smk_" + "0" * 12 + "_" + "a" * 42,
     "smk_" + "A" * 12 + "_" + "a" * 43, "smk_" + "a" * 8000],
    ids=lambda key: key[:20],
)  # fmt: skip
def test_what_is_no_key_is_401(town: Town, key: str) -> None:
    made = town.make_key()

    for wrong in (key, made.key[:-1] + ("a" if made.key[-1] != "a" else "b")):
        with pytest.raises(Unauthorized) as caught:
            town.admit(wrong)
        assert caught.value.headers == {"WWW-Authenticate": 'Bearer error="invalid_token"'}

    assert town.admit(made.key)


@pytest.mark.parametrize("own", ["viewer", "editor"])
@pytest.mark.parametrize("owners", ROLES)
def test_a_key_may_what_it_and_its_owner_both_may_just_now(
    town: Town, own: str, owners: str
) -> None:
    made = town.make_key("ed", own)
    town.rows("update users set role = :role where username = 'ed'", role=owners)

    assert town.admit(made.key).role == min(own, owners, key=ROLES.index)
    if "viewer" in {own, owners}:
        with pytest.raises(Forbidden, match="yours is viewer"):
            town.admit(made.key, GUARD_WITH_KEYS, "editor", "admin")


@pytest.mark.parametrize(
    "how",
    ["update users set disabled_at = now()", "delete from users",
     "update api_keys set expires_at = now()", "delete from api_keys"],
)  # fmt: skip
def test_a_key_that_is_over_or_whose_owner_has_gone_is_401_from_the_next_request_on(
    town: Town, how: str
) -> None:
    made = town.make_key()
    assert town.admit(made.key)

    town.rows(how)

    with pytest.raises(Unauthorized):
        town.admit(made.key)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        *(({"name": name}, "name") for name in ("", "x" * 101, "a\0", "\ud800", 7, None)),
        *(({"role": role}, "role") for role in ("admin", "owner", "", None, ["viewer"])),
        *(
            ({"expires_in_days": days}, "expires_in_days")
            for days in (0, 366, -1, 10**30, 1.5, True, "30", None)
        ),
    ],
    ids=ascii,
)
def test_what_breaks_a_rule_makes_no_key(
    town: Town, changed: dict[str, object], field: str
) -> None:
    claims = claims_of(town, "ann")

    with pytest.raises(InvalidRequest) as caught:
        make(town, claims, **changed)

    assert set(caught.value.fields) == {field}
    assert town.rows("select * from api_keys") == []


def test_nobody_makes_a_key_that_may_more_than_they_may(town: Town) -> None:
    viewer = claims_of(town, "vic")

    with pytest.raises(Forbidden):
        make(town, viewer, role="editor")

    assert make(town, viewer, role="viewer").shown["role"] == "viewer"
    assert make(town, claims_of(town, "ann"), role="editor").shown["role"] == "editor"


def test_of_thirty_keys_at_once_twenty_are_made(town: Town) -> None:
    claims = claims_of(town, "ed")

    def attempt(_: int) -> str:
        try:
            return make(town, claims).shown["id"] and "made"
        except TooManyKeys:
            return "too many"

    with ThreadPoolExecutor(8) as threads:
        told = sorted(threads.map(attempt, range(30)))

    assert told == ["made"] * 20 + ["too many"] * 10
    assert make(town, claims_of(town, "ann"))
    [(one, *_), *_] = town.rows("select id from api_keys where user_id = :id", id=claims.user_id)
    delete(town, claims, one)
    assert make(town, claims)


def test_a_user_who_is_being_disabled_gets_no_key(town: Town) -> None:
    claims = claims_of(town, "ed")
    with ThreadPoolExecutor(1) as thread:
        with town.database.begin() as connection:
            connection.exec_driver_sql("update users set disabled_at = now()")
            connection.exec_driver_sql("delete from api_keys")
            making = thread.submit(make, town, claims)
        with pytest.raises(TooManyKeys):
            making.result(10)

    assert town.rows("select * from api_keys") == []


def test_keys_are_their_owners_and_administrators_to_see_and_delete(town: Town) -> None:
    made = [town.make_key("ed") for _ in range(2)]
    editor, viewer, admin = (claims_of(town, name) for name in ("ed", "vic", "ann"))
    ids = {one.shown["id"] for one in made}

    assert {one["id"] for one in listed(town, editor)} == ids
    assert listed(town, admin) == []
    assert {one["id"] for one in listed(town, admin, username="Ed")} == ids
    with pytest.raises(Forbidden):
        api_keys.list_keys(viewer, username="ed")
    with pytest.raises(KeyNotFound):
        delete(town, viewer, made[0].shown["id"])

    delete(town, editor, made[0].shown["id"])
    delete(town, admin, made[1].shown["id"])

    deleted = [entry for entry in town.audited() if entry[0] == "key.deleted"]
    assert deleted == [("key.deleted", "ed", made[0].shown["id"]),
                       ("key.deleted", "ann", made[1].shown["id"])]  # fmt: skip
    for one in made:
        with pytest.raises(Unauthorized):
            town.admit(one.key)
    with pytest.raises(KeyNotFound):
        delete(town, editor, made[0].shown["id"])


@pytest.mark.parametrize("key_id", ["", "x", "A" * 12, "0" * 13, "0" * 12 + "\n", "\0", "\ud800"])
def test_what_is_no_id_of_a_key_is_a_wrong_request(key_id: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        api_keys.IN_PATH.read_query({"id": key_id})

    assert set(caught.value.fields) == {"id"}
