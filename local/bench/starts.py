"""How long a cold start takes, against that of a function that does nothing, and what takes it."""

import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from local.bench.calling import request
from local.bench.laboratory import Laboratory
from local.bench.report import Report, Value, in_turn
from local.bench.serving import Subject, serve
from local.bench.usual import usual
from local.environment import ROOT
from local.failure import Failure

ROUNDS: Final = 15
STEPPED_ROUNDS: Final = 5
_HELLO_WORLD: Final = """
import functions_framework.aio
from starlette.responses import Response

@functions_framework.aio.http
def hello(request):
    return Response(b"hello")
"""
_STEPS: Final = Path(__file__).with_name("steps.py")


def measure(laboratory: Laboratory, report: Report) -> None:
    """Measure the start of every function as a whole, then its steps one after the other."""
    report.begin("Starts: from the command to the first answer")
    variables = laboratory.variables(laboratory.scratch)
    hello = laboratory.scratch_folder / "hello.py"
    hello.write_text(_HELLO_WORLD)
    functions = usual(laboratory).values()
    with _through_cloud_sql(variables) as movies_list:
        subjects = [
            Subject(name="hello world", source=hello, target="hello"),
            *functions,
            movies_list,
        ]
        starts = in_turn(
            {
                subject.name: lambda subject=subject: [_start(subject, variables)]  # type: ignore[misc]
                for subject in subjects
            },
            rounds=ROUNDS,
        )
    base = ("hello world", starts["hello world"] * 1e3)
    for name, seconds in starts.items():
        report.add(name, seconds * 1e3, "ms", against=base)
    report.begin("Starts, step by step: no server, so that no two steps run at once")
    for subject in functions:
        runs = [_steps(subject, variables) for _ in range(STEPPED_ROUNDS)]
        medians = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
        parts = {name: Value(seconds * 1e3, "ms") for name, seconds in medians.items()}
        report.add_parts(subject.name, parts)


def _start(subject: Subject, variables: Mapping[str, str]) -> float:
    with serve(subject, variables) as where:
        return where.started_in


def _steps(subject: Subject, variables: Mapping[str, str]) -> dict[str, float]:
    started = time.monotonic()
    command = [sys.executable, "-P", str(_STEPS), str(started), subject.target]
    command += [str(subject.source)]
    done = subprocess.run(
        command, input=subject.sample, stdout=subprocess.PIPE, env=variables, cwd=ROOT, check=True
    )
    told = json.loads(done.stdout.splitlines()[-1])
    if told["status"] != subject.status:
        raise Failure(f"{subject.name} answered {told['status']} to its first request")
    seconds: dict[str, float] = told["seconds"]
    return seconds


@contextlib.contextmanager
def _through_cloud_sql(variables: Mapping[str, str]) -> Iterator[Subject]:
    """Run the stand-in for Cloud SQL, as the program that it also is."""
    command = [sys.executable, "-m", "local.cloud_sql.stand_in", variables["DATABASE_URL"]]
    with subprocess.Popen(
        command, env=variables, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as stand_in:
        if stand_in.stdout is None:
            raise Failure("the stand-in for Cloud SQL has no output")
        told = stand_in.stdout.readline()
        if not told:
            raise Failure("the stand-in for Cloud SQL did not start")
        yield Subject(
            name="movies_list through Cloud SQL",
            source=ROOT / "local" / "cloud_sql" / "launch.py",
            target="movies_list",
            sample=request("/"),
            variables=json.loads(told),
        )
        # Its input ends with the block, and that ends it.
