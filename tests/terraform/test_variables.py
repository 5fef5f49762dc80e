"""The table and the example of Terraform's variables say what `variables.tf` says."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from local import terraform_variables
from local.terraform_variables import EXAMPLE, TABLE, VARIABLES
from tests.terraform.configuration import TERRAFORM, read

DECLARED = re.findall(r'^variable "(\w+)"', read("variables.tf"), re.MULTILINE)
FORMED = """\
variable "plain" {
  description = "A \\"plain\\" one"
  type        = number
  nullable    = false

  validation {
    condition     = var.plain > 0
    error_message = "plain is above 0."
  }
}

variable "objects" {
  description = "Some | more"
  type = map(object({
    pair  = optional(object({ day = number }), { day = 7 })
    text  = optional(string, "a, (b") # a comment
    words = list(string)
  }))
  default = {
    one = { words = ["a"] }
  }
}
"""


def test_both_are_as_they_would_be_written_now() -> None:
    variables = terraform_variables.read_variables(VARIABLES.read_text(encoding="utf-8"))
    stale = "is stale: ./dev variables"

    assert TABLE.read_text(encoding="utf-8") == terraform_variables.table(variables), stale
    assert EXAMPLE.read_text(encoding="utf-8") == terraform_variables.example(variables), stale


def test_each_variable_stands_in_both_once_and_nothing_else() -> None:
    example = re.findall(r"^#?(\w+) = ", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE)
    table = re.findall(r"^\| `(\w+)` \|", TABLE.read_text(encoding="utf-8"), re.MULTILINE)

    assert sorted(example) == sorted(DECLARED)
    assert sorted(table) == sorted(DECLARED)


def test_types_of_more_lines_defaults_and_comments_are_understood() -> None:
    variables = terraform_variables.read_variables(FORMED)

    assert terraform_variables.table(variables).splitlines()[-5:] == [
        '| `plain` | `number` | has to be given | A "plain" one |',
        '| `objects` | `map(object)` | `{ one = { words = ["a"] } }` | Some \\| more |',
        "| `objects.<name>.pair` | `object({ day = number })` | `{ day = 7 }` |  |",
        '| `objects.<name>.text` | `string` | `"a, (b"` | a comment |',
        "| `objects.<name>.words` | `list(string)` | has to be given |  |",
    ]
    assert terraform_variables.example(variables).splitlines()[3:] == [
        '# A "plain" one',
        'plain = "" # has to be given',
        "",
        "# Some | more",
        "# - pair: object({ day = number }), { day = 7 } by default",
        '# - text: string, "a, (b" by default; a comment',
        "# - words: list(string), has to be given",
        "#objects = {",
        '#  one = { words = ["a"] }',
        "#}",
    ]


@pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")
def test_the_example_without_its_marks_sets_nothing_but_the_defaults(tmp_path: Path) -> None:
    shutil.copy(VARIABLES, tmp_path)
    shutil.copy(TERRAFORM / "tests" / "inputs" / "main.tf", tmp_path)
    values = "\n".join(f"    {name} = var.{name}" for name in DECLARED)
    (tmp_path / "outputs.tf").write_text(f'output "values" {{\n  value = {{\n{values}\n  }}\n}}\n')
    bare = re.sub(r"^#(?! \S)", "", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (tmp_path / "all.tfvars").write_text(bare, encoding="utf-8")
    terraform(tmp_path, "init", "-input=false")

    assert f"\n{DECLARED[0]} = " in bare
    assert planned(tmp_path, "-var-file=all.tfvars") == planned(tmp_path)


def planned(folder: Path, *arguments: str) -> Any:
    """Return the values of all variables."""
    required = ("-var=project_id=movies-tests", "-var=region=europe-west1")
    terraform(folder, "plan", "-input=false", "-out=plan", *arguments, *required)
    return json.loads(terraform(folder, "show", "-json", "plan"))["planned_values"]["outputs"]


def terraform(folder: Path, *arguments: str) -> str:
    done = subprocess.run(  # noqa: S603
        ["terraform", f"-chdir={folder}", *arguments, "-no-color"],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
