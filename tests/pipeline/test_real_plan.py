"""A plan of Terraform's own on its way to where it is applied; providers only pretend."""

import shutil
import subprocess
from pathlib import Path

from local.pipeline.plans import pack, summarize, unpack
from tests.terraform.configuration import ROOT
from tests.terraform.test_terraform import CHANGES, Terraform, pretended


@pretended
def test_a_plan_is_applied_once_and_elsewhere_by_what_was_kept_of_it(tmp_path: Path) -> None:
    (tmp_path / "plans").mkdir()
    (tmp_path / "applies").mkdir()
    planning = Terraform(tmp_path / "plans")
    planned = planning.plan("dev")
    assert planned.returncode == CHANGES, planned.stderr
    whole = planning.run("show", "movies.tfplan").stdout
    readable = subprocess.run(  # noqa: S603
        ["awk", "-f", str(ROOT / "terraform" / "pipeline" / "readable.awk")],  # noqa: S607
        input=whole,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    packed = pack(planning.root)
    applying = Terraform(tmp_path / "applies")
    unpack(packed, applying.root)
    applying.run("init", "-input=false", "-lockfile=readonly")

    applied = applying.run("apply", "-input=false", "movies.tfplan")
    again = applying.run("apply", "-input=false", "movies.tfplan", check=False)

    added = summarize(planning.planned()).partition(" ")[0]
    assert f"Plan: {added} to add, 0 to change, 0 to destroy." in readable
    assert f"Apply complete! Resources: {added} added" in applied.stdout
    assert again.returncode == 1
    assert "Saved plan is stale" in again.stderr
    assert "import functions_framework" in whole  # the zips' source, which hid what changes
    assert "import functions_framework" not in readable
    assert readable.count(" will be created") == int(added)
    for name in ("plans", "applies"):
        shutil.rmtree(tmp_path / name)
