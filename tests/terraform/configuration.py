"""Terraform's files as text: what the tests beside this one read out of them, without Terraform."""

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent.parent
TERRAFORM: Final = ROOT / "terraform"


def read(name: str) -> str:
    return (TERRAFORM / name).read_text(encoding="utf-8")


def table(name: str, file: str) -> dict[str, str]:
    """Return the entries of a local map by their keys, as text, whatever its indentation."""
    lines = read(file).splitlines()
    start = next(
        n for n, line in enumerate(lines) if re.fullmatch(rf"\s*{name}\s*= (merge\()?\{{?", line)
    )
    indent = len(lines[start]) - len(lines[start].lstrip())
    entries: dict[str, list[str]] = {}
    key = None
    for line in lines[start + 1 :]:
        depth = len(line) - len(line.lstrip())
        if line.strip() and depth <= indent:
            break
        found = re.fullmatch(r"\s*(\w+) = \{", line)
        if found:
            key = found[1]
            entries[key] = []
        elif key is not None:
            entries[key].append(line)
    return {name: "\n".join(body) for name, body in entries.items()}


def strings(entry: str, column: str) -> list[str]:
    """Return the strings of one column of an entry, whether it is one string or a list of them."""
    found = re.search(rf"^\s*{column}\s*= (.*)$", entry, re.MULTILINE)
    return re.findall(r'"([^"]*)"', found[1]) if found else []
