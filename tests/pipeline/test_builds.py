"""The builds' files do what their readers are told, with commands that there are."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from local.pipeline.__main__ import COMMANDS
from tests.pipeline.steps import BUILDS, FILES, STEPS, run_script, write_program
from tests.terraform.configuration import ROOT, read

TEXTS: Final = {name: file.read_text(encoding="utf-8") for name, file in FILES.items()}
EVERY_STEP: Final = [(build, step) for build, steps in STEPS.items() for step in steps]
# What Cloud Build gives every build of a trigger:
# https://cloud.google.com/build/docs/configuring-builds/substitute-variable-values
GIVEN: Final = {"BRANCH_NAME", "BUILD_ID", "COMMIT_SHA", "LOCATION", "PROJECT_ID"}


def needed_by(build: str, step: str) -> set[str]:
    """Return all steps that have to succeed before one begins."""
    found: set[str] = set()
    for one in STEPS[build][step]["waitFor"]:
        if one != "-":
            found |= {one} | needed_by(build, one)
    return found


@pytest.mark.parametrize("build", FILES)
def test_a_file_keeps_cloud_builds_schema(build: str) -> None:
    checked = subprocess.run(  # noqa: S603
        [
            *(sys.executable, "-m", "check_jsonschema"),
            *("--builtin-schema", "vendor.cloudbuild", str(FILES[build])),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_nothing_is_planned_before_all_is_tested_and_the_environment_taken() -> None:
    assert {"current", "check", "test", "terraform-check", "lock"} <= needed_by("plan", "plan")
    assert "plan" in needed_by("plan", "offer")


def test_the_environment_is_taken_before_anything_changes_and_given_back_at_the_end() -> None:
    assert "take" in needed_by("apply", "apply")
    assert needed_by("apply", "unlock") == set(STEPS["apply"]) - {"unlock"}
    assert "compare" in needed_by("drift", "plan")
    assert needed_by("drift", "unlock") == set(STEPS["drift"]) - {"unlock"}


def test_the_schema_is_migrated_and_every_url_asked_at_the_end() -> None:
    assert "apply" in needed_by("apply", "migrate")
    assert "migrate" in needed_by("apply", "smoke")


def test_a_failed_check_changes_nothing_of_what_drift_is_measured_by() -> None:
    assert "apply" in needed_by("apply", "record")
    assert "record" in needed_by("apply", "migrate")


def test_that_very_plan_is_applied() -> None:
    planned = re.search(r"-out=(\S+)", STEPS["plan"]["plan"]["script"])
    assert planned
    applied = STEPS["apply"]["apply"]["script"]
    assert re.search(rf"terraform apply .*{planned[1]}$", applied, re.MULTILINE)
    assert "terraform apply" not in TEXTS["plan"] + TEXTS["drift"]
    assert not any("-auto-approve" in text for text in TEXTS.values())


def test_it_is_applied_only_once_it_has_said_itself_what_it_does() -> None:
    assert {"take", "show", "verify"} <= needed_by("apply", "apply")
    for build, step in (("plan", "plan"), ("apply", "show")):
        assert "pipeline/show.sh\n" in STEPS[build][step]["script"]


def test_every_script_stops_at_its_first_failure() -> None:
    for build, step in EVERY_STEP:
        script = STEPS[build][step]["script"]
        assert re.match(r"#!/usr/bin/env (bash\nset -euo pipefail|sh\nset -eu)\n", script), step


def test_every_image_is_pinned_and_they_are_the_same_in_all_builds() -> None:
    images = {STEPS[build][step]["name"] for build, step in EVERY_STEP}

    assert len(images) == 2
    for image in images:
        assert re.fullmatch(r"[a-z/]+:\d+\.\d+\.\d+@sha256:[0-9a-f]{64}", image), image


def test_every_command_of_dev_and_of_the_pipeline_exists() -> None:
    usage = subprocess.run(  # noqa: S603
        [str(ROOT / "dev"), "help"], capture_output=True, text=True, check=True
    ).stdout
    text = "".join(TEXTS.values())
    commands = set(re.findall(r"\./dev ([a-z]+)", text))
    assert {"check", "test", "call", "smoke"} <= commands
    for command in commands:
        assert re.search(rf"^  {command}\b", usage, re.MULTILINE), command
    assert set(re.findall(r"-m local\.pipeline ([a-z]+)", text)) == set(COMMANDS)


def set_by(trigger: str) -> set[str]:
    """Return the substitutions that Terraform gives a trigger."""
    [block] = re.findall(
        rf'^resource "google_cloudbuild_trigger" "{trigger}" \{{$(.*?)^\}}$',
        read("pipeline.tf"),
        re.MULTILINE | re.DOTALL,
    )
    return set(re.findall(r"\b(_[A-Z_]+)\s+= ", block))


def test_every_substitution_is_given_by_the_trigger_or_by_the_build_that_plans() -> None:
    plans = (ROOT / "local" / "pipeline" / "plans.py").read_text(encoding="utf-8")
    offered = set(re.findall(r'^ {8}"(_[A-Z0-9_]+)": ', plans, re.MULTILINE))

    assert set(BUILDS["plan"]["substitutions"]) == set_by("main")
    assert set(BUILDS["drift"]["substitutions"]) == set_by("started") - {"_REPOSITORY"}
    assert set(BUILDS["apply"]["substitutions"]) == set_by("started") | offered
    assert {"_PLAN", "_PLAN_SHA256", "_PLAN_SUMMARY", "_PLAN_TEXT"} <= offered


def test_every_variable_that_is_read_is_a_substitution() -> None:
    code = "".join(
        file.read_text(encoding="utf-8") for file in (ROOT / "local" / "pipeline").glob("*.py")
    )
    read_by_code = set(re.findall(r'"(_[A-Z0-9_]+)"', code)) | (
        set(re.findall(r'"([A-Z]+_[A-Z]+)"', code)) & GIVEN
    )
    declared = set().union(*(build["substitutions"] for build in BUILDS.values()))
    assert read_by_code <= declared | GIVEN
    for name, text in TEXTS.items():
        used = set(re.findall(r"\$\{?(_[A-Z_]+)", text))
        assert used <= set(BUILDS[name]["substitutions"]), name


def test_every_terraform_output_that_a_step_reads_exists() -> None:
    outputs = set(re.findall(r'^output "(\w+)"', read("outputs.tf"), re.MULTILINE))
    text = TEXTS["apply"]
    named = set(re.findall(r'outputs\.json"\)\)(?:\["|\.get\(")(\w+)"', text))
    assert named
    assert named <= outputs
    assert set(re.findall(r"output -json (\w+)", text)) <= outputs


# --- What the scripts do --------------------------------------------------------------------------


def environment(folder: Path, **more: str) -> dict[str, str]:
    return {"PATH": f"{folder / 'bin'}:/usr/bin:/bin", **more}


@pytest.mark.parametrize(
    ("environment_name", "branch", "migrated"),
    [
        ("dev", "main", True),
        ("dev", "feature/x", False),
        ("dev", "main2", False),
        ("staging", "main", True),
        ("prod", "main", True),
        ("prod", "release", True),
    ],
)
def test_dev_is_migrated_from_main_only_and_says_so(
    tmp_path: Path, environment_name: str, branch: str, *, migrated: bool
) -> None:
    write_program(tmp_path, "dev", 'echo "called $*"')
    env = environment(tmp_path, _ENVIRONMENT=environment_name, _BRANCH=branch)

    done = run_script("apply", "migrate", env, tmp_path)

    assert done.returncode == 0, done.stderr
    called = "called call migrate --outputs terraform/outputs.json" in done.stdout
    assert called is migrated
    assert (f"NOT MIGRATED: this is {branch}" in done.stdout) is not migrated


@pytest.mark.parametrize(
    ("tests", "before", "ends_with", "said"),
    [
        (1, 0, 1, ""),
        (0, 0, 0, ""),
        (0, 1, 1, ""),
        (0, 3, 0, "WITHOUT the tests of the release before"),
        (0, 4, 0, "WITHOUT the tests of the release before"),
    ],
)
def test_the_release_before_is_tested_where_its_history_is_to_be_had(
    tmp_path: Path, tests: int, before: int, ends_with: int, said: str
) -> None:
    write_program(tmp_path, "dev", f"exit {tests}")
    write_program(tmp_path, ".ci/previous-release", f"exit {before}")

    done = run_script("plan", "test", environment(tmp_path), tmp_path)

    assert done.returncode == ends_with
    assert done.stdout.partition(":")[0].strip() == said


def test_a_migration_that_fails_ends_the_build(tmp_path: Path) -> None:
    write_program(tmp_path, "dev", "exit 1")
    env = environment(tmp_path, _ENVIRONMENT="prod", _BRANCH="main")

    assert run_script("apply", "migrate", env, tmp_path).returncode != 0


@pytest.mark.parametrize(
    ("code", "ends_with", "says_drift"), [(0, 0, False), (1, 1, False), (2, 1, True)]
)
def test_drift_fails_the_daily_build_with_its_text(
    tmp_path: Path, code: int, ends_with: int, *, says_drift: bool
) -> None:
    applied = tmp_path / "applied" / "terraform"
    applied.mkdir(parents=True)
    (applied / "pipeline").symlink_to(ROOT / "terraform" / "pipeline")
    told = f'[ "$1" = init ] && exit 0\necho "  # a_thing.main will be destroyed"\nexit {code}'
    write_program(tmp_path, "bin/terraform", told)

    done = run_script("drift", "plan", environment(tmp_path, _ENVIRONMENT="dev"), tmp_path)

    assert done.returncode == ends_with
    assert "a_thing.main will be destroyed" in done.stdout
    assert ("DRIFT" in done.stdout) is says_drift


def test_without_anything_applied_there_is_no_drift(tmp_path: Path) -> None:
    write_program(tmp_path, "bin/terraform", "exit 2")

    done = run_script("drift", "plan", environment(tmp_path, _ENVIRONMENT="dev"), tmp_path)

    assert done.returncode == 0


@pytest.mark.parametrize(
    ("name", "locked", "ends_with", "asked"),
    [
        ("dev", True, 0, "-lockfile=readonly"),
        ("staging", True, 0, "-lockfile=readonly"),
        ("prod", True, 0, "-lockfile=readonly"),
        ("dev", False, 0, "init -input=false -backend-config"),
        ("staging", False, 1, None),
        ("prod", False, 1, None),
    ],
)
def test_beyond_dev_only_providers_of_the_lock_file_run(
    tmp_path: Path, name: str, ends_with: int, asked: str | None, *, locked: bool
) -> None:
    write_program(tmp_path, "bin/terraform", 'echo "asked $*"')
    if locked:
        (tmp_path / ".terraform.lock.hcl").touch()

    done = subprocess.run(  # noqa: S603
        [str(ROOT / "terraform" / "pipeline" / "init.sh")],
        cwd=tmp_path,
        env=environment(tmp_path, _ENVIRONMENT=name),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == ends_with
    if asked is None:
        assert "asked" not in done.stdout
        assert "terraform providers lock -platform=linux_amd64" in done.stderr
    else:
        assert asked in done.stdout
        assert f"-backend-config=environments/{name}/backend.hcl" in done.stdout


def test_every_build_initializes_terraform_by_the_lock_file() -> None:
    for name, text in TEXTS.items():
        assert "pipeline/init.sh" in text, name
        assert "terraform init" not in text, name


def test_the_lock_file_can_be_committed() -> None:
    ignored = subprocess.run(
        ["git", "check-ignore", "--no-index", "terraform/.terraform.lock.hcl"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert ignored.returncode in {1, 128}  # no, or there is no git here


def test_a_plans_text_leaves_out_our_own_source_and_nothing_that_changes() -> None:
    text = """
