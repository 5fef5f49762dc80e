"""The rooms of `lib`, drawn from its imports: on which floor each is, and what may stand in it."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from graphlib import TopologicalSorter
from typing import Final

import pytest

from local.environment import ROOT

# From the ground up. An arrow leads to a lower floor: rooms on one floor do not know each other.
FLOORS: Final = (
    {"errors", "limits", "settings", "texts"},
    {"web"},
    {"database"},
    {"catalogue"},
    {"accounts", "omdb", "search"},
    {"imports", "schema"},
)
MOST_ROOMS: Final = 12

# Who may load what takes a cold start long, or ties a module to what others need not know.
HEAVY: Final = {
    "alembic": {"schema/*"},
    "argon2": {"accounts/passwords"},
    "cryptography": {"accounts/keys", "accounts/tokens", "database/cloud_sql", "database/tls"},
    "functions_framework": set(),
    "google": {"database/cloud_sql"},
    "jwt": {"accounts/tokens"},
    "pg8000": {"database/*"},
    "requests": {"omdb/client", "omdb/transport"},
    "sqlalchemy": {
        "accounts/administration",
        "accounts/beginning",
        "accounts/codes",
        "accounts/known_networks",
        "accounts/login",
        "accounts/password_changes",
        "accounts/throttle",
        "accounts/users",
        "database/account_tables",
        "database/columns",
        "database/import_tables",
        "database/search_tables",
        "database/tables",
        "database/transactions",
        "imports/opening",
        "schema/*",
    },
    "starlette": {"web/*"},
    "urllib3": {"omdb/client", "omdb/transport"},
    "uvicorn": {"web/server"},
}

MOST_LINES: Final = {"module": 300, "class": 150, "function": 40}


@dataclass(frozen=True, kw_only=True)
class Import:
    """A module that another one names.

    Attributes:
        loads: Whether it is loaded, and not only looked at by the type checker.
    """

    module: str
    loads: bool


@dataclass(frozen=True, kw_only=True)
class Module:
    """A module of `lib`, such as `database/pool`."""

    name: str
    text: str

    @property
    def room(self) -> str:
        """The package that it stands in, or itself on the ground."""
        return self.name.partition("/")[0]

    @property
    def tree(self) -> ast.Module:
        """What it says."""
        return ast.parse(self.text)

    def imports(self) -> Iterator[Import]:
        """Yield every import, wherever it stands, those in functions included."""
        tree = self.tree
        looked_at = {
            id(inner)
            for node in ast.walk(tree)
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
            for inner in ast.walk(node)
        }
        for node in ast.walk(tree):
            for module in _named(node):
                yield Import(module=module, loads=id(node) not in looked_at)

    def arrows(self) -> set[str]:
        """Return the modules of `lib` that it names."""
        return {name for one in self.imports() if (name := _module_of_lib(one.module))}


def _named(node: ast.AST) -> Iterable[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def _module_of_lib(dotted: str) -> str | None:
    """Return the name of the module that an import of `lib` leads to."""
    first, *rest = dotted.split(".")
    while first == "lib" and rest:
        if "/".join(rest) in HOUSE:
            return "/".join(rest)
        rest.pop()
    return None


HOUSE: Final = {
    (name := file.relative_to(ROOT / "lib").with_suffix("").as_posix()): Module(
        name=name, text=file.read_text(encoding="utf-8")
    )
    for file in sorted((ROOT / "lib").rglob("*.py"))
    if file.name != "__init__.py"
}
FLOOR: Final = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
ARROWS: Final = {name: module.arrows() for name, module in HOUSE.items()}


def test_the_rooms_are_those_that_are_known_and_not_too_many() -> None:
    rooms = {module.room for module in HOUSE.values()}

    assert rooms == set(FLOOR)
    assert len(rooms) <= MOST_ROOMS


def test_every_arrow_between_rooms_leads_to_a_lower_floor() -> None:
    up = {
        f"{name} -> {target}"
        for name, targets in ARROWS.items()
        for target in targets
        if HOUSE[name].room != HOUSE[target].room
        and FLOOR[HOUSE[target].room] >= FLOOR[HOUSE[name].room]
    }

    assert not up


def test_no_modules_know_each_other_in_a_circle() -> None:
    TopologicalSorter(ARROWS).prepare()  # raises CycleError, which names them


@pytest.mark.parametrize(
    ("room", "knows"),
    [
        ("web", {"errors", "limits", "settings", "texts"}),
        ("database", {"errors", "limits", "settings", "texts", "web"}),
    ],
)
def test_web_and_database_know_nothing_of_movies(room: str, knows: set[str]) -> None:
    assert rooms_known_to(room) <= knows


def test_the_catalogue_knows_no_omdb() -> None:
    assert "omdb" not in rooms_known_to("catalogue")


def test_imports_name_omdb_only_where_its_client_is_made() -> None:
    naming = {
        name
        for name, targets in ARROWS.items()
        if HOUSE[name].room == "imports" and any(HOUSE[one].room == "omdb" for one in targets)
    }

    assert naming == {"imports/service"}


def rooms_known_to(room: str) -> set[str]:
    return {
        HOUSE[target].room
        for name, targets in ARROWS.items()
        if HOUSE[name].room == room
        for target in targets
    } - {room}


def test_lib_knows_nothing_of_what_is_built_on_it() -> None:
    known = {one.module.partition(".")[0] for module in HOUSE.values() for one in module.imports()}

    assert not known & {"functions", "local", "tests"}


def test_a_heavy_package_is_loaded_only_where_it_belongs() -> None:
    misplaced = {
        (name, package)
        for name, module in HOUSE.items()
        for one in module.imports()
        if one.loads and (package := one.module.partition(".")[0]) in HEAVY
        if not any(fnmatch(name, place) for place in HEAVY[package])
    }

    assert not misplaced


def test_a_package_is_a_docstring_and_nothing_else() -> None:
    for file in (ROOT / "lib").rglob("__init__.py"):
        [only] = ast.parse(file.read_text(encoding="utf-8")).body
        assert isinstance(only, ast.Expr), file
        assert isinstance(only.value, ast.Constant), file


def lengths(module: Module) -> Iterator[tuple[str, str, int]]:
    """Yield the kind, the name and the lines of a module and of all that stands in it."""
    yield "module", module.name, len(module.text.splitlines())
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            kind = "class" if isinstance(node, ast.ClassDef) else "function"
            assert node.end_lineno
            yield kind, f"{module.name} {node.name}", node.end_lineno - node.lineno + 1


def test_nothing_is_too_long_to_be_read_at_once() -> None:
    too_long = {
        f"{kind} {name}: {lines} lines"
        for module in HOUSE.values()
        for kind, name, lines in lengths(module)
        if lines > MOST_LINES[kind]
    }

    assert not too_long
