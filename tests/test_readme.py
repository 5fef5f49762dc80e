"""The README says what the code does."""

import re
from pathlib import Path

import pytest

import lib.omdb.faults  # noqa: F401  whose faults are among those that callers meet
from lib import errors
from lib.errors import ServiceError
from local.bench.command import SECTIONS
from local.functions import read_functions

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def every_error(kind: type[ServiceError] = ServiceError) -> set[tuple[int, str]]:
    found = {(kind.status, kind.code)}
    for special in kind.__subclasses__():
        found |= every_error(special)
    return found


def table(header: str) -> list[list[str]]:
    """Return the cells of the rows of the table that begins with a header."""
    rows = README.partition(header)[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]


def test_every_error_that_callers_can_meet_is_explained() -> None:
    explained = {(int(row[0]), row[1].strip("`")) for row in table("| status | code |")}

    assert explained == every_error()


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    drawn = {
        (int(status), code)
        for status, code in re.findall(r" (\d{3}) ([A-Z_]+)\n", errors.__doc__ or "")
    }

    assert drawn == every_error()


def test_every_route_is_described_and_every_described_route_is_served() -> None:
    described = {
        re.sub(r"<.*>", "{id}", route.strip("`").split(" ")[1])
        for route, *_ in table("| route | asks |")
    }

    assert described == {
        route for function in read_functions().values() for route in function.routes
    }


def test_every_variable_that_is_read_is_described() -> None:
    described = {
        name for row in table("| variable | meaning |") for name in re.findall(r"`(\w+)`", row[0])
    }
    read = {
        name
        for file in (ROOT / "lib").rglob("*.py")
        for name in re.findall(r'env(?:\.get\(|, )"([A-Z_]+)"', file.read_text(encoding="utf-8"))
    }

    assert described - {"PORT"} == read - {"K_SERVICE", "GOOGLE_CLOUD_PROJECT"}


def test_every_section_of_the_benchmarks_is_named() -> None:
    [named] = re.findall(r"^\./dev bench \[SECTION \.\.\.\] +# ([\w, ]+);", README, re.MULTILINE)

    assert named.split(", ") == list(SECTIONS)


COMMANDS = re.findall(r"(?:^|`)\./dev (\w+)", README, re.MULTILINE)


@pytest.mark.parametrize("command", sorted(set(COMMANDS)))
def test_every_command_exists(command: str) -> None:
    assert re.search(rf"^ +[\w |]*\b{command}\b[\w |]*\)", (ROOT / "dev").read_text(), re.MULTILINE)


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"`((?:lib|local|tests|functions)/[\w./]+)`", README)))
)
def test_every_path_exists(path: str) -> None:
    assert (ROOT / path).exists()
