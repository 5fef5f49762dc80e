"""Terraform itself on this configuration: tests, plans, and an apply that only pretends.

MOVIES_TERRAFORM says which providers `terraform init` will find: "pretended" where they carry the
real schemas but create nothing (TF_CLI_CONFIG_FILE names their mirror), "registry" for the real
ones, with which nothing is planned or applied from here.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support import NEW_ENDPOINT
from tests.terraform.configuration import ROOT

PROVIDERS: Final = os.environ.get("MOVIES_TERRAFORM", "")
ENVIRONMENTS: Final = ("dev", "staging", "prod")
NO_CHANGE, CHANGES = 0, 2
THIRTY: Final = 30

pytestmark = [
    pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed"),
    pytest.mark.skipif(
        PROVIDERS not in {"pretended", "registry"},
        reason="MOVIES_TERRAFORM is not set: expected pretended or registry, see the module",
    ),
]
pretended = pytest.mark.skipif(
    PROVIDERS != "pretended", reason="MOVIES_TERRAFORM is not pretended: nothing real is planned"
)


class Terraform:
    """Terraform on a copy of the repository, with its state beside it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        for name in ("terraform", "functions", "lib"):
            shutil.copytree(
                ROOT / name,
                folder / name,
                ignore=shutil.ignore_patterns("__pycache__", ".terraform*", "*.tfstate*"),
            )
        shutil.copy(ROOT / "requirements.txt", folder)
        (folder / "terraform" / "backend_override.tf").write_text(
            'terraform {\n  backend "local" {}\n}\n'
        )
        self.run("init", "-input=false")

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command; a failure fails the test, unless it may fail."""
        done = subprocess.run(  # noqa: S603
            ["terraform", f"-chdir={self.root / 'terraform'}", *arguments, "-no-color"],  # noqa: S607
            # A third less processor time: Go's collector runs at a quarter of its usual rate.
            env={**os.environ, "GOGC": "400"},
            capture_output=True,
            text=True,
            check=False,
        )
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done

    def plan(self, environment: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Plan an environment; the code tells failure, no change and changes apart."""
        return self.run(
            "plan",
            "-input=false",
            "-detailed-exitcode",
            f"-var-file=environments/{environment}/terraform.tfvars",
            "-out=movies.tfplan",
            *arguments,
            check=False,
        )

    def planned(self) -> dict[str, Any]:
        """Return the last plan as JSON."""
        plan: dict[str, Any] = json.loads(self.run("show", "-json", "movies.tfplan").stdout)
        return plan

    def changed(self) -> set[str]:
        """Return the addresses that the last plan changes."""
        return {
            change["address"]
            for change in self.planned().get("resource_changes", [])
            if change["change"]["actions"] not in (["no-op"], ["read"])
        }


@pytest.fixture
def terraform(tmp_path: Path) -> Iterator[Terraform]:
    yield Terraform(tmp_path)
    shutil.rmtree(tmp_path / "terraform")


@dataclass(frozen=True, kw_only=True)
class Applied:
    """An environment as an apply left it, and the plan that was applied; a test plans only."""

    environment: str
    terraform: Terraform
    plan_text: str


@pytest.fixture(scope="module")
def applied(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Applied]:
    environment: str = request.param
    terraform = Terraform(tmp_path_factory.mktemp(environment))
    planned = terraform.plan(environment)
    assert planned.returncode == CHANGES, planned.stdout + planned.stderr
    plan_text = json.dumps(terraform.planned())
    terraform.run("apply", "-input=false", "movies.tfplan")
    yield Applied(environment=environment, terraform=terraform, plan_text=plan_text)
    shutil.rmtree(terraform.root / "terraform")


def test_its_own_tests_pass(terraform: Terraform) -> None:
    terraform.run("fmt", "-check", "-recursive")
    terraform.run("validate")
    (terraform.root / "terraform" / "backend_override.tf").unlink()
    done = terraform.run("test")
    passed = re.search(r"Success! (\d+) passed, 0 failed", done.stdout)
    assert passed
    assert int(passed[1]) >= 30


@pretended
@pytest.mark.parametrize("applied", ENVIRONMENTS, indirect=True)
def test_an_environment_is_applied_once_and_then_stays(applied: Applied) -> None:
    again = applied.terraform.plan(applied.environment)

    assert again.returncode == NO_CHANGE, again.stdout + again.stderr


