"""What processes have used of the machine, as Linux tells it under /proc."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")
_MIB: Final = 1024  # as /proc counts in KiB


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a process and its children have used.

    Attributes:
        cpu_seconds: Since each began; of those that ended nothing is known.
        memory_mib: Now, pages that several share counted once.
        peak_mib: The most that one of them ever had in memory, shared pages included.
    """

    cpu_seconds: float
    memory_mib: float
    peak_mib: float


def usage(pid: int) -> Usage:
    """Tell what a process and its descendants have used up to now."""
    family = _family(pid)
    return Usage(
        cpu_seconds=sum(map(_cpu_seconds, family)),
        memory_mib=sum(_kib(family, "smaps_rollup", "Pss:")) / _MIB,
        peak_mib=max(_kib(family, "status", "VmHWM:")) / _MIB,
    )


def cpu_seconds(pid: int) -> float:
    """Tell what a process and its descendants have used of the processors up to now."""
    return sum(map(_cpu_seconds, _family(pid)))


def _family(pid: int) -> list[int]:
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int(_after_name(folder)[1])
        except FileNotFoundError:
            continue  # it has just ended
    family = [pid]
    for member in family:
        family += [child for child, parent in parents.items() if parent == member]
    return family


def _cpu_seconds(pid: int) -> float:
    fields = _after_name(Path(f"/proc/{pid}"))
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND


def _after_name(folder: Path) -> list[str]:
    # The name, in parentheses, may hold anything.
    return (folder / "stat").read_text().rpartition(")")[2].split()


def _kib(pids: Iterable[int], file: str, name: str) -> list[int]:
    return [
        int(line.split()[1])
        for pid in pids
        for line in Path(f"/proc/{pid}/{file}").read_text().splitlines()
        if line.startswith(name)
    ]
