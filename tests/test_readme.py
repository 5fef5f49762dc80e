"""The README and the documents say what the code does, and lead to each other."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

import lib.omdb.faults  # noqa: F401  whose faults are among those that callers meet
from lib import errors
from lib.accounts.roles import ROLES
from lib.catalogue.wanted import ID
from lib.database.transactions import TransactionalDatabase
from lib.errors import InvalidRequest, ServiceError
from local import gateway
from local.bench.command import SECTIONS
from local.functions import read_functions
from local.openapi import command
from local.openapi.breaking import resolve
from local.openapi.declared import read_operations
from local.openapi.errors import BY_THE_SERVER
from local.servers import Server

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = {
    file: file.read_text(encoding="utf-8")
    for file in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
}
README = DOCUMENTS[ROOT / "README.md"]
ALL = "\n\n".join(DOCUMENTS.values())


def every_error(kind: type[ServiceError] = ServiceError) -> set[tuple[int, str]]:
    found = {(kind.status, kind.code)}
    for special in kind.__subclasses__():
        found |= every_error(special)
    return found


def table(header: str) -> list[list[str]]:
    """Return the cells of the rows of the table that begins with a header."""
    rows = ALL.partition(header)[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in re.split(r" \|(?= )", row.strip("|"))] for row in rows]


def test_every_error_that_callers_can_meet_is_explained() -> None:
    explained = {(int(row[0]), row[1].strip("`")) for row in table("| status | code |")}

    assert explained == every_error()


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    drawn = {
        (int(status), code)
        for status, code in re.findall(r" (\d{3}) ([A-Z_]+)\n", errors.__doc__ or "")
    }

    assert drawn == every_error()


def operations() -> dict[str, dict[str, Any]]:
    """Return what the API's description has, by method and route as the documents write them."""
    written = json.loads(command.WRITTEN.read_text(encoding="utf-8"))
    whole = resolve(written, written)
    return {
        f"{method.upper()} {path.replace('{', '<').replace('}', '>')}": operation
        for path, some in whole["paths"].items()
        for method, operation in some.items()
    }


OPERATIONS = operations()
ASKED = {route.strip("`"): row for row in table("| route | asks |") for route in row[0].split(", ")}


def inputs_of(operation: dict[str, Any]) -> dict[str, Any]:
    """Return the schemas of an operation's parameters and members by their names."""
    found = {
        one["name"]: one["schema"]
        for one in operation.get("parameters", ())
        if one["in"] == "query"
    }
    for content in operation.get("requestBody", {"content": {}})["content"].values():
        for way in content["schema"].get("oneOf", [content["schema"]]):
            found |= way.get("properties", {})
    return found


def test_every_route_is_described_and_every_described_route_is_served() -> None:
    assert {*ASKED} == {*OPERATIONS}
    assert {re.sub(r"<.*>", "{id}", route.partition(" ")[2]) for route in ASKED} == {
        route for function in read_functions().values() for route in function.routes
    }


def test_the_readme_names_every_route() -> None:
    named = [route for row in table("| route | does |") for route in row[0].split(", ")]

    assert sorted(route.strip("`") for route in named) == sorted(OPERATIONS)


@pytest.mark.parametrize("route", ASKED)
def test_what_a_route_asks_is_what_its_description_says(route: str) -> None:
    _, asks, answers = ASKED[route]
    filters = [re.findall(r"`(\w+)`", row[0]) for row in table("| filter | asks for |")]
    named = {name for pair in re.findall(r'"(\w+)"|`(\w+)`', asks) for name in pair if name}
    if "[filters]" in asks:
        named |= {name for row in filters for name in row}
    inputs = inputs_of(OPERATIONS[route])

    assert named == {*inputs}
    assert not re.search(r"\d+ to \d+|at most", asks)  # its ranges stand in its description
    for name, default in re.findall(r"`(\w+)` \((\d+) by default", asks):
        assert inputs[name]["default"] == int(default)
    told = set(re.findall(r"\b([2-5]\d\d)(?= |,|;|$)", answers))
    together = [other for other, row in ASKED.items() if row is ASKED[route]]
    assert told <= {status for other in together for status in OPERATIONS[other]["responses"]}


def test_the_readme_says_who_may_do_what() -> None:
    told = {
        name: tuple(bool(cell) for cell in cells)
        for row, *cells in table("| | without a token |")
        for name in re.findall(r"`([\w.]+)`", row)
    }
    declared = {
        re.sub(r"/{id}", "", one.route).strip("/"): (
            not one.rules.needs_token,
            *(role in one.rules.roles for role in ROLES),
            one.takes_keys,
        )
        for one in read_operations()
        if one.rules.roles
    }

    assert told == declared


def test_the_refusal_that_the_readme_shows_is_what_comes_out() -> None:
    [shown] = [line for line in README.splitlines() if '"INVALID_REQUEST"' in line]

    with pytest.raises(InvalidRequest) as refused:
        ID.from_text("imdb_id", "tt1")

    error = json.loads(shown)["error"]
    assert (error["message"], error["fields"]) == (refused.value.message, refused.value.fields)


def test_every_error_of_the_description_is_explained() -> None:
    described = {
        (int(status), code)
        for operation in OPERATIONS.values()
        for status, answer in operation["responses"].items()
        for content in answer.get("content", {}).values()
        for code in content.get("examples", ())
    }
    explained = {(int(row[0]), row[1].strip("`")) for row in table("| status | code |")}

    assert {one for one in explained - described if one[1] not in BY_THE_SERVER} == set()
    assert described <= explained


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
    [named] = re.findall(r"^\./dev bench \[SECTION \.\.\.\] +# ([\w, ]+);", ALL, re.MULTILINE)

    assert named.split(", ") == list(SECTIONS)


COMMANDS = re.findall(r"(?:^|`)\./dev ([\w-]+)", ALL, re.MULTILINE)


@pytest.mark.parametrize("command", sorted(set(COMMANDS)))
def test_every_command_exists(command: str) -> None:
    assert re.search(
        rf"^ +[\w |-]*\b{command}\b[\w |-]*\)", (ROOT / "dev").read_text(), re.MULTILINE
    )


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"`((?:lib|local|tests|functions)/[\w./]+)`", ALL)))
)
def test_every_path_exists(path: str) -> None:
    assert (ROOT / path).exists()


def anchors(text: str) -> set[str]:
    """Return what a link can name within a document, as its readers make it of the headings."""
    headings = re.findall(
        r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE
    )
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    plain = re.sub(r"`[^`]*`", "", DOCUMENTS[document])
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", plain):
        place, _, anchor = link.partition("#")
        target = (document.parent / place).resolve() if place else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(DOCUMENTS[target]), link


def test_the_readme_leads_to_every_document_and_is_read_in_a_minute() -> None:
    assert len(README.splitlines()) <= 130
    architecture = DOCUMENTS[ROOT / "docs" / "architecture.md"]
    for document in DOCUMENTS:
        if document.parent.name == "decisions":
            assert f"](decisions/{document.name})" in architecture
        elif document.name != "README.md":
            assert f"](docs/{document.name})" in README


def test_the_endpoint_that_the_documents_show_is_served(
    database: TransactionalDatabase,  # noqa: ARG001  the environment's, and empty
    environment: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    guide = DOCUMENTS[ROOT / "docs" / "contributing.md"]
    files = re.findall(r"```\w+\n# (functions/\S+)\n(.*?)```", guide, re.DOTALL)
    for name, content in files:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    with Server(gateway.build(tmp_path)) as server:
        answer = httpx.get(f"{server.url}/movies.count")

    assert (answer.status_code, answer.json()) == (200, {"data": 0})
