"""The tables of docs/scaling.md, as Markdown."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from local.scaling.queues import SEED, Read, System, simulate
from local.scaling.sizing import (
    CONNECTIONS,
    FEW_CONNECTIONS,
    READ,
    READS_AN_INSTANCE,
    Deployment,
    databases,
    lacks,
    plan,
    prices,
)

READS: Final = (100, 1_000, 3_000, 10_000, 30_000, 100_000)
_LOADS: Final = (200, 600, 800, 1_600, 2_200)
_POOLS: Final = (CONNECTIONS, FEW_CONNECTIONS, 2, 1)
_SLOW: Final = 50  # times as long as measured: a database that is in trouble


def all_tables(reads: Sequence[int] = READS, seed: int = SEED) -> dict[str, str]:
    """Return each table under its heading."""
    return {
        "Without a cache": _growth(reads, is_cached=False, seed=seed),
        "With the load balancer's cache": _growth(reads, is_cached=True, seed=seed),
        f"Databases for {max(reads):,} reads a second": _databases(max(reads)),
        "One instance": _one_instance(seed),
        "Places in an instance's pool": _pools(seed),
    }


def _growth(reads: Sequence[int], *, is_cached: bool, seed: int) -> str:
    deployments = [plan(rate, is_cached=is_cached) for rate in reads]
    rows = [
        _growth_row(before, deployment, seed)
        for before, deployment in zip([None, *deployments], deployments, strict=False)
    ]
    deployed = ("instances", "connections", "CPUs of Postgres")
    head = ("reads a second", "reach a function", "the row before lacks", *deployed)
    return _markdown((*head, "median, 99th", "a month, in dollars"), rows)


def _growth_row(before: Deployment | None, deployment: Deployment, seed: int) -> list[str]:
    system = deployment.system
    missing = lacks(before, deployment) if before else {}
    outcome = simulate(READ, system, rate=deployment.reaching, seed=seed)
    parts = prices(deployment).values()
    return [
        f"{deployment.reads:,}",
        f"{deployment.reaching:,.0f}",
        ", ".join(f"{name} {factor:.1f} x" for name, factor in missing.items()) or "nothing",
        f"{system.instances}",
        f"{deployment.connections:,} ({system.connections} each)",
        f"{system.database_cpus}, {outcome.utilisations['CPU of Postgres']:.0%} busy",
        f"{_ms(outcome.percentile(50))}, {_ms(outcome.percentile(99))} ms",
        f"{sum(parts):,.0f} ({' + '.join(f'{part:,.0f}' for part in parts)})",
    ]


def _databases(reads: int) -> str:
    rows = [[cpus, f"{price:,.0f}", kind] for kind, (cpus, price) in databases(reads).items()]
    return _markdown(("CPUs", "a month, in dollars", "database"), rows)


def _one_instance(seed: int) -> str:
    system = System(instances=1, connections=CONNECTIONS, database_cpus=2)
    rows = [[f"{rate:,}", *_cells(READ, system, rate, seed)] for rate in _LOADS]
    return _markdown(("reads a second", "median, 99th", "busiest"), rows)


def _pools(seed: int) -> str:
    slow = Read(
        function_cpu=READ.function_cpu,
        database_cpu=READ.database_cpu * _SLOW,
        network=READ.network,
    )
    rows = []
    for places in _POOLS:
        system = System(instances=1, connections=places, database_cpus=64)
        cells = [_cells(read, system, READS_AN_INSTANCE, seed) for read in (READ, slow)]
        rows.append([f"{places}", *cells[0], *cells[1]])
    late = f"at {_ms(slow.database_cpu)} ms"
    head = ("places", f"{READS_AN_INSTANCE:.0f} reads a second", "busiest", late, "busiest")
    return _markdown(head, rows)


def _cells(read: Read, system: System, rate: float, seed: int) -> list[str]:
    outcome = simulate(read, system, rate=rate, seed=seed)
    kind, share = outcome.busiest
    times = f"{_ms(outcome.percentile(50))}, {_ms(outcome.percentile(99))} ms"
    return ["the queue only grows" if outcome.is_full else times, f"{kind} {share:.0%}"]


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.1f}"


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def lines() -> Iterator[str]:
        yield " | ".join(head)
        yield " | ".join(["---:" if cell != head[2] else "---" for cell in head])
        yield from map(" | ".join, rows)

    return "\n".join(f"| {line} |" for line in lines())
