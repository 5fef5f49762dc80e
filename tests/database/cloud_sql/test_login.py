"""Who logs in through the connector, with which certificate."""

from datetime import timedelta

import google.oauth2.credentials
import pytest

from lib.database.cloud_sql import own_database_user
from lib.database.settings import DatabaseSettings
from lib.errors import DatabaseUnavailable
from lib.settings import SettingsError
from local.cloud_sql.stand_in import ADMIN_SCOPE, AccountCredentials, CloudSqlStandIn
from tests.database.cloud_sql.pools import WHO, Connect
from tests.support import ECHO


def test_without_user_and_password_the_service_account_logs_in_with_its_token(
    connect: Connect, stand_in: CloudSqlStandIn
) -> None:
    assert connect().run(WHO) == [[stand_in.user]]
    assert stand_in.logins == [stand_in.user]


def test_a_token_that_is_not_for_logins_does_not_log_in(
    connect: Connect, stand_in: CloudSqlStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    class AlwaysAdmin(AccountCredentials):
        def with_scopes(self, scopes: object, default_scopes: object = None) -> "AlwaysAdmin":  # noqa: ARG002
            return AlwaysAdmin(stand_in, [ADMIN_SCOPE])

    with pytest.raises(DatabaseUnavailable):
        connect(credentials=AlwaysAdmin(stand_in)).run(ECHO, value="x")

    assert [record.getMessage() for record in caplog.records] == ["database unavailable"]
    assert stand_in.logins == []


def test_a_token_does_not_log_in_as_somebody_else(
    connect: Connect, stand_in: CloudSqlStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(DatabaseUnavailable):
        connect(user="movies-delete@demo-project.iam").run(ECHO, value="x")

    assert [record.fields for record in caplog.records] == [{"sqlstate": "28000"}]  # type: ignore[attr-defined]
    assert stand_in.logins == []


def test_with_a_password_the_certificate_carries_no_token(
    connect: Connect, stand_in: CloudSqlStandIn, settings: DatabaseSettings
) -> None:
    pool = connect(user=settings.user, password=settings.password)

    assert pool.run(WHO) == [[settings.user]]
    assert stand_in.logins == []


def test_a_person_s_credentials_name_no_database_user() -> None:
    person = google.oauth2.credentials.Credentials("token")  # type: ignore[no-untyped-call]

    with pytest.raises(SettingsError, match="DB_USER is not set"):
        own_database_user(person)


def test_a_certificate_serves_every_connection_until_it_is_about_to_expire(
    connect: Connect, stand_in: CloudSqlStandIn
) -> None:
    pool = connect()
    one, other = pool._open_pool().take(), pool._open_pool().take()
    one.close()
    other.close()

    assert sorted(stand_in.calls) == ["connectSettings", "generateEphemeralCert"]
    assert stand_in.proxy.accepted == 2


def test_a_certificate_that_is_about_to_expire_is_renewed(
    connect: Connect, stand_in: CloudSqlStandIn
) -> None:
    stand_in.certificate_lifetime = timedelta(minutes=1)
    pool = connect()
    one, other = pool._open_pool().take(), pool._open_pool().take()
    one.close()
    other.close()

    assert stand_in.calls.count("generateEphemeralCert") == 2


def test_a_token_that_is_about_to_expire_renews_the_certificate_that_carries_it(
    connect: Connect, stand_in: CloudSqlStandIn
) -> None:
    pool = connect(credentials=AccountCredentials(stand_in, lifetime=60))
    one, other = pool._open_pool().take(), pool._open_pool().take()
    one.close()
    other.close()

    assert stand_in.calls.count("generateEphemeralCert") == 2
    assert len(stand_in.logins) == 2


@pytest.mark.parametrize("how", ["expired", "refused"])
def test_a_certificate_that_the_instance_does_not_take_is_replaced_for_the_next_request(
    connect: Connect, stand_in: CloudSqlStandIn, how: str
) -> None:
    pool = connect()
    if how == "expired":
        stand_in.certificate_lifetime = timedelta(minutes=-1)
    else:
        assert pool.run(ECHO, value="before") == [["before"]]
        stand_in.refuse_certificates()
        pool._open_pool().dispose()
    with pytest.raises(DatabaseUnavailable):
        pool.run(ECHO, value="refused")
    stand_in.certificate_lifetime = timedelta(hours=1)

    assert pool.run(ECHO, value="after") == [["after"]]
