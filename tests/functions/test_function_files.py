"""Each folder's `function.yaml`, its `main.py` and Terraform say the same."""

import ast
import re
import shutil
from pathlib import Path
from typing import Final

import pytest

from lib import limits
from local.failure import Failure
from local.functions import FILE, SECRETS, Function, read_functions
from tests.terraform.configuration import ROOT, read

FUNCTIONS: Final = list(read_functions().values())
each_function = pytest.mark.parametrize("function", FUNCTIONS, ids=lambda one: one.name)


def required_groups(function: Function) -> set[str]:
    """Read from a function's source which groups of settings it requires at its start."""
    source = ROOT / "functions" / function.name / "main.py"
    return {
        call.args[0].id.removesuffix("Settings").lower()
        for call in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "require"
        and isinstance(call.args[0], ast.Name)
    }


@each_function
def test_a_function_is_given_the_settings_that_it_requires(function: Function) -> None:
    given = {*function.settings, *(["database"] if function.rights else [])}

    assert given == required_groups(function)


def test_terraform_knows_the_same_secrets() -> None:
    named = re.search(r"secret_settings = \{(.*?)\n  \}", read("functions.tf"), re.DOTALL)
    assert named
    lists = re.findall(r"(\w+) += \[(.*)\]", named[1])

    assert {group: tuple(re.findall(r'"(\w+)"', names)) for group, names in lists} == SECRETS


@each_function
def test_whoever_can_be_asked_by_everybody_is_asked_by_the_uptime_check(function: Function) -> None:
    assert (function.probe is not None) == function.is_public


@each_function
def test_an_id_is_told_where_a_route_has_one(function: Function) -> None:
    calls = (*function.checks, *([function.usual] if function.usual else []))
    has_id = {"{id}" in route for route in function.routes}

    assert has_id == {bool(call.id) for call in calls}


def test_a_route_leads_to_one_function() -> None:
    routes = [route for function in FUNCTIONS for route in function.routes]

    assert len(routes) == len(set(routes))


def who(may: str, table: str) -> set[str]:
    """Return the functions whose role has a right on a table, whole or in part."""
    found = set()
    for function in FUNCTIONS:
        rights = function.rights if isinstance(function.rights, dict) else {}
        if re.search(rf"\b{may}\b(?! \()|{may} \([^)]*\)", rights.get(table, "")):
            found.add(function.name)
    return found


def columns(may: str, table: str) -> dict[str, str]:
    """Return the columns of a table that each function has a right on; "" where that is all."""
    return {
        function.name: "".join(re.findall(rf"{may} \(([^)]*)\)", function.rights.get(table, "")))
        for function in FUNCTIONS
        if function.name in who(may, table) and isinstance(function.rights, dict)
    }


def test_the_dangerous_cells() -> None:
    # On purpose by name: who is added here should have been thought about.
    assert who("delete", "movies") == {"movies_delete"}
    assert who("insert", "movies") == who("update", "movies") == {"movies_create", "movies_import"}
    assert who("insert", "users") == {"users_create"}
    assert who("delete", "users") == {"users_delete"}
    assert columns("update", "users") == {
        "login": "password_hash",
        **dict.fromkeys(
            ("passwords_change", "passwords_set"), "password_hash, password_set_at, changed_at"
        ),
        # To lock a user's row takes a right to change something of it.
        **dict.fromkeys(("users_delete", "users_reset_password"), "changed_at"),
        "users_update": "username, role, disabled_at, changed_at",
    }
    assert columns("insert", "users") == {"users_create": "username, role"}
    assert who("insert", "password_codes") == {"users_create", "users_reset_password"}
    assert who("insert", "sessions") == {"login"}
    assert who("update", "sessions") == {"login", "sessions_refresh"}
    assert who("delete", "sessions") == {
        *("login", "sessions_end", "sessions_refresh"),
        *("passwords_change", "passwords_set", "users_reset_password", "users_update"),
    }
    assert who("insert", "audit_log") == {
        *("keys_create", "keys_delete", "login", "movies_delete"),
        *("passwords_change", "passwords_set", "sessions_end", "sessions_refresh"),
        *("users_create", "users_delete", "users_reset_password", "users_update"),
    }
    assert who("select", "audit_log") == {"audit_list"}
    assert not any(who(action, "audit_log") for action in ("update", "delete"))
    assert who("insert", "api_keys") == {"keys_create"}
    assert who("delete", "api_keys") == {"keys_delete", "users_update"}
    assert who("update", "api_keys") == set()
    hashes = {
        name
        for name, seen in columns("select", "users").items()
        if not seen or "password_hash" in seen
    }
    assert hashes == {"login", "passwords_change"}
    assert {function.name for function in FUNCTIONS if function.rights == "owner"} == {"migrate"}
    assert {function.name for function in FUNCTIONS if not function.is_public} == {
        "migrate",
        "movies_import",
    }
    assert {
        secret: {function.name for function in FUNCTIONS if secret in function.secrets}
        for secret in ("ADMIN_PASSWORD", "OMDB_API_KEY", "REFRESH_KEY", "TOKEN_PRIVATE_KEY")
    } == {
        "ADMIN_PASSWORD": {"migrate"},
        "OMDB_API_KEY": {"movies_create", "movies_import"},
        "REFRESH_KEY": {"sessions_refresh"},
        "TOKEN_PRIVATE_KEY": {"login", "sessions_refresh"},
    }


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("invoker: everybody", "invoker: 'everybody' is not one of"),
        ("rout: /a", "'rout' was unexpected"),
        ("database: {movies: all}", "database"),
        ("database: {movies; drop: select}", "database"),
        ("connections: 0", "connections: 0 is less than the minimum of 1"),
        ("smoke: [{statuses: [200], cod: X}]", "'cod' was unexpected"),
        ("settings: [omdbb]", "settings[0]: 'omdbb' is not one of"),
        ("[", "cannot be read"),
    ],
)
def test_a_wrong_key_is_named_with_its_file(tmp_path: Path, line: str, told: str) -> None:
    folder = tmp_path / "functions" / "a_function"
    folder.mkdir(parents=True)
    (folder / "main.py").touch()
    base = {"route": "/a", "invoker": "public"}
    lines = [f"{key}: {value}" for key, value in base.items() if not line.startswith(key)]
    (folder / FILE).write_text("\n".join([*lines, line]))

    with pytest.raises(Failure) as caught:
        read_functions(tmp_path)

    assert str(folder / FILE) in str(caught.value)
    assert told in str(caught.value)


