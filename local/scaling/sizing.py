"""What a rate of reads takes on Google Cloud: instances, connections, CPUs of Postgres, money.

Measured are `LIST` and `GET` and the size of an answer. Limits are Google's, each with its page.
Prices are those of europe-west1, in US dollars. The rest is computed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from local.scaling.queues import Read, System

# Measured on two CPUs: docs/performance.md has the figures of one caller. Postgres' parts are those
# of 16 callers at once and a million films; that of a list is between its first page and any page.
# A round trip within a region, through the connector, could not be measured and is taken to be a
# millisecond.
NETWORK: Final = 1e-3
LIST: Final = Read(function_cpu=0.40e-3, database_cpu=0.24e-3, network=NETWORK)
GET: Final = Read(function_cpu=0.30e-3, database_cpu=0.11e-3, network=NETWORK)
READ: Final = Read(  # half lists, half single films
    function_cpu=(LIST.function_cpu + GET.function_cpu) / 2,
    database_cpu=(LIST.database_cpu + GET.database_cpu) / 2,
    network=NETWORK,
)
ANSWER_GB: Final = 5e-6

# Of a container that speaks HTTP/1, as functions do: https://cloud.google.com/run/quotas
MOST_REQUESTS: Final = 800
# How much of that, and of its CPU, an instance is to have; 60 % is what Cloud Run scales by:
# https://cloud.google.com/run/docs/about-instance-autoscaling
REQUESTS_SHARE: Final = 0.75
CPU_SHARE: Final = 0.6
READS_AN_INSTANCE: Final = min(MOST_REQUESTS * REQUESTS_SHARE, CPU_SHARE / READ.function_cpu)

CONNECTIONS: Final = 8  # an instance, as function.yaml has it
FEW_CONNECTIONS: Final = 3  # which do as well: see `pools` in the tables
OTHER_CONNECTIONS: Final = 120  # of all other functions, and in reserve, as in prod
CONNECTIONS_A_CPU: Final = 100  # as in prod: 400 on four CPUs
MOST_CONNECTIONS: Final = 1_000  # beyond that Postgres has more to do with them than for them

DATABASE_CPUS: Final = (2, 4, 8, 16, 32, 48, 64, 96)  # Enterprise ends at 96
MEMORY_A_CPU: Final = 3.75  # GB
MOST_READS: Final = 250_000  # that the greatest of them serves

# What the cache of the load balancer may keep: s-maxage, in seconds; how many places of it callers
# reach, and how many addresses they ask for, by Zipf's law, are assumptions.
KEPT: Final = 30
PLACES: Final = 20
ADDRESSES: Final = 1_000_000

_WORTH_TELLING: Final = 1.05

MONTH_HOURS: Final = 730
MONTH_SECONDS: Final = MONTH_HOURS * 3600
BILLED: Final = 0.1  # seconds: https://cloud.google.com/run/pricing
INSTANCE_SECOND: Final = 0.000024 + 0.5 * 0.0000025  # a CPU and half a GiB
MILLION_REQUESTS: Final = 0.40
CPU_HOUR: Final = 0.0413  # https://cloud.google.com/sql/pricing, Enterprise
GB_HOUR: Final = 0.007
DISK: Final = 1.7  # ten GB
# Enterprise Plus, N2; a node of a read pool costs what an instance does.
PLUS_CPU_HOUR: Final = 0.0537
PLUS_GB_HOUR: Final = 0.0091
PLUS_MEMORY_A_CPU: Final = 8
NODE_CPUS: Final = 8
EGRESS_GB: Final = 0.12  # to the internet, without a cache
# https://cloud.google.com/cdn/pricing: to Europe, up to so many TB, and each look-up.
CACHE_EGRESS_GB: Final = ((10, 0.08), (150, 0.055), (1_000, 0.03), (math.inf, 0.02))
MILLION_LOOKUPS: Final = 0.75
BALANCER: Final = 32  # with its two policies: see costs.md


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """What stands for a rate of reads.

    Attributes:
        reads: A second, from callers.
        reaching: Of those, what no cache answers.
    """

    reads: float
    reaching: float
    system: System

    @property
    def connections(self) -> int:
        """What all instances of the reads may open."""
        return self.system.instances * self.system.connections


def plan(reads: float, *, is_cached: bool) -> Deployment:
    """Return the smallest deployment that serves a rate with room to spare."""
    reaching = reads * (1 - cached_share(reads)) if is_cached else reads
    instances = 2 * math.ceil(reaching / 2 / READS_AN_INSTANCE)  # of lists, and of single films
    busy = reaching * READ.database_cpu
    cpus = next(size for size in DATABASE_CPUS if busy <= CPU_SHARE * size)
    fits = instances * CONNECTIONS + OTHER_CONNECTIONS <= most_connections(cpus)
    connections = CONNECTIONS if fits else FEW_CONNECTIONS
    system = System(instances=instances, connections=connections, database_cpus=cpus)
    return Deployment(reads=reads, reaching=reaching, system=system)


def most_connections(cpus: int) -> int:
    """Return what a database of this size is to hold."""
    return min(cpus * CONNECTIONS_A_CPU, MOST_CONNECTIONS)


def lacks(before: Deployment, wanted: Deployment) -> Mapping[str, float]:
    """Return what the smaller of two has too little of, and how many times it; the worst first."""
    cpus = before.system.database_cpus
    needed = wanted.system.instances * before.system.connections + OTHER_CONNECTIONS
    factors = {
        "instances": wanted.reaching / (before.system.instances * READS_AN_INSTANCE),
        "CPU of Postgres": wanted.reaching * READ.database_cpu / (CPU_SHARE * cpus),
        "connections": needed / most_connections(cpus),
    }
    missing = [item for item in factors.items() if item[1] >= _WORTH_TELLING]
    return dict(sorted(missing, key=lambda item: -item[1]))


def cached_share(reads: float) -> float:
    """Return the share that a cache answers, which keeps each address for a while at each place."""
    total = sum(1 / rank for rank in range(1, ADDRESSES + 1))
    first = reads * KEPT / PLACES / total  # how often the first address is asked, in that while
    # Of a weight of 1 / rank, as many of first / rank questions as follow the one that fills it.
    return sum(first / (rank + first) / rank for rank in range(1, ADDRESSES + 1)) / total


def prices(deployment: Deployment) -> dict[str, float]:
    """Return what a month costs: functions, a highly available database, the way to callers."""
    system, reaching = deployment.system, deployment.reaching
    busy = 1 - math.exp(-reaching / system.instances * BILLED)  # tenths of seconds with a request
    asked = reaching * MONTH_SECONDS / 1e6
    hour = system.database_cpus * (CPU_HOUR + MEMORY_A_CPU * GB_HOUR)
    return {
        "functions": system.instances * MONTH_SECONDS * busy * INSTANCE_SECOND
        + asked * MILLION_REQUESTS,
        "database": 2 * (MONTH_HOURS * hour + DISK),
        "way": _way(deployment),
    }


def databases(reaching: float) -> dict[str, tuple[str, float]]:
    """Return which databases would serve a rate: their CPUs, and what a month of them costs."""
    busy = reaching * READ.database_cpu / CPU_SHARE
    one = next(size for size in DATABASE_CPUS if busy <= size)
    nodes = max(2, math.ceil(busy / NODE_CPUS))
    hour = CPU_HOUR + MEMORY_A_CPU * GB_HOUR
    plus_hour = PLUS_CPU_HOUR + PLUS_MEMORY_A_CPU * PLUS_GB_HOUR
    pool = f"2 x 2 + {nodes} x {NODE_CPUS}"
    return {
        "Enterprise, highly available": (f"2 x {one}", MONTH_HOURS * 2 * one * hour),
        "Enterprise Plus, highly available": (f"2 x {one}", MONTH_HOURS * 2 * one * plus_hour),
        "Enterprise Plus, and a read pool": (
            pool,
            MONTH_HOURS * (4 + nodes * NODE_CPUS) * plus_hour,
        ),
    }


def _way(deployment: Deployment) -> float:
    answers = deployment.reads * MONTH_SECONDS
    if deployment.reaching == deployment.reads:
        return answers * ANSWER_GB * EGRESS_GB
    egress = _tiered(answers * ANSWER_GB, CACHE_EGRESS_GB)
    return BALANCER + answers / 1e6 * MILLION_LOOKUPS + egress


def _tiered(gigabytes: float, tiers: Sequence[tuple[float, float]]) -> float:
    price, floor = 0.0, 0.0
    for ceiling, unit in tiers:
        price += max(0.0, min(gigabytes, ceiling * 1_000) - floor) * unit
        floor = ceiling * 1_000
    return price
