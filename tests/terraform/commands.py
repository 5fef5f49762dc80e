"""The commands in the documents and in `cloudbuild.yaml`, word by word as a shell reads them."""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml  # type: ignore[import-untyped]

from tests.terraform.configuration import ROOT, TERRAFORM
from tests.terraform.roles import NEEDS

DOCUMENTS: Final = (
    "README.md",
    *sorted(f"docs/{file.name}" for file in (ROOT / "docs").glob("*.md")),
)
CHECKED: Final = ("gcloud", "terraform", "./dev")
# What needs nothing of ours, of Google's or of Terraform's.
HARMLESS: Final = frozenset({
    "apt-get", "bash", "cat", "cd", "cloud-sql-proxy", "curl", "cut", "date", "dig", "echo", "exit",
    "export", "git", "grep", "head", "jq", "mkdir", "pg_dump", "pg_restore", "printf", "psql",
    "python3", "rm", "sed", "set", "sha256sum", "sleep", "sort", "tail", "tr", "unset", "uniq",
    "wc", "xargs",
})  # fmt: skip
GLOBAL_FLAGS: Final = frozenset(
    {"--account", "--filter", "--format", "--impersonate-service-account", "--project", "--quiet"}
)
_OPERATORS: Final = re.compile(r"[;&|()]+")
_ASSIGNMENT: Final = re.compile(r"\w+=")


@dataclass(frozen=True, kw_only=True)
class Command:
    """A simple command.

    Attributes:
        place: The document, or the step of the pipeline.
        words: The program and what follows; `$` stands for what the shell puts in.
        is_mention: Whether it stands within a sentence, where arguments may be left out.
    """

    place: str
    words: tuple[str, ...]
    is_mention: bool = False

    def __str__(self) -> str:
        return f"{self.place}: {' '.join(self.words)}"

    @property
    def program(self) -> str:
        """What is run."""
        return self.words[0]

    @property
    def own_words(self) -> list[str]:
        """What is for the program itself, and not behind `--` for another that it runs."""
        words = list(self.words[1:])
        return words[: words.index("--")] if "--" in words else words


def read_documents() -> list[Command]:
    """Return every command of the documents, in the order in which they stand there."""
    return [command for name in DOCUMENTS for command in read_document(name)]


def read_document(name: str) -> list[Command]:
    """Return the commands of one document: those of its blocks and those within its sentences."""
    text = (ROOT / name).read_text(encoding="utf-8")
    found: list[Command] = []
    for block, mention in re.findall(
        r"^ *```sh\n(.*?)^ *```|(?<!`)`([^`]+)`(?!`)", text, re.DOTALL | re.MULTILINE
    ):
        if block:
            found += (Command(place=name, words=words) for words in read_shell(block))
        elif mention.split(maxsplit=1)[0] in CHECKED:
            words = next(read_shell(" ".join(mention.split())))
            found.append(Command(place=name, words=words, is_mention=True))
    return found


def read_pipeline() -> list[Command]:
    """Return those commands of the pipeline's builds that need something."""
    folder = TERRAFORM / "pipeline"
    scripts = {file.name: file.read_text("utf-8") for file in folder.glob("*.sh")}
    for file in (ROOT / "cloudbuild.yaml", *folder.glob("*.yaml")):
        build: Mapping[str, Any] = yaml.safe_load(file.read_text("utf-8"))
        for step in build["steps"]:
            scripts[f"{file.name} {step['id']}"] = step.get("script", "")
    return [
        Command(place=place, words=words)
        for place, script in scripts.items()
        for words in read_shell(script)
        if words[0] in CHECKED or is_module(words)
    ]


def is_module(words: tuple[str, ...]) -> bool:
    """Tell whether a command runs a module of ours."""
    return words[:2] == ("python3", "-m") and words[2].startswith("local.")


def read_shell(text: str) -> Iterator[tuple[str, ...]]:
    """Yield the simple commands of a text, those within `$(...)` first."""
    whole, inner = _take_substitutions(text.replace("\\\n", " "))
    for substitution in inner:
        yield from read_shell(substitution)
    statement = ""
    for line in whole.splitlines():
        statement = f"{statement}\n{line}" if statement else line
        try:
            yield from _read_statement(statement)
        except ValueError:
            continue  # a quote is open: it goes on in the next line
        statement = ""
    assert not statement, f"a quote is not closed: {statement}"


def _take_substitutions(text: str) -> tuple[str, list[str]]:
    """Return a text with `$` for each `$(...)`, and what was in these."""
    outside, inner, depth = "", "", 0
    found = []
    for number, character in enumerate(text):
        opens = character == "(" and (depth or text[number - 1 : number] == "$")
        if opens:
            depth += 1
        if depth and not (opens and depth == 1):
            inner += character
        elif not depth:
            outside += character
        if depth and character == ")":
            depth -= 1
            if not depth:
                found.append(inner[:-1])
                inner = ""
    assert not depth, f"a bracket is not closed: {text}"
    return outside, found


def _read_statement(statement: str) -> Iterator[tuple[str, ...]]:
    lexer = shlex.shlex(statement, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if not _OPERATORS.fullmatch(word):
            words.append(word)
            continue
        plain = _without_shell(words)
        if plain:
            yield plain
        words = []


def _without_shell(words: list[str]) -> tuple[str, ...]:
    """Return a command without keywords, assignments before it, and redirections.

    Terraform's `-var NAME=VALUE` is `-var=NAME=VALUE` then: a flag and its value are one word.
    """
    kept: list[str] = []
    skipped = False
    for word in words:
        if skipped or re.fullmatch(r"[<>]+", word):
            skipped = not skipped
        elif kept or not (word in {"!", "do", "else", "if", "then"} or _ASSIGNMENT.match(word)):
            kept.append(word)
    while "-var" in kept[:-1]:
        at = kept.index("-var")
        kept[at : at + 2] = [f"-var={kept[at + 1]}"]
    return () if kept and kept[0] in {"done", "fi", "for", "[", "$"} else tuple(kept)


def entry_of(command: Command) -> tuple[str, Mapping[str, Any]] | None:
    """Return the table's words for a command of gcloud or Terraform, and what stands there."""
    if is_module(command.words):
        name = command.words[2]
        return (name, NEEDS["modules"][name]) if name in NEEDS["modules"] else None
    table = NEEDS.get(command.program, {})
    words = [word for word in command.own_words if not word.startswith("-")]
    for count in range(len(words), 0, -1):
        name = " ".join(words[:count])
        if name in table:
            return name, table[name]
    return None


def flags_of(command: Command) -> dict[str, str]:
    """Return the flags by their names, with their values; several of one name: the last."""
    pairs = (word.partition("=") for word in command.own_words if word.startswith("-"))
    return {name: value for name, _, value in pairs}


def arguments_of(command: Command, name: str) -> list[str]:
    """Return what stands behind the words of the command, flags aside."""
    words = [word for word in command.own_words if not word.startswith("-")]
    return words[len(name.split()) :]
