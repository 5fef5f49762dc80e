"""`DELETE /users.delete/<username>`."""

from urllib.parse import quote

import httpx
import pytest

from tests.functions.people import Admin, Authorization, bearer, code_of, log_in


@pytest.mark.parametrize(
    "name", ["ana", "Ana Maria", "jürgen+1", "50%", "a&b=c?d#e", "a/b", "名前"]
)
def test_a_user_is_deleted_by_their_name_percent_encoded(admin: Admin, name: str) -> None:
    admin.invite(name)
    path = f"/users.delete/{quote(name, safe='')}"

    answers = [admin.client.delete(path, headers=admin.headers) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [204, 404]
    assert answers[0].content == b""
    assert code_of(answers[1]) == "404 USER_NOT_FOUND"


def test_with_the_user_goes_all_but_what_they_did(client: httpx.Client, admin: Admin) -> None:
    admin.welcome("ana")
    granted = log_in(client, "ana")
    refresh = {"refresh_token": granted.json()["data"]["refresh_token"]}

    client.delete("/users.delete/ana", headers=admin.headers)

    assert client.get("/sessions.list", headers=bearer(granted)).status_code == 401
    assert client.post("/sessions.refresh", json=refresh).status_code == 401
    assert log_in(client, "ana").status_code == 401
    assert admin.audited(actor="ana")[0][:2] == ("login", "ana")


def test_nobody_deletes_themselves(client: httpx.Client, admin: Admin) -> None:
    answer = client.delete("/users.delete/some%20admin", headers=admin.headers)

    assert code_of(answer) == "409 OWN_ACCOUNT"


@pytest.mark.parametrize(
    "path",
    [
        "/users.delete",
        "/v1/users.delete",
        "/users.delete/%00",
        "/users.delete/%20",
        "/users.delete/%C3",
        "/users.delete/a%E2%80%8Bna",
        "/users.delete/" + "x" * 101,
    ],
)
def test_a_path_without_a_name_is_refused(client: httpx.Client, admin: Admin, path: str) -> None:
    answer = client.delete(path, headers=admin.headers)

    assert code_of(answer) == "400 INVALID_REQUEST"
    assert list(answer.json()["error"]["fields"]) == ["username"]


def test_only_administrators_delete_users(
    client: httpx.Client, authorization: Authorization
) -> None:
    answer = client.delete("/users.delete/ana", headers=authorization("editor"))

    assert code_of(answer) == "403 FORBIDDEN"
