"""What is true of each function and is not code: the `function.yaml` in its folder.

Terraform reads the same files. `functions/function.schema.json` says what may stand in them.
"""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import yaml  # type: ignore[import-untyped]
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from jsonschema.exceptions import best_match  # type: ignore[import-untyped]

from lib.schema.settings import Grant
from local.environment import ROOT
from local.failure import Failure

FILE: Final = "function.yaml"
ID: Final = "{id}"  # one segment of a path
SCHEMA: Final = "function.schema.json"
_TIMES: Final = 1_000
# The variables of a group of settings whose values are secrets, as in ../terraform/functions.tf.
SECRETS: Final = {
    "admin": ("ADMIN_PASSWORD",),
    "omdb": ("OMDB_API_KEY",),
    "refresh": ("REFRESH_KEY",),
    "signing": ("TOKEN_PRIVATE_KEY",),
}


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request, as far as its function's folder knows it.

    Attributes:
        id: What stands for `{id}` in the route.
        body: Of a request in JSON; None for a request without one.
    """

    method: str = "GET"
    id: str = ""
    query: str = ""
    body: Any = None


@dataclass(frozen=True, kw_only=True)
class Check(Call):
    """A request and what it has to be answered with.

    Attributes:
        route: Which of its function's routes it asks; the first one, where none is told.
        code: The error's code, where the answer is an error of ours.
        headers: Names of headers that the answer has.
        members: Members that its body has, such as "data" or "pagination.page".
    """

    route: str
    statuses: tuple[int, ...]
    code: str | None = None
    headers: tuple[str, ...] = ()
    members: tuple[str, ...] = ()

    @property
    def target(self) -> str:
        """The path and query to ask."""
        path = self.route.replace(ID, self.id)
        return f"{path}?{self.query}" if self.query else path


@dataclass(frozen=True, kw_only=True)
class Imports:
    """What a cold start may load.

    Attributes:
        only: The heavy packages that the function uses.
        most_modules: How many modules beyond the framework's; None where nobody counts.
    """

    only: frozenset[str]
    most_modules: int | None = None


@dataclass(frozen=True, kw_only=True)
class Usual(Call):
    """What the function is usually asked for, by the benchmarks.

    Attributes:
        as_admin: Whether an administrator's token goes with it.
        times: How often, to take longer than a tick of the processors' clock.
    """

    as_admin: bool = False
    status: int = 200
    times: int


@dataclass(frozen=True, kw_only=True)
class Example(Call):
    """A request that shows people what the function is for.

    Attributes:
        name: What it shows, in a few words.
        as_admin: Whether an administrator's token goes with it.
        status: What it is answered with, where that is not the first of the answers.
    """

    name: str
    as_admin: bool = False
    status: int | None = None


@dataclass(frozen=True, kw_only=True)
class Told:
    """What an answer is that is no error.

    Attributes:
        shape: The name of its body's in `local/openapi/shapes.py`, or a JSON schema; None where it
            has no body.
        types: The media types that its body may have.
        headers: Those that it has and others of its kind have not.
        is_kept: Whether its reader may keep a read, and so ask for it with its tag.
    """

    status: int
    description: str
    shape: str | Mapping[str, Any] | None = None
    types: tuple[str, ...] = ("application/json",)
    headers: tuple[str, ...] = ()
    is_kept: bool = True


@dataclass(frozen=True, kw_only=True)
class Words:
    """What a route of the function is to people; see `local/openapi`.

    Attributes:
        tag: What it is listed under.
        headers: Those of a request that it reads, and others do not.
        errors: The codes of those that do not follow from what it takes.
    """

    summary: str
    description: str
    tag: str
    headers: tuple[str, ...] = ()
    answers: tuple[Told, ...] = ()
    errors: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function, as its folder describes it.

    Attributes:
        routes: Paths behind the load balancer and on `./dev serve`.
        settings: The groups of settings beside the database's that its `main.py` requires.
        rights: What its database role may do, by table or `function()`; "owner" for the one that
            makes the schema, None for one that never connects.
        sizes: What it has other than Terraform's defaults, such as `max_instances`.
        words: What each of its routes is for; empty where nothing is said of it.
    """

    name: str
    routes: tuple[str, ...]
    invoker: Literal["public", "scheduler", "deployer"]
    settings: tuple[str, ...] = ()
    rights: Mapping[str, str] | Literal["owner"] | None = None
    cdn: bool = False
    rate_limit: Literal["api", "login"] = "api"
    sizes: Mapping[str, Any] = field(default_factory=dict)
    probe: Check | None = None
    smoke: tuple[Check, ...] = ()
    imports: Imports | None = None
    usual: Usual | None = None
    words: Mapping[str, Words] = field(default_factory=dict)

    @property
    def is_public(self) -> bool:
        """Whether everybody may invoke it."""
        return self.invoker == "public"

    @property
    def secrets(self) -> tuple[str, ...]:
        """The variables that it is given secrets in."""
        return tuple(secret for group in self.settings for secret in SECRETS.get(group, ()))

    @property
    def checks(self) -> tuple[Check, ...]:
        """What it has to answer rightly wherever it runs: its probe, then the rest."""
        return (*([self.probe] if self.probe else []), *self.smoke)

    @property
    def usual_call(self) -> Usual | None:
        """What the benchmarks ask it for; its probe's question, unless its folder has another."""
        if self.usual is not None or self.probe is None:
            return self.usual
        return Usual(
            id=self.probe.id, query=self.probe.query, status=self.probe.statuses[0], times=_TIMES
        )


