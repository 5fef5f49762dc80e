"""The environment, read once and checked."""

import json
from urllib.parse import quote

import pytest

from lib.accounts.keys import SigningSettings, VerifyingSettings
from lib.accounts.users import AdminSettings
from lib.database.settings import DatabaseSettings
from lib.imports.settings import ImportSettings
from lib.omdb.settings import OmdbSettings
from lib.schema.settings import Grant, GrantSettings
from lib.settings import Group, Secret, SettingsError, require
from lib.web.settings import ServerSettings

URL = "postgresql+pg8000://movies:s%40cret@db.example:6543/catalogue"


def test_a_database_url_is_taken_apart() -> None:
    settings = DatabaseSettings.from_env({"DATABASE_URL": URL})

    assert (settings.host, settings.port, settings.name) == ("db.example", 6543, "catalogue")
    assert (settings.user, settings.password) == ("movies", Secret("s@cret"))


def test_a_cloud_sql_instance_goes_before_a_url() -> None:
    settings = DatabaseSettings.from_env(
        {
            "DATABASE_URL": URL,
            "CLOUD_SQL_INSTANCE": "project:europe-west1:main",
            "DB_USER": "movies-list@project.iam",
            "DB_IP_TYPE": "PRIVATE",
        }
    )

    assert settings.instance == "project:europe-west1:main"
    assert (settings.name, settings.user) == ("movies", "movies-list@project.iam")
    assert (settings.password, settings.ip_type) == (None, "PRIVATE")


def test_a_start_waits_for_the_database_only_when_told_and_within_what_cloud_run_grants() -> None:
    def wait(text: str) -> int:
        env = {"DATABASE_URL": URL, "DATABASE_WAIT_SECONDS": text}
        return DatabaseSettings.from_env(env).wait_seconds

    assert DatabaseSettings.from_env({"DATABASE_URL": URL}).wait_seconds == 0
    assert (wait("0"), wait("120"), wait("200")) == (0, 120, 200)
    for wrong in ("201", "-1", "", "soon"):
        with pytest.raises(SettingsError, match=r"^DATABASE_WAIT_SECONDS is .* from 0 to 200$"):
            wait(wrong)


def test_a_password_makes_the_login_one_by_password() -> None:
    settings = DatabaseSettings.from_env(
        {"CLOUD_SQL_INSTANCE": "example.com:project:europe-west1:main", "DB_PASSWORD": "s@cret"}
    )

    assert settings.password == Secret("s@cret")


def test_defaults_are_those_of_the_documentation() -> None:
    omdb = OmdbSettings.from_env({"OMDB_API_KEY": "k"})

    assert (omdb.url, omdb.daily_budget, omdb.concurrency) == (
        "https://www.omdbapi.com/",
        1000,
        8,
    )
    assert (omdb.calls_per_caller, omdb.import_share) == (60, 40)
    assert ImportSettings.from_env({}) == ImportSettings(seconds=480, lease_seconds=120)
    assert AdminSettings.from_env({}) == AdminSettings(username="admin", password=None)
    assert ServerSettings.from_env({}) == ServerSettings(
        log_level="INFO", project=None, proxies=0, in_cloud=False
    )


def test_cloud_run_is_recognised_and_has_one_proxy_before_it() -> None:
    settings = ServerSettings.from_env({"K_SERVICE": "movies-list", "GOOGLE_CLOUD_PROJECT": "p"})

    assert (settings.in_cloud, settings.proxies, settings.project) == (True, 1, "p")


def test_several_public_keys_are_told_apart(public_key_pem: str) -> None:
    settings = VerifyingSettings.from_env({"TOKEN_PUBLIC_KEYS": public_key_pem * 2})

    assert len(settings.public_keys) == 2


def test_line_ends_of_a_key_may_be_written_as_two_characters(private_key_pem: str) -> None:
    settings = SigningSettings.from_env({"TOKEN_PRIVATE_KEY": private_key_pem.replace("\n", "\\n")})

    assert settings.private_key.reveal() == private_key_pem


