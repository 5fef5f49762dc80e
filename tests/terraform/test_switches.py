"""Switches of a live environment, in an apply that only pretends: what changes, in which order.

What Google refuses, such as the deletion of a backend that a URL map still names, no stand-in can
refuse; but the order in which Terraform goes about it is Terraform's own.
"""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.terraform import test_terraform as base
from tests.terraform.test_terraform import CHANGES, Terraform

pytestmark = [*base.pytestmark, base.pretended]

KEPT: Final = {"brew_coffee", "login", "migrate", "movies_delete", "movies_list"}
PROJECT: Final = "movies-prod-example"
# The few functions that are kept are others than prod.tfvars sizes.
FEW: Final = ("-var", "function_sizes={}")
DOMAIN: Final = ("-var", "domain=movies.example.com")
DATABASE: Final = "google_sql_database_instance.main"


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terraform]:
    terraform = Terraform(tmp_path_factory.mktemp("live"))
    leave(terraform, KEPT)
    plan(terraform)
    terraform.run("apply", "-input=false", "movies.tfplan")
    yield terraform
    shutil.rmtree(terraform.root / "terraform")


def leave(terraform: Terraform, kept: set[str]) -> None:
    """Leave just these functions."""
    for folder in (terraform.root / "functions").iterdir():
        if folder.is_dir() and folder.name not in kept:
            shutil.rmtree(folder)


@pytest.fixture
def live(applied: Terraform) -> Iterator[Terraform]:
    """Give prod with a domain, at its beginning; what a test does to it is undone."""
    state, functions = state_file(applied), applied.root / "functions"
    kept = state.read_bytes()
    shutil.copytree(functions, applied.root / "kept")
    yield applied
    state.write_bytes(kept)
    shutil.rmtree(functions)
    (applied.root / "kept").rename(functions)


def state_file(terraform: Terraform) -> Path:
    return terraform.root / "terraform" / "terraform.tfstate"


def plan(
    terraform: Terraform,
    *arguments: str,
    domain: tuple[str, ...] = DOMAIN,
    environment: str = "prod",
) -> dict[str, list[str]]:
    """Plan, and return what is done to each address that is not left alone."""
    done = terraform.plan(environment, *FEW, *domain, *arguments)
    assert done.returncode == CHANGES, done.stdout + done.stderr
    return {
        change["address"]: change["change"]["actions"]
        for change in terraform.planned()["resource_changes"]
        if change["change"]["actions"] not in (["no-op"], ["read"])
    }


def apply(terraform: Terraform) -> list[str]:
    """Apply the last plan, and return what began and ended, in that order."""
    lines = terraform.run("apply", "-input=false", "-json", "movies.tfplan").stdout.splitlines()
    events = [json.loads(line) for line in lines]
    return [
        f"{event['type'].removeprefix('apply_')} {event['hook']['action']}"
        f" {event['hook']['resource']['addr']}"
        for event in events
        if event["type"] in {"apply_start", "apply_complete"} and event["hook"]["action"] != "read"
    ]


def instances(terraform: Terraform) -> list[dict[str, Any]]:
    """Return every instance of a managed resource in the state, with its type."""
    state = json.loads(state_file(terraform).read_text(encoding="utf-8"))
    return [
        {"type": resource["type"], **instance}
        for resource in state["resources"]
        if resource["mode"] == "managed"
        for instance in resource["instances"]
    ]


def protections(value: object) -> list[object]:
    """Return what stands behind each name that begins with `deletion_protection`."""
    if isinstance(value, list):
        return [found for one in value for found in protections(one)]
    if not isinstance(value, dict):
        return []
    return [
        found
        for name, one in value.items()
        for found in ([one] if name.startswith("deletion_protection") else protections(one))
    ]


def test_a_teardown_first_takes_all_protection_away_and_then_destroys_all(live: Terraform) -> None:
    switch = ("-var", f"teardown={PROJECT}")
    before = [one for found in instances(live) for one in protections(found["attributes"])]
    assert before
    assert all(before)

    changed = plan(live, *switch)
    assert all(actions == ["update"] for actions in changed.values())
    # The plan shows functions, too: what they read of the secrets is looked up again, and the same.
    done = apply(live)

    assert {re.sub(r"\[.*", "", line) for line in done if line.startswith("start")} == {
        f"start update {DATABASE}",
        "start update google_secret_manager_secret.main",
        "start update google_service_networking_connection.database",
    }
    # A destroy asks the state, which the switch is in only now.
    after = instances(live)
    assert len(before) == sum(len(protections(one["attributes"])) for one in after)
    assert not any(one for found in after for one in protections(found["attributes"]))
    [settings] = [
        one["attributes"]["settings"] for one in after if "sql_database_inst" in one["type"]
    ]
    assert settings[0]["retain_backups_on_delete"] is True
    assert settings[0]["final_backup_config"] == [{"enabled": True, "retention_days": 30}]

    assert plan(live) == changed

    destroyed = plan(live, *switch, "-destroy")
    assert len(destroyed) == len(after)
    assert {tuple(actions) for actions in destroyed.values()} == {("delete",)}


def test_own_urls_are_closed_by_a_switch_that_touches_nothing_else(live: Terraform) -> None:
    changed = plan(live, "-var", "domain_only=true")

    public = KEPT - {"migrate"}
    functions = {
        f'module.function["{name}"].google_cloudfunctions2_function.main' for name in public
    }
    probes = {f'google_monitoring_uptime_check_config.function["{name}"]' for name in public}
    assert {address for address in changed if "function.main" in address} == functions
    assert {address for address in changed if "uptime" in address} == probes
    assert set(changed) == functions | probes
    assert all(changed[address] == ["update"] for address in functions)

    apply(live)
    assert plan(live) == changed


