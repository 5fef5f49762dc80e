"""What `./dev` makes up when the caller says nothing, and keeps for the next start."""

from pathlib import Path

import jwt
import pytest

from lib.accounts.keys import RefreshSettings, SigningSettings, VerifyingSettings
from lib.database.settings import DatabaseSettings
from local import environment
from local.environment import Environment, keep_password, prepare, provide_password
from local.failure import Failure

URL = "postgresql+pg8000://someone:secret@db.example:5432/films"


@pytest.fixture
def variables() -> dict[str, str]:
    """Return the environment of a caller who has a database and a key of OMDb's."""
    return {"DATABASE_URL": URL, "OMDB_API_KEY": "theirs", "OMDB_URL": "http://omdb.example/"}


def _keys(folder: Path, variables: dict[str, str]) -> tuple[str, str]:
    environment.provide_token_keys(folder, variables)
    return variables["TOKEN_PRIVATE_KEY"], variables["TOKEN_PUBLIC_KEYS"]


def test_the_callers_own_database_and_key_are_used(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    before = dict(variables)
    with prepare(tmp_path / "local", variables) as made:
        assert made.postgres is None
        assert made.demo_omdb is None
    assert {name: variables[name] for name in before} == before
    assert "ADMIN_PASSWORD" not in variables


def test_without_a_key_the_demo_omdb_answers(tmp_path: Path, variables: dict[str, str]) -> None:
    del variables["OMDB_API_KEY"]
    with prepare(tmp_path, variables) as made:
        assert made.demo_omdb == variables["OMDB_URL"]
        assert variables["OMDB_URL"].startswith("http://127.0.0.1:")
        assert variables["OMDB_API_KEY"] == "demo"


def test_without_a_database_the_embedded_one_serves(tmp_path: Path) -> None:
    variables = {"OMDB_API_KEY": "theirs"}
    with prepare(tmp_path, variables) as made:
        assert made.postgres is not None
        assert made.postgres.owned
        assert made.postgres.has_database("movies")
        settings = DatabaseSettings.from_env(variables)
        assert (settings.port, settings.name) == (made.postgres.port, "movies")
        with prepare(tmp_path, {"OMDB_API_KEY": "theirs"}) as second:
            assert second.postgres is not None
            assert not second.postgres.owned
    assert not made.postgres.owned


def test_a_key_pair_is_made_once_and_belongs_together(tmp_path: Path) -> None:
    private, public = _keys(tmp_path, {})
    assert (private, public) == _keys(tmp_path, {})
    assert (tmp_path / "token-key.pem").stat().st_mode & 0o777 == 0o600
    settings = {"TOKEN_PRIVATE_KEY": private, "TOKEN_PUBLIC_KEYS": public}
    signing = SigningSettings.from_env(settings).private_key.reveal()
    verifying = VerifyingSettings.from_env(settings).public_keys[0]
    token = jwt.encode({"sub": "1"}, signing, algorithm="EdDSA")
    assert jwt.decode(token, verifying, algorithms=["EdDSA"]) == {"sub": "1"}


def test_the_callers_own_keys_are_left_alone(tmp_path: Path) -> None:
    theirs = {"TOKEN_PRIVATE_KEY": "a", "TOKEN_PUBLIC_KEYS": "b"}
    assert _keys(tmp_path, theirs) == ("a", "b")
    assert list(tmp_path.iterdir()) == []


def test_keys_that_the_caller_verifies_with_are_kept_beside_ours(tmp_path: Path) -> None:
    _, both = _keys(tmp_path, {"TOKEN_PUBLIC_KEYS": _keys(tmp_path, {})[1]})
    assert len(VerifyingSettings.from_env({"TOKEN_PUBLIC_KEYS": both}).public_keys) == 2


def test_a_spoilt_key_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "token-key.pem").write_text("spoilt")
    with pytest.raises(Failure, match=r"token-key\.pem holds no key: delete it"):
        _keys(tmp_path, {})


def test_a_refresh_key_is_made_once_and_the_callers_own_is_left_alone(tmp_path: Path) -> None:
    made: list[dict[str, str]] = [{}, {}, {"REFRESH_KEY": "theirs"}]
    for variables in made:
        environment.provide_refresh_key(tmp_path, variables)

    assert made[0] == made[1] != made[2] == {"REFRESH_KEY": "theirs"}
    assert RefreshSettings.from_env(made[0])
    assert (tmp_path / "refresh-key").stat().st_mode & 0o777 == 0o600


def test_an_administrators_password_is_made_up_and_found_again(tmp_path: Path) -> None:
    first = Environment(folder=tmp_path)
    provide_password(first)
    keep_password(first)
    second = Environment(folder=tmp_path)
    provide_password(second)
    assert first.variables["ADMIN_PASSWORD"] == second.variables["ADMIN_PASSWORD"]
    assert len(first.variables["ADMIN_PASSWORD"]) >= 15
    assert first.password_file.stat().st_mode & 0o777 == 0o600


def test_the_callers_own_password_comes_first(tmp_path: Path) -> None:
    keep = Environment(folder=tmp_path, variables={"ADMIN_PASSWORD": "an earlier pässword"})
    keep_password(keep)
    theirs = Environment(folder=tmp_path, variables={"ADMIN_PASSWORD": "their own password"})
    provide_password(theirs)
    assert theirs.variables["ADMIN_PASSWORD"] == "their own password"
    nothing_said = Environment(folder=tmp_path)
    provide_password(nothing_said)
    assert nothing_said.variables["ADMIN_PASSWORD"] == "an earlier pässword"


def test_a_folder_that_cannot_be_made_is_one_line(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    (tmp_path / "local").touch()
    with (
        pytest.raises(Failure, match="cannot be made: File exists"),
        prepare(tmp_path / "local", variables),
    ):
        pass
