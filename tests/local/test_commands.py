"""The commands behind `./dev`, each as a process: what a person at the terminal sees."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from local import importing, serve
from local.environment import Environment
from local.failure import Failure

ROOT: Final = Path(__file__).resolve().parents[2]


def _run(*arguments: str, **variables: str) -> tuple[int, str]:
    """Run a command; give its exit code and what it complained of."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **variables}
    command = [sys.executable, "-P", "-m", "local", *arguments]
    done = subprocess.run(  # noqa: S603
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stderr


def test_a_port_in_use_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, errors = _run("serve", PORT=str(port))
    assert code == 1
    assert errors.startswith(f"dev: port {port} of 127.0.0.1 cannot be had: ")
    assert errors.count("\n") == 1


@pytest.mark.parametrize("port", ["http", "-1", "65536", "٣", " 80"])
def test_a_port_that_is_none_is_one_line(port: str) -> None:
    with pytest.raises(Failure, match="expected a whole number from 0 to 65535"):
        serve.run({"PORT": port})


def test_a_database_that_does_not_answer_is_one_line() -> None:
    url = "postgresql+pg8000://someone:hush@127.0.0.1:1/films"
    code, errors = _run("migrate", DATABASE_URL=url, OMDB_API_KEY="theirs")
    assert code == 1
    assert errors.startswith("dev: the database cannot be migrated: ")
    assert errors.count("\n") == 1
    assert "hush" not in errors


def test_a_database_that_wants_a_password_is_one_line(database_url: str) -> None:
    url = re.sub(r":[^:@/]+@", "@", database_url)
    code, errors = _run("migrate", DATABASE_URL=url, OMDB_API_KEY="theirs")
    assert code == 1
    assert errors.startswith("dev: the database cannot be migrated: ")
    assert errors.endswith("(the server asks for a password, and DATABASE_URL holds none)\n")
    assert errors.count("\n") == 1


def test_a_malformed_setting_is_its_own_line() -> None:
    code, errors = _run("migrate", DATABASE_URL="nonsense", OMDB_API_KEY="theirs")
    assert code == 1
    assert errors.startswith("dev: DATABASE_URL is malformed")
    assert errors.count("\n") == 1


def test_the_key_that_is_wrong_is_named(database_url: str) -> None:
    given = {"DATABASE_URL": database_url, "OMDB_API_KEY": "theirs", "PORT": "0"}
    code, errors = _run("serve", TOKEN_PRIVATE_KEY="x", **given)
    assert code == 1
    assert errors.startswith("dev: TOKEN_PRIVATE_KEY is malformed")
    assert errors.count("\n") == 1


def test_an_unknown_option_shows_the_usage() -> None:
    code, errors = _run("import", "--everything")
    assert code == 2
    assert errors.startswith("usage: ./dev ")


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "cannot be read"), ("", "holds no ids"), ("# none\n\n", "holds no ids")],
)
def test_a_file_without_ids_is_one_line(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "ids.txt"
    if text is not None:
        path.write_text(text)
    with pytest.raises(Failure, match=message):
        importing.run(path, None, refresh=False)


def test_the_banner_gives_calls_that_can_be_pasted(tmp_path: Path) -> None:
    variables = {"ADMIN_PASSWORD": 'it\'s "quoted" $HOME'}
    text = serve.banner("http://127.0.0.1:1", Environment(folder=tmp_path, variables=variables))
    for route in ("list", "get", "get_many", "search", "random", "create", "delete", "import"):
        assert f"http://127.0.0.1:1/movies.{route}" in text
    for concept in (
        *("sessions.list", "sessions.refresh", "sessions.end", "keys.list", "keys.create"),
        *("users.list", "users.create", "passwords.set", "audit.list"),
    ):
        assert f"http://127.0.0.1:1/{concept}" in text
    start = text.index('-d \'{"username"') + len("-d ")
    quoted = text[start : text.index(")\n", start)]
    echoed = subprocess.run(  # noqa: S603
        ["/bin/bash", "-c", f"printf %s {quoted}"], capture_output=True, text=True, check=True
    )
    assert echoed.stdout == '{"username": "admin", "password": "it\'s \\"quoted\\" $HOME"}'


def test_the_banner_names_no_administrator_whom_the_migration_has_not_made(tmp_path: Path) -> None:
    environment = Environment(folder=tmp_path, variables={"ADMIN_PASSWORD": "short"})

    text = serve.banner("http://127.0.0.1:1", environment, "ADMIN_PASSWORD cannot be used: x")

    assert "\nAdministrator: none, so that no token can be had: ADMIN_PASSWORD cannot" in text
    assert "Administrator: admin" not in text
