"""Switches of a live environment, in an apply that only pretends: what changes, in which order.

What Google refuses, such as the deletion of a backend that a URL map still names, no stand-in can
refuse; but the order in which Terraform goes about it is Terraform's own.
"""

import json
import re
from typing import Any, Final

from tests.terraform.running import (
    DATABASE,
    DOMAIN,
    FEW,
    KEPT,
    NO_CHANGE,
    Plan,
    Terraform,
    pretended,
    tries_terraform,
)

pytestmark = [*tries_terraform, pretended]

PROJECT: Final = "movies-prod-example"


def plan(terraform: Terraform, *arguments: str, domain: tuple[str, ...] = DOMAIN) -> Plan:
    return terraform.plan("prod", *FEW, *domain, *arguments)


def instances(terraform: Terraform) -> list[dict[str, Any]]:
    """Return every instance of a managed resource in the state, with its type."""
    state = json.loads(terraform.state.read_text(encoding="utf-8"))
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


def test_an_environment_is_applied_once_and_then_stays(live: Terraform) -> None:
    live.plan("prod", *FEW, *DOMAIN, code=NO_CHANGE)


def test_neither_plan_nor_state_holds_a_secret(applied_prod: tuple[Terraform, str]) -> None:
    terraform, plan_text = applied_prod
    state_text = terraform.state.read_text(encoding="utf-8")
    for text in (plan_text, state_text):
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


def test_a_teardown_first_takes_all_protection_away_and_then_destroys_all(live: Terraform) -> None:
    switch = ("-var", f"teardown={PROJECT}")
    before = [one for found in instances(live) for one in protections(found["attributes"])]
    assert before
    assert all(before)

    changed = plan(live, *switch).changes
    assert set(changed.values()) == {"update"}
    # The plan shows functions, too: what they read of the secrets is looked up again, and the same.
    done = live.apply()

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

    assert plan(live).changes == changed

    destroyed = plan(live, *switch, "-destroy").changes
    assert len(destroyed) == len(after)
    assert set(destroyed.values()) == {"delete"}


def test_closing_own_urls_and_moving_backups_touch_nothing_else_and_can_be_taken_back(
    live: Terraform,
) -> None:
    # Backups of the region alone, as prod.tfvars has it otherwise.
    database = {"high_availability": True, "max_connections": 400, "tier": "db-custom-4-15360"}
    database |= {"disk_limit_gb": 200, "retained_backups": 30}
    moved = ("-var", f"database={json.dumps({**database, 'backup_location': 'europe-west1'})}")

    changed = plan(live, "-var", "domain_only=true", *moved).changes

    public = KEPT - {"migrate"}
    functions = {
        f'module.function["{name}"].google_cloudfunctions2_function.main' for name in public
    }
    probes = {f'google_monitoring_uptime_check_config.function["{name}"]' for name in public}
    assert {address for address in changed if "function.main" in address} == functions
    assert {address for address in changed if "uptime" in address} == probes
    assert set(changed) == functions | probes | {DATABASE}
    assert all(changed[address] == "update" for address in (*functions, DATABASE))

    live.apply()
    assert plan(live).changes == changed


def test_without_the_domain_again_only_the_load_balancer_goes(live: Terraform) -> None:
    changes = plan(live, domain=())

    changed, gone = set(changes.changes), changes.done("delete")
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

    live.apply()
    again = plan(live)
    assert again.done("create") == gone
    assert again.done("delete") | again.done("replace") <= {"time_sleep.services"}
    assert not {address for address in again.changes if "_sql_" in address}


def test_the_url_map_lets_go_of_a_function_before_its_backend_goes(live: Terraform) -> None:
    functions = live.functions
    table = functions / "movies_list" / "function.yaml"
    public = table.read_text(encoding="utf-8")
    table.write_text(public.replace("invoker: public", "invoker: deployer"), encoding="utf-8")
    # The first by name, to which the URL map falls back.
    removed = functions / "brew_coffee"
    removed.rename(live.root / "removed")
    plan(live)

    done = live.apply()

    updated = done.index("complete update google_compute_url_map.api[0]")
    for name in ("brew_coffee", "movies_list"):
        backend = f'delete google_compute_backend_service.function["{name}"]'
        group = f'delete google_compute_region_network_endpoint_group.function["{name}"]'
        assert updated < done.index(f"start {backend}")
        assert done.index(f"complete {backend}") < done.index(f"start {group}")

    table.write_text(public, encoding="utf-8")
    (live.root / "removed").rename(removed)
    plan(live)

    done = live.apply()

    updated = done.index("start update google_compute_url_map.api[0]")
    for name in ("brew_coffee", "movies_list"):
        backend = f'complete create google_compute_backend_service.function["{name}"]'
        assert done.index(backend) < updated
    made = 'complete create module.function["brew_coffee"].google_cloudfunctions2_function.main'
    assert done.index(made) < updated


def test_a_key_goes_only_after_the_functions_that_read_it_have_another(live: Terraform) -> None:
    # The stand-ins give all versions one number: it is another variable that functions see change.
    plan(live, "-var", "token_key_generation=4", "-var", "log_level=DEBUG")

    done = live.apply()

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