def test_without_the_domain_again_only_the_load_balancer_goes(live: Terraform) -> None:
    changed = plan(live, domain=())

    gone = {address for address, actions in changed.items() if actions == ["delete"]}
    assert gone == {address for address in changed if "function.main" not in address} - {
        "time_sleep.services"
    }
    assert all(
        re.match(
            r"google_(compute_(?!network|subnetwork)|certificate_manager_|"
            r"project_(iam_member\.deployer|service\.main)\[)",
            address,
        )
        for address in gone
    ), gone
    assert not {address for address in changed if "_sql_" in address}

    apply(live)
    again = plan(live)
    assert {address for address, actions in again.items() if actions == ["create"]} == gone
    assert {address for address, actions in again.items() if "delete" in actions} <= {
        "time_sleep.services"
    }
    assert not {address for address in again if "_sql_" in address}


def test_backups_move_there_and_back_and_the_database_stays(live: Terraform) -> None:
    # Of the region alone, as prod.tfvars has it otherwise.
    database = {"high_availability": True, "max_connections": 400, "tier": "db-custom-4-15360"}
    database |= {"disk_limit_gb": 200, "retained_backups": 30}
    moved = ("-var", f"database={json.dumps({**database, 'backup_location': 'europe-west1'})}")

    assert plan(live, *moved) == {DATABASE: ["update"]}
    apply(live)
    assert plan(live) == {DATABASE: ["update"]}


def test_working_hours_come_and_go_and_the_database_stays(tmp_path: Path) -> None:
    terraform = Terraform(tmp_path)
    leave(terraform, {"migrate", "movies_list"})
    hours = ("-var", f"database={json.dumps({'working_hours': {'start': 6, 'stop': 20}})}")
    none = ("-var", "database={}")

    def switch(*to: str) -> dict[str, list[str]]:
        return plan(terraform, *to, domain=(), environment="dev")

    switch(*none)
    apply(terraform)

    changed = switch(*hours)

    made = {address for address, actions in changed.items() if actions == ["create"]}
    assert {address for address in made if "hours" in address} == {
        "google_project_iam_member.hours[0]",
        "google_service_account.hours[0]",
        'google_service_account_iam_member.deployer_acts_as["hours"]',
        'google_cloud_scheduler_job.hours["start"]',
        'google_cloud_scheduler_job.hours["stop"]',
    }
    assert changed[DATABASE] == ["update"]
    assert not {address for address in changed if "_sql_" in address} - {DATABASE}

    apply(terraform)
    back = switch(*none)

    assert {address for address, actions in back.items() if actions == ["delete"]} == made
    assert back[DATABASE] == ["update"]
    assert not {address for address in back if "_sql_" in address} - {DATABASE}
    shutil.rmtree(tmp_path)


def test_the_url_map_lets_go_of_a_function_before_its_backend_goes(live: Terraform) -> None:
    functions = live.root / "functions"
    table = functions / "movies_list" / "function.yaml"
    public = table.read_text(encoding="utf-8")
    table.write_text(public.replace("invoker: public", "invoker: deployer"), encoding="utf-8")
    # The first by name, to which the URL map falls back.
    removed = functions / "brew_coffee"
    removed.rename(live.root / "removed")
    plan(live)

    done = apply(live)

    updated = done.index("complete update google_compute_url_map.api[0]")
    for name in ("brew_coffee", "movies_list"):
        backend = f'delete google_compute_backend_service.function["{name}"]'
        group = f'delete google_compute_region_network_endpoint_group.function["{name}"]'
        assert updated < done.index(f"start {backend}")
        assert done.index(f"complete {backend}") < done.index(f"start {group}")

    table.write_text(public, encoding="utf-8")
    (live.root / "removed").rename(removed)
    plan(live)

    done = apply(live)

    updated = done.index("start update google_compute_url_map.api[0]")
    for name in ("brew_coffee", "movies_list"):
        backend = f'complete create google_compute_backend_service.function["{name}"]'
        assert done.index(backend) < updated
    made = 'complete create module.function["brew_coffee"].google_cloudfunctions2_function.main'
    assert done.index(made) < updated


def test_a_key_goes_only_after_the_functions_that_read_it_have_another(live: Terraform) -> None:
    # The stand-ins give all versions one number: it is another variable that functions see change.
    plan(live, "-var", "token_key_generation=4", "-var", "log_level=DEBUG")

    done = apply(live)

    versions = "google_secret_manager_secret_version.token_"
    for name, half in (("login", "private"), ("movies_delete", "public")):
        function = f'update module.function["{name}"].google_cloudfunctions2_function.main'
        made = done.index(f'complete create {versions}{half}_key["4"]')
        assert made < done.index(f"start {function}")
        for old in ("1", "2"):
            gone = done.index(f'start delete {versions}{half}_key["{old}"]')
            assert done.index(f"complete {function}") < gone


def test_nothing_whose_name_is_taken_would_be_made_a_second_time(live: Terraform) -> None:
    inherit = {one["type"] for one in instances(live) if one.get("create_before_destroy")}

    assert "google_compute_backend_service" in inherit
    assert not inherit & {
        "google_cloud_run_v2_service_iam_member",
        "google_cloudfunctions2_function",
        "google_sql_database_instance",
    }
