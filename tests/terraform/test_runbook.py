"""Each alert has its section in the runbook, and each section an alert or a purpose."""

import re
from typing import Final

from tests.terraform.configuration import ROOT, read, table

RUNBOOK: Final = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")


def anchors() -> set[str]:
    """Return the anchors of all headings, as GitHub makes them."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", RUNBOOK, re.MULTILINE)
    }


def test_every_alert_has_a_section_of_its_own_name() -> None:
    alerts = table("alerts", "monitoring.tf")
    assert len(alerts) >= 12
    missing = {name.replace("_", "-") for name in alerts} - anchors()
    assert not missing


def test_the_burn_rate_alerts_share_a_section() -> None:
    assert "#error-budget" in read("monitoring.tf")
    assert "error-budget" in anchors()


def test_every_link_within_the_documents_leads_somewhere() -> None:
    for anchor in re.findall(r"\]\(#([\w-]+)\)", RUNBOOK):
        assert anchor in anchors(), anchor