def test_a_folder_with_two_lines_is_a_function(tmp_path: Path) -> None:
    folder = tmp_path / "functions" / "a_function"
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "functions" / FUNCTIONS[0].name / "main.py", folder)
    (folder / FILE).write_text("route: [/a, '/b/{id}']\ninvoker: public\n")

    [function] = read_functions(tmp_path).values()

    assert function.routes == ("/a", "/b/{id}")


@pytest.mark.parametrize(
    "function", [one for one in FUNCTIONS if one.is_public], ids=lambda one: one.name
)
def test_the_waits_of_a_request_end_before_the_function_is_given_up(function: Function) -> None:
    waits = 0.0
    if function.rights:
        waits += max(limits.TURN_TIMEOUT, limits.POOL_TIMEOUT) + 2 * limits.POOL_TIMEOUT
        waits += limits.CLOUD_SQL_TIMEOUT + limits.SOCKET_TIMEOUT + limits.EQUAL_TIMEOUT
    if "omdb" in function.settings:
        waits += limits.OMDB_CALL_TIMEOUT + limits.TURN_TIMEOUT + limits.SOCKET_TIMEOUT
    default = re.search(r"timeout_seconds = (\d+)", read("functions.tf"))
    assert default

    assert waits < function.sizes.get("timeout_seconds", int(default[1]))


def test_a_migration_ends_before_the_function_is_given_up() -> None:
    waits = 3 * limits.MIGRATION_TIMEOUT + limits.WORK_TIMEOUT + limits.INDEX_TIMEOUT
    for migrate in (function for function in FUNCTIONS if function.rights == "owner"):
        assert migrate.sizes["timeout_seconds"] > waits


def test_dev_has_room_for_thirty_functions_of_two_connections() -> None:
    # As ../../terraform/database.tf reckons; dev changes neither sizes nor the database.
    defaults = {
        name: int(number)
        for name, number in re.findall(
            r"^ +(\w+) += (?:optional\(number, )?(\d+)\b",
            read("functions.tf") + read("variables.tf"),
            re.MULTILINE,
        )
    }
    sizes = [function.sizes for function in FUNCTIONS if function.rights]
    sizes += [{"connections": 2}] * (30 - len(FUNCTIONS))
    needed = defaults["reserved_connections"] + sum(
        size.get("max_instances", defaults["max_instances"])
        * size.get("connections", defaults["connections"])
        for size in sizes
    )

    dev = read("environments/dev/terraform.tfvars")
    assert not re.search(r"^(database|function_sizes)\b", dev, re.MULTILINE)
    assert needed <= defaults["max_connections"]


def test_every_module_of_lib_has_a_place_in_a_zip() -> None:
    # The zips take all of lib but what Python leaves behind; only who migrates takes its schema.
    assert '!startswith(file, "lib/schema/")' in read("modules/source/main.tf")
    importers = {
        path.parent.name
        for path in (ROOT / "functions").glob("*/main.py")
        if "lib.schema" in path.read_text(encoding="utf-8")
    }
    ship = {function.name for function in FUNCTIONS if "admin" in function.settings}
    assert importers == ship
