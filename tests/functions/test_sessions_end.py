"""`POST /sessions.end`: one's sessions are over from the next request on."""

import httpx
import pytest

from tests.functions.conftest import Granted, LogIn
from tests.functions.sessions import bearer, code_of, end, make_key, refresh, sessions_of


def assert_over(client: httpx.Client, granted: Granted) -> None:
    answer = client.get("/sessions.list", headers=bearer(granted))
    assert code_of(answer) == (401, "UNAUTHORIZED")
    assert code_of(refresh(client, granted["refresh_token"])) == (401, "INVALID_REFRESH_TOKEN")


def id_of(client: httpx.Client, granted: Granted) -> str:
    [found] = [one["id"] for one in sessions_of(client, granted) if one["is_this"]]
    return str(found)


def test_without_more_the_session_of_the_token_ends(client: httpx.Client, log_in: LogIn) -> None:
    one, other = log_in("viewer"), log_in("viewer")

    answer = end(client, {}, headers=bearer(one))

    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert_over(client, one)
    assert len(sessions_of(client, other)) == 1
    assert code_of(end(client, {}, headers=bearer(one))) == (401, "UNAUTHORIZED")


def test_a_session_ends_by_its_id_again_and_again(client: httpx.Client, log_in: LogIn) -> None:
    one, other = log_in("viewer"), log_in("viewer")
    asked = {"id": id_of(client, other)}

    assert [end(client, asked, headers=bearer(one)).status_code for _ in range(2)] == [204, 204]

    assert_over(client, other)
    assert len(sessions_of(client, one)) == 1


def test_only_administrators_end_others_sessions_and_nobody_is_told_which_there_are(
    client: httpx.Client, log_in: LogIn
) -> None:
    viewer, editor, admin = (log_in(role) for role in ("viewer", "editor", "admin"))
    asked = {"id": id_of(client, viewer)}

    assert end(client, asked, headers=bearer(editor)).status_code == 204
    assert sessions_of(client, viewer)
    assert end(client, asked, headers=bearer(admin)).status_code == 204
    assert_over(client, viewer)


@pytest.mark.parametrize("kept", [False, True])
def test_all_of_ones_sessions_end_with_this_one_or_without(
    client: httpx.Client, log_in: LogIn, *, kept: bool
) -> None:
    others, this, own = log_in("editor"), log_in("viewer"), log_in("viewer")

    asked = {"all": True, "except_this": True} if kept else {"all": True}
    assert end(client, asked, headers=bearer(this)).status_code == 204

    assert_over(client, own)
    assert len(sessions_of(client, others)) == 1
    if kept:
        assert len(sessions_of(client, this)) == 1
    else:
        assert_over(client, this)


def test_whoever_has_the_refresh_token_needs_no_other(client: httpx.Client, log_in: LogIn) -> None:
    begun, other = log_in("viewer"), log_in("viewer")
    gone_on = refresh(client, begun["refresh_token"]).json()["data"]
    asked = {"refresh_token": gone_on["refresh_token"]}

    assert [end(client, asked).status_code for _ in range(2)] == [204, 204]

    assert_over(client, gone_on)
    assert len(sessions_of(client, other)) == 1
    for nothing in ("", "x", begun["refresh_token"], f"smr_{'0' * 32}_{'A' * 43}"):
        assert end(client, {"refresh_token": nothing}).status_code == 204
    # The token of a session that has ended is no hindrance to what needs none.
    assert end(client, asked, headers=bearer(gone_on)).status_code == 204


@pytest.mark.parametrize("asked", [{}, {"id": "0" * 32}, {"all": True}])
def test_all_else_needs_a_token(
    client: httpx.Client, log_in: LogIn, asked: dict[str, object]
) -> None:
    editor = log_in("editor")
    key = {"Authorization": f"Bearer {make_key(client, editor)['key']}"}

    assert code_of(end(client, asked)) == (401, "UNAUTHORIZED")
    assert code_of(end(client, asked, headers=key)) == (403, "FORBIDDEN")
    assert len(sessions_of(client, editor)) == 1
