"""Changes of an environment that is there, in an apply that only pretends: what each touches."""

import json
import shutil

from tests.support import NEW_ENDPOINT
from tests.terraform.running import (
    DATABASE,
    KEY,
    NO_CHANGE,
    Terraform,
    pretended,
    tries_terraform,
)

pytestmark = [*tries_terraform, pretended]


def test_an_environment_is_applied_once_and_then_stays(dev: Terraform) -> None:
    dev.plan("dev", code=NO_CHANGE)


def test_without_the_import_nothing_ticks(dev: Terraform) -> None:
    state = json.loads(dev.state.read_text(encoding="utf-8"))
    made = {
        f"{resource['type']} {instance.get('index_key')}"
        for resource in state["resources"]
        for instance in resource["instances"]
    }

    assert not {name for name in made if name.startswith("google_cloud_scheduler_job")}
    assert "google_monitoring_alert_policy server_errors" in made
    assert not {name for name in made if name.startswith("google_monitoring_alert_policy import_")}


def test_a_function_that_is_added_waits_for_its_own_grants_and_no_other_is_touched(
    dev: Terraform,
) -> None:
    name = NEW_ENDPOINT.name
    shutil.copytree(NEW_ENDPOINT, dev.functions / name)

    changed = set(dev.plan("dev").changes)
    done = dev.apply()

    waits, function = f'time_sleep.grants["{name}"]', "google_cloudfunctions2_function.main"
    assert {address for address in changed if "time_sleep" in address} == {waits}
    # The migration is told whose rights there are now.
    assert {address for address in changed if address.endswith("function.main")} == {
        f'module.function["{name}"].{function}',
        f'module.function["migrate"].{function}',
    }
    waited = done.index(f"complete create {waits}")
    assert waited < done.index(f'start create module.function["{name}"].{function}')


def test_a_key_of_ones_own_replaces_nothing_that_is_there(dev: Terraform) -> None:
    planned = dev.plan("dev", "-var", f"kms_key={KEY}")

    # A database's key is its backups', too, and they are to be where it is.
    assert planned.changes == {DATABASE: "update", "google_storage_bucket.source": "update"}
    assert "The database was made without this kms_key" in planned.said


def test_a_change_deploys_just_what_ships_it_and_going_back_brings_the_very_same_zip(
    dev: Terraform,
) -> None:
    def objects() -> set[str]:
        return {name for name in dev.plan("dev").changes if "storage_bucket_object" in name}

    main = dev.functions / "movies_list" / "main.py"
    before = main.read_text(encoding="utf-8")
    main.write_text(before + "\n# changed\n", encoding="utf-8")
    assert objects() == {'module.function["movies_list"].google_storage_bucket_object.main'}

    main.write_text(before, encoding="utf-8")
    migration = dev.root / "lib" / "schema" / "migrating.py"
    kept = migration.read_text(encoding="utf-8")
    migration.write_text(kept + "\n# changed\n", encoding="utf-8")
    assert objects() == {'module.function["migrate"].google_storage_bucket_object.main'}

    migration.write_text(kept, encoding="utf-8")
    dev.plan("dev", code=NO_CHANGE)


def test_a_rotation_replaces_no_key_that_is_in_use(dev: Terraform) -> None:
    changed = dev.plan("dev", "-var", "token_key_generation=2").changes

    assert {address for address in changed if "secret_version.token_" in address} == {
        'google_secret_manager_secret_version.token_private_key["3"]',
        'google_secret_manager_secret_version.token_public_key["3"]',
    }


def test_working_hours_come_and_go_and_the_database_stays(dev: Terraform) -> None:
    hours = ("-var", f"database={json.dumps({'working_hours': {'start': 6, 'stop': 20}})}")

    come = dev.plan("dev", *hours)

    assert {address for address in come.done("create") if "hours" in address} == {
        "google_project_iam_member.hours[0]",
        "google_service_account.hours[0]",
        'google_service_account_iam_member.deployer_acts_as["hours"]',
        'google_cloud_scheduler_job.hours["start"]',
        'google_cloud_scheduler_job.hours["stop"]',
    }
    assert come.changes[DATABASE] == "update"
    assert not {address for address in come.changes if "_sql_" in address} - {DATABASE}

    dev.apply()
    gone = dev.plan("dev")

    assert gone.done("delete") == come.done("create")
    assert gone.changes[DATABASE] == "update"
    assert not {address for address in gone.changes if "_sql_" in address} - {DATABASE}
