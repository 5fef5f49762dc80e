"""The README and the documents say what the code does, and lead to each other."""

import re
from pathlib import Path

import httpx
import pytest

import lib.omdb.faults  # noqa: F401  whose faults are among those that callers meet
from lib import errors
from lib.database.transactions import TransactionalDatabase
from lib.errors import ServiceError
from local import gateway
from local.bench.command import SECTIONS
from local.functions import read_functions
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