@pytest.mark.parametrize(
    ("group", "name", "value"),
    [
        (DatabaseSettings, "DATABASE_URL", None),
        (DatabaseSettings, "DATABASE_URL", ""),
        (DatabaseSettings, "DATABASE_URL", "mysql://user@host/name"),
        (DatabaseSettings, "DATABASE_URL", "postgresql+pg8000://host/name"),
        (DatabaseSettings, "DATABASE_URL", "postgresql+pg8000://user@host"),
        (DatabaseSettings, "DATABASE_URL", "postgresql+pg8000://user@host:port/name"),
        (DatabaseSettings, "DATABASE_URL", "postgresql+pg8000://user@host/name?sslmode=no"),
        (DatabaseSettings, "CLOUD_SQL_INSTANCE", "main"),
        (DatabaseSettings, "CLOUD_SQL_INSTANCE", ""),
        (OmdbSettings, "OMDB_API_KEY", None),
        (OmdbSettings, "OMDB_API_KEY", " "),
        (ImportSettings, "IMPORT_SECONDS", "0"),
        (ImportSettings, "IMPORT_SECONDS", "٤٨"),
        (ImportSettings, "IMPORT_LEASE_SECONDS", "2 minutes"),
        (SigningSettings, "TOKEN_PRIVATE_KEY", None),
        (SigningSettings, "TOKEN_PRIVATE_KEY", "a key"),
        (VerifyingSettings, "TOKEN_PUBLIC_KEYS", None),
        (VerifyingSettings, "TOKEN_PUBLIC_KEYS", "a key"),
        (AdminSettings, "ADMIN_USERNAME", " "),
        (GrantSettings, "DATABASE_GRANTS", ""),
        (GrantSettings, "DATABASE_GRANTS", "[]"),
        (GrantSettings, "DATABASE_OPERATORS", ""),
        (GrantSettings, "DATABASE_OPERATORS", "{}"),
        (GrantSettings, "DATABASE_OPERATORS", '"ana@example.com"'),
        (GrantSettings, "DATABASE_OPERATORS", '["ana"]'),
        (GrantSettings, "DATABASE_OPERATORS", '["Ana@example.com"]'),
        (GrantSettings, "DATABASE_OPERATORS", '["ana@example.com\\"; drop table movies; --"]'),
        (GrantSettings, "DATABASE_OPERATORS", f'["{"a" * 52}@example.com"]'),
        (GrantSettings, "DATABASE_OPERATORS", "[1]"),
        (ServerSettings, "LOG_LEVEL", "verbose"),
        (ServerSettings, "TRUSTED_PROXIES", "-1"),
        (ServerSettings, "LOAD_BALANCER_ADDRESSES", "192.0.2.1,192.0.2.2"),
        (ServerSettings, "LOAD_BALANCER_ADDRESSES", "192.0.2.0/24"),
        (ServerSettings, "LOAD_BALANCER_ADDRESSES", "movies.example.com"),
    ],
)
def test_a_missing_or_malformed_variable_is_named_in_one_line(
    group: type[Group], name: str, value: str | None
) -> None:
    with pytest.raises(SettingsError, match=f"^{name} is ") as caught:
        group.from_env({} if value is None else {name: value})

    assert "expected" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OMDB_URL", "ftp://example.org"),
        ("OMDB_URL", "https://example.org/?apikey=x"),
        ("OMDB_DAILY_BUDGET", "1e3"),
        ("OMDB_CONCURRENCY", "65"),
        ("OMDB_CALLS_PER_CALLER", "0"),
        ("OMDB_IMPORT_SHARE", "51"),
        ("OMDB_IMPORT_SHARE", "40%"),
    ],
)
def test_omdbs_settings_are_checked(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name} is "):
        OmdbSettings.from_env({"OMDB_API_KEY": "k", name: value})


@pytest.mark.parametrize(
    "pasted",
    [
        "0a1b2c3d\n",
        " 0a1b2c3d\r\n",
        '"0a1b2c3d"',
        "'0a1b2c3d' ",
        "\u201c0a1b2c3d\u201d",
        "\ufeff0a1b2c3d",
        "apikey=0a1b2c3d",
        "&apikey=0a1b2c3d",
        "'APIKEY = 0a1b2c3d'",
        'apikey="0a1b2c3d"',
        "http://www.omdbapi.com/?i=tt3896198&apikey=0a1b2c3d",
    ],
)
def test_what_is_pasted_with_a_key_is_taken_off(pasted: str) -> None:
    assert OmdbSettings.from_env({"OMDB_API_KEY": pasted}).api_key == Secret("0a1b2c3d")


