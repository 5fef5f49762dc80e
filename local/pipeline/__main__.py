"""`python3 -m local.pipeline COMMAND`: a step of a build."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from local.failure import Failure
from local.pipeline import plans
from local.pipeline.branch import Superseded, cancel, require_current
from local.pipeline.cloud import Build, Cloud
from local.pipeline.lock import Lock


def lock(cloud: Cloud, build: Build, env: Mapping[str, str]) -> None:
    """Take the environment; by then the commit must still be the head."""
    Lock(cloud, build).take()
    require_current(cloud, build, env)


def take(cloud: Cloud, build: Build, env: Mapping[str, str]) -> None:
    """Take the environment and the plan that is to be applied."""
    lock(cloud, build, env)
    plans.take(cloud, build, env)


def compare(cloud: Cloud, build: Build, _: Mapping[str, str]) -> None:
    """Take the environment and what was applied to it last."""
    Lock(cloud, build).take()
    plans.restore_applied(cloud, build, Path("applied"))


COMMANDS: Final[Mapping[str, Callable[[Cloud, Build, Mapping[str, str]], None]]] = {
    "current": require_current,
    "lock": lock,
    "offer": plans.offer,
    "take": take,
    "verify": plans.verify,
    "record": lambda cloud, build, _: plans.record(cloud, build),
    "compare": compare,
    "unlock": lambda cloud, build, _: Lock(cloud, build).release(),
}


def main() -> int:
    """Run a command; tell an expected failure in one line."""
    name = sys.argv[1] if len(sys.argv) == 2 else ""  # noqa: PLR2004  itself, and the command
    command = COMMANDS.get(name)
    if command is None:
        print(f"usage: python3 -m local.pipeline {'|'.join(COMMANDS)}", file=sys.stderr)
        return 2
    try:
        build, cloud = Build.from_env(os.environ), Cloud(os.environ)
        try:
            command(cloud, build, os.environ)
        except Superseded as superseded:
            print(f"pipeline: {superseded}", file=sys.stderr, flush=True)
            cancel(cloud, build)
            return 1
    except Failure as failure:
        print(f"pipeline: {' '.join(str(failure).split())}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
