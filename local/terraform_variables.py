"""What `terraform/variables.tf` says, as a table for readers and as an example to copy from.

It reads the file as `terraform fmt` leaves it: one attribute a line, or more lines down to the
bracket that closes it.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from local.environment import ROOT

VARIABLES: Final = ROOT / "terraform" / "variables.tf"
TABLE: Final = ROOT / "docs" / "terraform-variables.md"
EXAMPLE: Final = ROOT / "terraform" / "terraform.tfvars.example"

_TABLE_HEAD: Final = """\
# Terraform's variables

Written by `./dev variables` from `terraform/variables.tf`, which also says what it refuses.
An environment sets its own in `terraform/environments/`; `terraform/terraform.tfvars.example` has
them all to copy from. A member of an object is written with a dot; `<name>` is a name of your own.

| name | type | default | meaning |
| --- | --- | --- | --- |
"""
_EXAMPLE_HEAD: Final = """\
# Every variable, with its default: copy what you want otherwise, without the # before it, into
# environments/<name>/terraform.tfvars. Written by ./dev variables from variables.tf.
"""


@dataclass(frozen=True, kw_only=True)
class Member:
    """A member of an object, or the whole of a variable.

    Attributes:
        default: As it is written; None where a value has to be given.
    """

    name: str
    type: str
    default: str | None
    meaning: str


@dataclass(frozen=True, kw_only=True)
class Variable(Member):
    """A variable.

    Attributes:
        members: Of its object, or of each object of its map.
        is_map: Whether it holds objects by names of one's own.
    """

    members: tuple[Member, ...]
    is_map: bool


def read_variables(text: str) -> list[Variable]:
    """Return the variables of a file, in its order."""
    blocks = re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', text, re.DOTALL | re.MULTILINE)
    return [_variable(name, body) for name, body in blocks]


def table(variables: list[Variable]) -> str:
    """Return the document that lists them."""
    rows = [row for variable in variables for row in _rows(variable)]
    return _TABLE_HEAD + "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def example(variables: list[Variable]) -> str:
    """Return the example that sets them: those that need no value only in a comment."""
    return "\n".join([_EXAMPLE_HEAD, *(_setting(variable) for variable in variables)])


def run() -> None:
    """Write both."""
    variables = read_variables(VARIABLES.read_text(encoding="utf-8"))
    for file, text in ((TABLE, table(variables)), (EXAMPLE, example(variables))):
        file.write_text(text, encoding="utf-8")
        print(f"Written: {file.relative_to(Path(ROOT))}")


def _variable(name: str, body: str) -> Variable:
    values = _attributes(body)
    kind = values["type"]
    return Variable(
        name=name,
        type=re.sub(r"object\(\{.*\}\)", "object", kind, flags=re.DOTALL),
        default=values.get("default"),
        meaning=values["description"].strip('"').replace('\\"', '"'),
        members=tuple(_members(kind)) if "\n" in kind else (),
        is_map=kind.startswith("map("),
    )


def _attributes(body: str) -> dict[str, str]:
    """Return the attributes of a block as they are written, but not those of blocks within it."""
    found: dict[str, str] = {}
    lines = iter(body.splitlines())
    for line in lines:
        start = re.fullmatch(r"  (\w+) += (.*)", line)
        if start:
            value = start[2]
            while _open_brackets(value) > 0:
                value += "\n" + next(lines).removeprefix("  ")
            found[start[1]] = value
    return found


def _open_brackets(text: str) -> int:
    bare = re.sub(r'"(\\.|[^"\\])*"|#.*', "", text)
    return sum(bare.count(bracket) for bracket in "([{") - sum(
        bare.count(bracket) for bracket in ")]}"
    )


def _members(kind: str) -> list[Member]:
    found = []
    for line in kind.splitlines()[1:-1]:
        parts = re.fullmatch(r"\s+(\w+) += (.*?)(?:\s+# (.*))?", line)
        if parts:
            inner = re.fullmatch(r"optional\((.*)\)", parts[2])
            kind_of, default = _split(inner[1]) if inner else (parts[2], None)
            found.append(
                Member(name=parts[1], type=kind_of, default=default, meaning=parts[3] or "")
            )
    return found


def _split(optional: str) -> tuple[str, str]:
    """Return type and default, from between the brackets of `optional(...)`."""
    for place in (found.start() for found in re.finditer(", ", optional)):
        if _open_brackets(optional[:place]) == 0:
            return optional[:place], optional[place + 2 :]
    return optional, "null"


def _rows(variable: Variable) -> list[tuple[str, ...]]:
    between = ".<name>." if variable.is_map else "."
    whole = "the members'" if variable.members and variable.default == "{}" else None
    return [
        _row(variable.name, variable, whole if not variable.is_map else None),
        *(_row(variable.name + between + member.name, member, None) for member in variable.members),
    ]


def _row(name: str, member: Member, default: str | None) -> tuple[str, ...]:
    if default is None:
        written = member.default and " ".join(member.default.split())
        default = f"`{written}`" if written else "has to be given"
    return (f"`{name}`", f"`{member.type}`", default, member.meaning.replace("|", "\\|"))


def _setting(variable: Variable) -> str:
    lines = [f"# {variable.meaning}"]
    if variable.default is None:
        return "\n".join([*lines, f'{variable.name} = "" # has to be given\n'])
    if variable.members and variable.default == "{}" and not variable.is_map:
        value = ["{", *(f"  {_assignment(member)}" for member in variable.members), "}"]
    else:
        lines += [f"# - {_told(member)}" for member in variable.members]
        value = variable.default.splitlines()
    first, *rest = value
    return "\n".join([*lines, f"#{variable.name} = {first}", *(f"#{line}" for line in rest), ""])


def _assignment(member: Member) -> str:
    return f"{member.name} = {member.default}" + (f" # {member.meaning}" if member.meaning else "")


def _told(member: Member) -> str:
    default = "has to be given" if member.default is None else f"{member.default} by default"
    return f"{member.name}: {member.type}, {default}" + (
        f"; {member.meaning}" if member.meaning else ""
    )
