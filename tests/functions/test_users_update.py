"""`POST /users.update`."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.functions.people import Admin, bearer, code_of, log_in


def test_a_role_and_a_name_count_from_the_next_request_on(
    client: httpx.Client, admin: Admin
) -> None:
    ana = admin.welcome("ana")
    assert client.delete("/movies.delete/tt0111161", headers=ana).status_code == 404

    answer = admin.post("/users.update", username="ANA", role="viewer", new_username="Anna")

    user = answer.json()["data"]
    assert answer.status_code == 200
    assert (user["username"], user["role"], user["state"]) == ("anna", "viewer", "active")
    assert client.delete("/movies.delete/tt0111161", headers=ana).status_code == 403
    assert log_in(client, "anna").status_code == 200
    assert log_in(client, "ana").status_code == 401


def test_who_is_disabled_is_refused_everywhere_and_gets_nothing_back(
    client: httpx.Client, admin: Admin
) -> None:
    admin.welcome("ana")
    granted = log_in(client, "ana")
    ana = bearer(granted)
    refresh = {"refresh_token": granted.json()["data"]["refresh_token"]}
    made = client.post(
        "/keys.create", json={"name": "ci", "role": "editor", "expires_in_days": 1}, headers=ana
    )
    key = {"Authorization": f"Bearer {made.json()['data']['key']}"}
    assert client.delete("/movies.delete/tt0111161", headers=key).status_code == 404

    admin.post("/users.update", username="ana", disabled=True)

    for _ in range(2):
        assert client.delete("/movies.delete/tt0111161", headers=ana).status_code == 401
        assert client.delete("/movies.delete/tt0111161", headers=key).status_code == 401
        assert client.post("/sessions.refresh", json=refresh).status_code == 401
        admin.post("/users.update", username="ana", disabled=False)
    assert log_in(client, "ana").status_code == 200


@pytest.mark.parametrize("change", [{"role": "editor"}, {"disabled": True}])
def test_nobody_takes_their_own_rights_away(admin: Admin, change: dict[str, object]) -> None:
    answer = admin.post("/users.update", username="some admin", **change)

    assert code_of(answer) == "409 OWN_ACCOUNT"
    assert admin.get("/users.list").status_code == 200


def test_of_two_who_demote_each_other_at_once_one_is_left(admin: Admin) -> None:
    other = Admin(client=admin.client, headers=admin.welcome("ana", "admin"))
    for _ in range(5):
        with ThreadPoolExecutor(2) as threads:
            asked = [
                threads.submit(one.post, "/users.update", username=name, role="editor")
                for one, name in ((admin, "ana"), (other, "some admin"))
            ]
            statuses = sorted(one.result().status_code for one in asked)
        assert statuses[0] == 200
        assert statuses[1] in {403, 409}
        winner, loser = (admin, "ana") if asked[0].result().is_success else (other, "some admin")
        assert winner.post("/users.update", username=loser, role="admin").status_code == 200


def test_a_name_that_is_taken_and_a_user_that_is_none(admin: Admin) -> None:
    admin.invite("ana")
    taken = admin.post("/users.update", username="ana", new_username="SOME ADMIN")
    nobody = admin.post("/users.update", username="bob", role="viewer")

    assert code_of(taken) == "409 USERNAME_TAKEN"
    assert code_of(nobody) == "404 USER_NOT_FOUND"


def test_nothing_to_change_is_told_what_could_be(admin: Admin) -> None:
    answer = admin.post("/users.update", username="some admin")

    assert code_of(answer) == "400 INVALID_REQUEST"
    assert "role, disabled or new_username" in answer.json()["error"]["message"]
