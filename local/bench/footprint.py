"""What a request to each function uses of the processors, and what an instance has in memory."""

import sys
from itertools import repeat
from typing import Final

from lib.catalogue import document, statements
from lib.database.database import Database
from lib.database.statement import Statement
from local.bench.calling import ask_each, request
from local.bench.laboratory import Laboratory
from local.bench.processes import cpu_seconds, schedule, usage
from local.bench.report import Measure, Report, Value, in_turn
from local.bench.serving import Subject, ours, serve
from local.bench.usual import usual, usual_calls
from local.failure import Failure

_WARM_UP: Final = 20
_CONNECTIONS: Final = 16
_ROUNDS: Final = 10
_LISTS: Final = 200


def measure(laboratory: Laboratory, report: Report) -> None:
    """Measure every function with what it is usually asked for, then what a long life does."""
    if sys.platform != "linux":
        raise Failure("the footprint can only be measured on Linux: name the other sections")
    report.begin("Footprint: processor time of a request, and memory of an instance")
    times = {name: call.times for name, call in usual_calls().items()}
    for name, subject in usual(laboratory).items():
        _measure_function(laboratory, report, subject, times[name])
    _measure_documents(laboratory, report)
    _measure_a_long_life(laboratory, report)


def _measure_function(laboratory: Laboratory, report: Report, subject: Subject, count: int) -> None:
    postgres = laboratory.postgres.pid
    with serve(subject, laboratory.variables(laboratory.scratch)) as where:
        ask_each(where.port, repeat(subject.sample, _WARM_UP), status=subject.status)
        before, before_in_postgres = usage(where.pid), cpu_seconds(postgres)
        ask_each(where.port, repeat(subject.sample, count), status=subject.status)
        after, after_in_postgres = usage(where.pid), cpu_seconds(postgres)
    cpu = after.cpu_seconds - before.cpu_seconds
    cpu_in_postgres = after_in_postgres - before_in_postgres
    report.add_parts(
        subject.name,
        {
            "CPU of function": Value(cpu * 1e3 / count, "ms"),
            "of database": Value(cpu_in_postgres * 1e3 / count, "ms"),
            "memory": Value(after.memory_mib, "MiB"),
        },
    )


def _measure_documents(laboratory: Laboratory, report: Report) -> None:
    """Tell what a list takes of Postgres, and what it would if the JSON were made for each."""
    kept = statements.PAGE_AT
    anew = Statement(sql=kept.sql.replace(document.DOCUMENT, document.ANEW), repeatable=True)
    if anew.sql == kept.sql:
        raise RuntimeError("the document was not found in the statement")
    database = Database(laboratory.settings(laboratory.many), statements=[kept, anew])
    for records in (10, 100):

        def use(statement: Statement, records: int = records) -> Measure:
            return lambda: [_use_of_postgres(laboratory, database, statement, records)]

        medians = in_turn({"kept": use(kept), "anew": use(anew)}, rounds=_ROUNDS)
        base = ("JSON made anew", medians["anew"] * 1e3)
        report.add(f"Postgres, a list of {records}", medians["kept"] * 1e3, "ms", against=base)
    database.close()


def _use_of_postgres(
    laboratory: Laboratory, database: Database, statement: Statement, records: int
) -> float:
    before = schedule(laboratory.postgres.pid).on
    for _ in range(_LISTS):
        database.run(statement, skipped=0, records=records)
    return (schedule(laboratory.postgres.pid).on - before) / _LISTS


def _measure_a_long_life(laboratory: Laboratory, report: Report) -> None:
    peaks = []
    with serve(ours("movies_list"), laboratory.variables(laboratory.many)) as where:
        for count in (100, 9_900):
            ask_each(where.port, repeat(request("/"), count), connections=_CONNECTIONS)
            peaks.append(usage(where.pid).peak_mib)
    report.add("movies_list, peak after 100 requests", peaks[0], "MiB")
    base = ("after 100", peaks[0])
    report.add("movies_list, peak after 10,000 requests", peaks[1], "MiB", against=base)
