"""The queues that a read waits in, simulated event by event, and the theory that checks them.

A read comes to an instance, uses its CPU, takes one of its connections, has one of Postgres' CPUs
for a while, comes back, and uses the instance's CPU again. SimPy or Ciw would do as well, but what
is used of them are the forty lines of `Simulation` and `Place`.
"""

import heapq
import itertools
import math
import random
from collections import deque
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

SEED: Final = 1
REQUESTS: Final = 20_000
_WARM_UP: Final = 0.1  # of the requests, which find the queues emptier than they will be
_FULL: Final = 0.98  # busier than that, a queue only grows

Process = Generator["Place | float", None, None]


class Simulation:
    """A clock, and what happens next; a process yields seconds to let pass, or a place to take."""

    def __init__(self, seed: int) -> None:
        self.now = 0.0
        self._chance = random.Random(seed)  # noqa: S311  no secret
        self._events: list[tuple[float, int, Process]] = []
        self._numbers = itertools.count()

    def draw(self, mean: float) -> float:
        """Return some time, exponentially distributed: more uneven than what we measure."""
        return self._chance.expovariate(1 / mean) if mean else 0.0

    def pick(self, count: int) -> int:
        """Return a number below another one."""
        return int(self._chance.random() * count)

    def begin(self, process: Process, after: float = 0.0) -> None:
        """Begin a process, or go on with it, after some seconds."""
        heapq.heappush(self._events, (self.now + after, next(self._numbers), process))

    def run(self) -> None:
        """Let happen all that happens."""
        while self._events:
            self.now, _, process = heapq.heappop(self._events)
            for wish in process:
                if not isinstance(wish, Place):
                    self.begin(process, wish)
                    break
                if not wish.take(process):
                    break  # it stands in line there


class Place:
    """What so many can hold at once, while others stand in line."""

    def __init__(self, simulation: Simulation, size: int) -> None:
        self._simulation, self._size, self._held = simulation, size, 0
        self._line: deque[Process] = deque()
        self._seconds_held, self._since = 0.0, 0.0

    def take(self, process: Process) -> bool:
        """Tell whether the process has it; else it goes on when its turn comes."""
        if self._held == self._size:
            self._line.append(process)
            return False
        self._count(+1)
        return True

    def give_back(self) -> None:
        """Hand it to the first in line."""
        if self._line:
            self._simulation.begin(self._line.popleft())
        else:
            self._count(-1)

    def utilisation(self) -> float:
        """Return which share of it was held, from the beginning until now."""
        self._count(0)
        return self._seconds_held / (self._size * self._simulation.now)

    def _count(self, change: int) -> None:
        self._seconds_held += self._held * (self._simulation.now - self._since)
        self._held, self._since = self._held + change, self._simulation.now


@dataclass(frozen=True, kw_only=True)
class Read:
    """The seconds that a read takes of an instance's CPU, of Postgres', on the way between them."""

    function_cpu: float
    database_cpu: float
    network: float


@dataclass(frozen=True, kw_only=True)
class System:
    """What serves reads.

    Attributes:
        connections: Places in the pool of an instance.
        seats: Requests that an instance is given at once.
    """

    instances: int
    connections: int
    database_cpus: int
    seats: int = 80


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How long reads took, in order of that, how many were answered a second, who was how busy."""

    seconds: list[float]
    rate: float
    utilisations: Mapping[str, float]

    def percentile(self, share: int) -> float:
        """Return the time within which so many of a hundred reads were answered."""
        return self.seconds[len(self.seconds) * share // 100]

    @property
    def busiest(self) -> tuple[str, float]:
        """What the next read more would wait for, and how busy it is."""
        return max(self.utilisations.items(), key=lambda item: item[1])

    @property
    def is_full(self) -> bool:
        """Whether something is so busy that its queue only grows."""
        return self.busiest[1] > _FULL


class _Service:
    """Instances and a database, and the way of a read through them."""

    def __init__(self, simulation: Simulation, system: System, read: Read) -> None:
        def places(size: int, count: int = system.instances) -> list[Place]:
            return [Place(simulation, size) for _ in range(count)]

        self._simulation, self._read = simulation, read
        self._seats, self._pools = places(system.seats), places(system.connections)
        self._cpus = places(1)  # Python runs one thread at a time
        [self._database] = places(system.database_cpus, 1)
        self.seconds: list[float] = []

    def ask(self) -> Process:
        """Yield what a read waits for, from its arrival to its answer."""
        simulation, read, arrived = self._simulation, self._read, self._simulation.now
        number = simulation.pick(len(self._cpus))
        cpu, pool, seats = self._cpus[number], self._pools[number], self._seats[number]
        yield seats
        yield from self._compute(cpu, read.function_cpu / 2)
        yield pool
        yield read.network / 2
        yield from self._compute(self._database, read.database_cpu)
        yield read.network / 2
        pool.give_back()
        yield from self._compute(cpu, read.function_cpu / 2)
        seats.give_back()
        self.seconds.append(simulation.now - arrived)

    def utilisations(self) -> dict[str, float]:
        """Return how busy each kind of queue was on average."""
        kinds = {
            "CPU of instances": self._cpus,
            "connections": self._pools,
            "CPU of Postgres": [self._database],
        }
        return {
            kind: sum(place.utilisation() for place in places) / len(places)
            for kind, places in kinds.items()
        }

    def _compute(self, cpu: Place, mean: float) -> Process:
        yield cpu
        yield self._simulation.draw(mean)
        cpu.give_back()


def simulate(
    read: Read, system: System, *, rate: float, requests: int = REQUESTS, seed: int = SEED
) -> Outcome:
    """Ask at random moments, so many times a second, whoever else waits."""
    simulation = Simulation(seed)
    service = _Service(simulation, system, read)

    def arrive() -> Process:
        for _ in range(requests):
            simulation.begin(service.ask())
            yield simulation.draw(1 / rate)

    simulation.begin(arrive())
    return _outcome(simulation, service)


def simulate_callers(
    read: Read, system: System, *, callers: int, requests: int = REQUESTS, seed: int = SEED
) -> Outcome:
    """Let so many callers ask again as soon as they are answered, as the benchmarks do."""
    simulation = Simulation(seed)
    service = _Service(simulation, system, read)
    turns = iter(range(requests))

    def call(turns: Iterator[int]) -> Process:
        for _ in turns:
            yield from service.ask()

    for _ in range(callers):
        simulation.begin(call(turns))
    return _outcome(simulation, service)


def _outcome(simulation: Simulation, service: _Service) -> Outcome:
    simulation.run()
    steady = service.seconds[int(len(service.seconds) * _WARM_UP) :]
    return Outcome(
        seconds=sorted(steady),
        rate=len(service.seconds) / simulation.now,
        utilisations=service.utilisations(),
    )


def erlang_c(servers: int, offered: float) -> float:
    """Return the chance that one has to wait for one of several servers (Erlang's C formula).

    Args:
        offered: How many of them would be busy if nobody waited.
    """
    if offered >= servers:
        return 1.0
    full = offered**servers / math.factorial(servers) * servers / (servers - offered)
    return full / (sum(offered**busy / math.factorial(busy) for busy in range(servers)) + full)
