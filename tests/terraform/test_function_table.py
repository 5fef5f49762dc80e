"""The function table of Terraform and the functions themselves say the same."""

import ast
import re
from typing import Final

import pytest

from lib import settings
from local.gateway import ROUTES, WITH_ID
from tests.terraform.configuration import ROOT, read, strings, table

TABLE: Final = table("function_table", "functions.tf")
FUNCTIONS: Final = {path.parent.name for path in (ROOT / "functions").glob("*/main.py")}
PRIVATE: Final = {"movies_import", "migrate"}

SECRETS: Final[dict[str, set[str]]] = {
    "admin": {"ADMIN_PASSWORD"},
    "database": set(),
    "import": set(),
    "grant": set(),
    "omdb": {"OMDB_API_KEY"},
    "signing": {"TOKEN_PRIVATE_KEY"},
    "verifying": set(),
}


def required_groups(name: str) -> set[str]:
    """Read from a function's source which groups of settings it requires at its start."""
    tree = ast.parse((ROOT / "functions" / name / "main.py").read_text(encoding="utf-8"))
    return {
        call.args[0].id.removesuffix("Settings").lower()
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "require"
        and isinstance(call.args[0], ast.Name)
    }


def test_every_folder_with_a_function_has_an_entry_and_every_entry_a_folder() -> None:
    assert set(TABLE) == FUNCTIONS


@pytest.mark.parametrize("name", sorted(FUNCTIONS & set(TABLE)))
def test_an_entry_gives_a_function_the_settings_that_it_requires(name: str) -> None:
    assert set(strings(TABLE[name], "settings")) == required_groups(name)


@pytest.mark.parametrize("name", sorted(TABLE))
def test_an_entry_mounts_the_secrets_of_its_settings_and_no_others(name: str) -> None:
    expected = set().union(*(SECRETS[group] for group in strings(TABLE[name], "settings")))
    assert set(strings(TABLE[name], "secrets")) == expected


@pytest.mark.parametrize("name", sorted(TABLE))
def test_only_who_uses_the_database_has_a_role_in_it(name: str) -> None:
    role = strings(TABLE[name], "database_role")
    if "database" in strings(TABLE[name], "settings"):
        assert role == ["cloudsqlsuperuser" if name == "migrate" else name]
    else:
        assert role == []


def test_every_route_of_the_gateway_is_in_the_table() -> None:
    routed = {strings(entry, "route")[0].removesuffix("/*"): name for name, entry in TABLE.items()}
    assert routed == dict(ROUTES)


def test_a_route_takes_a_segment_more_where_the_gateway_does() -> None:
    wild = {
        route.removesuffix("/*")
        for entry in TABLE.values()
        for route in strings(entry, "route")
        if route.endswith("/*")
    }
    assert wild == set(WITH_ID)


def test_only_the_import_and_the_migration_are_private() -> None:
    private = {name for name, entry in TABLE.items() if strings(entry, "invoker") != ["public"]}
    assert private == PRIVATE


def test_every_public_function_has_a_probe_on_its_own_route() -> None:
    for name in set(TABLE) - PRIVATE:
        route = strings(TABLE[name], "route")[0].removesuffix("/*")
        assert strings(TABLE[name], "probe")[0].startswith(route), name


def test_the_budget_counts_as_many_connections_as_the_pool_opens() -> None:
    assert f"pool_size = {settings.HANDLER_THREADS}\n" in read("functions.tf")


@pytest.mark.parametrize("name", sorted(FUNCTIONS - {"migrate", "movies_import"}))
def test_the_waits_of_a_request_end_before_the_function_is_given_up(name: str) -> None:
    waits = 0.0
    if "database" in strings(TABLE[name], "settings"):
        waits += max(settings.TURN_TIMEOUT, settings.POOL_TIMEOUT) + 2 * settings.POOL_TIMEOUT
        waits += settings.CLOUD_SQL_TIMEOUT + settings.SOCKET_TIMEOUT
    if "omdb" in strings(TABLE[name], "settings"):
        waits += settings.OMDB_CALL_TIMEOUT + settings.TURN_TIMEOUT + settings.SOCKET_TIMEOUT
    given = re.search(r"timeout_seconds = (\d+)", TABLE[name]) or re.search(
        r"_function_defaults = \{.*?timeout_seconds = (\d+)", read("functions.tf"), re.DOTALL
    )

    assert given
    assert waits < float(given[1])


def test_a_migration_waits_for_another_for_a_part_of_its_time_only() -> None:
    given = re.search(r"timeout_seconds = (\d+)", TABLE["migrate"])

    assert given
    assert float(given[1]) > settings.MIGRATION_TIMEOUT * 10


def test_every_module_of_lib_has_a_place_in_a_zip() -> None:
    # The zips take all of lib but what Python leaves behind; only who migrates takes migrations.
    assert '!startswith(file, "lib/migrations/")' in read("modules/source/main.tf")
    importers = {
        path.parent.name
        for path in (ROOT / "functions").glob("*/main.py")
        if "lib.migrations" in path.read_text(encoding="utf-8")
    }
    ship = {name for name, entry in TABLE.items() if "admin" in strings(entry, "settings")}
    assert importers == ship
