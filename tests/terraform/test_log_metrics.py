"""What Terraform counts in the logs is what `lib` logs."""

import ast
import re
from functools import cache
from typing import Final

import pytest

from tests.terraform.configuration import ROOT, read, strings, table

METRICS: Final = table("log_metrics", "metrics.tf")
METHODS: Final = frozenset({"debug", "info", "warning", "error", "exception", "critical", "log"})


@cache
def logged(methods: frozenset[str] = METHODS) -> frozenset[str]:
    """Return every text that a log call in `lib` carries, or one by certain methods."""
    found = set()
    for path in (ROOT / "lib").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(call, ast.Call)
                and isinstance(call.func, ast.Attribute)
                and call.func.attr in methods
                and isinstance(call.func.value, ast.Name)
                and call.func.value.id == "log"
            ):
                found |= {
                    one.value
                    for one in call.args
                    if isinstance(one, ast.Constant) and isinstance(one.value, str)
                }
    return frozenset(found)


@pytest.mark.parametrize("name", sorted(METRICS))
def test_each_text_that_a_metric_counts_is_logged_somewhere(name: str) -> None:
    messages = strings(METRICS[name], "messages")
    assert messages
    assert set(messages) <= logged()


@pytest.mark.parametrize("name", sorted(METRICS))
def test_each_class_of_fault_that_a_metric_filters_by_exists(name: str) -> None:
    classes = re.findall(r'error_class=\\"(\w+)\\"', METRICS[name])
    modules = (ROOT / "lib" / "errors.py", ROOT / "lib" / "omdb" / "faults.py")
    errors = "".join(module.read_text(encoding="utf-8") for module in modules)
    for wanted in classes:
        assert f"class {wanted}(" in errors


def test_what_alerts_count_is_logged_at_every_level_that_can_be_set() -> None:
    counted = set(re.findall(r"local\._log_metric\.(\w+)", read("monitoring.tf")))
    # `log` is told its level: a warning's or an error's.
    always = logged(METHODS - {"debug", "info"})

    assert 'contains(["DEBUG", "INFO", "WARNING"], var.log_level)' in read("variables.tf")
    assert counted
    for name in counted:
        assert set(strings(METRICS[name], "messages")) <= always, name


def test_each_metric_is_used_by_an_alert_or_the_dashboard() -> None:
    used = {
        name
        for file in ("monitoring.tf", "dashboard.tf")
        for name in re.findall(
            r"local\._log_metric\.(\w+)", (ROOT / "terraform" / file).read_text(encoding="utf-8")
        )
    }
    assert used == set(METRICS)
