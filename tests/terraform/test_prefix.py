"""What everything is called, in plans with all options on: as ever by default, otherwise apart.

A name that changes is another resource, and the old one goes with all that it holds. A name that a
second stack of the project has, too, stops its apply half-way.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import pytest

from local.functions import read_functions
from tests.terraform.running import Terraform, pretended, tries_terraform, with_few

pytestmark = [*tries_terraform, pretended]

# Those of a second stack are told apart by what holds them, or they are nobody's name.
WITHIN: Final = re.compile(
    r"google_(\w+_iam_member|project_service|secret_manager_secret_version|service_networking_\w+"
    r"|sql_database|sql_user|storage_bucket_object|monitoring_slo)"
)
ALERTS: Final = "google_monitoring_alert_policy"  # called after their titles
NAMES: Final = ("account_id", "secret_id", "repository_id", "service_id", "name", "display_name")
REPOSITORY: Final = "projects/p-tests/locations/europe-west1/connections/c/repositories/r"
ALL_ON: Final = {
    "budget": {"amount": 1, "billing_account": "012345-6789AB-CDEF01"},
    "database": {"working_hours": {"start": 6, "stop": 18}},
    "database_operators": ["user:ana@example.com"],
    "domain": "api.example.com",
    "notification_channels": {"oncall": {"labels": {"a": "b"}, "type": "email"}},
    "omdb_api_key_version": 2,
    "pipeline": {"branch": ".*", "repository": REPOSITORY},
    "private_network": True,
    "project_id": "p-tests",
}
# One of each kind; that every function is called after its folder, prefix.tftest.hcl shows.
KEPT: Final = {"login", "migrate", "movies_import", "movies_list"}
# By type; `*` is each function, `+` each public one.
BY_DEFAULT: Final = """\
artifact_registry_repository: movies-functions
billing_budget: movies dev
certificate_manager_certificate: movies-d0c43d38
certificate_manager_certificate_map: movies-api
certificate_manager_certificate_map_entry: movies-d0c43d38
certificate_manager_dns_authorization: movies-d0c43d38
cloud_scheduler_job: movies-database-start, movies-database-stop, movies-drift, movies-import-hourly
cloudbuild_trigger: movies-dev, movies-dev-apply, movies-dev-drift
cloudfunctions2_function: *
compute_backend_service: movies-+
compute_firewall: movies-door
compute_global_address: movies-api, movies-api-ipv6, movies-database
compute_global_forwarding_rule: movies-http, movies-http-ipv6, movies-https, movies-https-ipv6
compute_network: movies
compute_region_network_endpoint_group: movies-+
compute_security_policy: movies-api, movies-login
compute_ssl_policy: movies-api
compute_subnetwork: movies-functions
compute_target_http_proxy: movies-redirect
compute_target_https_proxy: movies-api
compute_url_map: movies-api, movies-redirect
logging_metric: movies/backup_failed, movies/build_failed, movies/database_unreachable
logging_metric: movies/import_ended, movies/import_parked, movies/import_stalled
logging_metric: movies/import_stopped_by_quota, movies/login_throttled, movies/omdb_failed
logging_metric: movies/omdb_key_refused, movies/omdb_quota_spent, movies/refresh_token_reused
logging_metric: movies/unforeseen_fault, movies/unusable_password_hash
monitoring_custom_service: movies
monitoring_dashboard: Movies dev
monitoring_notification_channel: movies oncall
monitoring_uptime_check_config: movies-+
secret_manager_secret: movies-admin-password, movies-omdb-api-key, movies-refresh-key
secret_manager_secret: movies-token-private-key, movies-token-public-key
service_account: fn-*, movies-build, movies-deployer, movies-hours, movies-scheduler
sql_database_instance: movies-dev
storage_bucket: p-tests-movies-plans, p-tests-movies-source
"""


@pytest.fixture(scope="module")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terraform]:
    with with_few(tmp_path_factory.mktemp("prefix"), KEPT) as terraform:
        yield terraform


@pytest.fixture(scope="module")
def by_default(terraform: Terraform) -> set[tuple[str, str]]:
    return names(plan(terraform))


def plan(terraform: Terraform, **values: object) -> list[dict[str, Any]]:
    """Plan dev with all options on, and return the changes that it makes to resources."""
    file = terraform.root / "all.tfvars.json"
    file.write_text(json.dumps({**ALL_ON, **values}), encoding="utf-8")
    terraform.plan("dev", f"-var-file={file}")
    changes: list[dict[str, Any]] = terraform.planned()["resource_changes"]
    return [change for change in changes if change["mode"] == "managed"]


def names(changes: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """Return what has a name of its own in a project: its type, and that name."""
    return {
        (change["type"], name_of(change["change"]["after"]))
        for change in changes
        if change["type"].startswith("google_") and not WITHIN.fullmatch(change["type"])
    }


def name_of(resource: dict[str, Any]) -> str:
    """Return a resource's name; a dashboard's is in its text."""
    found = [resource[name] for name in NAMES if resource.get(name)]
    return str(found[0] if found else json.loads(resource["dashboard_json"])["displayName"])


def default_names() -> set[tuple[str, str]]:
    """Return what is listed above, with the functions that there are."""
    functions = [function for name, function in read_functions().items() if name in KEPT]
    return {
        (f"google_{kind}", re.sub(r"[*+]", function.name.replace("_", "-"), name))
        for kind, _, listed in (line.partition(": ") for line in BY_DEFAULT.splitlines())
        for name in listed.split(", ")
        for function in functions
        if function.is_public or "+" not in name
    }


def texts(value: object) -> Iterator[str]:
    """Yield every text within a value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from texts(one)
    elif isinstance(value, str):
        yield value


def test_by_default_everything_is_called_as_ever(by_default: set[tuple[str, str]]) -> None:
    alerts = {name for kind, name in by_default if kind == ALERTS}
    assert {(kind, name) for kind, name in by_default if kind != ALERTS} == default_names()
    assert alerts
    assert all(name.startswith("movies: ") for name in alerts)


def test_another_prefix_shares_no_name_and_speaks_of_none(
    terraform: Terraform, by_default: set[tuple[str, str]]
) -> None:
    changes = plan(terraform, prefix="api-2")
    planned = names(changes)

    assert len(planned) == len(by_default)
    assert not planned & by_default
    # Nor does a filter, a query or a grant name what is the other one's.
    others = "|".join(
        re.escape(name)
        for _, name in by_default
        if re.match(r"movies[-/]|fn-|p-tests-movies-", name)
    )
    others += r"|user_movies_\w+|movies-(list|get|create|delete|import)"
    found = {
        text
        for change in changes
        for text in texts(change["change"]["after"])
        if re.search(rf"(?<![\w/-])({others})(?![\w-])", text)
    }
    assert not found
