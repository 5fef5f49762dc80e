"""Terraform itself on a copy of this configuration, for tests that plan and that pretend to apply.

MOVIES_TERRAFORM says which providers `terraform init` will find: "pretended" where they carry the
real schemas but create nothing (TF_CLI_CONFIG_FILE names their mirror), "registry" for the real
ones, with which nothing is planned or applied from here.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.terraform.configuration import ROOT

PROVIDERS: Final = os.environ.get("MOVIES_TERRAFORM", "")
FAILURE: Final = 1
NO_CHANGE: Final = 0
CHANGES: Final = 2
DATABASE: Final = "google_sql_database_instance.main"
KEY: Final = "projects/keys/locations/europe-west1/keyRings/movies/cryptoKeys/movies"
# An environment with a domain and few functions, which are others than prod.tfvars sizes.
DOMAIN: Final = ("-var", "domain=movies.example.com")
FEW: Final = ("-var", "function_sizes={}")
KEPT: Final = {"brew_coffee", "login", "migrate", "movies_delete", "movies_list"}
# What a zip ships of lib is in plan and state as text, time and again: these show as much as all.
FEW_OF_LIB: Final = {"__init__.py", "settings.py", "schema", "migrating.py"}

tries_terraform: Final = [
    pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed"),
    pytest.mark.skipif(
        PROVIDERS not in {"pretended", "registry"},
        reason="MOVIES_TERRAFORM is not set: expected pretended or registry, see running.py",
    ),
]
pretended: Final = pytest.mark.skipif(
    PROVIDERS != "pretended", reason="MOVIES_TERRAFORM is not pretended: nothing real is planned"
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a plan came to.

    Attributes:
        said: Its warnings and errors.
        changes: What is done to each resource that is not left alone, by its address.
    """

    code: int
    said: str
    changes: dict[str, str]

    def done(self, action: str) -> set[str]:
        """Return the addresses to which just this is done."""
        return {address for address, does in self.changes.items() if does == action}


class Terraform:
    """Terraform on a copy of the repository, with its state beside it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        left_out = shutil.ignore_patterns("__pycache__", ".terraform*", "*.tfstate*")
        for name in ("terraform", "functions", "lib"):
            shutil.copytree(ROOT / name, folder / name, ignore=left_out)
        leave(folder / "lib", FEW_OF_LIB)
        leave(folder / "lib" / "schema", FEW_OF_LIB)
        shutil.copy(ROOT / "requirements.txt", folder)
        (folder / "terraform" / "backend_override.tf").write_text(
            'terraform {\n  backend "local" {}\n}\n'
        )
        self.run("init", "-input=false")

    @property
    def functions(self) -> Path:
        """The folder of all functions."""
        return self.root / "functions"

    @property
    def state(self) -> Path:
        """The file of the state."""
        return self.root / "terraform" / "terraform.tfstate"

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

    def plan(self, environment: str, *arguments: str, code: int = CHANGES) -> Plan:
        """Plan an environment; the code tells failure, no change and changes apart.

        What is there is not read anew: the stand-ins could only tell the state again.
        """
        done = self.run(
            "plan",
            "-json",
            "-input=false",
            "-refresh=false",
            "-detailed-exitcode",
            f"-var-file=environments/{environment}/terraform.tfvars",
            "-out=movies.tfplan",
            *arguments,
            check=False,
        )
        events = [json.loads(line) for line in done.stdout.splitlines()]
        found = [event["diagnostic"] for event in events if event["type"] == "diagnostic"]
        changed = [event["change"] for event in events if event["type"] == "planned_change"]
        plan = Plan(
            code=done.returncode,
            said=" ".join(f"{one['summary']}: {one['detail']}" for one in found) + done.stderr,
            changes={
                change["resource"]["addr"]: change["action"]
                for change in changed
                if change["action"] not in {"noop", "read"}
            },
        )
        assert plan.code == code, plan.said or plan.changes
        return plan

    def planned(self) -> dict[str, Any]:
        """Return the last plan as JSON, which takes as long as the plan itself."""
        plan: dict[str, Any] = json.loads(self.run("show", "-json", "movies.tfplan").stdout)
        return plan

    def apply(self) -> list[str]:
        """Apply the last plan, and return what began and ended, in that order."""
        lines = self.run("apply", "-input=false", "-json", "movies.tfplan").stdout.splitlines()
        events = [json.loads(line) for line in lines]
        return [
            f"{event['type'].removeprefix('apply_')} {event['hook']['action']}"
            f" {event['hook']['resource']['addr']}"
            for event in events
            if event["type"] in {"apply_start", "apply_complete"}
            and event["hook"]["action"] != "read"
        ]


def leave(folder: Path, kept: Collection[str]) -> None:
    """Leave just these of all that is in a folder."""
    for inside in folder.iterdir():
        if inside.name not in kept:
            shutil.rmtree(inside) if inside.is_dir() else inside.unlink()


@contextmanager
def with_few(folder: Path, kept: Collection[str]) -> Iterator[Terraform]:
    """Give Terraform with few functions, and clean up."""
    terraform = Terraform(folder)
    leave(terraform.functions, kept)
    yield terraform
    shutil.rmtree(folder)


@contextmanager
def undone(terraform: Terraform) -> Iterator[Terraform]:
    """Take back what a test does to state, functions and lib."""
    state, names = terraform.state.read_bytes(), ("functions", "lib")
    for name in names:
        shutil.copytree(terraform.root / name, terraform.root / "kept" / name)
    yield terraform
    terraform.state.write_bytes(state)
    for name in names:
        shutil.rmtree(terraform.root / name)
        (terraform.root / "kept" / name).rename(terraform.root / name)
