"""The steps of the builds, as Cloud Build runs them."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml  # type: ignore[import-untyped]

from tests.terraform.configuration import ROOT

FILES: Final = {
    "plan": ROOT / "cloudbuild.yaml",
    "apply": ROOT / "terraform" / "pipeline" / "apply.yaml",
    "drift": ROOT / "terraform" / "pipeline" / "drift.yaml",
}
BUILDS: Final[dict[str, dict[str, Any]]] = {
    name: yaml.safe_load(file.read_text(encoding="utf-8")) for name, file in FILES.items()
}
STEPS: Final = {
    name: {step["id"]: step for step in build["steps"]} for name, build in BUILDS.items()
}


def start(command: str, env: Mapping[str, str], checkout: Path = ROOT) -> "subprocess.Popen[str]":
    """Start a command of the pipeline in a checkout."""
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "local.pipeline", command],
        cwd=checkout,
        env={**env, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(
    command: str, env: Mapping[str, str], checkout: Path = ROOT
) -> "subprocess.CompletedProcess[str]":
    """Run a command of the pipeline in a checkout."""
    with start(command, env, checkout) as process:
        said, wrong = process.communicate(timeout=60)
    return subprocess.CompletedProcess(command, process.returncode, said, wrong)


def run_script(
    build: str, step: str, env: Mapping[str, str], folder: Path
) -> "subprocess.CompletedProcess[str]":
    """Run the script of a step in a folder that stands for the workspace."""
    script = folder / f".{step}.script"
    script.write_text(STEPS[build][step]["script"], encoding="utf-8")
    script.chmod(0o755)
    return subprocess.run(  # noqa: S603
        [str(script)],
        cwd=folder / STEPS[build][step].get("dir", "."),
        env=dict(env),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def write_program(folder: Path, name: str, text: str) -> None:
    """Write a shell program that stands in for another one."""
    program = folder / name
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    program.chmod(0o755)