@pretended
@pytest.mark.parametrize("applied", ENVIRONMENTS, indirect=True)
def test_neither_plan_nor_state_holds_a_secret(applied: Applied) -> None:
    state = applied.terraform.root / "terraform" / "terraform.tfstate"
    state_text = state.read_text(encoding="utf-8")
    for text in (applied.plan_text, state_text):
        # What the stand-ins make of an ephemeral password and key.
        assert "placeholder-result" not in text
        assert "placeholder-private_key" not in text
        assert "placeholder-public_key_pem" not in text
        assert not re.search(r"BEGIN PRIVATE KEY-----(\\\\n|\\n|\s)*[A-Za-z0-9+/=]{20}", text)
    for resource in json.loads(state_text)["resources"]:
        if (
            resource["mode"] == "managed"
            and resource["type"] == "google_secret_manager_secret_version"
        ):
            for instance in resource["instances"]:
                assert instance["attributes"]["secret_data"] is None
                assert instance["attributes"]["secret_data_wo"] is None


@pretended
def test_a_plan_beyond_the_connection_budget_fails_and_says_by_how_much(
    terraform: Terraform,
) -> None:
    sizes = "function_sizes={movies_list={max_instances=8}}"
    over = terraform.plan("dev", "-var", sizes)
    said = " ".join(over.stderr.replace("│", " ").split())
    assert over.returncode == 1
    assert "The functions may open 103 database connections" in said
    assert "max_connections is 100: 3 too many" in said
    assert "movies_list 8 x 8" in said
    assert "Lower max_instances, min_instances or connections in function_sizes" in said