@pytest.mark.parametrize(
    "wrong",
    [
        "0a1b 2c3d",
        "0a1b\n2c3d",
        "0a1b\x002c3d",
        "0a1b2c3d&i=tt0111161",
        "key=0a1b2c3d",
        "0a1b2c3d0a1b2c3d" * 10,
        "<0a1b2c3d>",
        "0a1b2c3\u0661",
        "''",
    ],
)
def test_what_can_be_no_key_is_told_at_the_start_without_showing_it(wrong: str) -> None:
    with pytest.raises(SystemExit) as caught:
        require(OmdbSettings, {"OMDB_API_KEY": wrong})

    told = str(caught.value)
    assert told.startswith("OMDB_API_KEY is malformed: expected ")
    assert "\n" not in told
    assert "0a1b" not in told


def test_a_function_with_wrong_settings_ends_with_that_line() -> None:
    with pytest.raises(SystemExit) as caught:
        require(OmdbSettings, {})

    assert str(caught.value).startswith("OMDB_API_KEY is not set")


@pytest.mark.parametrize(
    ("group", "env"),
    [
        (DatabaseSettings, {"DATABASE_URL": URL}),
        (OmdbSettings, {"OMDB_API_KEY": "s@cret"}),
        (AdminSettings, {"ADMIN_PASSWORD": "my s@cret"}),
    ],
)
def test_secrets_do_not_show_themselves(group: type[Group], env: dict[str, str]) -> None:
    settings = group.from_env(env)

    assert "s@cret" not in f"{settings!r} {settings}"
    assert settings == group.from_env(env)
    assert hash(settings) == hash(group.from_env(env))


def test_a_malformed_url_does_not_show_its_password() -> None:
    with pytest.raises(SettingsError) as caught:
        DatabaseSettings.from_env({"DATABASE_URL": "postgres//movies:s@cret@host/name"})

    assert "s@cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("password", "mark"),
    [("se#cret", "#"), ("se@cret", "@"), ("se/cret", "/"), ("se?cret", "?"), ("se%cret", "%"),
     ("se%2", "%"), ("se[cret", "["), ("se cret", " "), ("#1", "#"), ("p@ss/w?rd#", "?")],
)  # fmt: skip
@pytest.mark.parametrize(
    "rest", ["@db.example:6543/catalogue", "@db.example/catalogue", "@db/c?sslmode=require"]
)
def test_a_password_that_is_not_percent_encoded_is_refused_with_the_reason(
    password: str, mark: str, rest: str
) -> None:
    with pytest.raises(SettingsError) as refusal:
        DatabaseSettings.from_env({"DATABASE_URL": f"postgresql+pg8000://movies:{password}{rest}"})
    told = str(refusal.value)
    assert "percent-encoded" in told
    assert f"{mark!r} as %{ord(mark):02X}" in told
    assert password not in told
    encoded = quote(password, safe="")
    url = f"postgresql+pg8000://movies:{encoded}{rest}"
    assert DatabaseSettings.from_env({"DATABASE_URL": url}).password == Secret(password)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (
            "postgresql://u:hush@h/n?hush=1",
            "behind the ? may stand, each once: sslmode, sslrootcert",
        ),
        ("postgresql://u:hush@h/n?hush", "behind the ? may stand"),
        ("postgresql://u:hush@h/n?", "behind the ? may stand"),
        ("postgresql://u:hush@h/n?sslmode=", "behind the ? may stand"),
        ("postgresql://u:hush@h/n?sslmode=require&sslmode=disable", "each once"),
        ("postgresql://u:hush@h/n?sslmode=REQUIRE", "sslmode must be one of disable, prefer"),
        ("postgresql://u:hush@h/n?sslmode=verify-ca", "verify-ca needs sslrootcert=FILE"),
        ("postgresql://u:hush@h/n?sslmode=verify-ca&sslrootcert=system", "goes with"),
        ("postgresql://u:hush@h/n?sslrootcert=/dev/null", "sslrootcert goes with"),
        ("postgresql://u:hush@h/n?sslmode=verify-full&sslrootcert=/none", "No such file"),
        ("postgresql://u:hush@h/n?sslmode=verify-full&sslrootcert=/dev/null", "no certificate"),
        ("postgresql://u:hush@h:0/n", "another shape"),
        ("postgresql://u:hush@h:65536/n", "another shape"),
        ("postgresql://u:hush@h:5432:1/n", "another shape"),
        ("postgresql://u:hush@h1,h2/n", "another shape"),
        ("postgresql://u:hush@h/n/m", "another shape"),
        ("postgresql://u:hush@h/", "another shape"),
        ("postgresql://u:hu\nsh@h/n", "another shape"),
        ("postgresql://u:hush%00@h/n", "NUL"),
        ("postgresql://u:hush%ff@h/n", "no UTF-8"),
    ],
)
def test_an_address_is_read_strictly_and_never_shown(url: str, told: str) -> None:
    with pytest.raises(SettingsError, match=r"^DATABASE_URL is malformed: ") as refusal:
        DatabaseSettings.from_env({"DATABASE_URL": url})
    assert told in str(refusal.value)
    assert "hush" not in str(refusal.value)


