"""`cloudbuild.yaml` does what its readers are told, with commands that there are."""

import re
import subprocess
import sys
from typing import Any, Final

import yaml  # type: ignore[import-untyped]

from tests.terraform.configuration import ROOT, read

TEXT: Final = (ROOT / "cloudbuild.yaml").read_text(encoding="utf-8")
BUILD: Final[dict[str, Any]] = yaml.safe_load(TEXT)
STEPS: Final = {step["id"]: step for step in BUILD["steps"]}


def needed_by(step: str) -> set[str]:
    """Return all steps that have to succeed before one begins."""
    found: set[str] = set()
    for one in STEPS[step]["waitFor"]:
        if one != "-":
            found |= {one} | needed_by(one)
    return found


def test_the_file_keeps_cloud_builds_schema() -> None:
    checked = subprocess.run(  # noqa: S603
        [
            *(sys.executable, "-m", "check_jsonschema"),
            *("--builtin-schema", "vendor.cloudbuild", str(ROOT / "cloudbuild.yaml")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_nothing_is_applied_before_all_is_tested_and_the_plan_is_kept() -> None:
    assert {"check", "test", "terraform-check", "plan", "keep-plan"} <= needed_by("apply")


def test_the_schema_is_migrated_and_every_url_asked_at_the_end() -> None:
    assert "apply" in needed_by("migrate")
    assert "migrate" in needed_by("smoke")


def test_that_very_plan_is_applied() -> None:
    planned = re.search(r"-out=(\S+)", STEPS["plan"]["script"])
    assert planned
    assert re.search(rf"terraform apply .*{planned[1]}$", STEPS["apply"]["script"], re.MULTILINE)
    assert "-auto-approve" not in TEXT


def test_every_script_stops_at_its_first_failure() -> None:
    for name, step in STEPS.items():
        assert re.match(
            r"#!/usr/bin/env (bash\nset -euo pipefail|sh\nset -eu)\n", step["script"]
        ), name


def test_every_command_of_dev_exists() -> None:
    usage = subprocess.run(  # noqa: S603
        [str(ROOT / "dev"), "help"], capture_output=True, text=True, check=True
    ).stdout
    commands = set(re.findall(r"\./dev ([a-z]+)", TEXT))
    assert {"check", "test", "smoke"} <= commands
    for command in commands:
        assert re.search(rf"^  {command}\b", usage, re.MULTILINE), command


def test_every_substitution_is_given_by_the_trigger() -> None:
    declared = set(BUILD["substitutions"])
    used = set(re.findall(r"\$\{?(_[A-Z_]+)", TEXT))
    given = set(re.findall(r"^\s+(_[A-Z_]+)\s+= ", read("pipeline.tf"), re.MULTILINE))
    assert used == declared
    assert given == declared


def test_every_terraform_output_that_a_step_reads_exists() -> None:
    outputs = set(re.findall(r'^output "(\w+)"', read("outputs.tf"), re.MULTILINE))
    named = set(re.findall(r'outputs\.json"\)\)(?:\["|\.get\(")(\w+)"', TEXT))
    assert named
    assert named <= outputs
    assert set(re.findall(r"output -json (\w+)", TEXT)) <= outputs
