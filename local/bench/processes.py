"""What processes have used of the machine."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

_MIB: Final = 1024 * 1024


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


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Seconds on a processor, and ready for one that others had; of what lives."""

    on: float
    waiting: float


def usage(pid: int) -> Usage:
    """Tell what a process and its descendants have used up to now; only Linux knows it all."""
    family = _family(pid)
    return Usage(
        cpu_seconds=sum(map(_cpu_seconds, family)),
        memory_mib=sum(member.memory_full_info().pss for member in family) / _MIB,
        peak_mib=max(map(_peak, family)) / _MIB,
    )


def cpu_seconds(pid: int) -> float:
    """Tell what a process and its descendants have used of the processors up to now."""
    return sum(map(_cpu_seconds, _family(pid)))


def own_schedule() -> Schedule:
    """Tell what the threads of this process have had, without what it has started."""
    return _schedule(psutil.Process())


def schedule(pid: int) -> Schedule:
    """Tell what a process and its descendants have had up to now; only Linux knows."""
    each = [_schedule(member) for member in _family(pid)]
    return Schedule(on=sum(one.on for one in each), waiting=sum(one.waiting for one in each))


def _family(pid: int) -> list[psutil.Process]:
    first = psutil.Process(pid)
    return [first, *first.children(recursive=True)]


def _cpu_seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:  # as Postgres ends a worker now and then
        return 0.0
    return float(times.user + times.system)


def _schedule(process: psutil.Process) -> Schedule:
    on, waiting = 0, 0
    for thread in Path(f"/proc/{process.pid}/task").glob("*/schedstat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            nanoseconds = thread.read_text(encoding="ascii").split()
            on, waiting = on + int(nanoseconds[0]), waiting + int(nanoseconds[1])
    return Schedule(on=on * 1e-9, waiting=waiting * 1e-9)


def _peak(process: psutil.Process) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii", errors="replace")
    [kib] = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(kib) * 1024