def planned_values(plan: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Return what a plan makes of a type, in all modules, by the key of `for_each`."""
    return {
        change["index"]: change["change"]["after"]
        for change in plan["resource_changes"]
        if change["type"] == kind and isinstance(change.get("index"), str)
    }


@pretended
def test_a_new_folder_is_planned_and_dev_has_room_for_thirty_functions(
    terraform: Terraform,
) -> None:
    functions = terraform.root / "functions"
    shutil.copytree(NEW_ENDPOINT, functions / NEW_ENDPOINT.name)
    table = functions / NEW_ENDPOINT.name / "function.yaml"
    table.write_text(table.read_text(encoding="utf-8") + "connections: 2\n", encoding="utf-8")
    for number in range(THIRTY - len(list(functions.glob("*/main.py")))):
        another = functions / f"another_{number}"
        shutil.copytree(functions / NEW_ENDPOINT.name, another)
        text = table.read_text(encoding="utf-8").replace("movies.count", f"another.{number}")
        (another / "function.yaml").write_text(text, encoding="utf-8")

    done = terraform.plan("dev", "-var", "domain=movies.example.com")

    assert done.returncode == CHANGES, done.stdout + done.stderr
    plan = terraform.planned()
    name, address = NEW_ENDPOINT.name, "fn-movies-count@movies-dev-example.iam"
    assert len(planned_values(plan, "google_service_account")) == THIRTY
    assert planned_values(plan, "google_service_account")[name]["account_id"] == ("fn-movies-count")
    assert planned_values(plan, "google_sql_user")[name]["name"] == address
    backends = planned_values(plan, "google_compute_backend_service")
    assert backends[name]["name"] == "movies-movies-count"
    probe = planned_values(plan, "google_monitoring_uptime_check_config")[name]
    assert probe["http_check"][0]["path"] == "/movies.count"
    variables = {
        change["address"].split('"')[1]: change["change"]["after"]["service_config"][0][
            "environment_variables"
        ]
        for change in plan["resource_changes"]
        if change["type"] == "google_cloudfunctions2_function"
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
@pytest.mark.parametrize("applied", ["dev"], indirect=True)
def test_a_function_that_is_added_waits_for_its_own_grants_and_no_other_is_touched(
    applied: Applied,
) -> None:
    terraform, name = applied.terraform, NEW_ENDPOINT.name
    folder = terraform.root / "functions" / name
    shutil.copytree(NEW_ENDPOINT, folder)
    try:
        terraform.plan("dev")
        changed = terraform.changed()
        told = terraform.run("apply", "-input=false", "movies.tfplan").stdout
    finally:
        shutil.rmtree(folder)
        terraform.plan("dev")
        terraform.run("apply", "-input=false", "movies.tfplan")

    assert {address for address in changed if "time_sleep" in address} == {
        f'time_sleep.grants["{name}"]'
    }
    # The migration is told whose rights there are now.
    assert {address for address in changed if address.endswith("function.main")} == {
        f'module.function["{name}"].google_cloudfunctions2_function.main',
        'module.function["migrate"].google_cloudfunctions2_function.main',
    }
    lines = told.splitlines()
    waited = next(n for n, line in enumerate(lines) if _is(line, "time_sleep.grants", "complete"))
    deployed = next(n for n, line in enumerate(lines) if _is(line, "functions2", "Creating"))
    assert waited < deployed


def _is(line: str, kind: str, event: str) -> bool:
    return kind in line and NEW_ENDPOINT.name in line and event in line


@pretended
def test_a_subnet_that_is_too_small_for_thirty_functions_is_told_with_the_one_to_take(
    terraform: Terraform,
) -> None:
    functions = terraform.root / "functions"
    table = (NEW_ENDPOINT / "function.yaml").read_text(encoding="utf-8")
    for number in range(THIRTY - len(list(functions.glob("*/main.py")))):
        another = functions / f"another_{number}"
        shutil.copytree(NEW_ENDPOINT, another)
        text = table.replace("movies.count", f"another.{number}") + "connections: 2\n"
        (another / "function.yaml").write_text(text, encoding="utf-8")
    private = ("-var", "private_network=true")

    over = terraform.plan("dev", *private, "-var", "subnet_cidr=10.20.0.192/26")
    said = " ".join(over.stderr.replace("│", " ").split())
    fits = terraform.plan("dev", *private, "-var", "subnet_cidr=10.20.0.0/24")

    assert over.returncode == 1
    assert "may have 31 instances, which need 132 addresses during a deployment" in said
    assert "subnet_cidr 10.20.0.192/26 has 64: 68 too few" in said
    assert "Take 10.20.0.0/24 or a larger range" in said
    assert fits.returncode == CHANGES, fits.stdout + fits.stderr


@pretended
def test_without_the_import_nothing_ticks(terraform: Terraform) -> None:
    shutil.rmtree(terraform.root / "functions" / "movies_import", ignore_errors=True)

    done = terraform.plan("dev")

    assert done.returncode == CHANGES, done.stdout + done.stderr
    planned = terraform.planned()
    assert not planned_values(planned, "google_cloud_scheduler_job")
    alerts = planned_values(planned, "google_monitoring_alert_policy")
    assert "server_errors" in alerts
    assert not {name for name in alerts if name.startswith("import_")}


KEY: Final = "projects/keys/locations/europe-west1/keyRings/movies/cryptoKeys/movies"


@pretended
@pytest.mark.parametrize("applied", ["dev"], indirect=True)
def test_a_key_of_ones_own_replaces_nothing_that_is_there(applied: Applied) -> None:
    done = applied.terraform.plan("dev", "-var", f"kms_key={KEY}")

    assert done.returncode == CHANGES, done.stdout + done.stderr
    changes = {
        change["address"]: change["change"]["actions"]
        for change in applied.terraform.planned()["resource_changes"]
        if change["change"]["actions"] not in (["no-op"], ["read"])
    }
    # A database's key is its backups', too, and they are to be where it is.
    assert changes == {
        "google_sql_database_instance.main": ["update"],
        "google_storage_bucket.source": ["update"],
    }
    assert "The database was made without this kms_key" in done.stdout.replace("\n", " ")


@pretended
def test_a_new_environment_is_encrypted_with_ones_own_key_throughout(terraform: Terraform) -> None:
    done = terraform.plan("dev", "-var", f"kms_key={KEY}")

    assert done.returncode == CHANGES, done.stdout + done.stderr
    assert "The database was made without this kms_key" not in done.stdout.replace("\n", " ")
    keys = {
        change["address"]: change["change"]["after"].get("kms_key_name")
        for change in terraform.planned()["resource_changes"]
        if change["type"] == "google_cloudfunctions2_function"
    }
    assert len(keys) == len(list((ROOT / "functions").glob("*/main.py")))
    assert set(keys.values()) == {KEY}


@pretended
@pytest.mark.parametrize("applied", ["dev"], indirect=True)
def test_a_change_deploys_just_what_ships_it_and_going_back_brings_the_very_same_zip(
    applied: Applied,
) -> None:
    terraform = applied.terraform

    def objects() -> set[str]:
        terraform.plan("dev")
        return {address for address in terraform.changed() if "storage_bucket_object" in address}

    main = terraform.root / "functions" / "movies_list" / "main.py"
    before = main.read_text(encoding="utf-8")
    main.write_text(before + "\n# changed\n", encoding="utf-8")
    assert objects() == {'module.function["movies_list"].google_storage_bucket_object.main'}

    main.write_text(before, encoding="utf-8")
    migration = terraform.root / "lib" / "schema" / "migrating.py"
    kept = migration.read_text(encoding="utf-8")
    migration.write_text(kept + "\n# changed\n", encoding="utf-8")
    assert objects() == {'module.function["migrate"].google_storage_bucket_object.main'}

    migration.write_text(kept, encoding="utf-8")
    assert terraform.plan("dev").returncode == NO_CHANGE


@pretended
@pytest.mark.parametrize("applied", ["dev"], indirect=True)
def test_a_rotation_replaces_no_key_that_is_in_use(applied: Applied) -> None:
    applied.terraform.plan("dev", "-var", "token_key_generation=2")
    keys = {
        address for address in applied.terraform.changed() if "secret_version.token_" in address
    }
    assert keys == {
        'google_secret_manager_secret_version.token_private_key["3"]',
        'google_secret_manager_secret_version.token_public_key["3"]',
    }
