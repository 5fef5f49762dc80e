"""A plan of Terraform's own on its way to where it is applied; providers only pretend."""

import json
import shutil
import subprocess
from pathlib import Path

from local.pipeline.plans import pack, summarize, unpack
from tests.terraform.running import NO_CHANGE, Terraform, pretended


def show(terraform: Terraform) -> tuple[str, str]:
    """Return what the builds show of the last plan: its text, and its summary."""
    folder = terraform.root / "terraform"
    subprocess.run(["pipeline/show.sh"], cwd=folder, check=True)  # noqa: S607
    plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    return (folder / "plan.txt").read_text(encoding="utf-8"), summarize(plan)


@pretended
def test_a_plan_is_applied_once_and_elsewhere_by_what_was_kept_of_it(tmp_path: Path) -> None:
    (tmp_path / "plans").mkdir()
    (tmp_path / "applies").mkdir()
    planning = Terraform(tmp_path / "plans")
    planning.plan("dev")
    readable, shown = show(planning)
    whole = (planning.root / "terraform" / "all.txt").read_text(encoding="utf-8")
    packed = pack(planning.root)
    applying = Terraform(tmp_path / "applies")
    unpack(packed, applying.root)
    applying.run("init", "-input=false", "-lockfile=readonly")
    shown_again = show(applying)

    applied = applying.run("apply", "-input=false", "movies.tfplan")
    again = applying.run("apply", "-input=false", "movies.tfplan", check=False)

    applying.plan("dev", code=NO_CHANGE)
    assert shown_again == (readable, shown)
    added = shown.partition(" ")[0]
    assert f"Plan: {added} to add, 0 to change, 0 to destroy." in readable
    assert f"Apply complete! Resources: {added} added" in applied.stdout
    assert again.returncode == 1
    assert "Saved plan is stale" in again.stderr
    assert "import functions_framework" in whole  # the zips' source, which hid what changes
    assert "import functions_framework" not in readable
    assert readable.count(" will be created") == int(added)
    for name in ("plans", "applies"):
        shutil.rmtree(tmp_path / name)
