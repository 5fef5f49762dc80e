"""Terraform itself on this configuration: its own tests, and plans of environments to be."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from local.functions import read_functions
from tests.support import NEW_ENDPOINT
from tests.terraform.running import (
    FAILURE,
    KEY,
    Terraform,
    leave,
    pretended,
    tries_terraform,
)

THIRTY: Final = 30

pytestmark = tries_terraform


@pytest.fixture
def terraform(tmp_path: Path) -> Iterator[Terraform]:
    yield Terraform(tmp_path)
    shutil.rmtree(tmp_path)


def test_its_own_tests_pass(tmp_path: Path) -> None:
    terraform = Terraform(tmp_path)
    terraform.run("fmt", "-check", "-recursive")
    terraform.run("validate")
    (terraform.root / "terraform" / "backend_override.tf").unlink()
    done = terraform.run("test")
    passed = re.search(r"Success! (\d+) passed, 0 failed", done.stdout)
    shutil.rmtree(tmp_path)
    assert passed
    assert int(passed[1]) >= 30


@pretended
def test_a_plan_beyond_connections_or_addresses_fails_and_says_by_how_much_and_what_to_take(
    terraform: Terraform,
) -> None:
    leave(terraform.functions, {"migrate", "movies_list"})
    over = terraform.plan(
        "dev",
        *("-var", "function_sizes={movies_list={max_instances=30}}"),
        *("-var", "private_network=true", "-var", "subnet_cidr=10.20.0.192/26"),
        code=FAILURE,
    )

    assert "The functions may open 251 database connections" in over.said
    assert "max_connections is 100: 151 too many" in over.said
    assert "movies_list 30 x 8" in over.said
    assert "Lower max_instances, min_instances or connections in function_sizes" in over.said
    assert "may have 31 instances, which need 132 addresses during a deployment" in over.said
    assert "subnet_cidr 10.20.0.192/26 has 64: 68 too few" in over.said
    assert "Take 10.20.0.0/24 or a larger range" in over.said


@pytest.fixture(scope="module")
def thirty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, Any]]]:
    """Plan dev in a network of its own with thirty functions, and return what it says and does."""
    terraform = Terraform(tmp_path_factory.mktemp("thirty"))
    shutil.copytree(NEW_ENDPOINT, terraform.functions / NEW_ENDPOINT.name)
    table = terraform.functions / NEW_ENDPOINT.name / "function.yaml"
    table.write_text(table.read_text(encoding="utf-8") + "connections: 2\n", encoding="utf-8")
    for number in range(THIRTY - len(list(terraform.functions.glob("*/main.py")))):
        another = terraform.functions / f"another_{number}"
        shutil.copytree(terraform.functions / NEW_ENDPOINT.name, another)
        text = table.read_text(encoding="utf-8").replace("movies.count", f"another.{number}")
        (another / "function.yaml").write_text(text, encoding="utf-8")
    values = ("domain=movies.example.com", f"kms_key={KEY}", "private_network=true")
    planned = terraform.plan("dev", *(word for value in values for word in ("-var", value)))
    yield planned.said, terraform.planned()
    shutil.rmtree(terraform.root)


def planned_values(plan: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Return what a plan makes of a type, in all modules, by the key of `for_each`."""
    return {
        change["index"]: change["change"]["after"]
        for change in plan["resource_changes"]
        if change["type"] == kind and isinstance(change.get("index"), str)
    }


def planned_functions(plan: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what a plan makes of each function."""
    return {
        change["address"].split('"')[1]: change["change"]["after"]
        for change in plan["resource_changes"]
        if change["type"] == "google_cloudfunctions2_function"
    }


@pretended
def test_a_new_folder_is_planned_and_dev_has_room_for_thirty_functions(
    thirty: tuple[str, dict[str, Any]],
) -> None:
    _, plan = thirty
    name, address = NEW_ENDPOINT.name, "fn-movies-count@movies-dev-example.iam"
    assert len(planned_values(plan, "google_service_account")) == THIRTY
    assert planned_values(plan, "google_service_account")[name]["account_id"] == ("fn-movies-count")
    assert planned_values(plan, "google_sql_user")[name]["name"] == address
    backends = planned_values(plan, "google_compute_backend_service")
    assert backends[name]["name"] == "movies-movies-count"
    probe = planned_values(plan, "google_monitoring_uptime_check_config")[name]
    assert probe["http_check"][0]["path"] == "/movies.count"
    variables = {
        function: values["service_config"][0]["environment_variables"]
        for function, values in planned_functions(plan).items()
    }
    assert variables[name]["DATABASE_CONNECTIONS"] == "2"
    grants = json.loads(variables["migrate"]["DATABASE_GRANTS"])
    assert grants[name] == {
        "rights": {"movies": "select", "movie_totals": "select"},
        "user": address,
    }
    [routes] = [
        change["change"]["after"]["path_matcher"][0]["path_rule"]
        for change in plan["resource_changes"]
        if change["address"] == "google_compute_url_map.api[0]"
    ]
    assert ["/movies.count", "/v1/movies.count"] in [sorted(rule["paths"]) for rule in routes]


@pretended
def test_a_new_environment_is_encrypted_with_ones_own_key_throughout(
    thirty: tuple[str, dict[str, Any]],
) -> None:
    said, plan = thirty
    keys = {name: values["kms_key_name"] for name, values in planned_functions(plan).items()}

    assert "The database was made without this kms_key" not in said
    assert set(read_functions()) < set(keys)
    assert set(keys.values()) == {KEY}