@functools.cache
def read_functions(root: Path = ROOT) -> Mapping[str, Function]:
    """Return every function by its name, in order of names.

    Args:
        root: The folder that holds `functions/`.

    Raises:
        Failure: A folder has no `function.yaml`, or one breaks the schema; it names file and key.
    """
    folder = root / "functions"
    return {
        source.parent.name: _read(source.parent / FILE)
        for source in sorted(folder.glob("*/main.py"))
    }


def grants(users: Mapping[str, str], root: Path = ROOT) -> dict[str, Grant]:
    """Return what the migration grants, as Terraform tells it in `DATABASE_GRANTS`.

    Args:
        users: Function -> the database user that it logs in as.
    """
    functions = read_functions(root)
    return {
        name: Grant.of(name, {"user": user, "rights": functions[name].rights})
        for name, user in users.items()
    }


def run() -> None:
    """Print every function with its route, who may invoke it, and what it may do."""
    header = ("function", "route", "invoker", "secrets", "sizes", "rights in the database")
    rows = [header, *(_row(function) for function in read_functions().values())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())


def _row(function: Function) -> tuple[str, ...]:
    rights = str(function.rights or "-")
    if isinstance(function.rights, Mapping):
        rights = "; ".join(f"{name}: {actions}" for name, actions in function.rights.items())
    return (
        function.name,
        ", ".join(function.routes),
        function.invoker,
        ", ".join(function.secrets) or "-",
        ", ".join(f"{name} {value}" for name, value in function.sizes.items()) or "-",
        rights,
    )


def _read(file: Path) -> Function:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise Failure(f"{file} cannot be read: {error}") from error
    wrong = best_match(_validator().iter_errors(content))
    if wrong is not None:
        raise Failure(f"{file}: {wrong.json_path.removeprefix('$.')}: {wrong.message}")
    return _function(file.parent.name, content)


@functools.cache
def _validator() -> Draft202012Validator:
    text = (ROOT / "functions" / SCHEMA).read_text(encoding="utf-8")
    return Draft202012Validator(json.loads(text))


_SIZES: Final = (
    "connections", "concurrency", "cpu", "memory", "min_instances", "max_instances",
    "timeout_seconds",
)  # fmt: skip


def _function(name: str, content: Mapping[str, Any]) -> Function:
    told = content["route"]
    routes = (told,) if isinstance(told, str) else tuple(told)
    return Function(
        name=name,
        routes=routes,
        invoker=content["invoker"],
        settings=tuple(content.get("settings", ())),
        rights=content.get("database"),
        cdn=content.get("cdn", False),
        rate_limit=content.get("rate_limit", "api"),
        sizes={size: content[size] for size in _SIZES if size in content},
        probe=_check(content["probe"], routes[0]) if "probe" in content else None,
        smoke=tuple(_check(check, routes[0]) for check in content.get("smoke", ())),
        imports=_imports(content["imports"]) if "imports" in content else None,
        usual=_usual(content["usual"]) if "usual" in content else None,
        words=_read_words(content),
    )


def _check(content: Mapping[str, Any], route: str) -> Check:
    lists = {name: tuple(value) for name, value in content.items() if isinstance(value, list)}
    return Check(**{"route": route, **content, **lists})


def _imports(content: Mapping[str, Any]) -> Imports:
    return Imports(only=frozenset(content["only"]), most_modules=content.get("most_modules"))


def _usual(content: Mapping[str, Any]) -> Usual:
    rest = {name: value for name, value in content.items() if name != "as"}
    return Usual(as_admin="as" in content, **rest)


def _read_words(content: Mapping[str, Any]) -> dict[str, Words]:
    """Return the words of each route: those of the function, or its own where it has some."""
    routes = content["route"]
    if "operations" in content:
        return {route: _words(one) for route, one in content["operations"].items()}
    words = {routes: content} if isinstance(routes, str) and "summary" in content else {}
    return {route: _words(one) for route, one in words.items()}


def _words(content: Mapping[str, Any]) -> Words:
    return Words(
        summary=content["summary"],
        description=content["description"].strip(),
        tag=content["tag"],
        headers=tuple(content.get("headers", ())),
        answers=tuple(_told(answer) for answer in content.get("answers", ())),
        errors=tuple(content.get("errors", ())),
        examples=tuple(
            Example(
                name=name,
                as_admin="as" in call,
                **{key: value for key, value in call.items() if key != "as"},
            )
            for name, call in content["examples"].items()
        ),
    )


def _told(content: Mapping[str, Any]) -> Told:
    return Told(
        status=content["status"],
        description=content["description"],
        shape=content.get("shape"),
        types=tuple(content.get("types", Told.types)),
        headers=tuple(content.get("headers", ())),
        is_kept=content.get("kept", True),
    )