def test_an_address_without_parameters_is_one_without_tls() -> None:
    settings = DatabaseSettings.from_env({"DATABASE_URL": "postgresql://u@[::1]:6543/n\n"})
    assert (settings.host, settings.port, settings.name) == ("::1", 6543, "n")
    assert (settings.ssl_mode, settings.ssl_root_cert) == ("disable", None)
    url = "postgresql://u:a:b@h/n?sslmode=verify-full"
    settings = DatabaseSettings.from_env({"DATABASE_URL": url})
    assert settings.password == Secret("a:b")
    assert (settings.ssl_mode, settings.ssl_root_cert) == ("verify-full", "system")


@pytest.mark.parametrize(
    "entry",
    [
        {"movies_list": 1},
        {"movies_list": {"user": "someone"}},
        {"movies_list": {"user": "", "rights": {}}},
        {"movies_list": {"user": "u" * 64, "rights": {}}},
        {"movies_list": {"user": "u", "rights": {}, "more": 1}},
        {"movies-list": {"user": "u", "rights": {}}},
        {'x" superuser; --': {"user": "u", "rights": {}}},
        {"movies_list": {"user": "u", "rights": {"movies; drop table movies": "select"}}},
        {"movies_list": {"user": "u", "rights": {"movies": "all"}}},
        {"movies_list": {"user": "u", "rights": {"movies": "select on users to public; --"}}},
        {"movies_list": {"user": "u", "rights": {"movies": "select (id) "}}},
        {"movies_list": {"user": "u", "rights": {"movies": "execute"}}},
        {"movies_list": {"user": "u", "rights": {"movie_due_at()": "select"}}},
        {"movies_list": {"user": "u", "rights": {"movies": 1}}},
    ],
)
def test_what_is_no_right_becomes_no_sql(entry: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=r"^DATABASE_GRANTS is wrong about '"):
        GrantSettings.from_env({"DATABASE_GRANTS": json.dumps(entry)})


def test_grants_are_read_as_they_are_written() -> None:
    rights = {"users": "select (id, role), update (role)", "movie_due_at()": "execute"}
    given = json.dumps({"movies_list": {"user": "movies-list@a.iam", "rights": rights}})

    grants = GrantSettings.from_env({"DATABASE_GRANTS": given}).grants

    assert grants == {"movies_list": Grant(user="movies-list@a.iam", rights=rights)}


def test_operators_are_read_as_they_are_written() -> None:
    longest = f"{'a' * 51}@example.com"
    given = json.dumps(["ana@example.com", longest, "ana@example.com"])

    assert GrantSettings.from_env({"DATABASE_OPERATORS": given}).operators == frozenset(
        {"ana@example.com", longest}
    )
    assert GrantSettings.from_env({"DATABASE_OPERATORS": "[]"}).operators == frozenset()
    assert GrantSettings.from_env({}).operators is None
