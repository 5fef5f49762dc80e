"""What IAM's roles hold, as Google publishes it, cut to the roles and permissions that we use.

`roles.json` beside this file is written from a checkout of the set that is named in it, which is
collected from IAM's own API once a day:

    python -m tests.terraform.roles CHECKOUT
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml  # type: ignore[import-untyped]

from tests.terraform.configuration import ROOT, TERRAFORM

FOLDER: Final = Path(__file__).resolve().parent
FILE: Final = FOLDER / "roles.json"
SOURCE: Final = "https://github.com/iann0036/iam-dataset"
NEEDS: Final[Mapping[str, Mapping[str, Any]]] = yaml.safe_load(
    (FOLDER / "needs.yaml").read_text(encoding="utf-8")
)
# What a project's Owner has on its buckets, beside Owner itself:
# https://cloud.google.com/storage/docs/access-control/iam-roles#basic-roles-intrinsic
OWNER: Final = ("roles/owner", "roles/storage.legacyBucketOwner", "roles/storage.legacyObjectOwner")


def permissions_of(roles: Iterable[str]) -> set[str]:
    """Return what these roles hold of all that the tables name."""
    held: dict[str, list[str]] = json.loads(FILE.read_text(encoding="utf-8"))["roles"]
    return {permission for role in roles for permission in held[role]}


def named_roles() -> set[str]:
    """Return every role that configuration or documents name."""
    files = [*TERRAFORM.rglob("*.tf"), *(ROOT / "docs").glob("*.md"), ROOT / "README.md"]
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    return {*OWNER, *re.findall(r"\broles/[A-Za-z]+(?:\.[A-Za-z0-9]+)*", text)}


def named_permissions() -> set[str]:
    """Return every permission that the tables name, and those of calls between functions."""
    calls = {
        "iam.serviceAccounts.getAccessToken",
        "iam.serviceAccounts.getOpenIdToken",
        "logging.logEntries.create",
        "run.routes.invoke",
    }
    entries = [entry for kind in NEEDS.values() for entry in kind.values()]
    return calls | {one for entry in entries for one in entry.get("permissions", ())}


def cut(checkout: Path) -> dict[str, Any]:
    """Return what `roles.json` has to hold."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(checkout), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
        return done.stdout.strip()

    wanted = named_permissions()
    roles = {}
    for role in sorted(named_roles()):
        content = json.loads(git("show", f"HEAD:gcp/{role}.json"))
        roles[role] = sorted(wanted.intersection(content["includedPermissions"]))
    return {
        "source": SOURCE,
        "commit": git("log", "-1", "--format=%H"),
        "date": git("log", "-1", "--format=%as"),
        "roles": roles,
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(cut(Path(sys.argv[1])), indent=1) + "\n", encoding="utf-8")
