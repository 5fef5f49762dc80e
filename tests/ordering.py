"""In which order tests run: workers begin with what takes long, so that none ends alone with it.

pytest-xdist gives each worker one share of the list, in order, and lets who is done take from the
end of another's.
"""

from collections.abc import Iterable
from typing import Final, Protocol, TypeVar

# About how many seconds of a processor they take; the first that a test's name contains counts.
LONG: Final = {
    "terraform/test_terraform.py::test_its_own_tests_pass": 180,
    "terraform/test_terraform.py": 40,
    "terraform/test_switches.py": 90,
    "terraform/test_changes.py": 50,
    "terraform/test_prefix.py": 25,
    "terraform/test_checkov.py": 20,
    "pipeline/test_real_plan.py": 30,
    "local/test_bench.py": 30,
    "local/test_scaling.py": 20,
    "accounts/test_login_siege.py": 20,
    "functions/test_callers_limits.py": 20,
    "document/test_schemathesis.py": 30,
    "document/test_generated_clients.py": 20,
    "schema/test_work.py": 20,
    "test_previous_release.py": 15,
}


class Named(Protocol):
    """What has a name that tells where it stands."""

    @property
    def nodeid(self) -> str:
        """Its file, and its name there."""


Item = TypeVar("Item", bound=Named)


def arrange(items: Iterable[Item], workers: int) -> list[Item]:
    """Return the tests, what takes long at the beginning of a worker's share; files stay whole."""
    groups: dict[str, list[Item]] = {name: [] for name in (*LONG, "")}
    for item in items:
        groups[next((name for name in LONG if name in item.nodeid), "")].append(item)
    others = groups.pop("")
    shares: list[list[Item]] = [[] for _ in range(workers)]
    seconds = [0] * workers
    for name in sorted(filter(groups.get, groups), key=LONG.__getitem__, reverse=True):
        least = seconds.index(min(seconds))
        shares[least] += groups[name]
        seconds[least] += LONG[name]
    left = sum(map(len, shares)) + len(others)
    arranged: list[Item] = []
    for number, share in enumerate(shares):
        size = left // (workers - number)
        fill = max(0, size - len(share))
        arranged += [*share, *others[:fill]]
        others = others[fill:]
        left -= max(size, len(share))
    return arranged + others