Terraform will perform the following actions:

  # google_a.main will be created
  + resource "google_a" "main" {
      + name = "a"
    }

  # module.function["login"].data.archive_file.main will be read during apply
  # (depends on a resource or a module with changes pending)
 <= data "archive_file" "main" {
      + source {
          + content  = <<-EOT
                # google_b.main will be created
                Plan: nothing
            EOT
        }
    }

  # google_c.main must be replaced
  # (because of something)
-/+ resource "google_c" "main" {
    }

  # module.x.data.y.z will be read during apply
 <= data "y" "z" {
    }

Plan: 2 to add, 0 to change, 1 to destroy.

Changes to Outputs:
  + urls = (known after apply)
"""

    done = subprocess.run(  # noqa: S603
        ["awk", "-f", str(ROOT / "terraform" / "pipeline" / "readable.awk")],  # noqa: S607
        input=text,
        capture_output=True,
        text=True,
        check=True,
    )

    assert "archive_file" not in done.stdout
    assert "google_b" not in done.stdout
    assert "data.y.z" not in done.stdout
    for kept in (
        "google_a.main will be created",
        "google_c.main must be replaced",
        "(because of something)",
        "-/+ resource",
        "Plan: 2 to add, 0 to change, 1 to destroy.",
        "+ urls = (known after apply)",
    ):
        assert kept in done.stdout
