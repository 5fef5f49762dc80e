"""What checkov knows of Google Cloud's pitfalls is either kept or passed over with a reason."""

import re
import shutil
import subprocess

import pytest

from tests.terraform.configuration import TERRAFORM


def test_every_exception_says_why() -> None:
    for path in TERRAFORM.rglob("*.tf"):
        for line in path.read_text(encoding="utf-8").splitlines():
            if "checkov:skip" in line:
                assert re.search(r"#checkov:skip=CKV2?_GCP_\d+:\S.{20,}", line), f"{path}: {line}"


# It is installed by itself: it holds back libraries that the service has newer.
@pytest.mark.skipif(shutil.which("checkov") is None, reason="checkov is not installed")
def test_nothing_fails_without_a_reason() -> None:
    checked = subprocess.run(  # noqa: S603
        [
            *("checkov", "--directory", str(TERRAFORM)),
            *("--framework", "terraform", "--skip-download", "--compact", "--quiet"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert re.search(r"Failed checks: 0", checked.stdout)
