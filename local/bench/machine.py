"""What a table has to say of the machine, as its milliseconds are of no other."""

import contextlib
import os
import platform
import subprocess
from pathlib import Path

from local.bench.catalogue import connect
from local.bench.laboratory import Laboratory


def describe(laboratory: Laboratory) -> dict[str, str]:
    """Name the processor, the versions of what is measured, and what else the machine does."""
    with connect(laboratory.settings(laboratory.few)) as connection:
        cursor = connection.cursor()
        cursor.execute("show server_version")
        [version] = cursor.fetchone()
    load, _, _ = os.getloadavg()
    return {
        "processor": processor(),
        "CPUs": str(_cpus()),
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "PostgreSQL": version.split()[0],
        "load before": f"{load:.1f}",
    }


def processor() -> str:
    """Name the processor as its maker does; at least its kind, where the system does not tell."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        asked = ["sysctl", "-n", "machdep.cpu.brand_string"]
        told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
        if told:
            return told
    return platform.machine()


def _cpus() -> int:
    """Count the CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
