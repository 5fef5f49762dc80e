"""What is approved is what is applied, and whoever approves has it before them."""

import hashlib
import json
import tarfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from local.pipeline.plans import summarize
from tests.pipeline.google import COMMIT, Google
from tests.pipeline.google import PLACE as OF_BUILDS
from tests.pipeline.steps import run

PLACE = f"plans/{COMMIT}/planned"


def change(address: str, *actions: str) -> dict[str, Any]:
    return {"address": address, "change": {"actions": list(actions)}}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Make what a build has when it has planned."""
    files = {
        "terraform/.terraform.lock.hcl": "locked",
        "terraform/.terraform/providers/huge": "no",
        "terraform/environments/dev/terraform.tfvars": "as planned",
        "terraform/movies.tfplan": "the plan",
        "terraform/plan.json": json.dumps(
            {"resource_changes": [change("a", "create"), change("b", "delete", "create")]}
        ),
        "terraform/plan.txt": "the text\n",
        "functions/login/main.py": "login",
        "lib/texts.py": "texts",
        "build/login-1.zip": "a zip",
        "requirements.txt": "",
        "docs/runbook.md": "not needed",
    }
    for name, text in files.items():
        file = tmp_path / "planned" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return tmp_path / "planned"


def offer(google: Google, workspace: Path, **more: str) -> dict[str, Any]:
    """Offer the plan; return what the trigger was run with."""
    env = google.env("planned", _APPLY_TRIGGER="a-trigger", **more)
    assert run("lock", env).returncode == 0
    done = run("offer", env, workspace)
    assert done.returncode == 0, done.stderr
    [started] = google.started
    return started


def test_the_apply_is_started_with_all_that_is_to_be_known(google: Google, workspace: Path) -> None:
    started = offer(google, workspace, _APPROVAL="true")

    assert started["trigger"] == f"/v1/{OF_BUILDS}/triggers/a-trigger:run"
    assert started["source"]["commitSha"] == COMMIT
    said = started["source"]["substitutions"]
    assert said["_PLAN_SUMMARY"] == "2 to add, 0 to change, 1 to destroy; replaces b"
    assert said["_PLAN_TEXT"].endswith(f"/{PLACE}/plan.txt")
    assert said["_PLAN_LOG"] == "https://log/planned"
    assert said["_BRANCH"] == "main"
    packed = google.objects[said["_PLAN"]][1]
    assert said["_PLAN_SHA256"] == hashlib.sha256(packed).hexdigest()
    assert google.objects[f"{PLACE}/plan.txt"][1] == b"the text\n"


def test_a_plan_that_waits_for_a_person_holds_up_nobody(google: Google, workspace: Path) -> None:
    offer(google, workspace, _APPROVAL="true")

    assert google.holder() is None


def test_a_plan_that_waits_for_nobody_is_applied_before_another_is_made(
    google: Google, workspace: Path
) -> None:
    offer(google, workspace, _APPROVAL="false")

    assert google.holder() == "started-0"


def applying(google: Google, started: dict[str, Any]) -> dict[str, str]:
    return google.env("started-0", BRANCH_NAME="", **started["source"]["substitutions"])


def test_that_very_plan_arrives_where_it_is_applied(
    google: Google, workspace: Path, tmp_path: Path
) -> None:
    env = applying(google, offer(google, workspace))
    checkout = tmp_path / "applied"
    checkout.mkdir()

    done = run("take", env, checkout)

    assert done.returncode == 0, done.stderr
    assert google.holder() == "started-0"
    arrived = {
        file.relative_to(checkout).as_posix(): file.read_text(encoding="utf-8")
        for file in checkout.rglob("*")
        if file.is_file() and ".local" not in file.parts
    }
    assert arrived["terraform/movies.tfplan"] == "the plan"
    assert arrived["terraform/.terraform.lock.hcl"] == "locked"
    assert arrived["build/login-1.zip"] == "a zip"
    assert not [name for name in arrived if ".terraform/" in name or name.startswith("docs/")]
    assert "terraform/plan.json" not in arrived


def test_another_plan_than_the_one_that_was_offered_is_refused(
    google: Google, workspace: Path, tmp_path: Path
) -> None:
    env = applying(google, offer(google, workspace))
    forged = BytesIO()
    with tarfile.open(fileobj=forged, mode="w:gz") as archive:
        archive.add(workspace / "lib" / "texts.py", arcname="terraform/movies.tfplan")
    google.write(env["_PLAN"], forged.getvalue(), None)
    checkout = tmp_path / "applied"
    checkout.mkdir()

    done = run("take", env, checkout)

    assert done.returncode == 1
    assert "is not the plan that was offered" in done.stderr
    assert not (checkout / "terraform").exists()


NOTHING_GOES = {"resource_changes": [change("a", "create")]}


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({}, None),
        ({"plan.json": json.dumps(NOTHING_GOES)}, "what the plan does, which is: 1 to add"),
        ({"plan.txt": "another text"}, "_PLAN_TEXT does not lead to the plan's text"),
        ({"_PLAN_SUMMARY": "1 to add, 0 to change, 0 to destroy"}, "destroy; replaces b"),
        ({"_PLAN_TEXT": "https://example.com/plan.txt"}, "_PLAN_TEXT does not lead to"),
        ({"uploaded": "another text"}, "_PLAN_TEXT does not lead to"),
    ],
)
def test_a_plan_that_does_something_else_than_the_approver_was_shown_is_refused(
    google: Google, workspace: Path, broken: dict[str, str], said: str | None
) -> None:
    env = applying(google, offer(google, workspace))
    for name, text in broken.items():
        if name == "uploaded":
            google.write(f"{PLACE}/plan.txt", text.encode(), None)
        elif name.startswith("_"):
            env[name] = text
        else:  # what Terraform says of the plan, where it is to be applied
            (workspace / "terraform" / name).write_text(text, encoding="utf-8")

    done = run("verify", env, workspace)

    if said is None:
        assert done.returncode == 0, done.stderr
        assert "The plan: 2 to add, 0 to change, 1 to destroy; replaces b" in done.stdout
    else:
        assert done.returncode == 1
        assert said in done.stderr


@pytest.mark.parametrize(
    ("broken", "said"),
    [("name", "builds that plan start this trigger"), ("object", "build the branch's head again")],
)
def test_without_a_plan_nothing_is_applied(
    google: Google, workspace: Path, tmp_path: Path, broken: str, said: str
) -> None:
    env = applying(google, offer(google, workspace))
    if broken == "name":
        env["_PLAN"] = ""
    else:
        del google.objects[env["_PLAN"]]

    done = run("take", env, tmp_path)

    assert done.returncode == 1
    assert said in done.stderr


def test_the_environment_is_compared_with_what_was_applied_and_not_with_the_branch(
    google: Google, workspace: Path, tmp_path: Path
) -> None:
    checkout = tmp_path / "applied"
    checkout.mkdir()
    env = applying(google, offer(google, workspace))
    for command in ("take", "record", "unlock"):
        done = run(command, env, checkout)
        assert done.returncode == 0, done.stderr
    newer = tmp_path / "newer"
    (newer / "terraform" / "environments" / "dev").mkdir(parents=True)
    (newer / "terraform" / "environments" / "dev" / "terraform.tfvars").write_text("not applied")

    done = run("compare", google.env("nightly", BRANCH_NAME="", _REPOSITORY=""), newer)

    assert done.returncode == 0, done.stderr
    compared = newer / "applied" / "terraform"
    assert (compared / "environments" / "dev" / "terraform.tfvars").read_text() == "as planned"
    assert google.holder() == "nightly"


def test_before_the_first_apply_there_is_nothing_to_compare_with(
    google: Google, tmp_path: Path
) -> None:
    done = run("compare", google.env("nightly"), tmp_path)

    assert done.returncode == 0, done.stderr
    assert "has applied nothing yet" in done.stdout
    assert not (tmp_path / "applied").exists()


def test_a_summary_names_what_is_replaced_and_what_goes() -> None:
    plan = {
        "resource_changes": [
            change("new", "create"),
            change("changed", "update"),
            change("same", "no-op"),
            change("read", "read"),
            change("database", "delete", "create"),
            change("function", "create", "delete"),
            change("secret", "delete"),
        ]
    }

    assert summarize(plan) == (
        "3 to add, 1 to change, 3 to destroy; replaces database, function; destroys secret"
    )


def test_a_plan_without_changes_says_what_is_left_to_do() -> None:
    assert summarize({"resource_changes": [change("same", "no-op")]}) == (
        "no changes: migrates and checks"
    )
    assert summarize({}) == "no changes: migrates and checks"


def test_a_summary_fits_a_substitution_however_much_goes() -> None:
    name = 'module.function["{}"].google_storage_bucket_object.main'
    changes = [change(name.format(number), "delete") for number in range(500)]
    changes += [change(f"google_{n}", "delete", "create") for n in range(500)]

    said = summarize({"resource_changes": changes})

    assert len(said) <= 1000
    assert said.startswith("500 to add, 0 to change, 1000 to destroy; replaces google_0, ")
    assert said.endswith("... (more in the plan)")
